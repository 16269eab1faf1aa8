import re

import pytest

from bench.analysis.plan import Plan, PlanLine
from bench.present.plan import plan_text
from bench.present.text import Layout


def line(ef_search, **index):
    return PlanLine(
        **({"engine": "hnswlib", "M": 16, "ef_construction": 128} | index),
        dataset="d",
        ef_search=ef_search,
        k=10,
        builds=6,
        seconds_a_build=1.5,
        detectable=0.0123,
    )


PLAN = Plan(36, 18, 12, 200.0, [line(10), line(40), line(40, engine_params='{"levels":2}')])


@pytest.mark.parametrize("wide", [False, True])
def test_a_plan_names_what_varies_in_its_rows_and_what_does_not_above(wide):
    head, title, table, *_ = plan_text("e", PLAN, Layout(width=100, wide=wide)).split("\n\n")
    assert head == "e: 36 outcomes, 18 missing: 12 builds, about 3.3 minutes"
    assert title == "dataset d, engine hnswlib, M 16, ef_construction 128, chunk 1, threads 1, k 10"
    rows = [re.split(r"\s*\|\s*|  +", row.strip("| ")) for row in table.splitlines()]
    assert rows[0] == ["setting", "builds", "s a build", "detectable, points"]
    assert rows[2:] == [
        ["ef_search 10", "6", "1.50", "1.23"],
        ["ef_search 40", "6", "1.50", "1.23"],
        ['engine_params {"levels":2}, ef_search 40', "6", "1.50", "1.23"],
    ]
