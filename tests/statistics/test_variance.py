import numpy as np
import pytest
from support.recalls import simulated

from bench.statistics import variance
from bench.statistics.sample import Sample, independent


def test_shares_find_the_sources_of_a_known_model():
    rng = np.random.default_rng(0)
    hardness = 0.2 * rng.standard_normal(2000)  # variance .04
    samples = [
        independent(simulated(rng, 200, 2000, build_sd=0.1, residual_sd=0.1, mean=m, hardness=hardness))  # .01 and .01
        for m in (0.6, 0.8)  # variance .01
    ]
    shares = variance.shares(samples)
    assert sum(shares.values()) == pytest.approx(1)
    # 200 builds an order and 2,000 queries: standard errors of the variances are 7 % (builds), 10 % (order: the
    # means' difference .2 has one of .01) and 3 % (queries)
    expected = {"order": 0.01, "seeds": 0.01, "query": 0.04, "order x query": 0, "residual": 0.01}
    for name, of_name in expected.items():
        assert shares[name] == pytest.approx(of_name / 0.07, abs=0.05), name


def test_shares_part_order_seeds_from_build_seeds_where_they_are_crossed():
    rng = np.random.default_rng(0)
    order_seeds, build_seeds = np.repeat(np.arange(12), 12), np.tile(np.arange(12), 12)
    samples = []
    for m in (0.6, 0.8):
        recalls = (
            m
            + 0.1 * rng.standard_normal(12)[order_seeds][:, None]
            + 0.02 * rng.standard_normal(12)[build_seeds][:, None]
        )
        samples.append(Sample(recalls + 0.01 * rng.standard_normal((144, 50)), order_seeds, build_seeds))
    shares = variance.shares(samples)
    assert shares["order seed"] > 5 * shares["build seed"] > 0
    assert shares["order seed x build seed"] < 0.02


def test_shares_find_no_order_where_seeds_alone_differ():
    rng = np.random.default_rng(0)
    order_seeds, build_seeds = np.repeat(np.arange(4), 4), np.tile(np.arange(4), 4)
    pairs = []
    for _ in range(200):
        samples = [
            Sample(
                0.8
                + 0.02 * rng.standard_normal(4)[order_seeds][:, None]
                + 0.02 * rng.standard_normal(4)[build_seeds][:, None]
                + 0.01 * rng.standard_normal((16, 20)),
                order_seeds,
                build_seeds,
            )
            for _ in range(6)
        ]
        means = np.array([sample.recalls.mean() for sample in samples])
        pairs.append((variance.shares(samples)["order"], means.var()))
    # The means vary by 2 x .02 ** 2 / 4 by their seeds alone; negative estimates are cut off, so some is left.
    assert np.mean(pairs, axis=0)[0] < 0.1
