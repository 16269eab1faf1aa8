"""Findings as pandas frames: one row per order and setting, or per mark of a chart.

Every frame names the setting by `dataset`, `index` (the engine, with what varies among its indexes) and `search` (the
ef_search, and k where it varies), so that one choice of the three serves all charts.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from bench.analysis import equal_ef
from bench.analysis.findings import Findings
from bench.analysis.losses import DECILES, LEVELS
from bench.analysis.profile import Profile, profile
from bench.analysis.setting import CHOSEN, Setting, labels, varying_by_engine, with_own_params
from bench.analysis.summary import Summary
from bench.present.summary import summary_rows, verdict_text
from bench.present.text import heading
from bench.statistics.intervals import CONFIDENCE

if TYPE_CHECKING:
    import pandas as pd

Rows = list[dict[str, Any]]

READINGS = 60  # levels of recall at which curves are read off
BINS = 30  # of a distribution of dimension
_PARTS = ("order", "build", "search")


class Panel(msgspec.Struct, frozen=True):
    """The values to choose on a page to see one setting."""

    dataset: str
    index: str
    search: str


def panels(findings: Findings) -> dict[Setting, Panel]:
    """Every setting as a Panel, no two alike, in the sequence of tables."""
    settings = list(dict.fromkeys(row.setting for row in findings.summaries))
    return dict(zip(settings, panels_of([setting.fields for setting in settings]), strict=True))


def panels_of(settings: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """The Panel of every setting, of which all fields that tables show are given; as many as settings."""
    if not settings:
        return []
    varying = varying_by_engine(settings)
    spread = [with_own_params(fields) for fields in settings]
    several_k = len({fields["k"] for fields in spread}) > 1
    return [
        Panel(
            str(fields["dataset"]),
            heading(fields, ["engine", *(name for name in varying[fields["engine"]] if name not in CHOSEN)]),
            f"{fields['ef_search']}" + (f", k {fields['k']}" if several_k else ""),
        )
        for fields in spread
    ]


def _named(panel: Panel) -> dict[str, Any]:
    return msgspec.structs.asdict(panel)


def summary(findings: Findings) -> "pd.DataFrame":
    """One row an order and setting, with intervals and verdicts: what `bench table --json` prints."""
    return _frame(summary_rows(findings.summaries, findings.shares, findings.retrieval))


def differences(findings: Findings) -> "pd.DataFrame":
    """Difference to the reference, in points; `noise`: what two builds of the reference differ by in 95 % of cases."""
    of_panel, rows = panels(findings), []
    noise = {row.setting: _noise(row) for row in findings.summaries if row.order == findings.reference}
    for place, row in enumerate(findings.summaries):
        if row.against is None:
            continue
        value, low, high = (100 * end for end in (row.against.difference.value, *_ends(row.against.difference)))
        rows.append(
            _named(of_panel[row.setting])
            | {"order": row.order, "difference": value, "low": low, "high": high, "verdict": row.against.verdict}
            | {"noise": 100 * noise.get(row.setting, math.nan), "margin": 100 * findings.worth, "place": place}
        )
    return _frame(rows)


def _ends(estimate: Any) -> tuple[float, float]:
    return estimate.low, estimate.high


def _noise(reference: Summary) -> float:
    """Return the difference that 95 % of pairs of builds stay within, by a t interval for few builds."""
    from scipy.special import stdtrit

    if reference.builds < 2:
        return math.nan
    return float(stdtrit(reference.builds - 1, (1 + CONFIDENCE) / 2)) * math.sqrt(2) * reference.sd


def curves(findings: Findings) -> "pd.DataFrame":
    """Recall and misses by ef_search.

    kind: `measured`, with intervals; `ladder`, the reference between and beyond them; `line`, the curve through all of
    an order's points, straight between them in the logarithms of misses and ef_search; `reading`, the ef_search at
    which that curve reaches a level of recall.
    """
    of_panel, rows = panels(findings), []
    points: dict[tuple[str, str, int, str], dict[int, float]] = {}
    for row in findings.summaries:
        panel, search = of_panel[row.setting], row.setting.of.search
        key = (panel.dataset, panel.index, search.k, row.order)
        points.setdefault(key, {})[search.ef_search] = row.recall.value
        rows.append(_on_curve(key, search.ef_search, row.recall.value, *_ends(row.recall), kind="measured"))
    by_setting = {equal_ef.without_ef_search(setting): panel for setting, panel in of_panel.items()}
    for setting, order, recall in equal_ef.ladder(findings.ladder, labels(findings.compared), findings.ties):
        if of_graph := by_setting.get(equal_ef.without_ef_search(setting)):
            ef = setting.of.search.ef_search
            key = (of_graph.dataset, of_graph.index, setting.of.search.k, order)
            points.setdefault(key, {})[ef] = recall
            rows.append(_on_curve(key, ef, recall, math.nan, math.nan, kind="ladder"))
    frame = _frame(rows + _lines(points) + _readings(points))
    return frame.sort_values(["dataset", "index", "k", "order", "ef_search"], kind="stable") if len(frame) else frame


def _on_curve(
    key: tuple[str, str, int, str], ef_search: float, recall: float, low: float, high: float, *, kind: str
) -> dict[str, Any]:
    dataset, index, k, order = key
    return {
        "dataset": dataset,
        "index": index,
        "k": k,
        "order": order,
        "kind": kind,
        "ef_search": ef_search,
        "recall": recall,
        "low": low,
        "high": high,
    }


def _lines(points: dict[tuple[str, str, int, str], dict[int, float]]) -> Rows:
    """The curve of every order that has two points at least, close enough to look smooth."""
    return [
        _on_curve(key, ef, recall, math.nan, math.nan, kind="line")
        for key, curve in points.items()
        if len(curve) > 1
        for ef, recall in equal_ef.line(curve)
    ]


def _readings(points: dict[tuple[str, str, int, str], dict[int, float]]) -> Rows:
    """Of every order of a curve with two points at least, where it reaches each of READINGS levels."""
    rows: Rows = []
    graphs: dict[tuple[str, str, int], dict[str, dict[int, float]]] = {}
    for (dataset, index, k, order), curve in points.items():
        graphs.setdefault((dataset, index, k), {})[order] = curve
    for of_graph, by_order in graphs.items():
        recalls = [recall for curve in by_order.values() for recall in curve.values()]
        worst, best = 1 - min(recalls), max(1 - max(recalls), 1e-4)
        if worst <= best:
            continue
        for level in 1 - np.geomspace(worst, best, READINGS):
            for order, curve in by_order.items():
                ef = equal_ef.reached(curve, float(level)) if len(curve) > 1 else math.inf
                if math.isfinite(ef):
                    rows.append(_on_curve((*of_graph, order), ef, float(level), math.nan, math.nan, kind="reading"))
    return rows


def losses(findings: Findings) -> "pd.DataFrame":
    """The share of queries, in percent, whose recall is a level at most."""
    of_panel = panels(findings)
    return _frame(
        [
            _named(of_panel[row.setting]) | {"order": row.order, "recall": float(level), "queries": 100 * float(share)}
            for row in findings.losses
            for level, share in zip(LEVELS, row.at_most, strict=True)
        ]
    )


def by_difficulty(findings: Findings, of: str) -> "pd.DataFrame":
    """Mean recall of each tenth of the queries, the easiest first; of: one of `losses.DIFFICULTIES`."""
    of_panel = panels(findings)
    return _frame(
        [
            _named(of_panel[row.setting]) | {"order": row.order, "tenth": tenth + 1, "recall": float(recall)}
            for row in findings.losses
            if of in row.by_difficulty
            for tenth, recall in zip(range(DECILES), row.by_difficulty[of], strict=True)
        ]
    )


def shares(findings: Findings) -> "pd.DataFrame":
    """Where the variance of a query's recall comes from, in percent."""
    of_panel = panels(findings)
    return _frame(
        [
            _named(of_panel[row.setting]) | {"source": source, "percent": 100 * share, "place": place}
            for row in findings.shares
            if row.setting in of_panel
            for place, (source, share) in enumerate(row.shares.items())
        ]
    )


def costs(findings: Findings) -> "pd.DataFrame":
    """Seconds by part: order, build, and search of all queries; means over builds."""
    of_panel, rows = panels(findings), []
    for row in findings.summaries:
        for place, part in enumerate(_PARTS):
            seconds = getattr(row, f"{part}_seconds")
            rows.append(
                _named(of_panel[row.setting]) | {"order": row.order, "part": part, "seconds": seconds, "place": place}
            )
    return _frame(rows)


def needed(findings: Findings) -> "pd.DataFrame":
    """Of every comparison the smallest difference that its builds show, in points, and its verdict, with what would
    settle it where it is undecided."""
    of_panel = panels(findings)
    return _frame(
        [
            _named(of_panel[row.setting])
            | {"order": row.order, "builds": row.builds, "detectable": 100 * row.against.detectable}
            | {"verdict": verdict_text(row.against), "place": place}
            for place, row in enumerate(findings.summaries)
            if row.against and row.builds > 1
        ]
    )


_NUMBER = re.compile(r"(\w+)=(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?=[,)])")


def sweep(findings: Findings) -> "pd.DataFrame":
    """Recall against the one parameter of a generator by which datasets of one name differ, and in nothing else; empty
    without three such datasets, and of seeds."""
    of_panel, sweeps = panels(findings), _sweeps(dict.fromkeys(panel.dataset for panel in panels(findings).values()))
    rows = []
    for row in findings.summaries:
        panel = of_panel[row.setting]
        for name, parameter, value in sweeps.get(panel.dataset, []):
            low, high = _ends(row.recall)
            rows.append(
                {"index": panel.index, "search": panel.search, "sweep": name, "parameter": parameter, "value": value}
                | {"order": row.order, "recall": row.recall.value, "low": low, "high": high}
            )
    return _frame(rows)


def _sweeps(datasets: Iterable[str]) -> dict[str, list[tuple[str, str, float]]]:
    """By dataset the sweeps that it is of, each with its parameter and the value there."""
    along: dict[tuple[str, str], dict[str, float]] = {}
    for dataset in datasets:
        for number in _NUMBER.finditer(dataset):
            parameter, value = number.groups()
            rest = f"{dataset[: number.start(2)]}...{dataset[number.end(2) :]}"
            along.setdefault((rest, parameter), {})[dataset] = float(value)
    sweeps = {key: values for key, values in along.items() if len(values) > 2 and key[1] != "seed"}
    stems = Counter(rest.partition("(")[0] for rest, _ in sweeps)
    of_dataset: dict[str, list[tuple[str, str, float]]] = {}
    for (rest, parameter), values in sweeps.items():
        stem = rest.partition("(")[0]
        for dataset, value in values.items():
            of_dataset.setdefault(dataset, []).append((stem if stems[stem] == 1 else rest, parameter, value))
    return of_dataset


def profiles(findings: Findings) -> list[tuple[str, Profile]]:
    """Return the known Profile of each dataset, with its name in tables."""
    by_name = {panel.dataset: setting.of.data for setting, panel in panels(findings).items()}
    known = ((name, profile(data, findings.profiles)) for name, data in by_name.items())
    return [(name, of_data) for name, of_data in known if of_data]


def dimensions(findings: Findings) -> "pd.DataFrame":
    """The distribution of local intrinsic dimension, of rows and of queries, in percent of each."""
    rows: Rows = []
    for name, of_data in profiles(findings):
        arrays = findings.profiles[of_data.data]
        known = {what: arrays[f"{what}_lid"][np.isfinite(arrays[f"{what}_lid"])] for what in ("row", "query")}
        together = np.concatenate(list(known.values()))
        if not len(together):
            continue
        lowest, highest = np.quantile(together, [0.001, 0.999])
        edges = np.linspace(float(lowest), float(highest), BINS + 1)
        for what, of in known.items():
            counts = np.histogram(np.clip(of, edges[0], edges[-1]), edges)[0]
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
                rows.append(
                    {"dataset": name, "of": {"row": "rows", "query": "queries"}[what], "low": float(low)}
                    | {"high": float(high), "percent": 100 * float(count) / max(len(of), 1)}
                )
    return _frame(rows)


def _frame(rows: Sequence[dict[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(list(rows))
