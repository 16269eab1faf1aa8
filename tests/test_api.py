"""The harness from Python: the same results as the command line's, from arrays and frames, and mistakes in one line."""

import inspect
import json
import os
import subprocess
import sys

import altair as alt
import numpy as np
import pandas as pd
import pytest
from support.messages import names, refused, warned

import bench
from bench.present.export import TIDY

ORDERS = ["given", "random", "residual-descending"]
FEW = {"orders": ORDERS, "engines": ["hnswlib"], "seeds": 2, "progress": False}
QUICK = {"orders": ["random"], "engines": ["hnswlib"], "ef_search": [10], "seeds": 1, "progress": False}
WORDS = ("--orders", ",".join(ORDERS), "--engines", "hnswlib", "--seeds", "2")
QUICK_WORDS = ("--orders", "random", "--engines", "hnswlib", "--ef-search", "10", "--seeds", "1")
MEASURED = ["order", "order_params", "ef_search", "order_seed", "build_seed", "fingerprint", "recall", "ids_sha256"]


def rows(n=600, d=8):
    return np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)


def measured(outcomes):
    """What does not differ by the dataset's name and the clock."""
    return outcomes[MEASURED].sort_values(MEASURED).reset_index(drop=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("api") / "store.sqlite"


@pytest.fixture(scope="module")
def result(store):
    return bench.compare(rows(), metric="cosine", store=store, **FEW)


def test_arrays_and_frames_give_the_outcomes_of_the_command_line_on_the_same_file(cli, tmp_path, result):
    np.save(tmp_path / "rows.npy", rows())
    cli("compare", "rows.npy", "--metric", "cosine", *WORDS, check=0)
    of_command = bench.load(tmp_path / "results" / "store.sqlite").outcomes
    of_frame = bench.compare(pd.DataFrame(rows()), metric="cosine", name="frame", **FEW).outcomes
    of_path = bench.compare(tmp_path / "rows.npy", metric="cosine", **FEW).outcomes
    assert len(result.outcomes) == 3 * 2 * 2
    for outcomes in (of_command, of_frame, of_path):
        pd.testing.assert_frame_equal(measured(outcomes), measured(result.outcomes))
    assert [set(of["dataset"]) for of in (of_command, of_frame, result.outcomes)] == [{"rows"}, {"frame"}, {"vectors"}]


def test_queries_that_are_given_are_searched_and_none_are_held_out(cli, tmp_path):
    base, queries = rows()[:500], rows()[500:]
    for name, array in (("base", base), ("queries", queries)):
        np.save(tmp_path / f"{name}.npy", array)
    cli("compare", "base.npy", "--queries", "queries.npy", *QUICK_WORDS, check=0)
    of_command = bench.load(tmp_path / "results" / "store.sqlite").outcomes
    assert set(of_command["n"]) == {500}
    for given in (queries, pd.DataFrame(queries), tmp_path / "queries.npy", str(tmp_path / "queries.npy")):
        pd.testing.assert_frame_equal(
            measured(bench.compare(base, queries=given, **QUICK).outcomes), measured(of_command)
        )


def test_the_summary_is_the_table_of_the_same_store(cli, store, result):
    table = json.loads(cli("table", "compare-vectors", "--json", "--store", store, check=0).stdout)
    pd.testing.assert_frame_equal(result.summary, pd.DataFrame(table), check_dtype=False, rtol=1e-12)
    loaded = bench.load(store)
    pd.testing.assert_frame_equal(loaded.summary, result.summary)
    assert loaded.advice == result.advice != ""


def test_frames_have_the_columns_and_types_that_the_guide_states(result):
    assert list(result.outcomes) == list(TIDY)
    kinds = {column: dtype.kind for column, dtype in result.outcomes.dtypes.items()}
    assert {kinds[name] for name in ("n", "d", "queries", "M", "ef_search", "order_seed", "build_seed")} == {"i"}
    assert {kinds[name] for name in ("recall", "recall_tie", "build_seconds", "search_seconds")} == {"f"}
    summary = result.summary
    assert list(summary["order"].groupby(summary["ef_search"]).nunique()) == [3, 3]
    assert {"dataset", "metric", "n", "d", "queries", "engine", "M", "k", "builds", "p", "verdict"} <= set(summary)
    for figure in ("recall", "difference", "misses_removed"):
        assert {summary[name].dtype.kind for name in (figure, f"{figure}_low", f"{figure}_high")} == {"f"}
    assert summary["recall"].between(0, 1).all()


def test_recalls_have_a_row_a_build_and_a_column_a_query_and_their_mean_is_the_outcomes(result):
    assert {choice[3] for choice in result.recalls} == set(ORDERS)
    for (dataset, index, search, order), recalls in result.recalls.items():
        assert (dataset, index, recalls.shape, recalls.dtype.kind) == ("vectors", "hnswlib", (2, 60), "f")
        outcomes = result.outcomes.query(
            "order == @order and ef_search == @search", local_dict={"order": order, "search": int(search)}
        )
        assert sorted(recalls.mean(axis=1)) == pytest.approx(sorted(outcomes["recall"]))


def test_a_chart_is_altairs_and_a_report_says_how_it_was_made(result, tmp_path):
    assert isinstance(result.chart("difference"), alt.TopLevelMixin)
    page = result.report(tmp_path / "page.html").read_text()
    assert "result = bench.compare(vectors, metric=" in page


def test_the_same_call_goes_on_from_its_store_and_without_one_nothing_stays(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    bench.compare(rows(), **QUICK)
    assert list(tmp_path.iterdir()) == []
    kept = tmp_path / "store.sqlite"
    bench.compare(rows(), store=kept, **QUICK)
    assert capsys.readouterr() == ("", "")
    bench.compare(rows(), store=kept, **QUICK | {"progress": True})
    said = capsys.readouterr()
    assert said.out == ""
    metric, held_out, missing = said.err.splitlines()
    assert names(metric, "vectors", "l2")
    assert names(held_out, "vectors", "60 rows", "queries")
    assert names(missing, "compare-vectors", "1 outcomes", "0 missing", kept)


def test_progress_is_lines_where_no_terminal_is(capsys):
    bench.compare(rows(), **QUICK | {"progress": True})
    assert "1/1 outcomes" in capsys.readouterr().err


def test_an_interrupt_keeps_what_finished_where_a_store_is_named(tmp_path, monkeypatch):
    from bench.study import fill

    run = fill.run

    def interrupted(*arguments):
        yield next(run(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.study.fill.run", interrupted)
    with refused("1 of 40 outcomes", tmp_path / "s.sqlite", error=KeyboardInterrupt):
        bench.compare(rows(), store=tmp_path / "s.sqlite", **FEW)
    assert len(bench.load(tmp_path / "s.sqlite").outcomes) == 1
    with refused("1 of 40 outcomes", "lost", error=KeyboardInterrupt):
        bench.compare(rows(), **FEW)


def test_an_array_of_row_numbers_is_the_order_that_a_file_of_them_is(tmp_path):
    mine, other = np.random.default_rng(1).permutation(600), np.arange(600)[::-1]
    np.save(tmp_path / "mine.npy", mine)
    given = [mine, {"rows": {"by-date": other, "again": list(mine)}}, {"file": str(tmp_path / "mine.npy")}, "reverse"]
    outcomes = bench.compare(rows(), **QUICK | {"orders": ["random", *given]}).outcomes
    ids = {json.loads(p).get("file_name", o): i for o, p, i in outcomes[["order", "order_params", "ids_sha256"]].values}
    assert ids.keys() == {"random", "orders[1]", "by-date", "again", "mine.npy", "reverse"}
    assert ids["orders[1]"] == ids["mine.npy"] == ids["again"]
    assert ids["by-date"] == ids["reverse"]
    assert len(set(ids.values())) == 3


def test_labels_and_groups_of_queries_may_be_lists_and_series():
    labels = ["even" if row % 2 == 0 else "odd" for row in range(600)]
    groups = np.arange(20) // 2
    queries = np.random.default_rng(1).standard_normal((20, 8), np.float32)
    few = QUICK | {"orders": ["category:permutation=odd+even"], "queries": queries}
    of_list = bench.compare(rows(), labels=labels, query_groups=list(groups), **few)
    of_series = bench.compare(rows(), labels=pd.Series(labels), query_groups=pd.Series(groups), **few)
    assert set(of_list.outcomes["order"]) == {"category"}
    pd.testing.assert_frame_equal(measured(of_series.outcomes), measured(of_list.outcomes))


def test_frames_with_missing_numbers_of_pandas_own_types_are_refused_as_nan():
    frame = pd.DataFrame(rows()).astype("Float32")
    assert len(bench.order(frame, "given")) == 600
    frame.iloc[7, 2] = pd.NA
    with refused("vectors", "row 7"):
        bench.order(frame, "given")


def test_frames_whose_columns_are_named_alike_but_for_type_are_taken():
    named = pd.DataFrame(np.random.default_rng(1).random((20, 8), np.float32)).rename(columns=str)
    assert len(bench.compare(pd.DataFrame(rows()), queries=named, **QUICK).outcomes) == 1


def test_numbers_that_float32_may_not_hold_are_converted_with_a_warning():
    for given in (rows().astype(np.float64), pd.DataFrame(rows().astype(np.float64))):
        with warned("vectors", "float64", "float32"):
            assert len(bench.order(given, "given")) == 600


def test_parts_of_a_dataset_of_the_catalogue_may_come_from_memory():
    whole = bench.lid("subspace-small", k=10)
    queries = np.random.default_rng(0).standard_normal((30, 128), np.float32)
    outcomes = bench.compare("subspace-small", queries=queries, limit=500, **QUICK).outcomes
    assert (set(outcomes["queries"]), set(outcomes["n"]), len(whole)) == (
        {30},
        {500},
        len(bench.order("subspace-small", "random")),
    )


def test_orders_and_dimensions_are_those_that_the_commands_write(cli, tmp_path):
    np.save(tmp_path / "rows.npy", rows())
    (tmp_path / "l.txt").write_text("\n".join("ab"[row % 2] for row in range(600)))
    words = ("--metric", "cosine", "--output")
    for order, labels in (("residual-descending:clusters=5", ()), ("category", ("--labels", "l.txt"))):
        cli("order", "rows.npy", "--order", order, "--seed", "3", *labels, *words, "ids.npy", check=0)
        given = ["ab"[row % 2] for row in range(600)] if labels else None
        ids = bench.order(rows(), order, metric="cosine", labels=given, seed=3)
        assert ids.dtype == np.int64
        assert np.array_equal(ids, np.load(tmp_path / "ids.npy"))
    cli("lid", "rows.npy", "--k", "20", *words, "lid.npy", check=0)
    lid = bench.lid(pd.DataFrame(rows()), k=20, metric="cosine")
    assert (lid.shape, lid.dtype, lid.flags.writeable) == ((600,), np.float64, True)
    assert np.array_equal(lid, np.load(tmp_path / "lid.npy"))


def test_failed_trials_are_a_warning_and_the_rest_is_there(tmp_path):
    (tmp_path / "bad.py").write_text("def build(base, order, metric, params, seed):\n    raise ValueError('no room')\n")
    with warned("1 of 2 trials", "bad", "no room"):
        result = bench.compare(rows(), **QUICK | {"engines": ["hnswlib", tmp_path / "bad.py"]})
    assert set(result.outcomes["engine"]) == {"hnswlib"}


TEXT = pd.DataFrame(rows(50)).assign(title="x")
HOLED = rows(50)
HOLED[4, 1] = np.nan


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"vectors": rows()[0]}, ("vectors", "(8,)")),
        ({"vectors": HOLED}, ("vectors", "row 4")),
        ({"vectors": [[1.0, 2.0], [3.0]]}, ("vectors", "array")),
        ({"vectors": [["a", "b"]]}, ("vectors", "<U1")),
        ({"vectors": None}, ("vectors", "()")),
        ({"vectors": pd.DataFrame()}, ("vectors", "(0, 0)")),
        ({"vectors": pd.DataFrame(rows(0))}, ("vectors", "queries", 0)),
        ({"vectors": TEXT}, ("vectors", "title")),
        ({"vectors": "no-such-file.npy"}, ("no-such-file.npy",)),
        ({"vectors": "image-patch"}, ("'image-patch'", "image-patches")),
        ({"queries": rows(5, 4)}, ("queries", 4, "vectors", 8)),
        ({"queries": rows(0)}, ("queries", "no rows")),
        ({"queries": TEXT}, ("queries", "title")),
        ({"labels": ["a", "b"]}, ("labels", "(2,)", "600 rows")),
        ({"labels": [None] * 600}, ("labels", "object")),
        ({"query_groups": [1] * 60}, ("query_groups", "queries")),
        ({"orders": ["shuffled"]}, ("'shuffled'", "given, reverse, random")),
        ({"orders": ["block-shuffle:block=x"]}, ("block",)),
        ({"orders": [{"name": "block-shuffle", "size": 3}]}, ("'block-shuffle'", "'size'")),
        ({"orders": "random"}, ("orders is 'random'", "list")),
        ({"orders": []}, ("orders",)),
        ({"orders": [np.arange(599)]}, ("orders[0]", "599 rows", "row 599", 600)),
        ({"orders": [np.zeros(600, int)]}, ("orders[0]", "row 0", "600 times")),
        ({"orders": [rows()]}, ("orders[0]", "(600, 8)", "float32")),
        ({"orders": [{"rows": [1, 2]}]}, ("orders[0]", "name")),
        ({"engines": ["hnsw"]}, ("'hnsw'", "hnswlib, faiss")),
        ({"engines": "hnswlib"}, ("engines is 'hnswlib'", "list")),
        ({"metric": "euclidean"}, ("'euclidean'", "l2, cosine, ip")),
        ({"reference": "sorted"}, ("reference", "'sorted'", "random")),
        ({"ef_search": 10}, ("ef_search is 10", "list")),
        ({"ef_search": [5]}, ("ef_search = 5", 10)),
        ({"k": "10"}, ("k is '10'",)),
        ({"M": 1}, ("M = 1",)),
        ({"seeds": 0}, ("seeds = 0", 1)),
        (
            {"queries": pd.DataFrame(rows(5))[[*range(7, -1, -1)]], "vectors": pd.DataFrame(rows())},
            ("queries", "vectors"),
        ),
        ({"name": ""}, ("name is ''",)),
        ({"name": 3}, ("name is 3", "text")),
        ({"store": 3}, ("store is 3", "path")),
        ({"store": ""}, ("store is ''", "path")),
        ({"limit": 0}, ("limit = 0", 1)),
        ({"jobs": 1.5}, ("jobs is 1.5",)),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_that_names_the_argument(change, named):
    with refused(*named) as error:
        bench.compare(**{"vectors": rows(), **QUICK, **change})
    assert "\n" not in str(error.value)


def test_mistakes_beside_compare_are_lines_too(result, tmp_path):
    for call, named in (
        (lambda: bench.order(rows(), "shuffled"), ("'shuffled'",)),
        (lambda: bench.order(rows(), "file.npy"), ("file",)),
        (lambda: bench.order(rows(), "category"), ("'category'", "'vectors'", "labels")),
        (lambda: bench.order(rows(), "random", seed=-1), ("seed = -1", 0)),
        (lambda: bench.lid(rows(), k=600), ("k = 600", "'vectors'", "600 rows", 2, 599)),
        (lambda: bench.lid(rows(), estimator="twonn"), ("'twonn'", "mle, mom, tle")),
        (lambda: bench.order(rows(), np.arange(600)), ("order", "ndarray")),
        (lambda: bench.load(tmp_path / "none.sqlite"), (tmp_path / "none.sqlite",)),
        (lambda: bench.load(3), ("store is 3", "path")),
        (lambda: result.report(None), ("path is None",)),
        (lambda: result.figures(""), ("folder is ''",)),
        (lambda: result.chart("pie"), ("'pie'", "difference")),
        (lambda: result.chart("difference", search="11"), ("'11'", "10, 40")),
        (lambda: result.chart("rankings"), ("'rankings'",)),
    ):
        with refused(*named):
            call()


LOADED = "import json, sys\n{code}\nprint(json.dumps([name.partition('.')[0] for name in sys.modules]))"
HELP = (
    "sys.argv = ['bench', 'run', '--help']\nfrom bench.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass"
)


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import bench\nassert 'compare' in dir(bench)", ["pandas", "numpy", "altair", "faiss", "hnswlib", "typer"]),
        (HELP, ["pandas", "numpy", "altair", "jinja2", "vl_convert", "faiss", "hnswlib"]),
    ],
    ids=["import bench", "bench run --help"],
)
def test_nothing_heavy_is_loaded_before_it_is_used(code, heavy):
    done = subprocess.run([sys.executable, "-c", LOADED.format(code=code)], capture_output=True, text=True, check=True)
    assert set(heavy) & set(json.loads(done.stdout.splitlines()[-1])) == set()


def test_the_stable_names_are_there_with_types_and_words():
    assert dir(bench) == ["BenchError", "BenchWarning", "Result", "compare", "lid", "load", "order"]
    for name in dir(bench):
        assert inspect.getdoc(getattr(bench, name))
    with refused("'comparison'", error=AttributeError):
        _ = bench.comparison
    for function in (bench.compare, bench.lid, bench.load, bench.order):
        assert inspect.signature(function).return_annotation is not inspect.Signature.empty
        for name, parameter in inspect.signature(function).parameters.items():
            assert parameter.annotation is not inspect.Parameter.empty
            assert name in inspect.getdoc(function)


PROGRAM = """
import numpy, bench
print("once")
vectors = numpy.random.default_rng(0).standard_normal((600, 8)).astype("float32")
result = bench.compare(vectors, orders=["random"], engines=["hnswlib"], seeds=1, progress=False)
print(len(result.outcomes), result.findings.failures)
"""


def test_a_program_needs_no_guard_and_no_file(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"
    }  # else no `-m program`
    for words, text in ((["program.py"], None), (["-"], PROGRAM), (["-m", "program"], None)):
        done = subprocess.run(
            [sys.executable, *words], input=text, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert (done.stdout, done.stderr) == ("once\n2 []\n", "")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"k": True}, ("k is True",)),
        ({"seeds": True}, ("seeds is True",)),
        ({"ef_search": [10, True]}, ("ef_search[1] is True",)),
        ({"limit": np.True_}, ("limit",)),
        ({"store": "folder"}, ("folder", "with store")),
        ({"orders": ["category"]}, ("'category'", "labels")),
    ],
)
def test_a_mistake_names_the_argument_and_not_the_option(tmp_path, monkeypatch, arguments, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with refused(*named) as error:
        bench.compare(rows(), **QUICK | arguments)
    assert "--" not in str(error.value)


def test_a_mistake_of_other_functions_names_the_argument_too(tmp_path):
    with refused(tmp_path / "none.sqlite", "with store"):
        bench.load(tmp_path / "none.sqlite")
    with refused("'category'", "labels"):
        bench.order(rows(), "category")
    with refused("k is True"):
        bench.lid(rows(), k=True)


@pytest.mark.parametrize("labels", [map(str, range(600)), (row for row in range(600)), {1, 2}])
def test_labels_that_are_no_list_are_refused_by_name(labels):
    with refused("labels"):
        bench.order(rows(), "category", labels=labels)
