import re

import pytest
from support.messages import names

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
def test_rows_of_a_plan_name_the_fields_that_vary_and_its_heading_the_others(wide):
    head, title, table, *_ = plan_text("e", PLAN, Layout(width=100, wide=wide)).split("\n\n")
    assert names(head, "e", "36 outcomes", "18 missing", "12 builds", "3.3 minutes")
    fields = ("dataset d", "engine hnswlib", "M 16", "ef_construction 128", "chunk 1", "threads 1", "k 10")
    assert names(title, *fields)
    assert "ef_search" not in title
    rows = [re.split(r"\s*\|\s*|  +", row.strip("| ")) for row in table.splitlines()]
    assert rows[2:] == [
        ["ef_search 10", "6", "1.50", "1.23"],
        ["ef_search 40", "6", "1.50", "1.23"],
        ['engine_params {"levels":2}, ef_search 40', "6", "1.50", "1.23"],
    ]
