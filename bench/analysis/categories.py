"""What the order of whole categories does to recall, beside what chance alone would seem to do.

The best of 120 permutations lies well above the worst even where the permutation does not matter, since
builds differ by their seed. So the range is given beside the range that as many draws of that noise have;
and two permutations are picked as best and worst by half of the seeds, and compared on the others, whose
noise had no part in the choice: that difference is not biased by it.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from bench.analysis import stats
from bench.analysis.stats import CONFIDENCE, Estimate, Sample
from bench.analysis.summary import order_label, samples_by_setting
from bench.study.store import Outcome

FEWEST = 6  # permutations of three labels: fewer are a comparison like any other
_DRAWS = 20_000  # of the range of noise: its mean is then known to a hundredth of the noise's sd
_LABEL = "category permutation="

_Outcomes = Iterable[tuple[str, Outcome]]


class Permuted(msgspec.Struct, frozen=True, kw_only=True):
    """All permutations of one setting, over the seeds that every one of them was built with.

    A seed draws levels and the sequence of rows within categories. lowest, median, highest: recall of
    permutations, each a mean over seeds; worst, best: the permutations that give the extremes. range: highest
    minus lowest; noise_range: what to expect of it were all permutations alike, and noise_range_95 what it would
    exceed once in 20 times. one_build_range: the range from one build a permutation, mean over seeds. found_again:
    recall of the best minus that of the worst permutation, picked and measured on different seeds.
    sd_permutations, sd_seeds: of recall, between permutations without noise, and of builds of one permutation.
    What needs two seeds is NaN or None.
    """

    experiment: str
    setting: dict[str, Any]
    permutations: int
    seeds: int
    lowest: float
    median: float
    highest: float
    worst: str
    best: str
    range: float
    noise_range: float
    noise_range_95: float
    one_build_range: float
    found_again: Estimate | None
    sd_permutations: float
    sd_seeds: float


def separated(outcomes: _Outcomes) -> tuple[list[tuple[str, Outcome]], list[tuple[str, Outcome]]]:
    """Outcomes of category permutations in experiments that have FEWEST at least, and all others."""
    listed = [
        (name, outcome, order_label(outcome.trial.order, outcome.trial.order_params)) for name, outcome in outcomes
    ]
    orders: dict[str, set[str]] = {}
    for name, _, label in listed:
        if label.startswith(_LABEL):
            orders.setdefault(name, set()).add(label)
    of_permutations: list[tuple[str, Outcome]] = []
    others: list[tuple[str, Outcome]] = []
    for name, outcome, label in listed:
        many = label.startswith(_LABEL) and len(orders[name]) >= FEWEST
        (of_permutations if many else others).append((name, outcome))
    return of_permutations, others


def permuted(outcomes: _Outcomes, ties: bool = False) -> list[Permuted]:
    """A Permuted of every setting; outcomes: of category permutations, by experiment as the store gives them."""
    return [
        _permuted(experiment, setting, samples)
        for experiment, group in itertools.groupby(outcomes, key=lambda pair: pair[0])
        for setting, samples in samples_by_setting(group, ties)
    ]


def _permuted(experiment: str, setting: dict[str, Any], samples: Mapping[str, Sample]) -> Permuted:
    labels, recalls = crossed(samples)
    names = [label.removeprefix(_LABEL) for label in labels]
    builds = recalls.mean(axis=2)
    means = builds.mean(axis=1)
    seeds = builds.shape[1]
    between, noise = variances(builds)
    expected, exceeded = noise_range(len(names), (noise / seeds) ** 0.5, (len(names) - 1) * (seeds - 1))
    return Permuted(
        experiment=experiment,
        setting=setting,
        permutations=len(names),
        seeds=seeds,
        lowest=float(means.min()),
        median=float(np.median(means)),
        highest=float(means.max()),
        worst=names[int(means.argmin())],
        best=names[int(means.argmax())],
        range=float(np.ptp(means)),
        noise_range=expected,
        noise_range_95=exceeded,
        one_build_range=float(np.ptp(builds, axis=0).mean()),
        found_again=found_again(recalls) if seeds > 1 else None,
        sd_permutations=between**0.5,
        sd_seeds=noise**0.5,
    )


def crossed(samples: Mapping[str, Sample]) -> tuple[list[str], np.ndarray]:
    """Labels and recalls (permutations, seeds, queries) of permutations that were all built with the same seeds.

    Where a run was cut short: of those that have the seed that most have, and of the seeds that all these have.
    """
    rows = {
        label: {seed: row for row, seed in enumerate(zip(sample.order_seeds, sample.build_seeds, strict=True))}
        for label, sample in samples.items()
    }
    [(most, _)] = Counter(seed for of_label in rows.values() for seed in of_label).most_common(1)
    labels = [label for label, of_label in rows.items() if most in of_label]
    seeds = sorted(set.intersection(*(set(rows[label]) for label in labels)))
    return labels, np.stack([samples[label].recalls[[rows[label][seed] for seed in seeds]] for label in labels])


def variances(builds: np.ndarray) -> tuple[float, float]:
    """Variance of recall between permutations without noise, and of noise, by analysis of variance.

    builds: (permutations, seeds) mean recall of a build. What a seed does to all permutations alike is in
    neither. NaN from one seed.
    """
    seeds = builds.shape[1]
    if seeds < 2:
        return float("nan"), float("nan")
    noise = stats.interaction(builds)
    return max(float(builds.mean(axis=1).var(ddof=1)) - noise / seeds, 0.0), noise


def noise_range(draws: int, sd: float, df: float) -> tuple[float, float]:
    """The mean range of so many independent normal draws, and the range that one in 20 such sets exceeds.

    sd: of a draw, estimated with `df` degrees of freedom, which makes the second the studentized range's. Normal,
    since a build's recall is a mean over many queries, and since residuals of two seeds a permutation mirror each
    other, which a resampling of them would have to undo.
    """
    rng = np.random.default_rng(0)
    step = max(1, 1_000_000 // draws)
    ranges = np.concatenate(
        [np.ptp(rng.standard_normal((min(step, _DRAWS - start), draws)), axis=1) for start in range(0, _DRAWS, step)]
    )
    studentized = ranges / np.sqrt(rng.chisquare(df, _DRAWS) / df) if df else ranges
    return float(sd * ranges.mean()), float(sd * np.quantile(studentized, CONFIDENCE))


def found_again(recalls: np.ndarray) -> Estimate:
    """Recall of the best permutation minus that of the worst, both picked without the builds they are measured on.

    recalls: (permutations, seeds, queries), two seeds at least. Best and worst are picked by every other seed and
    measured on the rest, then the other way round; the value is the mean of both. It is what the two picked
    differ by, hence no more than the true extremes do. The interval is over seeds and queries; the noise of a
    build is taken from all permutations.
    """
    permutations, seeds, queries = recalls.shape
    halves = recalls[:, ::2].mean(axis=1), recalls[:, 1::2].mean(axis=1)  # (permutations, queries)
    by_query = np.zeros(queries)
    for picked_by, measured_on in (halves, halves[::-1]):
        means = picked_by.mean(axis=1)
        by_query += (measured_on[means.argmax()] - measured_on[means.argmin()]) / 2
    noise = variances(recalls.mean(axis=2))[1]
    rest = float(np.mean([stats.interaction(of_permutation) for of_permutation in recalls]))
    builds = 2 / (1 / ((seeds + 1) // 2) + 1 / (seeds // 2))  # in effect, of each of the two
    parts = [
        (noise / builds, (permutations - 1.0) * (seeds - 1.0)),
        (float(by_query.var(ddof=1)) / queries, queries - 1.0),
        # In both: the noise of builds and the spread over queries are of means that contain it.
        (-rest / (builds * queries), permutations * (seeds - 1.0) * (queries - 1.0)),
    ]
    return stats.combined(float(by_query.mean()), parts)
