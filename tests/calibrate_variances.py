"""How the variance of builds is best known from few: four ways, by false verdicts and by what they find.

As `calibrate`: studies of six orders drawn from real builds of three, levelled, each way with the same queries and the
same allowance for the number of comparisons, so that nothing but the variance of builds differs.
"""

import numpy as np
from scipy.special import digamma, polygamma

from bench.analysis import stats
from bench.analysis.max_t import effective_comparisons
from bench.analysis.sample import effective_units, independent
from bench.analysis.variance import query_part, residual_parts

WAYS = ("the smaller side's", "Satterthwaite's", "pooled", "moderated")


def shares(rng, orders, builds, queries, studies, k=10):
    """Shares of studies by way: any order is called better or worse when none is; one that is a point better is found.

    orders: (builds, queries) recalls of levelled populations, the first that of the reference.
    """
    false, found = dict.fromkeys(WAYS, 0), dict.fromkeys(WAYS, 0)
    for _ in range(studies):
        columns = rng.integers(orders[0].shape[1], size=queries)
        reference, *others = (
            independent(order[rng.integers(len(order), size=builds)][:, columns], k) for order in orders
        )
        differences = [stats.difference(other, reference) for other in others]
        comparisons = effective_comparisons(others, reference, differences)
        for way in WAYS:
            estimates = differences if way == WAYS[0] else _by(way, others, reference)
            p = [stats.p_value(estimate) * comparisons for estimate in estimates]
            false[way] += min(p) < 0.05
            found[way] += stats.p_value(estimates[-1], -0.01) * comparisons < 0.05
    return {
        f"{way}: {what}": count[way] / studies for way in WAYS for what, count in (("false", false), ("found", found))
    }


def _by(way, others, reference):
    """The differences, with the variance of each sample's builds known in this way."""
    builds = len(reference.recalls)
    own = np.array([sample.recalls.mean(axis=1).var(ddof=1) for sample in (reference, *others)])
    own = np.maximum(own, (reference.step / reference.recalls.shape[1]) ** 2)
    variances, df = {"pooled": pooled, "moderated": moderated}.get(way, lambda own, df: (own, df))(own, builds - 1.0)
    estimates = []
    for place, other in enumerate(others, 1):
        queries = query_part(stats.by_query(other, reference), effective_units(other), unseen=other.step)
        parts = [(variances[0] / builds, df), (variances[place] / builds, df), queries]
        parts += [*residual_parts(other), *residual_parts(reference)]
        estimates.append(stats.combined(float(other.recalls.mean() - reference.recalls.mean()), parts))
    return estimates


def pooled(variances, df):
    """One variance for all orders."""
    return np.full_like(variances, variances.mean()), df * len(variances)


def moderated(variances, df):
    """Drawn towards a prior that is fitted over the orders, with its degrees of freedom added (Smyth 2004, eq. 4-6)."""
    logs = np.log(variances) - digamma(df / 2) + np.log(df / 2)
    spread = logs.var(ddof=1) - polygamma(1, df / 2)
    if spread <= 0:
        return np.full_like(variances, np.exp(logs.mean())), 1e6
    of_prior = 2 * _inverse_trigamma(spread)
    prior = np.exp(logs.mean() + digamma(of_prior / 2) - np.log(of_prior / 2))
    return (of_prior * prior + df * variances) / (of_prior + df), of_prior + df


def _inverse_trigamma(value):
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = polygamma(1, y)
        y += trigamma * (1 - trigamma / value) / polygamma(2, y)
    return float(y)
