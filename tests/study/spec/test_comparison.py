import numpy as np
import pytest
from support.messages import names, refused, warned

from bench.data.parts import Parts
from bench.study.spec.comparison import DEFAULT_ORDERS, comparison

BY_LID, BY_RADIUS = ["lid-ascending", "lid-descending"], ["radius-descending"]


def compared(folder, rows, orders=None):
    rng = np.random.default_rng(0)
    for name, count in (("base", rows), ("queries", 2)):
        np.save(folder / f"{name}.npy", rng.standard_normal((count, 4)).astype(np.float32))
    source = Parts(base=str(folder / "base.npy"), queries=folder / "queries.npy", metric="l2")
    return comparison(
        source,
        orders=orders,
        index=[{"engine": "hnswlib"}],
        k=1,
        ef_search=[10],
        build_seeds=1,
        log=lambda line: None,
    )


@pytest.mark.parametrize(
    ("rows", "left_out", "named"),
    [
        (1, [*BY_LID, *BY_RADIUS], ("k = 100", 1, 3)),
        (2, [*BY_LID, *BY_RADIUS], ("k = 10", 2, ":k=1")),
        (3, [*BY_LID, *BY_RADIUS], ("k = 100", 3, ":k=2")),
        (10, [*BY_LID, *BY_RADIUS], ("k = 10", 10, 1, 9, ":k=9")),
        (11, BY_LID, ("k = 100", 11, 2, 10, ":k=10")),
        (100, BY_LID, ("k = 100", 100, 2, 99, ":k=10")),
    ],
)
def test_default_orders_that_cannot_be_made_are_left_out_with_the_reason(tmp_path, rows, left_out, named):
    with warned("base") as caught:
        study = compared(tmp_path, rows)
    assert [order.order for order in study.orders["base"]] == [name for name in DEFAULT_ORDERS if name not in left_out]
    said = [str(one.message) for one in caught]
    assert [line for line in said if names(line, "base", *named)]
    assert len([line for line in said if names(line, *BY_LID)]) == 1


def test_all_default_orders_can_be_made_of_101_rows(tmp_path):
    study = compared(tmp_path, 101)
    assert tuple(order.order for order in study.orders["base"]) == DEFAULT_ORDERS


@pytest.mark.parametrize("named", [["lid-ascending"], list(DEFAULT_ORDERS)])
def test_an_order_that_is_named_and_cannot_be_made_is_an_error(tmp_path, named):
    with refused("'lid-ascending'", "'base'", "k = 100", "100 rows"):
        compared(tmp_path, 100, named)
