"""The report: a file that fetches nothing, shows labels as they are, and has the terminal's and export's figures."""

import csv
import io
import json
import math
from html.parser import HTMLParser

import pandas as pd
import pytest
import vl_convert
from support.messages import names
from support.results import ENVIRONMENT, LONG, permutations, result, stored

from bench import load
from bench.features.categories.permutations import of_findings
from bench.present import charts
from bench.present.page import PARTS
from bench.present.page.html import template

HEADINGS = {
    "How much each order gains or costs": "difference",
    "What that is worth in search effort": "curves",
    "Who loses": "losses",
    "All settings at a glance": "overview",
    "The data": "data",
    "Variance and cost": "costs",
}


class Read(HTMLParser):
    """A page's elements, each with its attributes, and its text without scripts and styles."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self.scripts, self.styles, self.inside = [], [], [], "", None
        self.feed(html)
        self.close()
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside == "style":
            self.styles += data
        else:
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def content(self):
        return json.loads(self.scripts[0])

    @property
    def drawn(self):
        return [attributes["data-chart"] for attributes in self.all("div") if "data-chart" in attributes]


def values_of(column):
    """A column as the page's own script reads it."""
    return [column["values"][code] for code in column["codes"]] if isinstance(column, dict) else column


def frame(columns):
    return pd.DataFrame({name: values_of(column) for name, column in columns.items()})


def same(found, expected):
    """Whether two values of JSON are one; nothing stands for NaN, and for what a row has not."""
    nothing = [value is None or (isinstance(value, float) and math.isnan(value)) for value in (found, expected)]
    return all(nothing) or (not any(nothing) and found == expected)


@pytest.fixture(scope="module")
def full():
    """Two datasets, two engines, two ef_search, with ladder, profiles and failures."""
    return result(
        title="A title",
        datasets=("a", "b"),
        engines=("hnswlib", "faiss"),
        ladder=True,
        profiles=True,
        memory=True,
        failures=["x"],
    )


@pytest.fixture(scope="module")
def read(full):
    return Read(full.html())


def test_a_page_has_all_its_parts(full, read):
    assert read.all("title")
    assert read.drawn == [name for of in PARTS.values() for name in of if name in full.charts]
    for heading in HEADINGS:
        assert heading in read.text
    letters = "".join(read.text.split())  # there are blanks around elements, as of code
    for sentence in full.advice.splitlines():
        assert "".join(sentence.replace("`", "").split()) in letters
    assert "1 of" in read.text
    assert "trials failed" in read.text
    assert "bench run e.toml --store results.sqlite" in read.text
    assert ENVIRONMENT["commit"] in read.text


def test_a_page_fetches_nothing(read):
    loading = {"src", "srcset", "poster", "data", "background", "action", "formaction", "ping"}
    for tag, attributes in read.elements:
        assert not loading & attributes.keys(), (tag, attributes)
        assert tag not in {"link", "iframe", "object", "embed", "base", "img"}
        assert attributes.get("href", "#").startswith("#")
        assert "http-equiv" not in attributes
    assert "url(" not in read.styles
    assert "@import" not in read.styles
    assert "http" not in read.scripts[2]  # the page's own script
    assert all("url" not in json.dumps(chart["spec"].get("data", {})) for chart in read.content["charts"].values())


def test_a_label_is_shown_and_is_no_markup():
    of = result(
        title=LONG, datasets=[LONG], orders=["random", LONG], engines=["hnswlib", f"my {LONG}"], failures=[LONG]
    )
    html = of.html()
    plain = Read(result().html())
    read = Read(html)
    assert len(read.scripts) == len(plain.scripts) == 3
    assert not read.all("img")
    assert " ".join(LONG.split()) in read.text
    assert all("onerror" not in attributes for _, attributes in read.elements)
    assert set(frame(read.content["outcomes"])["order"]) == {"random", LONG}
    # What ends a line, or the element, in an older parser of scripts
    assert "\u2028" not in "".join(read.scripts)
    assert "<" not in read.scripts[0]


def test_commands_are_code_and_backticks_of_names_stay():
    code = template("template.html").environment.filters["code"]
    assert code("see `--ties`, or `bench table e`.") == "see <code>--ties</code>, or <code>bench table e</code>."
    assert code("`b` < `c` by `--ties`") == "`b` &lt; `c` by <code>--ties</code>"
    assert code("a ` alone") == "a ` alone"


def test_every_figure_is_that_of_the_table_as_json_and_of_the_export(tmp_path, cli):
    of = result(datasets=("a", "b"), judged=True, ladder=True, profiles=True)
    stored(tmp_path / "s.sqlite", of=of.findings).close()
    listed = json.loads(cli("table", "e", "--json", "--store", "s.sqlite", check=0).stdout)
    lines = [*csv.reader(io.StringIO(cli("export", "--store", "s.sqlite", "--experiment", "e", check=0).stdout))]
    content = Read(load(tmp_path / "s.sqlite", "e").html()).content
    rows = frame(content["summary"]).to_dict("records")
    assert len(rows) == len(listed) == 2 * 2 * 4
    for row, expected in zip(rows, listed, strict=True):
        shares = expected.pop("variance_shares") or {}
        expected |= {f"variance_shares.{source}": share for source, share in shares.items()}
        assert expected.keys() <= row.keys()
        for name, value in row.items():
            assert same(value, expected.get(name)), (name, value, expected.get(name))
    outcomes = content["outcomes"]
    assert lines[0] == list(outcomes)
    assert len(lines) == 1 + 2 * 4 * 2 * 3
    for place, name in enumerate(outcomes):
        values = ["" if value is None else str(value) for value in values_of(outcomes[name])]
        assert values == [line[place] for line in lines[1:]], name


def test_figures_of_charts_are_those_of_the_summary(full, read):
    of_charts = {name: frame(chart["rows"]) for name, chart in read.content["charts"].items()}
    summary = frame(read.content["summary"])
    rows = summary.set_index(["dataset", "engine", "ef_search", "order"])
    for row in of_charts["difference"].itertuples():
        expected = rows.loc[(row.dataset, row.index, int(row.search), row.order)]
        for name, of_row in (
            ("difference", row.difference),
            ("difference_low", row.low),
            ("difference_high", row.high),
        ):
            assert of_row == 100 * expected[name]
        assert row.verdict == expected["verdict"]
    curves = of_charts["curves"]
    for row in curves[curves["kind"] == "measured"].itertuples():
        expected = rows.loc[(row.dataset, row.index, row.ef_search, row.order)]
        assert (row.recall, row.low, row.high) == tuple(expected[["recall", "recall_low", "recall_high"]])
    for row in of_charts["seconds"].itertuples():
        assert row.seconds == rows.loc[(row.dataset, row.index, int(row.search), row.order)][f"{row.part}_seconds"]
    for row in of_charts["shares"].itertuples():
        expected = rows.loc[(row.dataset, row.index, int(row.search))][f"variance_shares.{row.source}"]
        assert set(expected) == {row.percent / 100} or max(abs(expected - row.percent / 100)) < 1e-15
    assert {name for name in of_charts if name in ("heat", "engines")} == {"heat", "engines"}
    for name in ("heat", "engines"):
        assert list(of_charts[name]["difference"]) == list(of_charts["difference"]["difference"])


@pytest.mark.parametrize(
    ("options", "absent"),
    [
        ({"efs": (10,)}, {"curves", "misses"}),
        ({"orders": ("given", "reverse")}, {"difference", "heat", "engines"}),
        ({"builds": 1}, {"shares"}),
        ({"orders": ("random",)}, {"difference", "heat", "engines"}),
        ({}, {"heat", "engines", "sweep", "permutations", "rankings", "dimensions", "by_dimension"}),
    ],
)
def test_a_page_leaves_out_charts_that_lack_data(options, absent):
    of = result(**options)
    read = Read(of.html())
    assert not absent & {*read.drawn, *read.content["charts"]}
    assert read.drawn
    for heading, section in HEADINGS.items():
        drawn = {*PARTS[section], *(PARTS["variance"] if section == "costs" else ())} & {*read.drawn}
        assert (heading in read.text) == bool(drawn)
    for name, chart in read.content["charts"].items():
        assert len(frame(chart["rows"])), name


def test_a_page_of_failed_trials_alone_has_their_reasons():
    read = Read(result(orders=(), failures=["build: RuntimeError: no memory", "killed"]).html())
    assert names(read.text, "2 of 2 trials")
    assert read.drawn == []
    assert [row["reason"] for row in read.content["failures"]] == ["build: RuntimeError: no memory", "killed"]
    assert not [attributes for attributes in read.all("div") if attributes.get("data-table") in ("summary", "outcomes")]
    assert not read.all("select")


def test_without_the_reference_nothing_is_compared():
    read = Read(result(orders=("given", "reverse")).html())
    assert "difference" not in frame(read.content["summary"])


def test_permutations_of_categories_have_a_chart_and_their_figures():
    of = result(orders=permutations(), engines=("hnswlib", "faiss"))
    read = Read(of.html())
    assert read.drawn == ["permutations"]
    assert len(read.content["tables"]["permutations"]) == len(of.findings.once(of_findings)) == 4
    for row, expected in zip(read.content["tables"]["permutations"], of.findings.once(of_findings), strict=True):
        assert {name: row[name] for name in ("engine", "ef_search", "lowest", "highest", "range", "p")} == {
            **{name: expected.setting[name] for name in ("engine", "ef_search")},
            **{name: getattr(expected, name) for name in ("lowest", "highest", "range", "p")},
        }
        assert (row["true_range_low"], row["true_range_high"]) == (
            expected.true_range.low,
            expected.true_range.high,
        )
        assert row["worst"] == ", ".join(expected.worst)
    rows = frame(read.content["charts"]["permutations"]["rows"])
    seen = rows[rows["range"] == "range seen"]["points"]
    assert list(seen) == [100 * row.range for row in of.findings.once(of_findings)]


def test_models_are_ranked_by_the_chosen_ef_search():
    of = result(datasets=[f"npl(model={name})" for name in ("a", "b", "c")], judged=True)
    read = Read(of.html())
    assert "nDCG@10" in read.text
    rankings = read.content["charts"]["rankings"]
    rows = frame(rankings["rows"])
    assert rankings["by"] == ["search", "ranking"]
    assert set(rows["search"]) == {setting["search"] for setting in read.content["settings"]} == {"10", "40"}
    exact = rows[(rows["column"] == "exact") & (rows["search"] == "40")]
    assert list(exact["model"]) == ["npl(model=a)", "npl(model=b)", "npl(model=c)"]
    assert list(exact["rank"]) == [1, 2, 3]
    summary = frame(read.content["summary"])
    means = summary.set_index(["dataset", "ef_search", "order"])["nDCG@10"]
    for row in rows[rows["column"] != "exact"].itertuples():
        assert row.ndcg == pytest.approx(means[row.model, int(row.search), row.column], rel=1e-12)


def test_orders_follow_numbers_in_their_names():
    of = result(orders=["random", "part 10", "part 9"], efs=(10,))
    assert charts.orders(of.findings) == ["random", "part 9", "part 10"]


def page_size(outcomes, datasets, orders, builds):
    """Bytes of a page of this number of outcomes, two engines, five ef_search, a ladder and profiles."""
    of = result(
        datasets=[f"set {number}" for number in range(datasets)],
        engines=("hnswlib", "faiss"),
        efs=(10, 20, 40, 80, 160),
        orders=["random", *(f"order {number}" for number in range(1, orders))],
        builds=builds,
        ladder=True,
        profiles=True,
    )
    assert len(of.findings.outcomes) == outcomes
    return len(of.html().encode())


def test_a_page_of_1000_outcomes_is_below_4_mb():
    assert page_size(1000, datasets=4, orders=5, builds=5) < 4e6


def test_a_page_grows_slowly_enough_that_one_of_10000_outcomes_is_below_10_mb():
    one, two = (page_size(1000 * datasets, datasets, orders=10, builds=10) for datasets in (1, 2))
    assert two + 8 * (two - one) < 10e6


def test_charts_for_paper_can_be_drawn_whatever_their_names():
    of = result(datasets=[LONG, "b"], orders=["random", LONG], engines=["hnswlib", f"my {LONG}"])
    for name in of.charts:
        assert vl_convert.vegalite_to_svg(of.chart(name).to_dict()).startswith("<svg")
