from bench.analysis.plan import Line, Plan
from bench.present.plan import plan_text


def line(ef_search, **index):
    return Line(
        **({"engine": "hnswlib", "M": 16, "ef_construction": 128} | index),
        dataset="d",
        ef_search=ef_search,
        k=10,
        builds=6,
        seconds_a_build=1.5,
        detectable=0.0123,
    )


def test_a_plan_has_a_column_for_what_varies_and_a_title_for_what_does_not():
    lines = [line(10), line(40), line(40, engine_params='{"levels":2}')]
    head, title, table, note = plan_text("e", Plan(36, 18, 12, 200.0, lines)).split("\n\n")
    assert head == "e: 36 outcomes, 18 missing: 12 builds, about 3.3 minutes"
    assert title == "dataset d, engine hnswlib, M 16, ef_construction 128, chunk 1, threads 1, k 10"
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
    assert rows[0] == ["engine_params", "ef_search", "builds", "s a build", "detectable, points"]
    assert rows[2:] == [
        ["", "10", "6", "1.50", "1.23"],
        ["", "40", "6", "1.50", "1.23"],
        ['{"levels":2}', "40", "6", "1.50", "1.23"],
    ]
    assert "power 80 %" in note
