"""A baseline: outcomes that later versions are held against, in one JSON file that shows in a diff what changed.

The file names every setting once, with a line a build: its seeds, mean recall, a hash of the ids it
returned, and its hits a query (bytes, or 16-bit little-endian where k > 255; zlib; base64). `sha256` is taken over all
the rest, so that a figure changed by hand is found.
"""

import base64
import binascii
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

from bench import digests, indexes
from bench.convert import converted
from bench.errors import BenchError, unknown
from bench.study.environment import differences
from bench.study.store import Outcome
from bench.study.study import Study
from bench.study.trial import Trial

SCHEMA = 1
FOLDER = Path("results/baselines")
LEAST_BUILDS = 5  # of each order: fewer show no fall among many settings
LEAST_QUERIES = 20  # a handful say nothing of others

_SEEDS = ("build_seed", "order_seed")
_VERSIONS = ("libraries", "engine_version", "engine_binary")  # what a gate lets change
_IN_ENVIRONMENT = ("libraries", "engine_binary")  # of a trial, so kept once
_FIELDS = [field.name for field in msgspec.structs.fields(Trial)]


class Kept(NamedTuple):
    """What is kept of an outcome: its trial without what the environment tells, hits (q,) by id, a hash of the ids."""

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
    outcomes: list[Kept]


class _Environment(msgspec.Struct):
    """What `differences` looks at."""

    versions: dict[str, str | None]
    binaries: dict[str, str | None]
    platform: str | None = None
    cpu: str | None = None
    simd: str | None = None
    cores: int | None = None
    omp_num_threads: str | None = None


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


def made(name: str, study: Study, experiment: str, reason: str, outcomes: Iterable[Outcome]) -> Baseline:
    """The Baseline of a study's outcomes, which must all come from one environment."""
    by_key = {outcome.trial.key: outcome for outcome in outcomes}
    found = [by_key[trial.key] for trial in study.trials]
    environment = found[0].environment
    for outcome in found:
        if changed := [*differences(environment, outcome.environment)]:
            raise BenchError(
                f"baseline {name!r}: its outcomes come from several environments ({changed[0].told}): "
                "a baseline is of one; leave --store out to measure all anew"
            )
    return Baseline(
        name=name,
        experiment=experiment,
        reason=reason,
        saved=datetime.date.today().isoformat(),
        builds=study.experiment.build_seeds,
        environment={key: value for key, value in environment.items() if key != "jobs"},
        outcomes=[Kept(_bare(outcome.trial), outcome.hits, outcome.ids_sha256) for outcome in found],
    )


def text(baseline: Baseline) -> str:
    """The content of a baseline's file."""
    head = {
        "schema": SCHEMA,
        **{key: getattr(baseline, key) for key in ("name", "experiment", "reason", "saved", "builds", "environment")},
    }
    settings = []
    for setting, kept in groupby(sorted(baseline.outcomes, key=_place), key=lambda one: _setting(one.trial)):
        fields = {key: value for key, value in msgspec.structs.asdict(setting).items() if key not in _SEEDS}
        for name in _IN_ENVIRONMENT:
            del fields[name]
        settings.append({**fields, "builds": [_build(one) for one in kept]})
    content = {**head, "settings": settings}
    lines = []
    for entry in settings:
        builds = ",\n".join(f"   {json.dumps(build)}" for build in entry["builds"])
        fields = {key: value for key, value in entry.items() if key != "builds"}
        lines.append(f'  {json.dumps(fields)[:-1]}, "builds": [\n{builds}\n  ]}}')
    top = json.dumps(head, indent=1)[:-2]
    listed = ",\n".join(lines)
    return f'{top},\n "settings": [\n{listed}\n ],\n "sha256": "{digests.key_digest(content)}"\n}}\n'


def read(path: Path) -> Baseline:
    """The Baseline in a file; a BenchError for any that is not whole, not ours, or was changed by hand."""
    try:
        if not path.is_file():
            known = sorted(file.stem for file in path.parent.glob("*.json"))
            raise BenchError(
                f"no baseline at {path}; there: {', '.join(known) or 'none'}; make one with `bench baseline save`"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchError(f"cannot read the baseline {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise BenchError(f"{path} is truncated or not JSON: restore it, or save the baseline anew") from None
    if not isinstance(content, dict) or "schema" not in content:
        raise BenchError(f"{path} is not a baseline of this harness: name one saved by `bench baseline save`")
    if content["schema"] != SCHEMA:
        raise BenchError(
            f"{path} is of schema {content['schema']}, and this bench reads {SCHEMA}: "
            "use the bench that saved it, or save the baseline anew"
        )
    stated = content.pop("sha256", None)
    if stated != digests.key_digest(content):
        raise BenchError(
            f"{path}: its sha256 does not match its content, so it was edited by hand or damaged: "
            "restore it, or save the baseline anew"
        )
    file = converted({**content, "sha256": stated}, _File, str(path))
    converted(file.environment, _Environment, f"{path}: environment")
    outcomes = [kept for setting in file.settings for kept in _kept(setting, path)]
    if not outcomes:
        raise BenchError(f"{path} has no builds: save the baseline anew")
    if len({kept.trial for kept in outcomes}) < len(outcomes):
        raise BenchError(f"{path} has a build twice: save the baseline anew")
    return Baseline(
        name=file.name,
        experiment=file.experiment,
        reason=file.reason,
        saved=file.saved,
        builds=file.builds,
        environment=file.environment,
        outcomes=outcomes,
    )


def comparable(trial: Trial) -> Trial:
    """The trial without the versions that a gate lets change: equal in a baseline and in its repetition."""
    return msgspec.structs.replace(trial, **dict.fromkeys(_VERSIONS, ""))


def check_repeats(baseline: Baseline, study: Study) -> None:
    """A BenchError where the study's trials are not those of the baseline: other data or settings are not compared."""
    then = {comparable(kept.trial) for kept in baseline.outcomes}
    now = {comparable(trial) for trial in study.trials}
    if then == now:
        return
    fingerprints = {trial.dataset: trial.fingerprint for trial in then}
    for trial in now:
        was = fingerprints.get(trial.dataset, trial.fingerprint)
        if was != trial.fingerprint:
            raise BenchError(
                f"dataset {trial.dataset!r} is not that of baseline {baseline.name!r} "
                f"(fingerprint {trial.fingerprint[:12]}, was {was[:12]}): what is not the same data is not compared; "
                "restore the data, or save the baseline anew"
            )
    changes = []
    for field in _FIELDS:
        values = [sorted({str(getattr(trial, field)) for trial in trials}) for trials in (then, now)]
        if values[0] != values[1]:
            changes.append(f"{field} was {_few(values[0])}, is {_few(values[1])}")
    told = "; ".join(changes[:3]) or "trials are combined otherwise"
    raise BenchError(
        f"experiment {baseline.experiment!r} has changed since baseline {baseline.name!r} was saved ({told}): "
        "restore it, or save the baseline anew"
    )


def _bare(trial: Trial) -> Trial:
    return msgspec.structs.replace(trial, **dict.fromkeys(_IN_ENVIRONMENT, ""))


def _few(values: Sequence[str]) -> str:
    return "+".join(values[:4]) + ("+..." if len(values) > 4 else "")


def _setting(trial: Trial) -> Trial:
    """The trial without its seeds."""
    return msgspec.structs.replace(trial, **dict.fromkeys(_SEEDS, 0))


def _place(kept: Kept) -> tuple[Any, ...]:
    trial = kept.trial
    return (*msgspec.structs.astuple(_setting(trial)), trial.order_seed, trial.build_seed)


def _build(kept: Kept) -> dict[str, Any]:
    trial = kept.trial
    return {
        "build_seed": trial.build_seed,
        "order_seed": trial.order_seed,
        "recall": round(float(kept.hits.mean() / trial.k), 6),
        "ids_sha256": kept.ids_sha256,
        "hits": base64.b64encode(zlib.compress(kept.hits.astype(_width(trial.k)).tobytes(), 9)).decode(),
    }


def _width(k: int) -> str:
    return "<u1" if k < 256 else "<u2"


def _kept(setting: Mapping[str, Any], path: Path) -> list[Kept]:
    """The outcomes that one setting of a file holds."""
    fields = {key: value for key, value in setting.items() if key != "builds"}
    if more := fields.keys() - set(_FIELDS):
        raise BenchError(f"{path}: settings: {unknown('key', sorted(more)[0], _FIELDS)}")
    seedless = converted(
        {**fields, **dict.fromkeys(_IN_ENVIRONMENT, ""), **dict.fromkeys(_SEEDS, 0)}, Trial, f"{path}: settings"
    )
    if seedless.engine not in indexes.INDEXES:
        raise BenchError(f"{path}: {unknown('engine', seedless.engine, indexes.INDEXES)}")
    kept = []
    for build in converted(setting.get("builds"), list[_Build], f"{path}: builds"):
        try:
            packed = zlib.decompress(base64.b64decode(build.hits, validate=True))
            hits = np.frombuffer(packed, dtype=_width(seedless.k)).astype(np.int64)
        except (binascii.Error, zlib.error, ValueError):
            hits = np.empty(0, dtype=np.int64)
        if len(hits) != seedless.queries:
            raise BenchError(
                f"{path}: hits of {seedless.dataset!r} do not unpack to its queries: save the baseline anew"
            )
        if hits.max(initial=0) > seedless.k or abs(hits.mean() / seedless.k - build.recall) > 1e-6:
            raise BenchError(
                f"{path}: hits of {seedless.dataset!r} are not those of recall {build.recall}: save the baseline anew"
            )
        trial = msgspec.structs.replace(seedless, build_seed=build.build_seed, order_seed=build.order_seed)
        kept.append(Kept(trial, hits, build.ids_sha256))
    return kept
