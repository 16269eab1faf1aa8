"""The effect of an engine on the insertion order: at its defaults, and if one call inserts many rows."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from bench.features.doctor import examination
from bench.features.doctor.examination import (
    CHUNKS,
    THREADS,
    WIDTHS,
    Differing,
    ExactOrder,
    Failed,
    Recalls,
    Saturation,
    Widths,
)
from bench.features.doctor.examination import of_chunk as of
from bench.indexes.contract import AT_MOST
from bench.indexes.engine import Engine
from bench.indexes.insertion import Chunk
from bench.indexes.places import CHANCE, FELT, Places
from bench.statistics import intervals
from bench.statistics.intervals import Estimate
from bench.statistics.sample import Sample

# Share of answers: some engines sort rows at equal distances by id; sorting pairs of rows by id changes over a fourth
_TIES = 0.05
# Answers that more than one question has
CANNOT_TELL, REFUSED, FAILED = "cannot be told", "refused", "failed"
LOST, BY_ID, EARLIER, INSIDE = "lost", "goes by id", "last rows go in earlier", "lost inside a call"
KEPT, ALIKE, OTHER = "kept", "kept: the same graph", "felt, in another graph"


class DoctorLine(msgspec.Struct, frozen=True):
    """A verdict.

    question: what was asked.
    answer: in a few words.
    evidence: what was seen, in figures.
    broken: whether this breaks a promise of the engine, or a requirement for all engines.
    remedy: the change that repairs such an engine, if known.
    """

    question: str
    answer: str
    evidence: str
    broken: bool = False
    remedy: str = ""


def orders(engine: Engine, known: Mapping[str, Any]) -> Iterator[DoctorLine]:
    """Yield the effect on the order, at the defaults and by chunk."""
    chunked = examination.has_chunks(engine)
    default = f", chunk = {engine.params().chunk}" if chunked else ""  # type: ignore[attr-defined]
    yield _order(f"order{default}", engine, known)
    yield from _clustered(f"clustered{default}", known.get("clustered order"))
    for chunk in CHUNKS:
        if of("same graph", chunk) in known:
            yield _in_calls(f"order, chunk = {chunk}", known, chunk)
            yield from _clustered(f"clustered, chunk = {chunk}", known.get(of("clustered order", chunk)))


def _order(question: str, engine: Engine, known: Mapping[str, Any]) -> DoctorLine:
    """Return whether the order is kept at the engine's defaults."""
    exact, places = known.get("exact order"), known.get("places")
    for found in (exact, places):
        if isinstance(found, Failed):
            return failed(question, found)
    assert isinstance(places, Places)
    if why := hidden(known):
        return DoctorLine(question, CANNOT_TELL, why)
    broken = engine.promises.keeps_order
    if exact is None:
        answer = _places_answer(places)
        return DoctorLine(question, answer, _z(places), broken and answer not in (KEPT, CANNOT_TELL))
    assert isinstance(exact, ExactOrder)
    answer = _exact_answer(exact, places)
    return DoctorLine(
        question,
        answer,
        f"backwards {differ(exact.backwards)}; {_z(places)}",
        broken and answer not in (KEPT, CANNOT_TELL),
    )


def _exact_answer(exact: ExactOrder, places: Places) -> str:
    """Return the verdict on an engine that repeats: by equal answers first, then by the effect of a row's place."""
    last = exact.far.share < AT_MOST
    if exact.moved.share > _TIES:
        return BY_ID
    if not exact.backwards.differ:
        return LOST
    if abs(places.overall) <= FELT:
        return KEPT if last else LOST
    if not last:
        return EARLIER
    return KEPT if abs(places.inside) > FELT or places.links > 2 else _absent(places.inside, INSIDE)


def _places_answer(places: Places) -> str:
    """Of an engine whose builds are never alike, or of one that takes many rows a call."""
    if places.links > 2 and not places.decided:
        return CANNOT_TELL
    by_id = abs(places.ids) > FELT
    if abs(places.overall) <= FELT:
        return BY_ID if by_id else _absent(places.overall, LOST)
    if abs(places.inside) <= FELT:
        return f"{BY_ID} inside a call" if by_id else _absent(places.inside, INSIDE)
    return KEPT if places.last > FELT else _absent(max(places.last, 0), EARLIER)


def _absent(z: float, answer: str) -> str:
    """The answer where a figure is what chance gives, after all builds."""
    return answer if abs(z) <= CHANCE else CANNOT_TELL


def _in_calls(question: str, known: Mapping[str, Any], chunk: Chunk) -> DoctorLine:
    """Return the effect on the order of inserting `chunk` rows per call, about which engines promise nothing."""
    same, places = known.get(of("same graph", chunk)), known.get(of("places", chunk))
    for found in (same, places):
        if isinstance(found, Failed):
            return failed(question, found)
    if isinstance(same, Differing) and not same.differ:
        return DoctorLine(question, ALIKE, f"{differ(same)} from the default's")
    if why := hidden(known):
        return DoctorLine(question, CANNOT_TELL, why)
    assert isinstance(places, Places)
    answer = _places_answer(places)
    if not isinstance(same, Differing):
        return DoctorLine(question, answer, _z(places))
    evidence = f"{differ(same)} from the default's; {_z(places)}"
    return DoctorLine(question, OTHER if answer == KEPT else answer, evidence)


def _clustered(question: str, found: Any) -> Iterator[DoctorLine]:
    """Yield the cost of a clustered order."""
    if isinstance(found, Failed) and not found.refused:
        yield failed(question, found)
    elif isinstance(found, Recalls):
        difference = effect(found)
        builds = len(found.random)
        yield DoctorLine(
            question,
            f"{100 * difference.value:+.1f} points",
            f"[{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]; recall {found.clustered.mean():.3f}, "
            f"at random {found.random.mean():.3f} (builds {builds})",
        )


def effect(found: Recalls) -> Estimate:
    """Recall of the clustered order minus that of the random one."""
    clustered, random = (
        Sample(recalls, np.arange(len(recalls)), np.arange(len(recalls)), 10)
        for recalls in (found.clustered, found.random)
    )
    return intervals.difference(clustered, random)


def scans(known: Mapping[str, Any]) -> bool:
    """Return whether answers are exact where a graph misses some."""
    found = known.get("widths of search")
    return isinstance(found, Widths) and found.recalls[WIDTHS[0]] == 1


def hidden(known: Mapping[str, Any]) -> str:
    """Why answers say nothing of the graph, or nothing where they do."""
    found = known.get("saturation")
    if isinstance(found, Saturation) and found.wrong:
        return "ids are wrong"
    return "answers are exact, whatever the graph" if scans(known) else ""


def to_set(engine: Engine, known: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Return the settings that keep the order, and whether any setting keeps it."""
    by_chunk: dict[Chunk, str] = {}
    if examination.has_chunks(engine):
        by_chunk = {chunk: _in_calls("", known, chunk).answer for chunk in CHUNKS if of("same graph", chunk) in known}
    own = _order("", engine, known).answer
    kept = [chunk for chunk, answer in by_chunk.items() if answer in (KEPT, ALIKE, OTHER)]
    settings = []
    if own == KEPT:
        lost = [
            f"{chunk}: {answer}"
            for chunk, answer in by_chunk.items()
            if answer not in (KEPT, ALIKE, OTHER, REFUSED, CANNOT_TELL)
        ]
        if lost:
            settings.append(f"chunk = {engine.params().chunk} ({'; '.join(lost)})")  # type: ignore[attr-defined]
    elif kept:
        settings.append(f"chunk = {kept[0]} (the default: {own})")
    two = known.get(f"repeats on {THREADS} threads")
    if isinstance(two, Differing) and two.differ and examination.repeating(known):
        settings.append(f"threads = 1 (on {THREADS}, no two builds are alike)")
    keeps = own == KEPT or bool(kept)
    return settings if keeps else [], keeps


def failed(question: str, found: Any) -> DoctorLine:
    assert isinstance(found, Failed)
    return DoctorLine(question, REFUSED if found.refused else FAILED, found.reason, broken=not found.refused)


def differ(found: Differing) -> str:
    return f"{found.differ} of {found.queries} answers differ"


def _z(places: Places) -> str:
    ids = f", by id {places.ids:+.1f}" if abs(places.ids) > FELT else ""
    figures = f"z {places.overall:+.1f}, last rows {places.last:+.1f}, inside {places.inside:+.1f}{ids}"
    with_links = f", M {places.links}" if places.links > 2 else ""
    return f"{figures} (builds {places.builds}{with_links})"
