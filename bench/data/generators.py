"""Synthetic data of known intrinsic dimension, and real data bundled with scikit-learn.

Every generator gives base, queries and labels (or None), bit for bit the same on any machine: results
are compared across machines by the content of their data. Matrix products go through integers small
enough that float64 holds every sum exactly, because a BLAS adds in an order of its own.
"""

from collections.abc import Callable

import numpy as np

Vectors = tuple[np.ndarray, np.ndarray, np.ndarray | None]

# |coefficient| < 8 on a grid of 2**-16 takes 19 bits, |basis| <= 1 on one of 2**-22 takes 22, and a sum
# of 4,096 products 12 more: 53, as many as float64 has.
_COEFFICIENT_GRID = 2.0**16
_BASIS_GRID = 2.0**22
_MAX_COEFFICIENT = 7.99
_MAX_INTRINSIC_DIMENSION = 4096


def subspace(
    *, intrinsic_dimension: int, n: int = 10_000, d: int = 1024, queries: int = 1000, seed: int = 0
) -> Vectors:
    """Gaussian points in a random linear subspace (Elliott and Clark 2024, section on synthetic data).

    `intrinsic_dimension` orthonormal vectors in `d` dimensions span the subspace; coefficients are
    standard normal. Queries are further points of the same subspace.
    """
    _positive(intrinsic_dimension=intrinsic_dimension, n=n, d=d, queries=queries)
    rng = np.random.default_rng(seed)
    basis = _orthonormal(rng, intrinsic_dimension, d)
    points = _combine(rng.standard_normal((n + queries, intrinsic_dimension)), basis)
    return points[:n], points[n:], None


def mixture(
    *,
    dimensions: list[int],
    n: int = 10_000,
    d: int = 128,
    spread: float = 4.0,
    queries: int = 1000,
    seed: int = 0,
) -> Vectors:
    """Gaussian clusters, each in a random subspace of its own dimension around its own centre.

    dimensions: the intrinsic dimension of each cluster. spread: the distance of each centre from the
    origin, in standard deviations of a cluster along one of its axes. Labels are cluster numbers; rows
    come shuffled; queries come from the same clusters.
    """
    _positive(n=n, d=d, queries=queries, **{f"dimensions[{i}]": dim for i, dim in enumerate(dimensions)})
    if not dimensions:
        raise ValueError("dimensions must name at least one cluster")
    rng = np.random.default_rng(seed)
    cluster = rng.integers(len(dimensions), size=n + queries)
    points = np.empty((n + queries, d), dtype=np.float32)
    for label, dimension in enumerate(dimensions):
        rows = np.flatnonzero(cluster == label)
        basis = _orthonormal(rng, dimension + 1, d)
        coefficients = rng.standard_normal((len(rows), dimension + 1))
        coefficients[:, -1] = spread  # the last axis carries the centre
        points[rows] = _combine(coefficients, basis)
    return points[:n], points[n:], cluster[:n]


def image_patches(*, n: int = 10_000, side: int = 8, queries: int = 1000, seed: int = 0) -> Vectors:
    """RGB patches of the two photographs bundled with scikit-learn, mean removed, unit length.

    Patches of side × side pixels, half from each photograph at distinct random places, shuffled; flat
    patches, which have no direction, are passed over. Labels are photographs (0 china, 1 flower).
    """
    from sklearn.datasets import load_sample_images

    _positive(n=n, side=side, queries=queries)
    rng = np.random.default_rng(seed)
    wanted = n + queries
    patches, labels = [], []
    for label, photograph in enumerate(load_sample_images().images):
        count = (wanted + label) // 2
        windows = np.lib.stride_tricks.sliding_window_view(photograph, (side, side), axis=(0, 1))
        height, width = windows.shape[:2]
        places = rng.permutation(height * width)[: 2 * count]
        pixels = windows[places // width, places % width].reshape(len(places), -1).astype(np.int64)
        centred = pixels * pixels.shape[1] - pixels.sum(axis=1, keepdims=True)  # an integer: exact
        patches.append(centred[centred.any(axis=1)][:count])
        if len(patches[-1]) < count:
            raise ValueError(f"a photograph has only {len(patches[-1])} patches that are not flat; {count} are needed")
        labels.append(np.full(len(patches[-1]), label))
    shuffled = rng.permutation(wanted)
    integers = np.concatenate(patches)[shuffled]
    points = (integers / np.sqrt((integers**2).sum(axis=1, keepdims=True))).astype(np.float32)
    return points[:n], points[n:], np.concatenate(labels)[shuffled][:n]


def digits(*, queries: int = 200, seed: int = 0) -> Vectors:
    """8 × 8 images of handwritten digits, bundled with scikit-learn (1,797 rows, 64 values of 0 to 16).

    Queries are held out at random; the others keep their order. Labels are the digits.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    if not 0 < queries < len(images):
        raise ValueError(f"queries must be between 1 and {len(images) - 1}, not {queries}")
    held_out = np.zeros(len(images), dtype=bool)
    held_out[np.random.default_rng(seed).choice(len(images), size=queries, replace=False)] = True
    points = images.astype(np.float32)
    return points[~held_out], points[held_out], labels[~held_out]


GENERATORS: dict[str, Callable[..., Vectors]] = {
    "subspace": subspace,
    "mixture": mixture,
    "image-patches": image_patches,
    "digits": digits,
}


def _positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be positive, not {size}")


def _orthonormal(rng: np.random.Generator, k: int, d: int) -> np.ndarray:
    """(k, d) rows orthonormal to about 1e-6, on a grid of 2**-22."""
    if not 0 < k <= min(d, _MAX_INTRINSIC_DIMENSION):
        raise ValueError(f"{k} orthonormal vectors do not fit in d = {d} (at most 4,096 are exact)")
    q, r = np.linalg.qr(rng.standard_normal((d, k)))
    basis = (q * np.sign(np.diag(r))).T  # the sign that Gram-Schmidt gives; LAPACK's is its own
    return np.asarray(np.round(basis * _BASIS_GRID) / _BASIS_GRID)


def _combine(coefficients: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """coefficients (n, k) times basis (k, d) as float32, the product exact in float64."""
    if np.abs(coefficients).max(initial=0) > _MAX_COEFFICIENT:
        raise ValueError(f"coefficients must stay within {_MAX_COEFFICIENT}: use a smaller spread")
    rounded = np.round(coefficients * _COEFFICIENT_GRID) / _COEFFICIENT_GRID
    return np.asarray(rounded @ basis, dtype=np.float32)
