"""A baseline: outcomes that later versions are compared with, in one JSON file whose diff shows what changed.

The file names every setting and order once, with one line per build: its seeds, mean recall, a hash of the ids it
returned, and its hits per query (bytes, or 16-bit little-endian if k > 255; zlib; base64). `sha256` is taken over all
other keys, so that a figure changed by hand is noticed.
"""

import base64
import datetime
import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bench import digests
from bench.convert import converted
from bench.errors import BenchError
from bench.labels import cut
from bench.outputs import Kind
from bench.study.environment import differences
from bench.study.outcome import Outcome
from bench.study.spec.study import Study
from bench.study.trial import FIELDS, Provenance, Seeds, Trial, changed, flat_fields, grouped

SCHEMA = 2
FOLDER = Path("results/baselines")
LEAST_BUILDS = 5  # of each order: fewer show no fall among many settings
LEAST_QUERIES = 20  # a handful say nothing of others

_SEEDS = [field.name for field in msgspec.structs.fields(Seeds)]
# What made a trial, which the environment states
_PROVENANCE = ["order_code", *(field.name for field in msgspec.structs.fields(Provenance))]
_SETTING = {name: kind for name, kind in FIELDS.items() if name not in (*_SEEDS, *_PROVENANCE)}


class BaselineOutcome(NamedTuple):
    """The part of an outcome that a baseline keeps.

    trial: without what made it, see `comparable`.
    hits: (q,) by id.
    ids_sha256: of the ids returned.
    """

    trial: Trial
    hits: np.ndarray
    ids_sha256: str


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes of an experiment with what they were made with. builds: build seeds of each order, 1 to `builds`."""

    name: str
    experiment: str
    reason: str
    saved: str
    builds: int
    environment: dict[str, Any]
    outcomes: list[BaselineOutcome]


class _Build(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    build_seed: int
    order_seed: int
    recall: float
    ids_sha256: str
    hits: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: int
    name: str
    experiment: str
    reason: str
    saved: str
    builds: int
    environment: dict[str, Any]
    settings: list[dict[str, Any]]
    sha256: str


def path_of(name: str) -> Path:
    """The file of a baseline, by name or by a path that ends in .json."""
    if name.endswith(".json"):
        return Path(name)
    if not re.fullmatch(r"[\w.-]+", name):
        raise BenchError(f"baseline {name!r}: a name is made of letters, digits, dots, - and _")
    return FOLDER / f"{name}.json"


def create(name: str, study: Study, experiment: str, reason: str, outcomes: Iterable[Outcome]) -> Baseline:
    """The Baseline of a study's outcomes, which must all come from one environment."""
    by_key = {outcome.trial.key: outcome for outcome in outcomes}
    listed = [by_key[trial.key] for trial in study.trials]
    environment = _of_all(listed)
    for outcome in listed:
        if changes := [*differences(environment, outcome.build.environment, one_time=True)]:
            raise BenchError(
                f"baseline {name!r}: its outcomes come from several environments ({changes[0].text}): "
                "a baseline is of one; leave --store out to measure all again"
            )
    return Baseline(
        name=name,
        experiment=experiment,
        reason=reason,
        saved=datetime.date.today().isoformat(),
        builds=study.experiment.build_seeds,
        environment={key: value for key, value in environment.items() if key not in ("side_by_side", "measured")},
        outcomes=[BaselineOutcome(comparable(o.trial), o.hits, o.ids_sha256) for o in listed],
    )


def _of_all(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """The environment of outcomes that do not differ in it: each states the engines that its process had loaded."""
    whole: dict[str, Any] = {}
    for outcome in outcomes:
        for key, value in outcome.build.environment.items():
            whole[key] = {**whole.get(key, {}), **value} if isinstance(value, dict) else value
    return whole


def text(baseline: Baseline) -> str:
    """The content of a baseline's file."""
    head = {
        "schema": SCHEMA,
        **{key: getattr(baseline, key) for key in ("name", "experiment", "reason", "saved", "builds", "environment")},
    }
    settings = []
    listed = sorted(baseline.outcomes, key=_place)
    for _, of_one in groupby(listed, key=lambda outcome: _setting(outcome.trial)):
        outcomes = list(of_one)
        settings.append({**_setting(outcomes[0].trial), "builds": [_build(outcome) for outcome in outcomes]})
    content = {**head, "settings": settings}
    lines = []
    for entry in settings:
        builds = ",\n".join(f"   {json.dumps(build)}" for build in entry["builds"])
        fields = {key: value for key, value in entry.items() if key != "builds"}
        lines.append(f'  {json.dumps(fields)[:-1]}, "builds": [\n{builds}\n  ]}}')
    top = json.dumps(head, indent=1)[:-2]
    listing = ",\n".join(lines)
    return f'{top},\n "settings": [\n{listing}\n ],\n "sha256": "{digests.key_digest(content)}"\n}}\n'


def read(path: Path) -> Baseline:
    """The Baseline in a file; a BenchError for any that is not whole, not ours, or was changed by hand."""
    file = converted(_content(path), _File, str(path))
    outcomes = [outcome for setting in file.settings for outcome in _outcomes(setting, path)]
    if not outcomes:
        raise BenchError(f"{path} has no builds: save the baseline again")
    return Baseline(
        name=file.name,
        experiment=file.experiment,
        reason=file.reason,
        saved=file.saved,
        builds=file.builds,
        environment=file.environment,
        outcomes=outcomes,
    )


def _content(path: Path) -> dict[str, Any]:
    """Return the content of the JSON file, with schema and checksum checked."""
    try:
        if not path.is_file():
            known = sorted(file.stem for file in path.parent.glob("*.json"))
            raise BenchError(
                f"no baseline at {path}; known: {', '.join(known) or 'none'}; make one with `bench baseline save`"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchError(f"cannot read the baseline {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise BenchError(f"{path} is truncated or not JSON: restore it, or save the baseline again") from None
    if not isinstance(content, dict) or "schema" not in content:
        raise BenchError(f"{path} is not a baseline of this harness: name one saved by `bench baseline save`")
    if content["schema"] != SCHEMA:
        raise BenchError(
            f"{path} is of schema {content['schema']}, and this bench reads {SCHEMA}: "
            "use the bench that saved it, or remove it and save the baseline again"
        )
    stated = content.pop("sha256", None)
    if stated != digests.key_digest(content):
        raise BenchError(
            f"{path}: its sha256 does not match its content, so it was edited by hand or damaged: "
            "restore it, or save the baseline again"
        )
    return {**content, "sha256": stated}


FILE = Kind("baseline of this harness", lambda path: bool(read(path).outcomes))


def comparable(trial: Trial) -> Trial:
    """The trial without what made it, which a gate lets change: equal in a baseline and in its repetition."""
    return changed(trial, **dict.fromkeys(_PROVENANCE, ""))


def without(baseline: Baseline, engines: Sequence[str]) -> Baseline:
    """Return the baseline without outcomes of these engines, for example if they are not installed."""
    kept = [outcome for outcome in baseline.outcomes if outcome.trial.index.engine not in engines]
    return msgspec.structs.replace(baseline, outcomes=kept)


def check_repeats(baseline: Baseline, study: Study) -> None:
    """Raises BenchError if the study's trials are not the baseline's: other data or settings are not compared."""
    then = {comparable(outcome.trial) for outcome in baseline.outcomes}
    now = {comparable(trial) for trial in study.trials}
    if then == now:
        return
    fingerprints = {trial.data.dataset: trial.data.fingerprint for trial in then}
    for trial in now:
        data = trial.data
        before = fingerprints.get(data.dataset, data.fingerprint)
        if before != data.fingerprint:
            raise BenchError(
                f"dataset {data.dataset!r} is not that of baseline {baseline.name!r} "
                f"(fingerprint {data.fingerprint[:12]}, was {before[:12]}): other data is not compared; "
                "restore the data, or save the baseline again"
            )
    rows = [[flat_fields(trial) for trial in trials] for trials in (then, now)]
    changes = []
    for field in FIELDS:
        before_and_now = [sorted({str(row[field]) for row in of_one}) for of_one in rows]
        if before_and_now[0] != before_and_now[1]:
            changes.append(f"{field} was {_few(before_and_now[0])}, is {_few(before_and_now[1])}")
    difference = "; ".join(changes[:3]) or "trials are combined otherwise"
    raise BenchError(
        f"experiment {baseline.experiment!r} has changed since baseline {baseline.name!r} was saved ({difference}): "
        "restore it, or save the baseline again"
    )


def _few(values: Sequence[str]) -> str:
    return "+".join(cut(value, 100) for value in values[:4]) + ("+..." if len(values) > 4 else "")


def _setting(trial: Trial) -> dict[str, Any]:
    """The fields that builds of one order in one setting share."""
    fields = flat_fields(trial)
    return {name: fields[name] for name in _SETTING}


def _place(outcome: BaselineOutcome) -> tuple[Any, ...]:
    seeds = outcome.trial.seeds
    return (*_setting(outcome.trial).values(), seeds.order_seed, seeds.build_seed)


def _build(outcome: BaselineOutcome) -> dict[str, Any]:
    seeds, k = outcome.trial.seeds, outcome.trial.search.k
    return {
        "build_seed": seeds.build_seed,
        "order_seed": seeds.order_seed,
        "recall": round(float(outcome.hits.mean() / k), 6),
        "ids_sha256": outcome.ids_sha256,
        "hits": base64.b64encode(zlib.compress(outcome.hits.astype(_width(k)).tobytes(), 9)).decode(),
    }


def _width(k: int) -> str:
    return "<u1" if k < 256 else "<u2"


def _outcomes(setting: Mapping[str, Any], path: Path) -> list[BaselineOutcome]:
    """The outcomes that one setting of a file holds."""
    trial = _trial({key: value for key, value in setting.items() if key != "builds"}, path)
    k = trial.search.k
    outcomes = []
    for build in converted(setting.get("builds"), list[_Build], f"{path}: builds"):
        packed = zlib.decompress(base64.b64decode(build.hits))
        hits = np.frombuffer(packed, dtype=_width(k)).astype(np.int64)
        seeded = changed(trial, build_seed=build.build_seed, order_seed=build.order_seed)
        outcomes.append(BaselineOutcome(seeded, hits, build.ids_sha256))
    return outcomes


def _trial(fields: Mapping[str, Any], path: Path) -> Trial:
    """A setting's Trial, its seeds 0 and without what made it. Raises BenchError if it has other fields."""
    if fields.keys() != _SETTING.keys():
        differing = sorted(fields.keys() ^ _SETTING.keys())
        raise BenchError(f"{path}: settings: {', '.join(differing)} missing or unknown: save the baseline again")
    return grouped(dict.fromkeys(_SEEDS, 0) | dict.fromkeys(_PROVENANCE, "") | dict(fields))
