"""Lines and a report of a gate, with the figures that a test names."""

import msgspec

from bench.analysis.verdict import HOLDS, THESE, UNDECIDED, Case, GateLine
from bench.features.gate.gate import Report, SmallestFalls
from bench.study.trial import Order
from support.examples import TRIAL


def line(low=-0.001, high=0.001, verdict=HOLDS, order="random", **fields):
    middle = (low + high) / 2
    return GateLine(
        verdict=verdict,
        engine="hnswlib",
        case=Case(setting=TRIAL.setting, order=Order(order=order, **fields)),
        was=0.9,
        now=0.9 + middle,
        difference=middle,
        low=low,
        high=high,
        like_low=2 * low,
        like_high=2 * high,
        question=THESE,
        settles=verdict == UNDECIDED,
        builds=(5, 5),
    )


def report(*lines, **changed):
    whole = Report(
        baseline="b",
        saved="2026-01-01",
        reason="r",
        margin=0.005,
        strict=False,
        contract=[],
        looks=1,
        smallest=SmallestFalls(dict.fromkeys((one.case for one in lines), 0.0123), {"hnswlib": 0.004}),
        spent=False,
        left_out=[],
        unsaved=[],
        passed=True,
        changes=[],
        unchanged=[],
        scoring=[],
        lines=[*lines],
    )
    return msgspec.structs.replace(whole, **changed)
