"""Masked arrays: refused by name wherever an array comes from a program, since numpy drops masks silently."""

import numpy as np
import pandas as pd
import pytest
from support.messages import refused

import bench

ROWS = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
QUICK = {"engines": ["hnswlib"], "orders": ["random"], "seeds": 1, "progress": False}


def masked(values, mask=True):
    array = np.ma.masked_array(values, mask=False)
    if mask:
        array[0] = np.ma.masked
    return array


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("vectors", lambda mask: {"vectors": masked(ROWS, mask)}),
        ("vectors", lambda mask: {"vectors": list(masked(ROWS, mask))}),
        ("vectors", lambda mask: {"vectors": pd.Series(list(masked(ROWS, mask)))}),
        ("queries", lambda mask: {"queries": masked(ROWS[:20], mask)}),
        ("labels", lambda mask: {"labels": masked(np.arange(40), mask)}),
        ("query_groups", lambda mask: {"queries": ROWS[:20], "query_groups": masked(np.arange(20) // 2, mask)}),
        ("orders[0]", lambda mask: {"orders": [masked(np.arange(40), mask)]}),
        ("by-date", lambda mask: {"orders": [{"rows": {"by-date": masked(np.arange(40), mask)}}]}),
    ],
)
def test_a_masked_argument_is_refused_by_its_name(name, given, mask):
    with refused("filled()") as refusal:
        bench.compare(**{"vectors": ROWS, **QUICK, **given(mask)})
    assert str(refusal.value).startswith(f"{name} ")


@pytest.mark.parametrize("call", [lambda rows: bench.lid(rows, k=5), lambda rows: bench.order(rows, "random")])
def test_masked_vectors_have_neither_dimension_nor_order(call):
    with refused("vectors", "filled()"):
        call(masked(ROWS))
    assert len(call(masked(ROWS).filled(0))) == 40


def test_a_mask_of_one_element_in_a_list_is_seen():
    with refused("labels", "filled()"):
        bench.compare(ROWS, labels=[*range(39), np.ma.masked], **QUICK)
