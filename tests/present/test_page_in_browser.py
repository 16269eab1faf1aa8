"""The report in headless Chromium: what people see and do, at a phone's width and a desk's, by pointer and keyboard."""

import csv
import io
import json
import re
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from support import needs
from support.experiments import SMALL
from support.results import ENVIRONMENT, LONG, permutations, result

from bench import load
from bench.features.changes.change import changes
from bench.features.changes.changes_page import changes_page
from bench.features.changes.side import Side
from bench.present.page.html import written

pytestmark = pytest.mark.browser

SEVERAL = {"datasets": ("a", "b"), "engines": ("hnswlib", "faiss"), "builds": 4, "ladder": True, "profiles": True}
CASES = {
    "several": {**SEVERAL, "failures": ["build: RuntimeError: no memory"]},
    "labels": {
        "datasets": (LONG, f"b {LONG}"),
        "engines": ("hnswlib", f"my {LONG}"),
        "orders": ("random", LONG, f"c {LONG}"),
        "ladder": True,
        "profiles": True,
        "failures": [LONG],
    },
    "21 orders": {"orders": ["random", *(f"order {number}" for number in range(1, 21))], "profiles": True},
    "one build": {"builds": 1, "ladder": True},
    "sweeps": {"datasets": [f"{name}(dimension={value})" for name in ("ball", "cube") for value in (2, 4, 8)]},
    "models": {"datasets": [f"npl(model={name})" for name in ("x", "y", "z")], "judged": True},
    "permutations": {"orders": permutations()},
    "no reference": {"orders": ("given", "reverse")},
    "failures alone": {"orders": (), "failures": ["killed"]},
    "changes": {"datasets": ("a", LONG), "orders": ("random", LONG)},
}
SIZES = [(360, "light"), (800, "dark"), (1400, "light")]
SHOWN = [
    *((name, *SIZES[0]) for name in CASES),
    *((name, *size) for name in ("several", "labels", "changes") for size in SIZES[1:]),
]


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, or another."""
    with sync_playwright() as started:
        launched = started.chromium.launch(
            executable_path=needs.browser(), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """A page of each case, by its name; each written when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("pages"), {}

    def path(name):
        if name not in made:
            of = result(title=LONG if name == "labels" else "A title", **CASES[name])
            made[name] = (
                of.report(folder / f"{name}.html") if name != "changes" else changed(folder / "changes.html", of)
            )
        return made[name]

    return path


@pytest.fixture(scope="module")
def opened(browser, paths):
    """Opens a page of a case, or a file; when done with, it must have had no error and no request to elsewhere."""

    @contextmanager
    def call(name, width=1400, scheme="light", address=""):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.set_default_timeout(60_000)
        page, errors, requests = context.new_page(), [], []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        file = paths(name) if name in CASES else name
        page.goto(f"{file.as_uri()}{address}")
        page.wait_for_selector("body[data-drawn]")
        yield page
        settled(page)
        context.close()
        assert errors == []
        assert [url for url in requests if not url.startswith(("blob:", "data:", file.as_uri()))] == []

    return call


def changed(path, of):
    """The page of what changed between two sets of outcomes, the second of a long name."""
    listed = [outcome for _, outcome in of.findings.outcomes]
    before, after = (
        Side(name=name, what=f"store {name}", outcomes=listed, environments=[ENVIRONMENT]) for name in ("before", LONG)
    )
    return written(changes_page(changes(listed, listed), before, after), path)


def settled(page):
    """Wait until charts are drawn after a choice."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")


def content(page):
    return json.loads(page.locator("#content").text_content())


def columns(page, table):
    """Cells of a table that are shown, by heading."""
    cells = page.evaluate(
        """(table) => [...document.querySelectorAll(`[data-table="${table}"] tr`)].map((row) =>
        [...row.cells].map((cell) => cell.textContent))""",
        table,
    )
    return {name: [row[place] for row in cells[1:]] for place, name in enumerate(cells[0])}


def status(page, table):
    return page.locator(f"[data-table={table}] [role=status]").text_content()


def choose(page, **values):
    for name, value in values.items():
        page.locator(f"select[name={name}]").select_option(value)
    settled(page)


def download(page, button):
    with page.expect_download() as waiting:
        button.click()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


@pytest.mark.parametrize(("name", "width", "scheme"), SHOWN)
def test_every_chart_is_drawn_and_nothing_is_wider_than_the_window(opened, name, width, scheme):
    with opened(name, width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = page.evaluate(
            """() => [...document.querySelectorAll("[data-chart]")].filter((box) => !box.closest("[hidden]"))
            .map((box) => ({ name: box.dataset.chart, room: box.clientWidth, needs: box.scrollWidth,
            marks: box.querySelectorAll("svg path, svg text").length }))"""
        )
        assert len(boxes) == len([chart for chart in content(page)["charts"] if chart != "misses"])
        for box in boxes:
            assert box["marks"] > 5, box
            assert box["needs"] <= box["room"] + 1, box
        assert page.evaluate("window.broken") is None


@pytest.mark.parametrize(("name", "width", "scheme"), [("labels", 360, "light"), ("several", 1400, "dark")])
def test_axe_finds_nothing_serious(opened, name, width, scheme):
    with opened(name, width, scheme) as page:
        page.locator("details.figures summary").first.click()
        for field in page.get_by_label("Filter").all():
            field.fill("random")  # rows are alike
        found = Axe().run(page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in serious] == []


def test_a_choice_serves_all_charts_and_is_in_the_address(opened):
    with opened("several") as page:
        choose(page, dataset="b", index="faiss", search="40")
        assert page.url.endswith("#dataset=b&engine=faiss&ef_search=40")
        for name in ("difference", "losses", "shares"):
            page.locator(f"details:has([data-figures={name}]) summary").click()
        chart = content(page)["charts"]["difference"]["rows"]
        rows = [{key: at(column, place) for key, column in chart.items()} for place in range(length(chart))]
        expected = [row for row in rows if (row["dataset"], row["index"], row["search"]) == ("b", "faiss", "40")]
        shown = page.locator("[data-figures=difference] td:nth-child(2)").all_text_contents()
        assert [float(text) for text in shown] == [float(f"{row['difference']:.6g}") for row in expected]
        assert len(shown) == 3
        address = page.url.partition("#")[2]
    with opened("several", address=f"#{address}&scale=misses") as page:
        assert not page.locator("#missing").is_visible()
        assert [page.locator(f"select[name={key}]").input_value() for key in ("dataset", "index", "search")] == [
            *("b", "faiss", "40")
        ]
        assert page.locator("#chart-misses").is_visible()
        assert not page.locator("#chart-curves").is_visible()
        page.evaluate("location.hash = '#dataset=a&engine=nothing&ef_search=40'")
        settled(page)
        assert [page.locator(f"select[name={key}]").input_value() for key in ("dataset", "index", "search")] == [
            *("a", "faiss", "40")
        ]
        said = "The address asks for engine nothing, which is not here."
        assert page.locator("#missing").text_content() == said
        assert page.locator("#missing").is_visible()
        assert page.url.endswith("#dataset=a&engine=faiss&ef_search=40")
        assert page.locator("#chart-curves").is_visible()
        choose(page, dataset="b")
        assert not page.locator("#missing").is_visible()


def at(column, place):
    return column["values"][column["codes"][place]] if isinstance(column, dict) else column[place]


def length(columns):
    first = next(iter(columns.values()))
    return len(first["codes"] if isinstance(first, dict) else first)


def test_charts_that_go_by_more_have_a_choice_of_it(opened):
    with opened("sweeps", address="#sweep=cube") as page:
        assert page.locator("select[name=sweep]").input_value() == "cube"
        page.locator("details:has([data-figures=sweep]) summary").click()
        assert page.locator("[data-figures=sweep] tbody tr").count() == 3 * 4
        choose(page, sweep="ball")
        assert page.url.endswith("&sweep=ball")


def test_tables_are_filtered_sorted_and_continued(opened):
    with opened("several") as page:
        assert status(page, "outcomes") == "100 of 128 rows"
        table = page.locator("[data-table=outcomes]")
        table.get_by_role("button", name="Show more").click()
        assert status(page, "outcomes") == "128 of 128 rows"
        head = table.get_by_role("button", name="recall", exact=True)
        head.click()
        recalls = [float(text) for text in columns(page, "outcomes")["recall"]]
        assert recalls == sorted(recalls)
        assert len(recalls) == 128
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
        head.click()
        assert [float(text) for text in columns(page, "outcomes")["recall"]] == recalls[::-1]
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
        table.get_by_label("Filter").fill("FAISS  lid-asc")
        shown = columns(page, "outcomes")
        assert status(page, "outcomes") == "16 of 16 rows (128 in all)"
        assert set(shown["engine"]) == {"faiss"}
        assert set(shown["order"]) == {"lid-ascending"}
        table.get_by_label("Filter").fill("no such thing")
        assert status(page, "outcomes") == "0 of 0 rows (128 in all)"
        # What has no value goes last both ways
        summary = page.locator("[data-table=summary]")
        for _ in range(2):
            summary.get_by_role("button", name="difference", exact=True).click()
            assert columns(page, "summary")["difference"][-8:] == [""] * 8


def test_a_download_holds_every_listed_row(opened):
    with opened("several") as page:
        whole = content(page)
        table = page.locator("[data-table=outcomes]")
        table.get_by_label("Filter").fill("faiss")
        name, text = download(page, table.get_by_role("button", name="Download as CSV"))
        assert name == "e-outcomes.csv"
        rows = [*csv.DictReader(io.StringIO(text.decode(), newline=""))]
        places = [place for place in range(128) if at(whole["outcomes"]["engine"], place) == "faiss"]
        assert len(rows) == len(places) == 64
        for key, column in whole["outcomes"].items():
            for row, place in zip(rows, places, strict=True):
                value = at(column, place)
                assert (float(row[key]) if isinstance(value, float) else row[key]) == (
                    value if isinstance(value, float) else "" if value is None else str(value)
                )
        name, text = download(page, page.locator("#json"))
        assert name == "e.json"
        of_json = json.loads(text)
        for part in ("summary", "outcomes"):
            assert of_json[part] == [
                {key: at(column, place) for key, column in whole[part].items()} for place in range(length(whole[part]))
            ]
        assert of_json["failures"] == whole["failures"]
        for form, start in (("svg", b"<svg"), ("png", b"\x89PNG")):
            button = page.locator(f"[data-save=difference] button[value={form}]")
            name, image = download(page, button)
            assert name == f"e-difference.{form}"
            assert start in image[:200]


def test_labels_in_files_are_quoted(opened):
    with opened("labels") as page:
        _, text = download(page, page.locator("[data-table=outcomes] button", has_text="Download"))
        orders = {row["order"] for row in csv.DictReader(io.StringIO(text.decode(), newline=""))}
        assert orders == {"random", LONG, f"c {LONG}"}
        assert LONG in columns(page, "outcomes")["order"]
        assert page.locator("h1").text_content() == LONG
        assert page.locator("select[name=dataset] option").all_text_contents()[0] == LONG


def test_everything_is_reached_by_keyboard(opened):
    with opened("several") as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
        page.keyboard.press("Enter")
        assert page.url.endswith("#answer")
        seen = []
        for _ in range(80):
            page.keyboard.press("Tab")
            focus = page.evaluate(
                """() => { const at = document.activeElement; const style = getComputedStyle(at);
                const name = at.name || at.getAttribute("aria-label") || at.textContent.trim();
                return [name, style.outlineStyle, style.outlineWidth]; }"""
            )
            assert focus[1:] == ["solid", "3px"], focus
            seen.append(focus[0])
            if focus[0] == "search":
                page.keyboard.press("ArrowDown")
            if focus[0] == "scale":
                page.keyboard.press("ArrowRight")
            if focus[0] == "recall":
                page.keyboard.press("Enter")
            if focus[0] == "Download the whole result as JSON":
                break
        for name in ("their reasons", "dataset", "index", "scale", "Save the chart as SVG", "The figures as a table"):
            assert name in seen
        settled(page)
        assert "ef_search=40" in page.url
        assert "scale=misses" in page.url
        assert page.locator("[data-table=summary] th[aria-sort=ascending]").text_content() == "recall"


def test_the_rule_under_the_pointer_reads_off_the_equal_ef_search(opened):
    for address, chart in (("", "curves"), ("#scale=misses", "misses")):
        with opened("several", address=address) as page:
            box = page.locator(f"[data-chart={chart}]")
            box.scroll_into_view_if_needed()
            area = box.bounding_box()
            read = {}
            for down in (0.3, 0.5):
                page.mouse.move(area["x"] + 0.35 * area["width"], area["y"] + down * area["height"], steps=3)
                settled(page)
                texts = [re.fullmatch(r"(\S+) (\d+)", text) for text in box.locator("svg text").all_text_contents()]
                read[down] = {found[1]: int(found[2]) for found in texts if found and not found[1].isdecimal()}
            rows = content(page)["charts"][chart]["rows"]
            readings = {}
            for place in range(length(rows)):
                row = {key: at(column, place) for key, column in rows.items()}
                if (row["kind"], row["dataset"], row["index"]) == ("reading", "a", "faiss"):
                    readings.setdefault(row["recall"], {})[row["order"]] = round(row["ef_search"])
            for of_rule in read.values():
                assert "random" in of_rule
                assert of_rule in readings.values()
            assert read[0.3] != read[0.5]


def test_a_page_is_printed_in_light_and_without_what_needs_a_hand(opened):
    with opened("several", scheme="dark") as page:
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(232, 234, 237)"
        assert page.pdf(format="A4").startswith(b"%PDF")
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 36, 48)"
        for gone in (".tools", ".save", "#json", "#outcomes", ".skip"):
            assert not page.locator(gone).first.is_visible()
        for stays in ("#answer", "#comparisons table", "[data-chart=difference] svg"):
            assert page.locator(stays).first.is_visible()


def test_a_chart_says_in_words_what_it_shows(opened):
    with opened("several") as page:
        choose(page, search="40")
        for box in page.locator("[data-chart]").all():
            assert box.get_attribute("role") == "img"
            assert box.get_attribute("aria-label") == box.locator("xpath=..").locator("figcaption").text_content()


def test_the_last_of_quick_choices_is_what_is_shown(opened):
    with opened("several") as page:
        for value in ("40", "10", "40", "10", "40"):
            page.locator("select[name=search]").select_option(value)
        settled(page)
        assert page.locator("[data-chart=difference] svg").count() == 1
        rows = content(page)["charts"]["difference"]["rows"]
        texts = page.locator("[data-chart=difference] svg text").all_text_contents()
        for place in range(length(rows)):
            row = {key: at(column, place) for key, column in rows.items()}
            if (row["dataset"], row["index"], row["search"]) == ("a", "faiss", "40"):
                assert any(text.startswith(f"{row['difference']:+.2f} [".replace("-", "−")) for text in texts)


def test_the_page_of_a_real_run_has_the_figures_of_its_table(opened, cli, tmp_path):
    (tmp_path / "e.toml").write_text(SMALL)
    cli("run", "e.toml", "--store", "s.sqlite", "--report", check=0)
    listed = load(tmp_path / "s.sqlite").summary
    with opened(tmp_path / "e.html") as page:
        shown = columns(page, "summary")
        assert shown["order"] == list(listed["order"])
        assert shown["recall"] == [f"{recall:.6g}" for recall in listed["recall"]]
        assert "hnswlib" in page.locator(".common").text_content()
