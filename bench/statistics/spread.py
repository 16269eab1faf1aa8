"""How far apart permutations truly are: what is left of the spread of their recalls without luck.

Builds of permutations cross seeds with permutations, and every build answers every query. So the variance of the
permutations' means holds three parts: what permutations differ by for queries like these, which is sought; the luck of
builds, from the interaction of permutations and seeds; and the luck of queries, from the interaction of permutations
and queries without that of builds. F is the variance of the means over both kinds of luck (Satterthwaite 1946), and the
interval of the standard deviation is that of Tukey (1951) and Williams (1962), as of permutations drawn at random. So
all of it is for queries like these, not for these very queries. results/calibration.md has how often F is false, what
it finds and what intervals hold.
"""

import math
from collections.abc import Sequence
from functools import cache

import msgspec
import numpy as np

from bench.statistics.intervals import CONFIDENCE, Interval
from bench.statistics.variance import interaction

_MOST = 0.5  # the largest standard deviation that recalls can have
_RANK = 1e-9  # of the largest singular value: smaller ones are rounding
_ROUNDING = 1e-24  # of variances: the least step of a mean recall is larger than its root


class Spread(msgspec.Struct, frozen=True):
    """The spread of permutations in mean recall over builds and over queries like these; NaN if unknown.

    sd: their standard deviation without luck.
    luck: the standard deviation that their means would have if permutations did not matter.
    f: variance of their means over that of luck; df: its degrees of freedom, of both variances.
    p: how often permutations that do not matter have such an F.
    """

    sd: Interval
    luck: float
    f: float
    df: tuple[float, float]
    p: float


NAN = float("nan")
UNKNOWN = Spread(Interval(NAN, NAN, NAN), NAN, NAN, (NAN, NAN), NAN)


def spread(recalls: np.ndarray, sequences: Sequence[Sequence[str]]) -> Spread:
    """The Spread of permutations.

    recalls: (permutations, seeds, queries); NaN from one seed or one query.
    sequences: the labels of each permutation.
    """
    permutations, seeds, queries = recalls.shape
    if min(seeds, queries) < 2:
        return UNKNOWN
    df_share = share_of_df(recalls.mean(axis=2), sequences)
    builds = interaction(recalls.mean(axis=2)) / seeds
    of_queries, se = luck_of_queries(recalls)
    luck = builds + of_queries
    variance = float(recalls.mean(axis=(1, 2)).var(ddof=1))
    luck_df = math.inf
    if luck >= _ROUNDING:
        luck_df = 2 * luck**2 / (2 * builds**2 / (df_share * (permutations - 1) * (seeds - 1)) + se**2)
    return without_luck(variance, luck, permutations, df_share, luck_df)


def without_luck(variance: float, luck: float, permutations: int, df_share: float, luck_df: float) -> Spread:
    """The Spread of permutations whose means have this variance, of which so much is luck.

    df_share: of the degrees of freedom of luck, what is left; luck_df: of `luck` itself.
    """
    from scipy.special import chdtri, fdtrc, fdtri

    df = (df_share * (permutations - 1), luck_df)
    if luck < _ROUNDING:
        f, p = (math.inf, 0.0) if variance >= _ROUNDING else (NAN, 1.0)
    else:
        f, p = variance / luck, float(fdtrc(*df, variance / luck))
    if not f > 0:
        return Spread(Interval(0.0, 0.0, 0.0), luck**0.5, f, df, p)
    # Luck correlates and what permutations do does not: of a variance that is luck for the most part, less is known.
    known = (permutations - 1) / (1 + (1 / df_share - 1) / max(f, 1.0) ** 2)
    luck_df, tail = min(luck_df, 1e9), (1 - CONFIDENCE) / 2  # which scipy's F has a limit of
    low = variance * known / chdtri(known, tail) * (1 - fdtri(known, luck_df, 1 - tail) / f)
    high = variance * known / chdtri(known, 1 - tail) * (1 - fdtri(known, luck_df, tail) / f)
    ends = (variance * (1 - 1 / f), low, high)
    sd = times(Interval(*(float(max(part, 0.0)) ** 0.5 for part in ends)), 1, _MOST)
    return Spread(sd, luck**0.5, f, df, p)


def times(interval: Interval, factor: float, most: float) -> Interval:
    """All of it so many times, and none of it beyond `most`."""
    return Interval(*(value if math.isnan(value) else min(factor * value, most) for value in interval.ends))


def luck_of_queries(recalls: np.ndarray) -> tuple[float, float]:
    """Return the variance that the draw of queries adds to the permutations' means, at least 0, and its standard error.

    recalls: (permutations, seeds, queries), two each at least. It is a mean over queries, whose spread gives the error.
    """
    permutations, seeds, queries = recalls.shape
    residual = recalls - recalls.mean(axis=0)
    residual -= residual.mean(axis=2, keepdims=True)
    by_permutation = residual.mean(axis=1)
    within = ((residual - by_permutation[:, None]) ** 2).sum(axis=(0, 1)) / (seeds * (seeds - 1))
    by_query = ((by_permutation**2).sum(axis=0) - within) / (permutations - 1) / (queries - 1)
    luck = float(by_query.mean())
    return (luck, float(by_query.std(ddof=1)) / queries**0.5) if luck > 0 else (0.0, 0.0)


def share_of_df(builds: np.ndarray, sequences: Sequence[Sequence[str]]) -> float:
    """The share of the degrees of freedom that is left since luck of permutations correlates (Box 1954).

    builds: (permutations, seeds). A seed draws levels by place, so that permutations which have a category at the same
    place share luck. So there are two variances, estimated as if permutations did not matter: of what a category at a
    place adds to a build, and of the rest. 1 if too few permutations distinguish the two.
    """
    df = len(sequences) - 1
    if (len(sequences[0]) - 1) ** 2 >= df:
        return 1.0
    centred = builds - builds.mean(axis=0)
    at_places = _of_places(sequences)
    shared = at_places.shape[1]
    in_shared = float(((at_places.T @ centred) ** 2).sum())
    rest_df = df - shared
    more, less = in_shared / shared, (float((centred**2).sum()) - in_shared) / rest_df
    if more <= less:
        return 1.0
    return float((shared * more + rest_df * less) ** 2 / (df * (shared * more**2 + rest_df * less**2)))


def _of_places(sequences: Sequence[Sequence[str]]) -> np.ndarray:
    """An orthonormal basis (permutations, dimensions) of sums over places of anything that a category there adds."""
    places = np.array([np.argsort(sequence) for sequence in sequences])  # of each label, (permutations, labels)
    indicators = np.eye(places.shape[1])[places].reshape(len(places), -1)
    u, values, _ = np.linalg.svd(indicators - indicators.mean(axis=0), full_matrices=False)
    return np.asarray(u[:, values > _RANK * values[0]])


@cache
def mean_range(draws: int) -> float:
    """Return the mean range of `draws` independent normal draws of unit variance (Tippett 1925)."""
    from scipy.integrate import quad
    from scipy.special import ndtr

    return float(quad(lambda x: 1 - ndtr(x) ** draws - ndtr(-x) ** draws, -np.inf, np.inf)[0])
