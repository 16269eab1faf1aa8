import json
import math

import msgspec
import pytest
from support.messages import lines_naming

from bench.analysis.retrieval import retrieval
from bench.analysis.summary import summarize
from bench.features.rankings.ranking import rankings
from bench.features.rankings.rankings_text import rankings_text
from bench.present import export
from bench.present.retrieval import retrieval_text, score_columns
from bench.present.text import Layout
from bench.study.run import run
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study
from bench.study.store import Store

WIDE = Layout(wide=True)


@pytest.fixture(scope="module")
def outcomes(models, tmp_path_factory):
    """A small study: three models, two engines, two orders, two builds, graphs so thin that they lose much."""
    experiment = Experiment(
        datasets=["blurred"],
        orders=["random", "given"],
        index=[{"engine": name, "M": 2, "ef_construction": 4} for name in ("hnswlib", "faiss")],
        ef_search=10,
        build_seeds=2,
    )
    store = Store.create(tmp_path_factory.mktemp("store") / "s.sqlite")
    list(run(Study("blurred", experiment, models), store))
    return list(store.outcomes("blurred"))


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_a_study_with_judgements_from_builds_to_rankings(outcomes):
    [ranking] = rankings(outcomes)
    assert ranking.models == [f"blurred(model={name})" for name in ("sharp", "fair", "poor")]
    assert ranking.exact == sorted(ranking.exact, reverse=True)
    assert ranking.judged == 29
    assert len(ranking.columns) == 4
    for column in ranking.columns:
        # A graph may lead to relevant rows that are not the nearest, but loses more.
        assert all(mean < exact for mean, exact in zip(column.means, ranking.exact, strict=True))
        assert -1 <= column.tau <= 1
        assert sum(column.moved) == 0
    json.loads(msgspec.json.encode(ranking))


def test_the_table_of_rankings_names_models_short_and_shows_moves(outcomes):
    text = rankings_text(rankings(outcomes), WIDE)
    header, _, first, second, third, *_ = rows(text)
    assert header == ["model", "exact", "faiss given", "faiss random", "hnswlib given", "hnswlib random"]
    assert [row[0] for row in (first, second, third)] == ["sharp", "fair", "poor"]
    assert [row[1][:3] for row in (first, second, third)] == ["1: ", "2: ", "3: "]
    assert lines_naming(text, "blurred", "3 models", "nDCG@10", "queries 30", "M 2")
    assert lines_naming(text, "29 queries")
    assert lines_naming(text, "recall@10", "nDCG@10 / exact nDCG@10")


def test_a_swap_is_shown_with_its_probabilities(outcomes):
    [ranking] = rankings(outcomes)
    column = ranking.columns[0]
    swapped = msgspec.structs.replace(
        column,
        moved=[-1, 1, 0],
        ranks=[2, 1, 3],
        swaps=[swap(ranking, probability=0.97), swap(ranking, probability=0.5)],
    )
    text = rankings_text([msgspec.structs.replace(ranking, columns=[swapped], left_out=["blurred(model=late)"])], WIDE)
    table = rows(text)
    assert table[2][2].startswith("2 (-1): ")
    assert table[3][2].startswith("1 (+1): ")
    [line] = [row for row in table if row[:2] == [column.engine, column.order] and "sharp" not in row[2]]
    assert line[2] == f"{sum(column.recalls) / 3:.4f}"
    assert line[4:] == ["1", "2", "1", "2"]  # places, pairs, of these sure, of these likelier than not
    assert [column.engine, column.order, "sharp > fair", "+10.00", "-2.00", "0.97", "0.25", "0.99"] in table
    assert text.endswith("have: late.")


def swap(ranking, probability):
    from bench.features.rankings.ranking import Swap

    ahead, behind, _ = ranking.models
    return Swap(
        ahead=ahead,
        behind=behind,
        reference=0.1,
        index=-0.02,
        probability=probability,
        reference_unsure=0.25,
        shifted=0.99,
    )


def test_the_table_of_scores_stands_by_the_summaries(outcomes):
    scored = retrieval(outcomes)
    text = retrieval_text(scored, WIDE)
    header, _, *lines = rows(text)
    assert header[-5:] == ["nDCG@10", "vs exact, points", "RR@10", "vs exact, points", "exact nDCG@10"]
    assert len(lines) == 3 * 2 * 2
    assert "Over the 29 judged queries" in text
    assert {(row.order, row.setting) for row in scored} == {(row.order, row.setting) for row in summarize(outcomes)}
    row = score_columns(scored[0])
    score = scored[0].scores["nDCG@10"]
    assert row["nDCG@10"] == score.mean.value
    assert row["nDCG@10_difference"] == pytest.approx(row["nDCG@10"] - row["nDCG@10_exact"])
    assert row["nDCG@10_difference_low"] <= row["nDCG@10_difference"] <= row["nDCG@10_difference_high"]
    assert row["judged"] == 29


def test_exports_have_the_scores_or_nothing(outcomes):
    frame = export.tidy(outcomes)
    assert list(frame) == list(export.TIDY)
    assert (frame["nDCG@10"] < frame["nDCG@10_exact"]).mean() > 0.9
    assert frame["RR@10"].between(0, 1).all()
    assert frame["R@100"].isna().all()  # k is 10
    [ranking] = rankings(outcomes)
    means = frame.groupby(["engine", "order", "dataset"])["nDCG@10"].mean()
    for column in ranking.columns:
        for model, mean in zip(ranking.models, column.means, strict=True):
            assert means[column.engine, column.order, model] == pytest.approx(mean)
    assert not math.isnan(frame["recall"].mean())
