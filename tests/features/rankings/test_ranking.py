import math

import msgspec
import numpy as np
import pytest
from support import examples
from support.messages import refused

from bench.features.rankings.ranking import rankings
from bench.study.trial import changed

QUERIES = 200
HARD = np.random.default_rng(0).normal(0, 0.2, QUERIES)  # queries are hard for all models alike


def outcome(model, ndcg, exact, hits=5, judgements="j", **fields):
    scores, of_exact = ({"nDCG@10": np.asarray(values, dtype=np.float32)} for values in (ndcg, exact))
    data = {"dataset": model, "fingerprint": model, "judgements": judgements, "queries": len(exact)}
    return "e", examples.outcome(np.full(len(exact), hits), retrieval=scores, retrieval_exact=of_exact, **data | fields)


def model(name, exact_mean, mean, builds=4, noise=0.02, hits=5, **changed):
    """Outcomes of a model whose scores are near exact_mean under exact search and near mean under the index."""
    rng = np.random.default_rng([*name.encode(), *f"{changed}".encode()])
    own = rng.normal(0, noise, QUERIES)
    exact = exact_mean + HARD + own - own.mean() - HARD.mean()
    for seed in range(1, builds + 1):
        lost = rng.normal(0, noise, QUERIES)
        scores = exact + (mean - exact_mean) + lost - lost.mean()
        yield outcome(name, scores, exact, hits, build_seed=seed, order_seed=seed, **changed)


def three(means, **changed):
    """Models that exact search ranks a, b, c, with these means under the index."""
    exact = {"a": 0.6, "b": 0.5, "c": 0.4}
    return [
        o
        for (name, of_exact), mean in zip(exact.items(), means, strict=True)
        for o in model(name, of_exact, mean, **changed)
    ]


def test_a_ranking_by_hand():
    [ranking] = rankings(three([0.4, 0.5, 0.3]))
    assert ranking.models == ["a", "b", "c"]
    assert ranking.exact == pytest.approx([0.6, 0.5, 0.4], abs=1e-6)
    assert ranking.exact_ranks == [1, 2, 3]
    assert (ranking.judged, ranking.left_out, ranking.reference) == (QUERIES, [], "exact")
    [column] = ranking.columns
    assert (column.engine, column.order) == ("hnswlib", "random")
    assert column.means == pytest.approx([0.4, 0.5, 0.3], abs=1e-6)
    assert column.ranks == [2, 1, 3]
    assert column.moved == [-1, 1, 0]
    assert column.tau == pytest.approx(1 / 3)  # two pairs of three keep their order
    [swap] = column.swaps
    assert (swap.ahead, swap.behind) == ("a", "b")
    assert (swap.reference, swap.index) == pytest.approx((0.1, -0.1), abs=1e-6)


def test_queries_of_a_group_are_no_independent_evidence_of_a_swap():
    """Of four groups two favour a under the index and two b; any three or four drawn of the first keep a ahead: 5/16.

    One model of the two states the groups: they are those of its queries, which both share.
    """
    groups = np.arange(QUERIES) // 50
    index = np.array([0.2, 0.2, 0.7, 0.7])[groups]
    exact = np.full(QUERIES, 0.5)
    outcomes = [outcome("a", index, exact + 0.1), outcome("b", exact, exact)]
    name, of_b = outcomes[1]
    grouped = [outcomes[0], (name, msgspec.structs.replace(of_b, query_groups=groups))]
    for of_one, probability in ((outcomes, 1.0), (grouped, 11 / 16)):
        [swap] = rankings(of_one)[0].columns[0].swaps
        assert swap.probability == pytest.approx(probability, abs=0.03)  # 4,000 resamples: ± 0.015


def test_models_that_lack_documents_are_ranked_with_the_others():
    """A digest of judgements is of queries and relevance, then a dot, then of documents that a model has vectors of."""
    judged = {"a": "q.all", "b": "q.some", "c": "other.all", "d": "other.all"}
    listed = rankings(o for name, digest in judged.items() for o in model(name, 0.6, 0.4, judgements=digest))
    assert [sorted(one.models) for one in listed] == [["a", "b"], ["c", "d"]]


def test_models_that_the_reference_holds_equal_are_never_swapped():
    exact = (0.5 + HARD).astype(np.float32)
    lost = np.zeros(QUERIES)
    lost[3] = 0.4
    [ranking] = rankings([outcome("a", exact, exact), outcome("b", exact - lost, exact)])
    assert ranking.exact_ranks == [1, 1]
    assert ranking.columns[0].swaps == []


def test_a_move_far_larger_than_noise_is_sure():
    [swap] = rankings(three([0.4, 0.5, 0.3]))[0].columns[0].swaps
    assert swap.probability == 1
    assert swap.reference_unsure == 0
    assert swap.shifted == 1


def test_models_that_are_far_apart_never_swap():
    [ranking] = rankings(three([0.5, 0.4, 0.3]))
    [column] = ranking.columns
    assert column.swaps == []
    assert column.moved == [0, 0, 0]
    assert column.tau == 1


def test_models_that_are_alike_swap_about_half_the_time():
    # Of one quality under exact search (to a rounding), other errors under the index, hardly different in the mean.
    exact = (0.5 + HARD).astype(np.float32)
    better = exact.copy()
    better[0] += 1e-3
    rng = np.random.default_rng(1)
    lost = rng.normal(0, 0.1, (2, 4, QUERIES))
    lost -= lost.mean(axis=(1, 2), keepdims=True)
    lost[0] -= 1e-4
    outcomes = [
        outcome(name, of_exact + lost[i, seed], of_exact, build_seed=seed, order_seed=seed)
        for i, (name, of_exact) in enumerate({"a": better, "b": exact}.items())
        for seed in range(4)
    ]
    [swap] = rankings(outcomes)[0].columns[0].swaps
    assert swap.probability == pytest.approx(0.5, abs=0.1)
    # Only draws without query 0 (37 %) find no difference, counted half.
    assert swap.reference_unsure == pytest.approx(math.exp(-1) / 2, abs=0.03)


def test_queries_that_favour_a_model_under_both_are_no_swap():
    # Exact search cannot tell the two apart, but the index answers as it does, with a little lost by `a`.
    rng = np.random.default_rng(2)
    a, b = 0.5 + rng.normal(0, 0.2, (2, QUERIES))
    a += b.mean() - a.mean() + 1e-3
    outcomes = [
        outcome(name, of_exact - lost, of_exact, build_seed=seed)
        for name, of_exact, lost in (("a", a, 2e-3), ("b", b, 0.0))
        for seed in (1, 2)
    ]
    [swap] = rankings(outcomes)[0].columns[0].swaps
    assert swap.reference_unsure > 0.4
    assert swap.probability < 0.1
    assert swap.shifted == 1  # and yet `a` loses a little, always


def test_equal_models_share_the_better_rank():
    exact = np.linspace(0, 1, 20)
    outcomes = [outcome(name, exact / 2, exact) for name in ("a", "b")]
    outcomes += [outcome("c", exact / 4, exact / 2)]
    [ranking] = rankings(outcomes)
    assert ranking.exact_ranks == ranking.columns[0].ranks == [1, 1, 3]
    assert ranking.columns[0].swaps == []


def test_an_order_may_be_the_reference_in_its_own_engine():
    outcomes = three([0.5, 0.4, 0.3]) + three([0.3, 0.4, 0.35], order="given")
    outcomes += three([0.3, 0.4, 0.2], engine="faiss") + three([0.3, 0.4, 0.2], engine="faiss", order="given")
    [ranking] = rankings(outcomes, "given")
    moved = {(column.engine, column.order): column.moved for column in ranking.columns}
    assert moved == {
        ("hnswlib", "random"): [2, -1, -1],
        ("hnswlib", "given"): [0, 0, 0],
        ("faiss", "random"): [0, 0, 0],
        ("faiss", "given"): [0, 0, 0],
    }
    assert ranking.models == ["a", "b", "c"]  # still listed by exact search
    with refused("'best'", "exact, given, random"):
        rankings(outcomes, "best")
    with refused("'given'"):
        rankings(
            [o for o in outcomes if o[1].trial.order.order == "random" or o[1].trial.index.engine == "faiss"], "given"
        )


@pytest.mark.filterwarnings("ignore:e. z is left out")
def test_settings_and_judgements_are_never_mixed():
    outcomes = three([0.5, 0.4, 0.3]) + three([0.5, 0.4, 0.3], ef_search=40)
    assert [ranking.setting["ef_search"] for ranking in rankings(outcomes)] == [10, 40]
    other = [
        (name, msgspec.structs.replace(o, trial=changed(o.trial, judgements="other", dataset="z")))
        for name, o in three([0.5, 0.4, 0.3])[:1]
    ]
    [ranking] = rankings(three([0.5, 0.4, 0.3]) + other)
    assert ranking.models == ["a", "b", "c"]


def test_models_that_lack_a_column_are_left_out_and_listed():
    outcomes = three([0.5, 0.4, 0.3]) + three([0.5, 0.4, 0.3], order="given")
    [ranking] = rankings([o for o in outcomes if o[1].trial.data.dataset != "b" or o[1].trial.order.order == "random"])
    assert ranking.models == ["a", "c"]
    assert ranking.left_out == ["b"]


def test_an_engine_has_a_column_for_each_of_its_own_parameters():
    outcomes = three([0.5, 0.4, 0.3]) + three([0.4, 0.5, 0.3], engine_params='{"levels":2}')
    [ranking] = rankings(outcomes)
    assert [(column.engine_params, column.moved) for column in ranking.columns] == [
        ('{"levels":2}', [-1, 1, 0]),
        ("{}", [0, 0, 0]),
    ]


def test_json_has_how_far_a_model_is_ahead_as_found():
    [swap] = rankings(three([0.4, 0.5, 0.3]))[0].columns[0].swaps
    assert msgspec.to_builtins(swap)["found"] == swap.index


def test_correlations_of_recall():
    outcomes = [
        o for i, name in enumerate("abcd") for o in model(name, 0.6 - i / 10, (0.6 - i / 10) / (i + 1), hits=8 - i)
    ]
    [quality, share] = rankings(outcomes)[0].correlations
    recalls = [0.8, 0.7, 0.6, 0.5]
    assert (quality.of, quality.points) == ("nDCG@10", 4)
    assert quality.pearson.value == pytest.approx(np.corrcoef(recalls, [0.6, 0.25, 0.4 / 3, 0.075])[0, 1], abs=1e-4)
    assert share.pearson.value == pytest.approx(np.corrcoef(recalls, [1, 1 / 2, 1 / 3, 1 / 4])[0, 1], abs=1e-4)
    assert quality.spearman.value == share.spearman.value == 1


def test_a_model_that_finds_nothing_under_exact_search_has_no_share_to_correlate():
    outcomes = [outcome(name, np.full(4, mean), np.full(4, mean)) for name, mean in (("a", 0.5), ("b", 0.0))]
    [_, share] = rankings(outcomes)[0].correlations
    assert math.isnan(share.pearson.value)


def test_an_error_names_what_models_lack_for_a_ranking():
    plain = examples.outcome([1])
    with refused("nDCG@10"):
        rankings([("e", plain)])
    with refused("only-one"):
        rankings(list(model("only-one", 0.5, 0.4)))
    outcomes = [*model("a", 0.5, 0.4), *model("b", 0.5, 0.4, order="given")]
    with refused("engine", "order"):
        rankings(outcomes)
