"""Pages, figures and what changed, as commands write them."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from support.commands import in_process
from support.lines import one_line
from support.messages import lines_naming, names

FEW = ["--orders", "given,random", "--engines", "hnswlib", "--seeds", "2", "--M", "6", "--ef-construction", "30"]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A folder with results of a comparison, and what the command printed."""
    folder = tmp_path_factory.mktemp("compared")
    rng = np.random.default_rng(0)
    np.save(folder / "my.npy", rng.standard_normal((200, 6)).astype(np.float32))
    done = in_process(["compare", "my.npy", *FEW, "--report"], folder, {})
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture
def measured(compared, tmp_path):
    """The same in the folder of a test."""
    folder, done = compared
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return done


def content(page):
    """The result that a page holds."""
    return json.loads(re.search(r'id="content">(.*?)</script>', page.read_text(), re.DOTALL)[1])


def test_a_run_ends_in_a_page_beside_the_store_that_its_last_line_names(cli, tmp_path, measured):
    assert measured.stderr.splitlines()[-1] == "report: results/compare-my.html"
    page = tmp_path / "results" / "compare-my.html"
    text = page.read_text()
    assert "bench compare my.npy --orders given,random" in text
    page.unlink()
    assert cli("report", check=0).stdout == "results/compare-my.html\n"
    assert page.read_text() == text
    page.unlink()
    assert "report" not in cli("compare", "my.npy", *FEW, check=0).stderr
    assert not page.exists()


def test_a_page_has_the_rows_of_the_table_and_goes_by_the_experiments_reference(cli, tmp_path, measured):
    cli("compare", "my.npy", *FEW, "--reference", "given", "--report", check=0)
    assert content(tmp_path / "results" / "compare-my.html")["reference"] == "given"
    assert "vs given" in cli("table", "compare-my", check=0).stdout
    cli("report", "compare-my", "--reference", "random", "--output", "other.html", check=0)
    assert content(tmp_path / "other.html")["reference"] == "random"
    assert names(one_line(cli("report", "--reference", "rnd")), "'rnd'", "given, random")


def test_a_file_that_is_no_page_is_not_replaced_and_costs_no_result(cli, tmp_path, measured):
    page = tmp_path / "results" / "compare-my.html"
    page.write_text("<p>my own</p>")
    done = cli("compare", "my.npy", *FEW, "--report", check=0)
    assert lines_naming(done.stderr, "warning", "results/compare-my.html")
    assert page.read_text() == "<p>my own</p>"
    assert names(one_line(cli("report")), "results/compare-my.html")


def test_mistakes_are_one_line(cli, tmp_path, measured):
    assert names(one_line(cli("report", "nope")), "'nope'", "compare-my")
    assert names(one_line(cli("report", "--store", "none.sqlite")), "none.sqlite")
    assert names(one_line(cli("report", "--output", "no/page.html")), "no/page.html")
    assert names(one_line(cli("report", "--figures", "my.npy")), "my.npy")
    assert cli("report", "--ties", check=0).stdout == "results/compare-my-ties.html\n"
    assert "--ties" in (tmp_path / "results" / "compare-my-ties.html").read_text()
    cli("compare", "digits", "--limit", "200", *FEW, check=0)
    assert names(one_line(cli("report", "--output", "page.html")), "--output")
    assert sorted(cli("report", check=0).stdout.splitlines()) == [
        "results/compare-digits.html",
        "results/compare-my.html",
    ]


def test_every_chart_is_written_for_every_setting_as_svg_and_png(cli, tmp_path, measured):
    done = cli("report", "--figures", "figures", check=0)
    written = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names(done.stdout, f"{len(written)} files", "figures")
    for form in ("svg", "png"):
        assert f"difference-my-hnswlib-10.{form}" in written
        assert f"difference-my-hnswlib-40.{form}" in written
    assert (tmp_path / "figures" / "curves-my-hnswlib-k10.svg").read_text().startswith("<svg")
    assert names(one_line(cli("report", "--figures", "figures", "--output", "page.html")), "--figures")


def test_two_sets_of_outcomes_are_set_side_by_side(cli, tmp_path, measured):
    before = tmp_path / "before.sqlite"
    shutil.copy(tmp_path / "results" / "store.sqlite", before)
    words = ["report", "--compare", "before.sqlite", "compare-my", "--output", "changes.html"]
    assert cli(*words, check=0).stdout == "changes.html\n"
    found = content(tmp_path / "changes.html")
    assert set(found["summary"]["verdict"]["values"]) == {"bit-exact"}
    assert lines_naming((tmp_path / "changes.html").read_text(), "before.sqlite", "compare-my", "4 lines")
    missing = one_line(cli("report", "--compare", "before.sqlite", "after"))
    assert names(missing, "'after'", "results/store.sqlite", "compare-my")
    cli("compare", "digits", "--limit", "200", *FEW, check=0)
    assert names(
        one_line(cli("report", "--compare", "compare-digits", "compare-my")),
        *("compare-digits", "compare-my", "data", "vectors, queries, labels, metric"),
    )


def test_a_baseline_is_compared_with_a_run(cli, tmp_path):
    (tmp_path / "few.toml").write_text(
        'datasets = [{ name = "digits", queries = 50 }]\norders = ["random", "given"]\nef_search = 10\n'
        'build_seeds = 5\n[[index]]\nengine = "hnswlib"\nM = 6\nef_construction = 20\n'
    )
    cli("baseline", "save", "few", "--experiment", "few.toml", "--builds", "5", "--reason", "a test", check=0)
    cli("run", "few.toml", check=0)
    cli("report", "--compare", "results/baselines/few.json", "few", "--output", "c.html", check=0)
    assert lines_naming((tmp_path / "c.html").read_text(), "few.toml")
    assert set(content(tmp_path / "c.html")["summary"]["verdict"]["values"]) == {"bit-exact"}


def test_a_run_without_a_report_loads_nothing_that_draws(bench_script, tmp_path, measured):
    program = (
        f"import sys; sys.argv = ['bench', 'compare', 'my.npy', *{FEW!r}, '--no-report']\n"
        "from bench.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'altair', 'jinja2', 'vl_convert'} & set(sys.modules)))"
    )
    python = bench_script.removesuffix("bench") + "python"
    done = subprocess.run([python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
