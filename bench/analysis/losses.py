"""Who loses: how recall spreads over queries, and how it falls as queries get harder."""

from collections.abc import Mapping

import msgspec
import numpy as np

from bench.analysis.setting import Outcomes, Setting, by_setting, labels, samples
from bench.study.trial import Data

LEVELS = np.linspace(0, 1, 21)  # of a query's recall
DECILES = 10
DIFFICULTIES = {"lid": "query_lid", "distance": "query_nearest"}  # how hard a query is, and what a profile calls it

Profiles = Mapping[Data, Mapping[str, np.ndarray]]  # see `geometry.describe.profile`


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """Recall by query of one order in one setting, every query's the mean over builds.

    order: its label.
    at_most: (LEVELS,) the share of queries whose recall is a level at most.
    by_difficulty: by one of DIFFICULTIES, (DECILES,) mean recall of the tenths of the queries, easiest first; nothing
        where the data has no profile. Queries without an estimate of it are left out.
    """

    setting: Setting
    order: str
    at_most: np.ndarray
    by_difficulty: dict[str, np.ndarray]


def losses(outcomes: Outcomes, profiles: Profiles, ties: bool = False) -> list[Losses]:
    """The Losses of every order in every setting."""
    listed = list(outcomes)
    names = labels(listed)
    rows = []
    for setting, by_order in by_setting(listed).items():
        tenths = _tenths(profiles.get(setting.of.data, {}))
        for order, sample in samples(by_order, ties).items():
            recalls = sample.recalls.mean(axis=0)
            at_most = (recalls[:, None] <= LEVELS + 1e-9).mean(axis=0)
            by_difficulty = {name: np.array([recalls[tenth].mean() for tenth in of]) for name, of in tenths.items()}
            rows.append(Losses(setting=setting, order=names[order], at_most=at_most, by_difficulty=by_difficulty))
    return rows


def _tenths(profile: Mapping[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    """By difficulty the numbers of the queries of every tenth, easiest first; only where every tenth has some."""
    tenths = {}
    for name, array in DIFFICULTIES.items():
        values = profile.get(array, np.array([]))
        known = np.flatnonzero(np.isfinite(values))
        if len(known) >= DECILES:
            tenths[name] = np.array_split(known[np.argsort(values[known], kind="stable")], DECILES)
    return tenths
