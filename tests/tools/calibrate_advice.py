"""Does What now invent a cost, or leave a real winner unnamed, where an experiment has many settings?

As `calibrate`: studies are drawn from real builds, levelled so that no order is better in the mean over queries. Each
study has 60 settings of one dataset, and one order truly gains GAIN in one of them: any cost that is named is false.
"""

from support.summaries import setting, summaries

from bench.analysis.advice import advise
from bench.statistics.sample import independent

SETTINGS = 60
GAIN = 0.05


def shares(rng, orders, builds, queries, studies, k=10):
    """Shares of studies in which What now names a cost, and in which it does not name the winner as best.

    orders: (builds, queries) recalls of levelled populations, the first that of the reference, the second the winner.
    """
    invented, unnamed = 0, 0
    for _ in range(studies):
        [advice] = advise(*study(rng, orders, builds, queries, k))
        [best] = advice.datasets
        invented += bool(advice.worse or best.mixed)
        unnamed += best.effect is None or best.effect.order != "order 1"
    return {"a cost is invented": invented / studies, "the winner is not named": unnamed / studies}


def study(rng, orders, builds, queries, k):
    """Summaries and samples of one study."""
    rows, samples = [], {}
    for place in range(SETTINGS):
        columns = rng.integers(orders[0].shape[1], size=queries)
        drawn = [recalls[rng.integers(len(recalls), size=builds)][:, columns] for recalls in orders]
        drawn[1] = drawn[1] + GAIN * (place == 0)
        of = setting(10 + place)
        samples[of] = {f"order {n}" if n else "random": independent(one, k) for n, one in enumerate(drawn)}
        rows += summaries(of, samples[of])
    return rows, samples
