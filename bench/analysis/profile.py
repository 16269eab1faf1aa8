"""Figures of the data that are related to an effect of order."""

import msgspec
import numpy as np

from bench.analysis.losses import Profiles
from bench.study.trial import Data

# Above which density, and the distance of queries, are called so. Where order was seen to matter by ten points and more
# the first was 1.14 (image-patches) or the second 1.5 (clinc150), elsewhere at most .3 and 1.2
UNEVEN, OUTSIDE = 0.5, 1.3


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset.

    lid_5_percent, lid_median, lid_95_percent: local intrinsic dimension of rows; query_lid_median: of queries.
    scale_spread: standard deviation over rows of the logarithm of the distance to the tenth neighbour.
    queries_outside: the median distance of queries to their tenth neighbour, over that of rows; distinct neighbours.
    duplicates: share of the rows that have a copy.
    rows: how many these figures come from, drawn by seed; queries: all.
    """

    data: Data
    rows: int
    queries: int
    lid_5_percent: float
    lid_median: float
    lid_95_percent: float
    query_lid_median: float
    scale_spread: float
    queries_outside: float
    duplicates: float

    @property
    def uneven(self) -> bool:
        """Return whether density varies much, as where order was seen to matter most."""
        return self.scale_spread > UNEVEN

    @property
    def outside(self) -> bool:
        """Return whether queries lie farther from the rows than rows from each other."""
        return self.queries_outside > OUTSIDE


def profile(data: Data, arrays: Profiles) -> Profile | None:
    """Return the Profile of a dataset; None if no profile is stored."""
    known = arrays.get(data)
    if not known:
        return None
    low, median, high = _quantiles(known["row_lid"], [0.05, 0.5, 0.95])
    radius = known["row_radius"][known["row_radius"] > 0].astype(np.float64)
    queries = _quantiles(known["query_radius"], [0.5])[0]
    return Profile(
        data=data,
        rows=len(known["rows"]),
        queries=len(known["query_lid"]),
        lid_5_percent=low,
        lid_median=median,
        lid_95_percent=high,
        query_lid_median=_quantiles(known["query_lid"], [0.5])[0],
        scale_spread=float(np.log(radius).std()) if len(radius) > 1 else float("nan"),
        queries_outside=float(queries / np.median(radius)) if len(radius) else float("nan"),
        duplicates=float((known["row_nearest"] == 0).mean()),
    )


def _quantiles(values: np.ndarray, at: list[float]) -> list[float]:
    known = values[np.isfinite(values)].astype(np.float64)
    return [float(value) for value in np.quantile(known, at)] if len(known) else [float("nan")] * len(at)
