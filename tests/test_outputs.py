"""What commands may write over: their own earlier output, and nothing else."""

import os
import shutil
import sqlite3
import threading

import numpy as np
import pytest
from support.disk import files_of_at_most
from support.messages import names, refused
from support.results import result, stored

from bench import api, cli, outputs
from bench.api import Result
from bench.cli import gates
from bench.study import baseline

ORDER = ["order", "x.npy", "--order", "random", "--output"]
LID = ["lid", "x.npy", "--k", "10", "--output"]
EXPORT = ["export", "--store", "s.sqlite", "--output"]
REPORT = ["report", "--store", "s.sqlite", "--output"]
ANY = outputs.Kind("file of any kind", lambda path: True)


@pytest.fixture
def run(tmp_path, monkeypatch, capsysbinary):
    """Runs a command in this process and the current folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = cli._exit_code([str(word) for word in words])
        said = capsysbinary.readouterr()
        return code, said.out, said.err.decode()

    return call


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of drawn results of experiment `e`."""
    path = tmp_path_factory.mktemp("store") / "s.sqlite"
    stored(path, of=result(efs=(10,), orders=("random", "given"), builds=2).findings).close()
    return path


@pytest.fixture
def folder(tmp_path, store):
    """A folder with vectors, labels, and a store of drawn results of experiment `e`."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.standard_normal((40, 3)).astype(np.float32))
    np.save(tmp_path / "labels.npy", np.arange(40))
    shutil.copy(store, tmp_path)
    return tmp_path


def refusal_of(run, folder, words, output):
    """The one line that refuses an output; no file in the folder has changed, and none is new."""
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    code, printed, said = run(*words)
    assert (code, printed) == (2, b""), said
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    [line] = said.strip().splitlines()
    assert line.startswith("bench: ")
    assert output in line
    return line


@pytest.mark.parametrize("words", [ORDER, LID])
@pytest.mark.parametrize("link", ["x.npy", "../{folder}/x.npy", "absolute", "symbolic", "hard"])
def test_the_file_that_is_read_is_not_written_over(run, folder, words, link):
    output = {"absolute": str(folder / "x.npy"), "symbolic": "link.npy", "hard": "link.npy"}.get(
        link, link.format(folder=folder.name)
    )
    if link == "symbolic":
        (folder / output).symlink_to("x.npy")
    if link == "hard":
        os.link(folder / "x.npy", folder / output)
    assert names(refusal_of(run, folder, [*words, output], output), "x.npy")


def test_labels_are_not_written_over_though_they_are_whole_numbers(run, folder):
    words = ["order", "x.npy", "--order", "category", "--labels", "labels.npy", "--output", "labels.npy"]
    assert refusal_of(run, folder, words, "labels.npy").count("labels.npy") == 2  # as output and as input


def test_files_behind_a_dataset_of_the_user_are_not_written_over(run, folder):
    (folder / "set.toml").write_text('title = "x"\nmetric = "l2"\n[files]\nbase = "x.npy"\nlabels = "labels.npy"\n')
    for output in ("x.npy", "labels.npy"):
        words = ["order", "set.toml", "--order", "random", "--output", output]
        assert names(refusal_of(run, folder, words, output), output)


def test_parquet_files_of_a_folder_that_is_read_are_not_written_over(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "0.parquet").write_bytes(b"PAR1")
    with refused(tmp_path / "shards" / "0.parquet"):
        outputs.check(tmp_path / "shards" / "0.parquet", ANY, [tmp_path / "shards"])
    outputs.check(tmp_path / "shards" / "new.parquet", ANY, [tmp_path / "shards"])


@pytest.fixture
def database(folder):
    """Another program's database, with what SQLite leaves next to it, under names that end as outputs do."""
    for name in ("s.npy", "other.txt"):
        connection = sqlite3.connect(folder / name)
        connection.execute("CREATE TABLE mine (a)")
        connection.close()
    for end in ("wal", "shm", "journal"):
        (folder / f"other.txt-{end}").touch()
    return folder


@pytest.mark.parametrize("words", [LID, [*EXPORT[:-1], "--format", "csv", "--output"], REPORT])
@pytest.mark.parametrize("output", ["s.sqlite", "other.txt", "other.txt-wal", "other.txt-shm", "other.txt-journal"])
def test_no_sqlite_file_is_written_over(run, database, words, output):
    refusal_of(run, database, [*words, output], output)


@pytest.mark.parametrize("output", ["s.npy", "other.txt"])
def test_an_order_is_not_written_over_a_database_whatever_its_suffix(run, database, output):
    refusal_of(run, database, [*ORDER, output], output)


OTHERS = {
    "vectors.npy": lambda path: np.save(path, np.zeros((3, 2), np.float32)),
    "whole.npy": lambda path: np.save(path, np.array([4, 4, 1])),
    "text.txt": lambda path: path.write_text("a\nb\n"),
    "lines.txt": lambda path: path.write_text("1 2 3\n4 5 6\n"),
    "table.csv": lambda path: path.write_text("experiment,recall\na,1\n"),
    "page.html": lambda path: path.write_text("<html></html>"),
    "table.tex": lambda path: path.write_text("\\begin{table}\n\\centering\n\\caption{Mine}\n\\end{table}\n"),
    "notes.md": lambda path: path.write_text("| a | b |\n|---|---|\n"),
    "columns.parquet": lambda path: path.write_bytes(b"PAR1 and no more"),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    "kind", ["file of row numbers", "file of one number per row", "export of this harness", "report of this harness"]
)
def test_a_file_of_another_kind_is_not_written_over(folder, name, kind):
    from bench.data.formats.ids import ROW_NUMBERS
    from bench.data.formats.npy import ESTIMATES
    from bench.present.export import EXPORT as TABLE
    from bench.present.page.html import PAGE

    OTHERS[name](folder / name)
    [of_kind] = [one for one in (ROW_NUMBERS, ESTIMATES, TABLE, PAGE) if one.name == kind]
    with refused(name, kind):
        outputs.check(folder / name, of_kind)


def test_an_input_of_another_command_is_not_written_over_by_an_export(run, folder):
    refusal_of(run, folder, [*EXPORT, "x.npy", "--format", "csv"], "x.npy")


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (ORDER, "ids.npy"),
        (ORDER, "ids.txt"),
        (LID, "lid.npy"),
        (EXPORT, "e.csv"),
        (EXPORT, "e.md"),
        (EXPORT, "e.tex"),
        (REPORT, "e.html"),
    ],
)
def test_an_earlier_output_and_an_empty_file_are_written_over(run, folder, words, output):
    (folder / output).touch()
    contents = []
    for _ in range(2):
        code, _, said = run(*words, output)
        assert code == 0, said
        contents.append((folder / output).read_bytes())
    assert contents[0] == contents[1] != b""


def test_exports_and_orders_of_parquet_are_written_over(run, folder):
    pytest.importorskip("pyarrow")
    for words, output in ((ORDER, "ids.parquet"), (EXPORT, "e.parquet")):
        for _ in range(2):
            assert run(*words, output)[0] == 0
    refusal_of(run, folder, [*ORDER, "e.parquet"], "e.parquet")
    refusal_of(run, folder, [*EXPORT, "ids.parquet"], "ids.parquet")


def test_a_link_stays_and_its_file_is_replaced(run, folder):
    np.save(folder / "ids.npy", np.arange(3))
    (folder / "link.npy").symlink_to("ids.npy")
    assert run(*ORDER, "link.npy")[0] == 0
    assert (folder / "link.npy").is_symlink()
    assert sorted(np.load(folder / "ids.npy")) == list(range(40))


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
def test_standard_output_takes_a_result_alone(run, folder, output):
    code, printed, said = run(*ORDER, output)
    assert code == 0
    assert sorted(map(int, printed.split())) == list(range(40))
    assert "40 row numbers" in said
    code, printed, _ = run(*LID, output)
    assert (code, printed[:6]) == (0, b"\x93NUMPY")
    code, printed, _ = run(*EXPORT, output)
    assert (code, printed) == (0, run("export", "--store", "s.sqlite")[1])


def test_a_pipe_and_the_null_device_are_written(run, folder):
    assert run(*ORDER, "/dev/null")[0] == 0
    assert run(*EXPORT, "/dev/null")[0] == 0
    os.mkfifo(folder / "pipe")
    contents = []
    reader = threading.Thread(target=lambda: contents.append((folder / "pipe").read_bytes()))
    reader.start()
    assert run(*ORDER, "pipe")[0] == 0
    reader.join()
    assert sorted(map(int, contents[0].split())) == list(range(40))


def test_nothing_is_computed_before_an_output_is_refused(run, folder, monkeypatch):
    def computed(*arguments, **named):
        raise AssertionError("data was read")

    monkeypatch.setattr("bench.data.loading.load_whole", computed)
    monkeypatch.setattr(api, "loaded", computed)
    monkeypatch.setattr("bench.study.store.Store.outcomes", computed)
    for words in (ORDER, LID, [*EXPORT, "x.npy", "--format"], REPORT):
        output = "csv" if words[-1] == "--format" else "x.npy"
        refusal_of(run, folder, [*words, output], "x.npy")
    refusal_of(run, folder, [*ORDER, "nowhere/ids.npy"], "nowhere/ids.npy")


def test_a_result_writes_over_its_own_page_and_charts_only(folder, monkeypatch):
    drawn = result(efs=(10,), orders=("random", "given"), builds=2)
    monkeypatch.setattr(Result, "charts", ["difference", "losses"])
    page = drawn.report(folder / "page.html")
    assert drawn.report(page) == page
    with refused("x.npy"):
        drawn.report(folder / "x.npy")
    written = [path.name for path in drawn.figures(folder / "charts")]
    assert [path.name for path in drawn.figures(folder / "charts")] == written
    (folder / "charts" / written[-1]).write_bytes(b"a photograph")
    (folder / "charts" / written[0]).unlink()
    with refused(written[-1]):
        drawn.figures(folder / "charts")
    assert not (folder / "charts" / written[0]).exists()


def test_a_baseline_is_not_saved_over_another_file(folder):
    (folder / "b.json").write_text('{"schema": 1}')
    with refused("b.json"):
        outputs.check(folder / "b.json", baseline.FILE)


def test_a_summary_is_added_to_text_and_to_nothing_else(folder, capsys):
    (folder / "summary.md").write_text("before\n")
    content = (folder / "s.sqlite").read_bytes()
    for name in ("summary.md", "new.md", "s.sqlite", "x.npy"):
        gates._append(folder / name, "table\n", [folder / "mine.toml"])
    assert (folder / "summary.md").read_text() == "before\ntable\n"
    assert (folder / "new.md").read_text() == "table\n"
    assert (folder / "s.sqlite").read_bytes() == content
    assert np.load(folder / "x.npy").shape == (40, 3)
    assert capsys.readouterr().err.count("GITHUB_STEP_SUMMARY") == 2


def test_a_file_that_a_full_disk_cuts_is_removed_and_the_one_before_stays(tmp_path):
    (tmp_path / "r.csv").write_text("before")
    with files_of_at_most(50), refused("r.csv"):
        outputs.writer(tmp_path / "r.csv", ANY)(b"x" * 100)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_estimates_are_written_to_npy_alone(run, folder):
    code, _, said = run(*LID, "lid.csv")
    assert (code, "lid.csv" in said, (folder / "lid.csv").exists()) == (2, True, False)
