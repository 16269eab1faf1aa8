"""The commands as a user gives them, in a folder of their own."""

import csv
import hashlib
import io
import json
import platform
import re
import signal
import subprocess
import time
from importlib import metadata

import h5py
import numpy as np
import pytest
from support.lines import one_line
from support.messages import lines_naming, names

SMALL = ["--orders", "given,random,block-shuffle:block=50", "--seeds", "2", "--M", "6", "--ef-construction", "30"]


@pytest.fixture
def vectors(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "my.npy", rng.standard_normal((400, 8)).astype(np.float32))
    np.save(tmp_path / "q.npy", rng.standard_normal((30, 8)).astype(np.float32))
    np.save(tmp_path / "l.npy", rng.integers(0, 3, 400))
    return tmp_path


def test_help_is_quick_and_every_command_shows_an_example(cli):
    text = cli("--help", check=0).stdout
    for command in ("run", "compare", "table", "export", "lid", "gate", "list", "rankings", "fetch"):
        assert command in text
        assert f"Example:\n    bench {command}" in cli(command, "--help", check=0).stdout
    assert cli(check=0).stdout == text


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_versions_import_nothing_heavy(bench_script, option):
    program = (
        f"import sys; sys.argv = ['bench', '{option}']\n"
        "from bench.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'pandas', 'faiss', 'sklearn', 'skdim', 'scipy', 'rich'} & set(sys.modules)))"
    )
    python = bench_script.removesuffix("bench") + "python"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_versions_are_those_that_a_report_needs(cli):
    lines = cli("--version", check=0).stdout.splitlines()
    assert lines[0] == f"bench {metadata.version('hnsw-order-bench')}"
    assert lines[1].startswith(f"python {platform.python_version()} on ")
    assert lines[2:] == [f"{name} {metadata.version(name)}" for name in ("hnswlib", "faiss-cpu", "numpy")]


def test_the_module_is_the_command(cli, bench_script):
    python = bench_script.removesuffix("bench") + "python"
    for words in (["--help"], ["run", "--help"]):
        done = subprocess.run([python, "-m", "bench", *words], capture_output=True, text=True, check=True)
        assert done.stdout == cli(*words, check=0).stdout
        assert done.stdout.startswith("Usage: bench ")


def test_compare_needs_nothing_but_vectors(cli, vectors):
    done = cli("compare", "my.npy", *SMALL, check=0)
    assert lines_naming(done.stderr, "my.npy", "40 rows")
    lines = done.stdout.splitlines()
    orders = [line for line in lines if line.startswith(("given ", "random ", "block-shuffle "))]
    assert len(orders) == 2 * 2 * 3  # engines × ef × orders
    assert max(map(len, lines)) <= 80
    assert "What now:" in lines
    wide = [line for line in cli("table", "--wide", check=0).stdout.splitlines() if line.startswith("|")]
    assert len(wide) == 2 + 2 * 2 * 3 + 2 + 2 * 2  # the same, and where the spread comes from
    assert "block=50" in done.stdout
    assert (vectors / "results" / "store.sqlite").is_file()
    again = cli("compare", "my.npy", *SMALL, check=0)
    ladder = 2 * 2 * 12  # engines × seeds × from 10 to the 360 rows, but 10 and 40
    assert lines_naming(again.stderr, f"{24 + ladder} outcomes", "0 missing")
    assert again.stdout == done.stdout


def test_another_reference_is_searched_on_the_ladder_and_compared_with(cli, vectors):
    few = ["compare", "my.npy", "--orders", "given,random", "--engines", "hnswlib", "--seeds", "2", "--ef-search", "10"]
    by_order = {row["order"]: row for row in json.loads(cli(*few, "--reference", "given", "--json", check=0).stdout)}
    assert by_order["given"]["equivalent_ef"] is None
    assert by_order["random"]["equivalent_ef"] is not None
    exported = list(csv.DictReader(io.StringIO(cli("export", check=0).stdout)))
    assert {row["ef_search"] for row in exported} == {"10"}
    assert "equals ef" in cli("table", "--reference", "given", check=0).stdout
    assert "equals ef" not in cli("table", check=0).stdout  # random was searched at a single ef_search
    assert names(one_line(cli(*few, "--reference", "gven")), "'gven'", "given, random")
    assert names(one_line(cli(*few[:4], "--preset", "pgvector", "--reference", "given")), "--reference")


def test_few_rows_are_compared_in_the_orders_that_they_have(cli, vectors):
    np.save(vectors / "few.npy", np.load(vectors / "my.npy")[:60])
    few = ["compare", "few.npy", "--seeds", "2", "--ef-search", "10"]
    done = cli(*few, check=0)
    assert lines_naming(done.stderr, "warning: few", "lid-ascending", "lid-descending", "k = 100", "54 rows")
    assert "radius-descending" in done.stdout
    assert "lid-" not in done.stdout
    assert "lid-" not in cli("compare", "few.npy", "--seeds", "2", "--preset", "redis", check=0).stdout
    assert names(one_line(cli(*few, "--orders", "random,lid-descending")), "'lid-descending'", "'few'", "54 rows")


def test_compare_takes_a_datasets_toml_file(cli, vectors):
    (vectors / "set.toml").write_text("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'my.npy'\nqueries = 'q.npy'\n")
    assert "queries 30" in cli("compare", "set.toml", *SMALL, check=0).stdout


def test_compare_takes_a_dataset_by_its_name(cli, vectors):
    (vectors / "digits").mkdir()  # the name of a dataset comes first
    done = cli("compare", "digits", "--limit", "200", *SMALL, check=0)
    assert "digits[200]" in done.stdout
    assert "compare-digits: " in done.stderr
    assert names(one_line(cli("compare", "digits", "--labels", "l.npy")), "l.npy", "(400,)", "1597 rows")
    assert names(one_line(cli("compare", "digit")), "'digit'", "digits")


def test_a_study_of_one_array_of_a_file_has_the_files_name(cli, vectors):
    np.savez(vectors / "my.npz", train=np.load(vectors / "my.npy"), other=np.zeros(3))
    assert "compare-my: " in cli("compare", "my.npz#train", *SMALL, check=0).stderr


def test_compare_takes_queries_labels_metric_engines_and_answers_in_json(cli, vectors):
    words = ["compare", "my.npy", "--queries", "q.npy", "--labels", "l.npy", "--metric", "cosine", "--engines", "faiss"]
    words += [
        "--orders",
        "random,category:permutation=2+0+1",
        "--ef-search",
        "20",
        "--k",
        "5",
        "--seeds",
        "2",
        "--json",
    ]
    rows = json.loads(cli(*words, check=0).stdout)
    assert {row["order"] for row in rows} == {"random", "category permutation=2+0+1"}
    assert {(row["engine"], row["metric"], row["k"], row["ef_search"], row["queries"], row["n"]) for row in rows} == {
        ("faiss", "cosine", 5, 20, 30, 400)
    }


def test_compare_takes_a_benchmarks_file_and_a_part_of_it(cli, vectors):
    rows, queries = np.load(vectors / "my.npy"), np.load(vectors / "q.npy")
    true = np.argsort(-(queries @ rows.T), axis=1)[:, :10]
    with h5py.File(vectors / "ann.hdf5", "w") as file:
        file["train"], file["test"], file["neighbors"] = rows, queries, true + 1
        file.attrs["distance"] = "ip"
    words = ["compare", "ann.hdf5", "--orders", "given,random", "--seeds", "1", "--engines", "faiss", "--json"]
    done = cli(*words, check=0)
    assert lines_naming(done.stderr, "ann.hdf5", "metric ip")
    assert lines_naming(done.stderr, "warning: ann", "300 neighbours", "10 each", "30 queries", "from 1")
    assert {(row["metric"], row["n"], row["queries"]) for row in json.loads(done.stdout)} == {("ip", 400, 30)}
    done = cli(*words, "--limit", "100", check=0)
    assert lines_naming(done.stderr, "warning: ann.hdf5", "neighbors")
    [dataset] = {row["dataset"] for row in json.loads(done.stdout) if row["n"] == 100}
    assert dataset.startswith("ann[100]")
    np.save(vectors / "gt.npy", true)
    assert "warning" not in cli(*words, "--neighbors", "gt.npy", check=0).stderr
    assert json.loads(cli("lid", "ann.hdf5", "--k", "20", "--json", check=0).stdout)["metric"] == "ip"


def test_run_table_and_export_agree(cli, tmp_path):
    (tmp_path / "my.toml").write_text(
        "datasets = ['digits']\norders = ['random', 'given']\nef_search = 10\nbuild_seeds = 2\n"
        "[[index]]\nengine = 'hnswlib'\n"
    )
    ran = cli("run", "my.toml", "--limit", "300", check=0)
    assert "digits[300]" in ran.stdout
    assert cli("table", check=0).stdout == ran.stdout
    assert cli("table", "my", check=0).stdout == ran.stdout
    [first, second] = json.loads(cli("table", "--json", check=0).stdout)
    lines = cli("export", check=0).stdout.splitlines()
    assert len(lines) == 1 + 4
    columns = (
        "experiment dataset engine engine_version order order_params M ef_construction ef_search k metric chunk "
        "threads engine_params order_seed build_seed n d queries recall recall_tie "
        "order_seconds build_seconds search_seconds peak_bytes"
    )
    assert set(columns.split()) <= set(lines[0].split(","))
    cli("export", "--format", "parquet", "--output", "r.parquet", "--experiment", "my", check=0)
    assert names(one_line(cli("export", "--output", "r.pdf")), "--output", "r.pdf", ".csv")
    import pandas as pd

    frame = pd.read_parquet(tmp_path / "r.parquet")
    means = frame.groupby("order")["recall"].mean()
    for row in (first, second):
        assert means[row["order"]] == pytest.approx(row["recall"])
    assert "vs given" in cli("table", "--reference", "given", check=0).stdout
    assert names(one_line(cli("table", "--reference", "randon")), "'randon'", "given, random")
    assert lines_naming(cli("table", "--ties", check=0).stdout, "ties")
    assert re.search(r"^hnswlib +[+-]\d+\.\d ", cli("table", "--by-engine", check=0).stdout, re.MULTILINE)
    assert names(one_line(cli("table", "--by-engine", "--json")), "--by-engine")


@pytest.fixture
def judged(tmp_path, models):
    """A BEIR folder with the vectors of three models, and an experiment on them."""
    folder = tmp_path / "blurred"
    (folder / "qrels").mkdir(parents=True)
    (folder / "embeddings").mkdir()
    judgements = models[0].judgements
    for file, ids in (("corpus", judgements.doc_ids), ("queries", judgements.query_ids)):
        lines = [json.dumps({"_id": name, "title": "", "text": f"text of {name}"}) for name in ids.tolist()]
        (folder / f"{file}.jsonl").write_text("\n".join(lines) + "\n")
    rows = [f"{query}\t{doc}\t{grade}" for query, row in judgements.qrels.items() for doc, grade in row.items()]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]) + "\n")
    names = [dataset.name.partition("=")[2].strip(")") for dataset in models]
    for name, dataset in zip(names, models, strict=True):
        np.save(folder / "embeddings" / f"{name}.corpus.npy", dataset.base)
        np.save(folder / "embeddings" / f"{name}.queries.npy", dataset.queries)
    (tmp_path / "blurred.toml").write_text(
        f"title = 'Blurred'\nmetric = 'l2'\n[beir]\nfolder = 'blurred'\nmodel = '{names[0]}'\n"
    )
    (tmp_path / "my.toml").write_text(
        f"datasets = [{{ name = 'blurred.toml', model = {names} }}]\norders = ['random', 'given']\nef_search = 10\n"
        "build_seeds = 2\n[[index]]\nengine = 'hnswlib'\nM = 2\nef_construction = 4\n"
    )
    return tmp_path


def test_judged_models_are_scored_and_ranked(cli, judged):
    ran = cli("run", "my.toml", check=0)
    assert lines_naming(ran.stdout, "my, retrieval", "metric l2", "n 400")
    assert lines_naming(ran.stdout, "29 judged queries")
    assert cli("table", "my", check=0).stdout == ran.stdout
    row = json.loads(cli("table", "--json", check=0).stdout)[0]
    assert row["nDCG@10"] - row["nDCG@10_difference"] == pytest.approx(row["nDCG@10_exact"])
    text = cli("rankings", "my", check=0).stdout
    assert lines_naming(text, "my", "3 models", "nDCG@10")
    [found] = json.loads(cli("rankings", "--json", check=0).stdout)
    assert found["models"] == [f"blurred(model={name})" for name in ("sharp", "fair", "poor")]
    assert {column["order"] for column in found["columns"]} == {"random", "given"}
    assert found["exact_ranks"] == [1, 2, 3]
    by_order = json.loads(cli("rankings", "--reference", "given", "--json", check=0).stdout)[0]
    [given] = [column for column in by_order["columns"] if column["order"] == "given"]
    assert (given["tau"], given["swaps"]) == (1, [])
    assert names(one_line(cli("rankings", "--reference", "best")), "'best'")


def test_a_part_of_the_documents_is_named_to_lose_relevant_ones(cli, judged):
    done = cli("run", "my.toml", "--limit", "100", check=0)
    [warning] = lines_naming(done.stderr, "warning: blurred(model=sharp)[100]", "relevant documents")
    assert re.search(r" 7\d %", warning)  # about three quarters of them


def test_outcomes_without_scores_and_a_single_model_have_no_ranking(cli, judged, vectors):
    cli("compare", "my.npy", "--engines", "hnswlib", *SMALL, check=0)
    assert names(one_line(cli("rankings")), "nDCG@10")
    (judged / "one.toml").write_text(
        (judged / "my.toml").read_text().replace("'sharp', 'fair', 'poor'", "'sharp'").replace("'given'", "'reverse'")
    )
    cli("run", "one.toml", check=0)
    assert names(one_line(cli("rankings")), "one model")


def test_lid_describes_vectors_and_writes_estimates(cli, vectors):
    described = json.loads(cli("lid", "my.npy", "--k", "20", "--output", "lid.npy", "--json", check=0).stdout)
    lid = np.load(vectors / "lid.npy")
    assert lid.shape == (400,)
    assert described["lid_mean"] == pytest.approx(lid.mean())
    assert described["pca_dimension_99"] == 8
    assert "two_nn_dimension" in cli("lid", "my.npy", check=0).stdout
    assert "digits" in cli("lid", "digits", "--estimator", "mom", check=0).stdout


@pytest.mark.parametrize("kind", ["datasets", "orders", "engines", "experiments", "presets"])
def test_lists_are_for_people_and_programs(cli, kind):
    names = [row["name"] for row in json.loads(cli("list", kind, "--json", check=0).stdout)]
    text = cli("list", kind, "--wide", check=0).stdout
    assert all(name in text for name in names)
    assert max(map(len, cli("list", kind, check=0).stdout.splitlines())) <= 80


def test_fetch_prints_a_line_per_name(cli, tmp_path):
    np.save(tmp_path / "v.npy", np.ones((20, 3), np.float32))
    sha256 = hashlib.sha256((tmp_path / "v.npy").read_bytes()).hexdigest()
    for name in ("first", "last"):
        (tmp_path / f"{name}.toml").write_text(
            "title = 'x'\nmetric = 'l2'\n[[download]]\nurl = 'http://127.0.0.1:1/v.npy'"
        )
    words = ("fetch", "first.toml", "digits", "last.toml")
    done = cli(*words, check=2, BENCH_MIRROR=str(tmp_path))
    assert done.stdout.splitlines() == [
        f"{name}.toml  {tmp_path}/v.npy  sha256:{sha256}  (from mirror)" for name in ("first", "last")
    ]
    [mistake] = done.stderr.splitlines()
    assert names(mistake, "bench", "'digits'")
    first, digits, _ = json.loads(cli(*words, "--json", check=2, BENCH_MIRROR=str(tmp_path)).stdout)
    assert first == {"name": "first.toml", "path": f"{tmp_path}/v.npy", "sha256": sha256, "from": "mirror"}
    assert set(digits) == {"name", "error"}
    cli("fetch", "first.toml", check=0, BENCH_MIRROR=str(tmp_path))


def test_conversion_is_named(cli, vectors):
    np.save(vectors / "half.npy", np.load(vectors / "my.npy").astype(np.float16))
    done = cli("lid", "half.npy", check=0)
    assert lines_naming(done.stderr, "warning: half.npy", "float16", "float32")


def corrupt(path):
    path.write_bytes(path.read_bytes()[:5000])


def write_nan(path):
    rows = np.load(path)
    rows[123, 4] = np.nan
    np.save(path, rows)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["compare", "no.npy"], ("no.npy",)),
        (["compare", "my.npy", "--queries", "no.npy"], ("no.npy",)),
        (["compare", "my.npy", "--orders", "lid-desc"], ("'lid-desc'", "given, reverse")),
        (["compare", "my.npy", "--orders", ","], ("--orders",)),
        (["compare", "my.npy", "--orders", "block-shuffle:block"], ("'block'", "'block-shuffle:block'", "key=value")),
        (["compare", "my.npy", "--orders", "block-shuffle:block=x"], ("'block-shuffle'", "block")),
        (["compare", "my.npy", "--orders", "category"], ("'category'", "'my'", "--labels")),
        (["compare", "my.npy", "--engines", "hnsw"], ("'hnsw'", "hnswlib, faiss")),
        (["compare", "my.npy", "--metric", "dot"], ("'dot'", "l2, cosine, ip")),
        (["compare", "my.npy", "--M", "0"], ("--M",)),
        (["compare", "my.npy", "--ef-search", "0"], ("ef_search = 0",)),
        (["compare", "my.npy", "--ef-search", "ten"], ("--ef-search", "'ten'")),
        (["compare", "my.npy", "--ef-construction", "-1"], ("--ef-construction",)),
        (["compare", "my.npy", "--k", "361", "--ef-search", "400"], ("k = 361", "'my'", "360 rows")),
        (["compare", "my.npy", "--labels", "q.npy"], ("q.npy", "(30, 8)", "400 rows")),
        (["compare", "my.npy", "--seeds", "0"], ("--seeds",)),
        (["compare", "my.npy", "--limit", "0"], ("--limit",)),
        (["compare", "my.npy", "--neighbors", "l.npy"], ("l.npy", "queries")),
        (["compare", "my.npy", "--query-groups", "l.npy"], ("l.npy", "queries")),
        (
            ["compare", "my.npy", "--queries", "q.npy", "--query-groups", "l.npy"],
            ("l.npy", "(400,)", "30 queries"),
        ),
        (["compare", "my.npy", "--queries", "q.npy", "--neighbors", "l.npy"], ("l.npy", "(400,)", "30 queries")),
        (["compare", "my.csv"], ("my.csv",)),
        (["compare", "my.npy", "--seeds", "x"], ("--seeds", "integer")),
        (["compare", "my.npy", "--speed", "x"], ("--speed",)),
        (["compare"], ("argument",)),
        (["run", "defualt"], ("'defualt'", "beyond-lid")),
        (["run", "no.toml"], ("no.toml",)),
        (["compare", "my.npy", "--preset", "qdran"], ("'qdran'", "faiss, hnswlib")),
        (["compare", "my.npy", "--preset", "lucene"], ("'lucene'", "ef_search", "--M 16")),
        (["compare", "my.npy", "--preset", "faiss", "--M", "16"], ("--preset faiss", "--M")),
        (["compare", "my.npy", "--preset", "all", "--ef-search", "9"], ("--preset all", "--ef-search")),
        (["compare", "my.npy", "--preset", "all", "--k", "0"], ("--k",)),
        (["lid", "my.npy", "--by-label"], ("'my'", "labels")),
        (["list", "order"], ("'order'", "datasets, orders, engines, experiments")),
        (["lid", "no.npy"], ("no.npy",)),
        (["lid", "digits", "--metric", "dot"], ("'dot'", "l2, cosine, ip")),
        (["compare", "my.npy", "--orders", "block-shuffle:block=3:block=4"], ("block", "twice")),
        (["lid", "digit"], ("'digit'", "digits", "`bench list datasets`")),
        (
            ["lid", "scifact"],
            ("'scifact'", "`bench fetch scifact`", "`bench embed`"),
        ),
        (["fetch", "digits"], ("'digits'",)),
        (["fetch", "sift"], ("'sift'", "sift-128-euclidean")),
        (["lid", "my.npy", "--k", "400"], ("k = 400", "400 rows")),
        (["lid", "my.npy", "--estimator", "ml"], ("'ml'", "mle, mom, tle")),
        (["lid", "my.npy", "--output", "no/lid.npy"], ("no/lid.npy",)),
        (["table"], ("results/store.sqlite", "`bench run`")),
        (["export"], ("results/store.sqlite",)),
        (["export", "--format", "xls"], ("'xls'", "csv, parquet, markdown, latex")),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(cli, vectors, words, named):
    before = sorted(vectors.rglob("*"))
    assert names(one_line(cli(*words)), *named)
    assert sorted(vectors.rglob("*")) == before


@pytest.mark.parametrize(
    ("harm", "words", "named"),
    [
        (corrupt, [], ("my.npy",)),
        (write_nan, [], ("my.npy", "row 123")),
        (lambda path: np.save(path, np.zeros((400, 9))), ["--queries", "q.npy"], ("q.npy", 8, "my.npy", 9)),
        (lambda path: np.save(path, np.arange(9)), [], ("my.npy", "(9,)")),
        (lambda path: np.save(path, np.array([{}]), allow_pickle=True), [], ("my.npy", "unpickled")),
    ],
)
def test_bad_vectors_are_one_line_and_nothing_is_written(cli, vectors, harm, words, named):
    harm(vectors / "my.npy")
    before = sorted(vectors.rglob("*"))
    assert names(one_line(cli("compare", "my.npy", *words)), *named)
    assert sorted(vectors.rglob("*")) == before


def test_ties_that_decide_are_named(cli, vectors):
    rows = np.repeat(np.load(vectors / "my.npy")[:40], 15, axis=0)
    np.save(vectors / "copies.npy", rows)
    done = cli("compare", "copies.npy", "--queries", "q.npy", *SMALL, check=0)
    assert "TIES DECIDE" in done.stdout
    assert "`bench table compare-copies --ties`" in " ".join(done.stdout.split())
    assert "TIES DECIDE" not in cli("table", "--ties", check=0).stdout


def test_two_files_of_one_name_are_kept_apart(cli, vectors):
    for folder, seed in (("a", 1), ("b", 2)):
        (vectors / folder).mkdir()
        rows = np.random.default_rng(seed).standard_normal((300, 8)).astype(np.float32)
        np.save(vectors / folder / "base.npy", rows)
        cli("compare", f"{folder}/base.npy", "--orders", "random", "--seeds", "1", "--engines", "hnswlib", check=0)
    rows = json.loads(cli("table", "compare-base", "--json", check=0).stdout)
    assert len({row["dataset"] for row in rows}) == 2
    assert all(row["dataset"].startswith("base #") for row in rows)


@pytest.mark.parametrize("after", [0.0, 0.5])
def test_an_interrupt_before_the_first_build_exits_with_3(bench_script, tmp_path, after):
    process = subprocess.Popen(
        [bench_script, "lid", "subspace", "--estimator", "tle", "--output", "l.npy"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "neighbours" in process.stderr.readline()
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 3, said
    assert said.strip().splitlines()[-1].startswith("interrupted")
    assert not list(tmp_path.iterdir())


def test_a_store_that_cannot_be_used_is_one_line(cli, vectors):
    (vectors / "results").write_text("a file where the folder should be")
    assert names(one_line(cli("compare", "my.npy", *SMALL)), "results", "--store")
    (vectors / "text.sqlite").write_text("not a database" * 100)
    for words in (["compare", "my.npy", *SMALL], ["table"]):
        assert names(one_line(cli(*words, "--store", "text.sqlite")), "text.sqlite", "--store")


def test_a_reader_that_leaves_early_is_no_error(cli, vectors, bench_script):
    cli("compare", "my.npy", *SMALL, check=0)
    done = subprocess.run(
        f"{bench_script} export | head -1", shell=True, capture_output=True, text=True, cwd=vectors, check=True
    )
    assert done.stderr == ""


def test_the_survey_is_listed_with_its_medians(cli):
    text = " ".join(cli("list", "presets", "--wide", check=0).stdout.split())
    assert names(text, "21 systems", "M 16, ef_construction 128")
    assert "faiss/impl/HNSW.h" in text
    assert names(text, "* Marqo 2")
    [weaviate] = [
        row for row in json.loads(cli("list", "presets", "--json", check=0).stdout) if row["name"] == "weaviate"
    ]
    assert (weaviate["M"], weaviate["ef_search"]) == (32, "8 k, at least 100, at most 500")


def test_a_preset_sets_the_parameters_and_leaves_the_engines(cli, vectors):
    words = ["compare", "my.npy", "--orders", "given,random", "--seeds", "2"]
    rows = json.loads(cli(*words, "--preset", "pgvector", "--json", check=0).stdout)
    assert {(row["engine"], row["M"], row["ef_construction"], row["ef_search"]) for row in rows} == {
        ("hnswlib", 16, 64, 40),
        ("faiss", 16, 64, 40),
    }
    plain = cli(*words, "--M", "16", "--ef-construction", "64", "--ef-search", "40", "--json", check=0)
    assert lines_naming(plain.stderr, f"{8 + 52} outcomes", "52 missing")  # what random is searched at besides
    assert {(row["engine"], row["order"], row["recall"]) for row in json.loads(plain.stdout)} == {
        (row["engine"], order, found["value"]) for row in rows for order, found in row["recall"].items()
    }


def test_all_presets_share_builds_and_have_a_row_a_system(cli, vectors):
    words = ["compare", "my.npy", "--preset", "all", "--orders", "given,random", "--seeds", "1", "--engines", "hnswlib"]
    done = cli(*words, check=0)
    assert lines_naming(done.stderr, "Lucene (ef_search)")
    lines = done.stdout.splitlines()
    assert lines.index("") + 3 + 1 + 19 == lines.index("", 3)  # a header, an engine and its systems
    assert lines_naming(done.stderr, "28 outcomes", "28 missing")  # 14 different graphs and searches, of two orders
    again = cli(*words, check=0)
    assert lines_naming(again.stderr, "28 outcomes", "0 missing")
    assert again.stdout == done.stdout


ODD = ["R+D, HR, IT", "e:f=g", "a,b", "r/d"]


def test_labels_with_odd_characters_stay_whole_in_table_json_export_and_store(cli, vectors):
    (vectors / "l.txt").write_text("".join(f"{ODD[i % 4]}\n" for i in range(400)))
    few = ["--seeds", "2", "--ef-search", "10", "--engines", "hnswlib", "--labels", "l.txt"]
    words = ["compare", "my.npy", *few, "--orders"]
    ran = cli(*words, "random,category:permutations=24", check=0)
    assert "24 of 24" in ran.stdout
    rows = json.loads(cli("table", "--json", check=0).stdout)
    [permuted] = [row for row in rows if "best" in row]
    assert (permuted["labels"], sorted(permuted["best"])) == (4, sorted(ODD))
    exported = list(csv.DictReader(io.StringIO(cli("export", check=0).stdout)))
    sequences = [json.loads(row["order_params"])["permutation"] for row in exported if row["order"] == "category"]
    assert len({tuple(sequence) for sequence in sequences}) == 24
    assert all(sorted(sequence) == sorted(ODD) for sequence in sequences)
    # One of them by the label that tables have of it, whose outcomes are there already
    named = 'category:permutation=r/d+"R+D, HR, IT"+"a,b"+"e:f=g"'
    again = cli(*words, f"random,{named}", "--json", check=0)
    assert lines_naming(again.stderr, "30 outcomes", "0 missing")  # 4, and 26 of the ladder
    assert {row["order"] for row in json.loads(again.stdout)} == {"random", named.replace(":", " ", 1)}
    assert 'known: "R+D, HR, IT", ' in one_line(cli(*words, "category:permutation=R+D"))


def test_permutations_have_a_table_of_their_own(cli, vectors):
    (vectors / "my.toml").write_text(
        "datasets = [{ name = 'mixture', n = 200, queries = 20, dimensions = [2, 3, 4] }]\n"
        "orders = ['random', { name = 'category', permutations = 120 }]\nef_search = 10\nbuild_seeds = 2\n"
        "[[index]]\nengine = 'hnswlib'\nM = 4\nef_construction = 10\n"
    )
    ran = cli("run", "my.toml", check=0)
    assert lines_naming(ran.stderr, "36 outcomes")  # 14, and 22 of the ladder
    assert lines_naming(ran.stdout, "my", "permutations")
    lines = ran.stdout.splitlines()
    assert sum(line.startswith(("best (0.", "worst (0.")) for line in lines) == 2
    assert cli("table", "my", check=0).stdout == ran.stdout
    random, permuted = json.loads(cli("table", "--json", check=0).stdout)
    assert (random["order"], permuted["permutations"], permuted["seeds"]) == ("random", 6, 2)
    assert permuted["lowest"] <= permuted["median"] <= permuted["highest"]
    assert 0 <= permuted["true_range"]["low"] <= permuted["true_range"]["value"] <= permuted["true_range"]["high"] <= 1
    assert 0 <= permuted["p"] <= 1
    assert sorted(permuted["best"]) == ["0", "1", "2"]


def test_dimensions_by_label(cli):
    rows = json.loads(cli("lid", "digits", "--by-label", "--json", check=0).stdout)
    assert [row["label"] for row in rows] == ["(all)", *map(str, range(10))]
    assert sum(row["n"] for row in rows[1:]) == rows[0]["n"]


def test_real_data_is_named_when_its_mirror_is_not_set(cli):
    line = one_line(cli("lid", "clinc150", BENCH_MIRROR=""))
    assert names(line, "'clinc150'", "clinc150/minilm-l6-mean.npy", "BENCH_MIRROR")
