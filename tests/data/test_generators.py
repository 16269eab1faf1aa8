import inspect

import numpy as np
import pytest
from support.messages import refused

from bench.data.generators import GENERATORS, _combine, _orthonormal, digits, image_patches, mixture, subspace

SMALL = {
    "subspace": {"intrinsic_dimension": 4, "n": 300, "d": 32, "queries": 20},
    "mixture": {"dimensions": [2, 5], "n": 300, "d": 16, "queries": 20},
    "image-patches": {"n": 300, "queries": 20},
    "digits": {"queries": 20},
}


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_repeats_by_seed_and_differs_between_seeds(name):
    generate = GENERATORS[name]
    one, two, other = (generate(**SMALL[name], seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])
    assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_gives_finite_float32_and_a_label_a_row(name):
    base, queries, labels = GENERATORS[name](**SMALL[name])
    assert base.dtype == queries.dtype == np.float32
    assert base.shape[1] == queries.shape[1]
    assert len(queries) == 20
    assert np.isfinite(base).all()
    assert labels is None or len(labels) == len(base)
    assert all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(GENERATORS[name]).parameters.values())


@pytest.mark.parametrize("name", GENERATORS)
def test_no_query_is_a_row_of_the_base(name):
    base, queries, _ = GENERATORS[name](**SMALL[name])
    assert not {row.tobytes() for row in base} & {row.tobytes() for row in queries}


@pytest.mark.parametrize("k", [2, 16, 64])
def test_subspace_has_the_requested_rank_with_unit_variance_along_it(k):
    base, queries, _ = subspace(intrinsic_dimension=k, n=2000, d=128, queries=100)
    singular = np.linalg.svd(base.astype(np.float64), compute_uv=False)
    assert (singular[:k] > 1).all()
    assert (singular[k:] < 1e-3).all()
    # The sum of squares over rows is chi-square with n k degrees of freedom: sd of the mean is sqrt(2 / (n k)).
    assert abs((base.astype(np.float64) ** 2).sum() / (2000 * k) - 1) < 5 * np.sqrt(2 / (2000 * k))
    both = np.concatenate([base, queries]).astype(np.float64)
    assert np.linalg.matrix_rank(both, tol=1e-2) == k


def test_products_are_exact_whatever_the_order_of_summation():
    rng = np.random.default_rng(0)
    basis = _orthonormal(rng, 500, 600)
    coefficients = np.round(rng.standard_normal((50, 500)) * 2**16) / 2**16
    shuffled = rng.permutation(500)
    assert np.array_equal(coefficients @ basis, coefficients[:, shuffled] @ basis[shuffled])
    assert np.array_equal(_combine(coefficients, basis), _combine(coefficients[:, shuffled], basis[shuffled]))
    assert np.abs(basis @ basis.T - np.eye(500)).max() < 1e-5


def test_mixture_clusters_have_their_own_dimensions_around_separate_centres():
    base, _, labels = mixture(dimensions=[2, 6], n=1000, d=16, queries=10, spread=4.0)
    for label, dimension in enumerate([2, 6]):
        rows = base[labels == label].astype(np.float64)
        centre = rows.mean(axis=0)
        assert np.linalg.matrix_rank(rows - centre, tol=1e-2) == dimension
        # Each of `dimension` coordinates of the mean has sd 1 / sqrt(n).
        assert abs(np.linalg.norm(centre) - 4) < 5 * np.sqrt(dimension / len(rows))


def test_image_patches_have_unit_length_no_mean_and_both_photographs():
    base, _, labels = image_patches(n=301, queries=20)
    assert np.abs(np.linalg.norm(base, axis=1) - 1).max() < 1e-6
    assert np.abs(base.sum(axis=1)).max() < 1e-5
    assert base.shape == (301, 192)
    assert 100 < labels.sum() < 200


def test_digits_keep_their_order():
    from sklearn.datasets import load_digits

    base, queries, labels = digits(queries=200)
    everything, every_label = load_digits(return_X_y=True)
    assert len(base) + len(queries) == len(everything)
    places = [np.flatnonzero((everything == row).all(axis=1))[0] for row in base[:100]]
    assert (np.diff(places) > 0).all()
    assert np.array_equal(labels[:100], every_label[places])


@pytest.mark.parametrize(
    ("generate", "parameters", "named"),
    [
        (subspace, {"intrinsic_dimension": 65, "d": 64}, ("65", "d = 64")),
        (subspace, {"intrinsic_dimension": 0}, ("intrinsic_dimension", 0)),
        (subspace, {"intrinsic_dimension": 4, "n": 0}, ("n", 0)),
        (mixture, {"dimensions": []}, ("dimensions",)),
        (mixture, {"dimensions": [4, 0]}, ("dimensions[1]", 0)),
        (mixture, {"dimensions": [4], "spread": 100.0}, ("coefficients", "spread")),
        (image_patches, {"n": 10_000_000}, ("265860", "5000500")),
        (digits, {"queries": 1797}, ("queries", 1796, 1797)),
    ],
)
def test_impossible_parameters_are_refused(generate, parameters, named):
    with refused(*named, error=ValueError):
        generate(**parameters)
