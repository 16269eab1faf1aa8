"""Diagnose from experiments how an engine treats the insertion order: verdicts, broken promises, settings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bench.errors import Log
from bench.features.doctor import examination
from bench.features.doctor.examination import BEGUN, OTHERS, THREADS, WIDTHS, Differing, Failed, Saturation, Widths
from bench.features.doctor.kept_order import (
    CANNOT_TELL,
    FAILED,
    DoctorLine,
    differ,
    failed,
    hidden,
    orders,
    scans,
    to_set,
)
from bench.indexes import INDEXES, find
from bench.indexes.engine import Engine, version
from bench.study.execution.processes import DiedError, apart

_PATIENCE = 180.0  # seconds for one experiment
_ROUNDED = 0.05  # how much farther, as a share, rows are that are returned for nearer ones since distances are rounded
# By question, without what it is asked for after a comma
_REMEDIES = {
    "order": "insert base[order[i]] as the i-th row, one a call if the library reorders more, "
    "or state Promises(keeps_order=False)",
    "repeats": "pass seed and threads to the library, or state Promises(repeats=False)",
    "build seed": "pass seed to the library, or state Promises(seeded=False)",
    "ids": "return row numbers of base, from 0, nearest first, and -1 for rows not found",
    "the widest search": "insert every row once, and pass ef_search to the library",
    "answers from": "switch off the exact scan that the library has for few rows",
    "a larger ef_search": "pass ef_search to the library in every search, or state Promises(has_ef_search=False)",
    "parameters reach the graph": "pass M and ef_construction to the library",
    "searches leave no trace": "set k and ef_search in every search",
    "unreachable rows are -1": "return -1 for rows not found",
}


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The diagnosis of an engine for one metric.

    lines: one verdict each.
    settings: settings that keep the order, each with its reason; empty if the defaults do, or if nothing does.
    keeps: whether any setting keeps the order.
    """

    engine: str
    version: str
    metric: str
    lines: list[DoctorLine]
    settings: list[str]
    keeps: bool

    @property
    def broken(self) -> list[DoctorLine]:
        return [line for line in self.lines if line.broken]


def diagnosis(engine: str, metric: str | None, log: Log, timeout: float | None = None) -> Diagnosis:
    """Return the diagnosis of an engine from experiments, by its first metric unless another is named.

    engine: a key of INDEXES, or the path of a Python file. They run in a process of their own, and in a new one after
    an experiment in which that ends. timeout: seconds for one experiment. log: called with a line of progress.
    """
    name = find(engine)
    whole = INDEXES[name]
    installed, by = version(name, whole), metric or whole.metrics[0]
    known: dict[str, Any] = {}
    for names in examination.in_a_process(whole):
        while left := [one for one in names if one not in known]:
            try:
                for experiment, found in apart(_examined, (engine, by, known, left), timeout or _PATIENCE):
                    if found == BEGUN:
                        log(f"{name}, {by}: {experiment}")
                    else:
                        known[experiment] = found
            except DiedError as death:
                at = next((one for one in left if one not in known), None)
                if at is None:  # at its very end
                    break
                known[at] = Failed(f"{death} while at: {at}")
                log(f"{name}, {by}: {known[at].reason}")
    return judged(name, installed, whole, by, known)


def _examined(engine: str, metric: str, known: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Run the experiments in a separate process."""
    return examination.run(INDEXES[find(engine)], metric, known, names)


def judged(name: str, installed: str, engine: Engine, metric: str, known: Mapping[str, Any]) -> Diagnosis:
    """Return the diagnosis from the outcomes of all experiments, by name."""
    lines = [_with_remedy(line) for line in (*orders(engine, known), *_builds(engine, known), *_answers(engine, known))]
    settings, keeps = to_set(engine, known)
    return Diagnosis(engine=name, version=installed, metric=metric, lines=lines, settings=settings, keeps=keeps)


def _with_remedy(line: DoctorLine) -> DoctorLine:
    """The line with what to change, if it is broken; of an experiment that failed, its reason says more."""
    if not line.broken or (line.answer == FAILED and line.question not in OTHERS):
        return line
    return msgspec.structs.replace(line, remedy=_REMEDIES.get(line.question.partition(",")[0], ""))


def _builds(engine: Engine, known: Mapping[str, Any]) -> Iterator[DoctorLine]:
    """Yield whether builds repeat, and the effect of the seed."""
    for threads, promised in ((1, engine.promises.repeats), (THREADS, False)):
        plural = "" if threads == 1 else "s"
        question, found = f"repeats, {threads} thread{plural}", known.get(f"repeats on {threads} thread{plural}")
        if isinstance(found, Differing):
            yes = not found.differ
            yield DoctorLine(
                question, "yes" if yes else "no", f"{differ(found)} in {found.builds} builds", promised and not yes
            )
        else:
            yield failed(question, found)
    found = known.get("seeds")
    if why := hidden(known):
        yield DoctorLine("build seed", CANNOT_TELL, why)
    elif isinstance(found, Differing):
        answer = "gives another graph" if found.differ else "does nothing"
        yield DoctorLine("build seed", answer, differ(found), not found.differ and engine.promises.seeded)
    elif isinstance(found, Failed):
        yield failed("build seed", found)
    else:
        yield DoctorLine("build seed", CANNOT_TELL, "no two builds are alike, whatever the seed")


def _answers(engine: Engine, known: Mapping[str, Any]) -> Iterator[DoctorLine]:
    """Yield whether ids are right, and the verdicts on searches."""
    found = known.get("saturation")
    if isinstance(found, Saturation):
        yield _ids(found)
        yield _saturated(found, engine)
    else:
        yield failed("ids", found)
    found = known.get("widths of search")
    if isinstance(found, Widths):
        recalls = ", ".join(f"{recall:.3f}" for recall in found.recalls.values())
        at = f"recall {recalls} at ef_search {', '.join(map(str, WIDTHS))}"
        exact, why = scans(known), hidden(known)
        yield DoctorLine("answers from", "an exact scan" if exact else "a graph", at, exact)
        if engine.promises.has_ef_search or found.differ:
            works = found.recalls[WIDTHS[-1]] > found.recalls[WIDTHS[0]]
            answer = CANNOT_TELL if why else "finds more" if works else "does nothing"
            broken = not why and not works and engine.promises.has_ef_search
            evidence = why or f"{found.differ} of {found.queries} answers differ by ef_search"
            yield DoctorLine("a larger ef_search", answer, evidence, broken)
    else:
        yield failed("answers from", found)
    yield from _others(known)


def _others(known: Mapping[str, Any]) -> Iterator[DoctorLine]:
    """A line for each of the other checks that does not hold, and one for those that do."""
    if why := hidden(known):
        yield DoctorLine("other checks", CANNOT_TELL, why)
        return
    held = []
    for check in OTHERS:
        found = known.get(check)
        if isinstance(found, tuple):
            holds, evidence = found
            if holds:
                held.append(check)
            else:
                yield DoctorLine(check, "no", evidence, broken=True)
        else:
            yield failed(check, found)
    if held:
        yield DoctorLine("other checks", "hold", "; ".join(held))


def _ids(found: Saturation) -> DoctorLine:
    at_all = f"recall {found.recall:.3f} by id"
    if found.shifted:
        return DoctorLine("ids", f"off by {found.shifted:+d}", f"{at_all}, and right when moved by one", broken=True)
    if found.foreign:
        return DoctorLine("ids", "not of the base", f"{found.foreign} ids are no row's", broken=True)
    first = f"{100 * found.nearest_first:.0f} % of answers nearest first"
    if found.recall < 0.5:
        return DoctorLine("ids", "wrong", f"{at_all} at the widest search", broken=True)
    if found.nearest_first < 0.99 and found.recall == 1:
        return DoctorLine("ids", "not nearest first", first, broken=True)
    return DoctorLine("ids", "right", f"{at_all}; {first}")


def _saturated(found: Saturation, engine: Engine) -> DoctorLine:
    """Return whether the widest search is exact, or why not."""
    question, recall = "the widest search", f"recall {found.recall:.4f}"
    if found.recall == 1:
        return DoctorLine(question, "is exact", f"{recall}, {found.rows} rows")
    if found.wrong:
        return DoctorLine(question, CANNOT_TELL, "ids are wrong")
    if engine.most_ef_search and engine.most_ef_search < found.rows:
        return DoctorLine(
            question, CANNOT_TELL, f"{recall} at ef_search {engine.most_ef_search}, the largest that it takes"
        )
    if found.never:
        evidence = f"{recall}; {found.never} of {found.rows} rows are returned to no search, not even for themselves"
        return DoctorLine(question, "misses: unreachable rows", evidence, broken=True)
    farther = f"rows returned for nearer ones are {100 * found.excess:.1f} % farther"
    if found.excess < _ROUNDED:
        return DoctorLine(question, "misses: rounded distances", f"{recall}; {farther}; every row is reached")
    return DoctorLine(question, "misses rows", f"{recall}; {farther}; every row is reached by some search", broken=True)
