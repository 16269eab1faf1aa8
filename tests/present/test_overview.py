"""A long table gives way to what fits a screen in a terminal, and nowhere else."""

import json
import re
import sys

import msgspec
import pytest
from rich.cells import cell_len
from support import results
from support.messages import names, refused
from typer.testing import CliRunner

from bench.analysis.findings import Findings
from bench.api import Result, load
from bench.cli import app
from bench.cli.results import print_table
from bench.cli.terminal import terminal_layout
from bench.present.text import Layout
from bench.study.store import Noted

SCREEN = 40  # lines
LONG = {"datasets": ("a", "b"), "engines": ("hnswlib", "faiss"), "efs": (20, 10, 40)}  # 48 rows


@pytest.fixture(scope="module")
def long():
    return results.findings(**LONG)


def printed(capsys, findings, layout):
    print_table(findings, layout)
    return capsys.readouterr().out


def cells(text):
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def rows_of_orders(text):
    return [line for line in cells(text) if line[0] in results.ORDERS]


def test_a_terminal_gets_one_row_per_dataset_and_engine_at_the_smallest_ef_search(capsys, long):
    text = printed(capsys, long, Layout(brief=True))
    assert rows_of_orders(text) == []
    rows = [line for line in cells(text) if line[0] in ("hnswlib", "faiss")]
    assert len(rows) == 4
    at_ten = [row for row in long.summaries if row.setting.of.search.ef_search == 10]
    first = [row for row in at_ten if (row.setting.name, row.setting.of.index.engine) == ("a", "faiss")]
    others = [row for row in first if row.order != "random"]
    [random] = [row for row in first if row.order == "random"]
    expected = [f"{random.recall.value:.4f}"]
    for row in (others[0], others[-1]):
        difference = row.against.difference
        expected.append(f"{row.order} {100 * difference.value:+.2f} ±{100 * difference.half_width:.2f}")
    assert rows[0][1:] == expected
    assert [line[0] for line in cells(text) if line[0] in ("a:", "b:")] == ["a:", "b:"]


def test_a_screen_holds_it_and_the_answer_is_last(capsys, long):
    text = printed(capsys, long, Layout(brief=True))
    assert len(text.splitlines()) <= SCREEN
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "--all" in text.splitlines()[0]
    assert "48 rows" in text.splitlines()[0]
    assert text.split("What now:")[1].count("\n\n") == 0


def test_a_screen_holds_as_many_settings_as_make_bench_has(capsys):
    names = ["digits", "image-patches", *(f"subspace-small(intrinsic_dimension={d})" for d in (4, 16, 64))]
    found = results.findings(datasets=names, engines=("hnswlib", "faiss"), efs=(10, 20, 40, 80), builds=5, queries=400)
    found.summaries[-1] = msgspec.structs.replace(found.summaries[-1], falls_apart=True, lost_queries=44)
    text = printed(capsys, found, Layout(brief=True))
    assert "44 of 400 queries" in " ".join(text.split())
    assert len(text.splitlines()) <= SCREEN - 2  # of the progress bar and the page


def test_every_row_is_printed_where_all_are_asked_for(capsys, long):
    text = printed(capsys, long, Layout())
    assert len(rows_of_orders(text)) == 48
    assert [line[0] for line in cells(text)[-60:]].count("hnswlib") == 2  # the overview closes it
    assert "--all" not in text


def test_a_table_that_fits_a_screen_stays_whole(capsys):
    short = results.findings(efs=(10,))
    assert printed(capsys, short, Layout(brief=True)) == printed(capsys, short, Layout())


def test_a_long_table_of_retrieval_is_left_out_and_its_answer_is_not(capsys):
    judged = results.findings(judged=True, **LONG)
    text = printed(capsys, judged, Layout(brief=True))
    assert rows_of_orders(text) == []
    assert text.count("What now:") == 2
    assert len(rows_of_orders(printed(capsys, judged, Layout()))) == 96


def test_json_keeps_every_row(capsys, long):
    assert len(json.loads(printed(capsys, long, None))) == 48


@pytest.mark.parametrize(
    ("terminal", "every", "brief"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_files_and_pipes_get_every_row(monkeypatch, terminal, every, brief):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert terminal_layout(wide=False, every=every).brief == brief


def test_settings_that_vary_in_more_than_the_dataset_name_their_row(capsys):
    one_engine = results.findings(datasets=tuple("abcdefgh"), efs=(10,))
    text = printed(capsys, one_engine, Layout(brief=True))
    assert [line[0] for line in cells(text) if line[0] in "abcdefgh" and len(line) > 1] == list("abcdefgh")
    one_dataset = results.findings(efs=tuple(range(10, 20)))
    rows = [line for line in cells(printed(capsys, one_dataset, Layout(brief=True))) if len(line) == 4]
    assert rows[-1][0] == "hnswlib"


def test_without_the_reference_recalls_are_shown(capsys):
    alone = results.findings(orders=("given", "reverse"), efs=tuple(range(10, 30)))
    [row] = [line for line in cells(printed(capsys, alone, Layout(brief=True))) if line[0] == "hnswlib"]
    assert re.fullmatch(r"given 0\.\d{4}", row[1])
    assert re.fullmatch(r"reverse 0\.\d{4}", row[2])


def test_the_smallest_gain_is_an_option_of_tables(tmp_path):
    store = tmp_path / "s.sqlite"
    results.stored(store, of=results.findings(builds=5, queries=400)).close()

    def text(*words):
        done = CliRunner().invoke(app, ["table", "e", "--store", str(store), *words], standalone_mode=False)
        if done.exception:
            raise done.exception
        return " ".join(done.stdout.split())

    assert "1 point (`--worth`)" in text()
    assert "0.5 points (`--worth`)" in text("--worth", "0.5")
    for wrong in ("0", "-1", "100", "nan"):
        with refused("--worth"):
            text("--worth", wrong)
    assert "2 points (`--worth`)" in load(store, worth=2).advice
    for value in (0, "much", True):
        with refused("worth"):
            load(store, worth=value)


def test_the_command_of_a_page_has_its_smallest_gain():
    found = results.findings()
    other = Findings(found.outcomes, worth=0.02)
    noted = Noted("", "random", "bench run e.toml")
    assert names(Result("e", other, noted).html(), "bench report e --reference random --worth 2")
    assert "--worth 2" not in Result("e", found, noted).html()
