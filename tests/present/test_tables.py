import io
import math
import re

import msgspec
import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len
from support.examples import TRIAL
from support.messages import names, refused
from support.needs import ENGINES
from support.summaries import steady_samples

from bench.analysis.advice import advise
from bench.analysis.setting import Setting
from bench.analysis.summary import Comparison, Shares, Summary
from bench.indexes import INDEXES
from bench.present import export, listings
from bench.present import summary as summary_of
from bench.present.text import Layout
from bench.statistics.intervals import Estimate
from bench.statistics.power import Needed
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study
from bench.study.store import Store
from bench.study.trial import FIELDS, changed


def setting(name="d", **fields):
    return Setting(experiment="e", of=changed(TRIAL, **{"dataset": name, "queries": 2, **fields}).setting, name=name)


def estimate(value, half=0.01):
    return Estimate(value, value - half, value + half, half / 2, 10.0)


def summary(
    order="random", recall=0.5, difference=None, verdict="better", needed=None, builds=3, ties=0.0, lost=0, **fields
):
    against = None
    if difference is not None:
        against = Comparison(
            difference=estimate(difference),
            misses_removed=estimate(0.5, 0.1),
            p=0.0123,
            verdict=verdict,
            needed=Needed(*needed) if isinstance(needed, tuple) else Needed(needed, None),
            detectable=0.0155,
        )
    return Summary(
        setting=setting(**fields),
        order=order,
        option=None,
        builds=builds,
        recall=estimate(recall, 0.01 if builds > 1 else math.nan),
        sd=0.0123 if builds > 1 else math.nan,
        against=against,
        equivalent_ef=(17.4, 12.2, float("inf")) if difference else None,
        below_half=estimate(0.1234),
        percentile_5=estimate(0.3, 0.1),
        recall_tie=recall + ties,
        order_seconds=0.1,
        build_seconds=1.234,
        search_seconds=0.1,
        lowest_build=0.4321,
        lost_queries=lost,
        falls_apart=lost > 0,
    )


WIDE = Layout(wide=True)


def text_of(summaries, shares=(), ties=False, layout=Layout()):  # noqa: B008 - frozen
    return summary_of.summary_text(summaries, shares, advise(summaries, steady_samples(summaries)), ties, layout)


def wide(summaries, shares=()):
    return text_of(summaries, shares, layout=WIDE)


def flat_text(text):
    """A text without its line breaks."""
    return " ".join(text.split())


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_an_order_is_a_row_with_its_interval_and_verdict():
    text = wide([summary("given", 0.6, 0.1), summary("random")])
    header, _, first, second = rows(text)
    text = flat_text(text)
    assert header[:5] == ["order", "builds", "recall", "sd", "lowest build"]
    assert header[5:] == [
        "vs random, points",
        "p",
        "verdict",
        "equals ef",
        "misses removed, %",
        "below 0.5, %",
        "5th %",
        "build s",
    ]
    assert first[:5] == ["given", "3", "0.6000 [0.5900, 0.6100]", "0.0123", "0.4321"]
    assert first[5:] == [
        "+10.00 [+9.00, +11.00]",
        "0.012",
        "better",
        "17 [12, above]",
        "50 [40, 60]",
        "12.3 [11.3, 13.3]",
        "0.30 [0.20, 0.40]",
        "1.23",
    ]
    assert second[5:9] == ["", "", "", ""]
    assert names(
        text.partition("|")[0], "e", "dataset d", "metric l2", "n 100", "d 4", "queries 2", "engine hnswlib", "M 16"
    )
    assert names(text, "70 %", "1.55 points")
    assert names(wide([summary("given", 0.6, 0.1, builds=5), summary(builds=5)]), "80 %", "1.55 points")


def test_a_hint_names_the_order_whose_build_loses_queries():
    fallen, whole = summary("category", queries=1000, lost=40), summary("random", queries=1000)
    assert "40 of 1,000 queries" in flat_text(wide([fallen, whole]))
    assert "(category)" in flat_text(wide([fallen, whole]))
    assert "of 1,000 queries" not in flat_text(wide([whole]))
    row = summary_of.summary_row(fallen)
    assert (row["lowest_build"], row["lost_queries"]) == (0.4321, 40)


def test_an_undecided_order_shows_the_builds_that_decide_it():
    compared = [summary("given", 0.6, 0.1, "undecided", 12), summary("reverse", 0.6, 0.1, "undecided", (6, 1200))]
    text = wide([*compared, summary("centroid", 0.6, 0.1, "undecided"), summary()], [])
    builds, queries, neither, reference = (line[7] for line in rows(text)[2:])
    assert names(builds, "undecided", "12 builds")
    assert names(queries, "undecided", "6 builds", "1,200 queries")
    assert names(neither, "undecided")
    assert not re.search(r"\d", neither)
    assert reference == ""
    narrow = text_of([*compared, summary()])
    assert flat_text(narrow).count("undecided (q)") == 2  # in the table, and explained below


def test_fields_that_vary_are_columns_without_repeats():
    text = wide(
        [
            summary("random"),
            summary("given"),
            summary("random", engine="faiss", engine_version="1.15.1", M=8),
            summary("random", name="other", n=50, M=8),
        ]
    )
    table = rows(text)
    assert table[0][:4] == ["dataset", "engine", "M", "order"]
    assert [line[:4] for line in table[2:]] == [
        ["d", "hnswlib", "16", "random"],
        ["", "", "", "given"],
        ["d", "faiss", "8", "random"],
        ["other", "hnswlib", "8", "random"],
    ]


def test_two_versions_of_an_engine_are_a_column():
    text = wide([summary(), summary(engine_version="0.9.0")])
    assert rows(text)[0][0] == "engine_version"


def test_nothing_is_compared_with_a_reference_that_is_alone():
    header = rows(wide([summary()]))[0]
    assert header == ["order", "builds", "recall", "sd", "lowest build", "below 0.5, %", "5th %", "build s"]


def test_one_build_shows_no_interval_and_ties_are_noted():
    text = wide([summary(builds=1, ties=0.0012)])
    assert rows(text)[2][2:4] == ["0.5000", ""]
    assert names(flat_text(text), "0.12 points", "--ties")


def test_shares_stand_below_their_experiment():
    text = wide([summary(), summary(ef_search=40)], [Shares(setting(), {"order": 0.25, "residual": 0.75})])
    assert rows(text)[-3:] == [
        ["ef_search", "order", "residual"],
        [":------------", "--------:", "-----------:"],
        ["10", "25.0", "75.0"],
    ]


def lines_of(text):
    """Lines as lists of cells that stand two blanks apart at least."""
    return [re.split(r" {2,}", line) for line in text.splitlines()]


def test_a_terminal_gets_the_columns_that_decide_below_a_heading_a_setting():
    text = text_of(
        [
            *(summary("given", 0.6, 0.1, needed=12, verdict="undecided"), summary("random")),
            *(summary("given", 0.6, 0.1, verdict="no difference shown", engine="faiss"), summary(engine="faiss")),
        ],
        [Shares(setting(), {"order": 0.25, "residual": 0.75})],
    )
    table = lines_of(text)
    assert ["order", "recall", "vs random, points", "verdict", "equals ef"] in table
    assert ["hnswlib:"] in table
    assert ["faiss:"] in table
    assert ["given", "0.6000", "+10.00 [+9.00, +11.00]", "undecided (12)", "17"] in table
    assert ["given", "0.6000", "+10.00 [+9.00, +11.00]", "no difference", "17"] in table
    assert ["random", "0.5000"] in table
    text = flat_text(text)
    assert names(text, "3 builds", "undecided (N)", "--wide")
    assert "residual" not in text


def test_the_only_advice_is_ties_if_they_decide():
    text = flat_text(text_of([summary("given", 0.6, 0.1, ties=0.02), summary()]))
    advice = text.partition("What now:")[2]
    assert names(advice, "`bench table e --ties`")
    assert "given" not in advice
    other = flat_text(text_of([summary("given", 0.6, 0.1, ties=0.02), summary()], ties=True))
    assert names(other.partition("What now:")[2], "Best", "given")


ODD = [
    "a|b",
    "line\nbreak",
    "漢字" * 60,
    "x" * 300,
    "\x1b[31mred",
    "[bold]not markup[/bold]",
    ":smile:",
    "\udcff",
    "R+D, HR",
]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_is_wider_than_the_terminal_whatever_the_labels(width):
    listed = [
        summary(f"category permutation={label}", 0.6, 0.1, name=label, needed=1234, verdict="undecided", engine=engine)
        for label in ODD
        for engine in ("hnswlib", label)
    ]
    text = text_of([*listed, *(summary(name=label) for label in ODD)], layout=Layout(width=width))
    assert max(map(cell_len, text.splitlines())) <= width
    assert "[bold]not markup[/bold]" in flat_text(text)
    assert "\x1b" not in text


def test_a_label_breaks_no_row_of_markdown():
    text = wide([summary(label, 0.6, 0.1) for label in ODD[:2]])
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert r"a\|b" in text
    assert "line break" in text


@pytest.mark.parametrize("kind", listings.KINDS)
@pytest.mark.parametrize("width", [80, 120])
def test_every_list_fits_the_terminal(kind, width):
    rows = listings.KINDS[kind]()
    text = listings.text(kind, rows, Layout(width=width))
    assert max(map(cell_len, text.splitlines())) <= width


def test_json_rows_are_flat():
    row = summary_of.summary_row(summary("given", 0.6, 0.1))
    assert (row["experiment"], row["dataset"], row["ef_search"], row["order"]) == ("e", "d", 10, "given")
    assert (row["recall"], row["recall_low"], row["difference"], row["verdict"]) == (0.6, 0.59, 0.1, "better")
    assert not any(isinstance(value, dict | Estimate) for value in row.values())


@pytest.fixture
def filled(small, tmp_path):
    from bench.study.run import run

    experiment = Experiment(
        datasets=["clustered"],
        orders=["random", "category"],
        index=[{"engine": "hnswlib", "M": 6, "ef_construction": 20}],
        build_seeds=2,
    )
    store = Store.create(tmp_path / "s.sqlite")
    list(run(Study("e", experiment, [small]), store))
    return store


def test_export_has_one_tidy_row_an_outcome_in_every_format(filled):
    frame = export.tidy(filled.outcomes())
    assert list(frame) == list(export.TIDY)
    assert {*FIELDS, "experiment", "recall", "recall_tie"} < set(frame)
    assert (frame[["order_seconds", "build_seconds", "search_seconds"]] > 0).all(axis=None)
    assert "peak_bytes" in set(frame.select_dtypes(float))
    assert len(frame) == 8
    assert frame["recall"].between(0, 1).all()
    assert set(frame["order_params"]) == {"{}", '{"permutation":null}'}
    again = pd.read_csv(io.BytesIO(export.exported(frame, "csv")))
    assert np.allclose(again["recall"], frame["recall"])
    assert list(again) == list(frame)
    parquet = pd.read_parquet(io.BytesIO(export.exported(frame, "parquet")))
    pd.testing.assert_frame_equal(parquet, frame, check_dtype=False)
    markdown = export.exported(frame, "markdown").decode().splitlines()
    assert len(markdown) == 8 + 2
    with refused("'xls'", "csv, parquet, markdown"):
        export.exported(frame, "xls")


@pytest.mark.parametrize("kind", listings.KINDS)
def test_every_list_names_things_and_explains_them(kind):
    listed = listings.KINDS[kind]()
    assert len(listed) >= 2
    assert all(list(row.values())[-1] for row in listed)
    text = listings.text(kind, listed, WIDE)
    assert all(row["name"] in text for row in listed)


def test_an_engine_that_is_not_installed_is_listed_with_how_to_install_it(monkeypatch):
    absent = msgspec.structs.replace(INDEXES["hnswlib"], package="nowhere-to-be-seen", extra="seen")
    before = listings.engines()
    monkeypatch.setitem(INDEXES, "absent", absent)
    *others, row = listings.engines()
    assert others == before
    assert row["name"] == "absent"
    assert "pip install 'hnsw-order-bench[seen]'" in row["version"]


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_is_listed_with_its_version(name):
    [version] = [row["version"] for row in listings.engines() if row["name"] == name]
    assert version[0].isdecimal()


def test_the_list_of_datasets_shows_order_origin_and_what_is_here(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path))
    (tmp_path / "glove-25-angular.hdf5").write_bytes(b"")
    rows = {row["name"]: row for row in listings.datasets()}
    keys = ("n", "d", "file order", "comes from", "download", "here")
    assert [rows["sift-128-euclidean"][key] for key in keys] == [10**6, 128, "natural", "download", "501.0 MB", "no"]
    assert [rows["glove-25-angular"][key] for key in keys] == [
        1183514,
        25,
        "shuffled",
        "download",
        "121.0 MB",
        "yes",
    ]
    assert [rows["scifact"][key] for key in keys] == [5183, None, "unknown", "download (texts)", "2.8 MB", "no"]
    assert [rows["clinc150"][key] for key in keys] == [18200, 384, "natural", "BENCH_MIRROR", "", "no"]
    assert [rows["subspace"][key] for key in keys] == [10000, 1024, "shuffled", "generator", "", "-"]
    text = listings.text("datasets", listings.datasets(), Layout())
    assert "1,183,514" in text
    assert "Pennington" not in text
