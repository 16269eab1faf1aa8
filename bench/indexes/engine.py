"""The definition of an engine: its build function, its parameters and its promises."""

from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from typing import Any, Protocol

import msgspec
import numpy as np

from bench import digests
from bench.convert import converted
from bench.data.dataset import METRICS
from bench.errors import BenchError


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters that shape a graph, besides its data, order and seed; an engine adds its own in a subclass.

    M: links of a node; the default is the study's.
    ef_construction: candidates while building; the default is the study's.
    threads: of build and search. With more than one, neither the order nor the result of two builds is the same.
    """

    M: int = 16
    ef_construction: int = 128
    threads: int = 1


class Searcher(Protocol):
    """A built index."""

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k) int64 of the nearest rows, nearest first; -1 where fewer than k were returned."""


class Promises(msgspec.Struct, frozen=True, kw_only=True):
    """Promises that an engine makes about itself; `contract` checks whether they hold.

    keeps_order: row order[i] is inserted as the i-th.
    repeats: the same base, order, parameters and seed give the same graph bit by bit, on one thread.
    seeded: another build seed gives another graph.
    has_ef_search: a larger ef_search searches more.
    """

    keeps_order: bool = True
    repeats: bool = True
    seeded: bool = True
    has_ef_search: bool = True


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """An engine, with all that the harness needs to know of it.

    build: (base (n, d) float32, order (n,) int64, metric, params, seed) -> Searcher. It inserts row order[i] as the
        i-th, on params.threads threads, and answers with base ids. Its library is imported inside it.
    package: the distribution that it comes with; may be empty for an engine in a user's file.
    about: one line for `bench list engines`.
    params: the type of its parameters.
    later: parameters that are newer than outcomes of the engine, which do not name them: nor do outcomes that have them
        at their defaults.
    check: raises ValueError for parameters that it cannot have, beyond their types and the bounds of all engines.
    metrics: those that it has.
    most_ef_search: the largest that it takes; None if it takes any.
    refuses: (params, d) -> why it indexes no rows of d dimensions, empty if it does. Its trials fail with that reason.
    extra: the extra of this package that installs it; empty if it is installed in any case.
    promises: what it states of itself.
    repeats_with: whether builds with these parameters, on one thread, repeat as it promises: some lose it by a chunk.
    in_process: whether it builds in this process; otherwise its peak memory is not known.
    threads_by_process: whether a process has one number of threads for all its builds, which the first one sets.
    file: the Python file that it was loaded from, for a user's engine; `own` sets it.
    file_digest: of what that file and those it imports from its folder do.
    imports_digest: of modules that loading and building import and that no version identifies, see `imports`; empty if
        there are none, and as long as nobody has looked.
    helpers: the files that it imports from its folder.
    libraries: distributions that they import, in addition to `package`.
    prepare: what a process does once before its first build, as it gets parameters: importing a library, starting a
        server. It is not timed; `build` must do without it. Raises as a build does.
    served: gives the version of the software that answers if it may be a server, whose version no package states.
        Raises NotInstalledError if no server is available, and another BenchError if a named server does not answer.
        None if packages state all versions.
    elsewhere: whether what answers is a server that no package brings, whose compiled files are not seen here.
    """

    build: Callable[[np.ndarray, np.ndarray, str, Any, int], Searcher]
    package: str = ""
    about: str = ""
    params: type[Params] = Params
    later: tuple[str, ...] = ()
    check: Callable[[Any], None] = lambda params: None
    metrics: tuple[str, ...] = METRICS
    most_ef_search: int | None = None
    refuses: Callable[[Any, int], str] = lambda params, d: ""
    extra: str = ""
    promises: Promises = Promises()
    repeats_with: Callable[[Any], bool] = lambda params: True
    in_process: bool = True
    threads_by_process: bool = False
    file: str = ""
    file_digest: str = ""
    imports_digest: str = ""
    helpers: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    prepare: Callable[[Any], None] = lambda params: None
    served: Callable[[], str] | None = None
    elsewhere: Callable[[], bool] = lambda: False

    @property
    def packages(self) -> list[str]:
        """The distributions whose versions decide what it builds."""
        return [package for package in (self.package, *self.libraries) if package]

    @property
    def code_digest(self) -> str:
        """Digest of all its code that no version identifies; empty if there is none."""
        parts = {"file": self.file_digest, "imports": self.imports_digest}
        return digests.key_digest(parts) if self.imports_digest else self.file_digest

    def repeats(self, params: Params) -> bool:
        """Return whether two builds with these parameters are the same bit by bit, by what it promises."""
        return params.threads == 1 and self.promises.repeats and self.repeats_with(params)


def importing(*modules: str) -> Callable[[Any], None]:
    """A `prepare` that imports these."""

    def prepare(params: Any) -> None:
        for module in modules:
            import_module(module)

    return prepare


# hnswlib lowers a larger M; counts go into 32-bit numbers
MOST = {"M": 10_000, "ef_construction": 2**31 - 1, "chunk": 2**31 - 1, "threads": 1024}


class NotInstalledError(BenchError):
    """Nothing is installed that would bring an engine's server, and none is named."""


def installed_version(engine: Engine) -> str | None:
    """Versions of an engine's package and libraries, and digits of its code's digest; None if it is not installed.

    Raises BenchError if a named server does not answer: such an engine may not be left out.
    """
    try:
        if engine.served:
            return engine.served()
        versions = [metadata.version(engine.package)] if engine.package else []
        versions += [f"{library} {metadata.version(library)}" for library in engine.libraries]
    except (metadata.PackageNotFoundError, NotInstalledError):
        return None
    code = [f"{'file' if engine.file else 'code'} {engine.code_digest[:12]}"] if engine.code_digest else []
    return ", ".join([*versions, *code]) or "unknown"


def how_to_install(*engines: Engine) -> str:
    """The command that installs engines."""
    extras = [engine.extra for engine in engines if engine.extra]
    ours = [f"'hnsw-order-bench[{','.join(extras)}]'"] if extras else []
    return " ".join(["pip install", *ours, *(engine.package for engine in engines if not engine.extra)])


def version(name: str, engine: Engine) -> str:
    """Return the version of an engine's package. Raises BenchError if it is not installed."""
    installed = engine.served() if engine.served else installed_version(engine)
    if installed is None:
        raise BenchError(f"engine {name!r} needs the package {engine.package}: {how_to_install(engine)}")
    return installed


def params_of(engine: Engine, given: Mapping[str, Any], where: str) -> Params:
    """Parameters of an engine from plain values, the others at their defaults.

    A BenchError names `where` and the parameter that the engine does not have, or that no HNSW graph can have.
    """
    params = converted(dict(given), engine.params, where)
    for name, most in MOST.items():
        value = getattr(params, name, 1)
        if value == "all":  # the rows of a call
            continue
        if not 0 < value <= most:
            wanted = "a positive number" if value < 1 else f"at most {most:,}"
            raise BenchError(f"{where}: {name} = {value}: give {wanted}")
    if params.M < 2:
        raise BenchError(f"{where}: M = 1: give at least 2, since levels are drawn with 1 / ln M")
    if params.ef_construction < params.M:
        raise BenchError(
            f"{where}: ef_construction = {params.ef_construction} is below M = {params.M}: give at least M, "
            "which is what engines raise it to"
        )
    try:
        engine.check(params)
    except ValueError as error:
        raise BenchError(f"{where}: {error}") from None
    return params


def own_params(engine: Engine, params: Params) -> dict[str, Any]:
    """Return the parameters that only this engine has, by name, without `later` ones at their defaults."""
    own = {key: value for key, value in msgspec.structs.asdict(params).items() if key not in MOST}
    return {
        key: value for key, value in own.items() if key not in engine.later or value != getattr(engine.params(), key)
    }
