"""Small datasets made for tests."""

import numpy as np

from bench.data import check, formats, loading
from bench.data.dataset import Dataset, Judgements
from bench.data.formats.array import from_memory, whole
from bench.data.parts import Parts


def load(base, parameters=None, *, beside=None, log=lambda line: None, **given) -> Dataset:
    """The Dataset of a file or of the catalogue, with the parts that are given in place of its own."""
    return loading.load(Parts(base, **given), log, parameters=parameters, beside=beside)


def from_files(base, queries=None, labels=None, metric=None, *, log=lambda line: None, **given) -> Dataset:
    return loading.load(Parts(base, queries, labels, metric=metric, **given), log)


def whole_file(base, metric=None, labels=None) -> Dataset:
    return loading.load_whole(Parts(base, labels=labels, metric=metric))


def read_labels(path):
    return whole(formats.array_at(path, "labels"))


def checked(name, base, queries, metric, labels=None, *, files=None, judgements=None, **others) -> Dataset:
    """The Dataset of arrays. files: the places that errors name, where these are not the name and the part."""
    arrays = {"base": base, "queries": queries, "labels": labels} | others
    files = {part: f"{name}: {part}" for part in arrays} | (files or {})
    with np.errstate(over="ignore"):
        for part in ("base", "queries"):
            if arrays[part].dtype.kind in "fiu":
                arrays[part] = arrays[part].astype(np.float32)
    places = {part: from_memory(files[part], array) for part, array in arrays.items() if array is not None}
    return check.checked(Parts(**places, judgements=judgements, metric=metric, name=name))


def clustered(n: int = 400, d: int = 8, queries: int = 40, metric: str = "l2", seed: int = 0) -> Dataset:
    """Five labelled Gaussian clusters of different spread, in random order."""
    rng = np.random.default_rng(seed)
    label = rng.integers(5, size=n + queries)
    centres = 3 * rng.standard_normal((5, d))
    points = centres[label] + (0.2 + 0.3 * label)[:, None] * rng.standard_normal((n + queries, d))
    points = points.astype(np.float32)
    return checked("clustered", points[:n], points[n:], metric, label[:n])


def judged(model: str, noise: float, n: int = 400, d: int = 8, queries: int = 30) -> Dataset:
    """The vectors of a model that blurs by `noise`, of the same documents and queries; the last query is not judged.

    Relevant to a query, with grades 2 and 1, are the five and the next ten documents nearest to it before blurring.
    """
    rng = np.random.default_rng(0)
    points = rng.standard_normal((n + queries, d))
    distances = np.linalg.norm(points[n:, None] - points[None, :n], axis=2)
    nearest = distances.argsort(axis=1)[:, :15]
    qrels = {f"q{i}": {f"d{j}": 2 if rank < 5 else 1 for rank, j in enumerate(row)} for i, row in enumerate(nearest)}
    del qrels[f"q{queries - 1}"]
    ids = (np.array([f"{kind}{i}" for i in range(count)]) for kind, count in (("q", queries), ("d", n)))
    blurred = points + noise * np.random.default_rng([*model.encode()]).standard_normal(points.shape)
    name, judgements = f"blurred(model={model})", Judgements(*ids, qrels)
    return checked(name, blurred[:n], blurred[n:], "l2", judgements=judgements)
