import inspect
import itertools
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.datasets import checked
from support.messages import refused

from bench import orders
from bench.errors import BenchError
from bench.geometry import Geometry, dimension

RNG = np.random.default_rng(0)
SAME_FOR_EVERY_SEED = {"given", "reverse"}
GENERAL = sorted(set(orders.ORDERS) - {orders.FILE})  # that can be made of any dataset with labels


def make(name, dataset, seed=1, **params):
    return orders.make(name, orders.parameters(name, params), dataset, Geometry(dataset), seed)


@pytest.mark.parametrize("name", GENERAL)
def test_an_order_is_a_permutation(name, small):
    order = make(name, small)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(small.n))


@pytest.mark.parametrize("name", GENERAL)
def test_an_order_repeats_by_seed(name, small):
    assert np.array_equal(make(name, small, seed=3), make(name, small, seed=3))


@pytest.mark.parametrize("name", GENERAL)
def test_ties_are_broken_by_seed_not_by_file_order(name):
    # All rows alike in every respect that an order may sort by: only the seed can distinguish them.
    rows = np.repeat(np.eye(4, dtype=np.float32), 150, axis=0)
    dataset = checked("ties", rows, rows[:2], "l2", np.zeros(600, int))
    one, other = make(name, dataset, seed=1), make(name, dataset, seed=2)
    assert np.array_equal(one, other) == (name in SAME_FOR_EVERY_SEED)
    if name not in SAME_FOR_EVERY_SEED | {"partial-shuffle"}:
        assert (np.diff(one) == 1).mean() < 0.1


@pytest.mark.parametrize("name", GENERAL)
def test_an_order_says_why_it_matters_and_types_its_parameters(name):
    order = orders.ORDERS[name].make
    assert len(order.__doc__.splitlines()[0]) > 40
    for parameter in list(inspect.signature(order).parameters.values())[3:]:
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default is not parameter.empty


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(sorted(set(GENERAL) - {"lid-ascending", "lid-descending"})),
    st.integers(12, 60),
    st.integers(1, 3),
    st.integers(1, 2**31),
)
def test_an_order_is_a_permutation_of_any_grid_with_duplicates(name, n, d, seed):
    rows = np.random.default_rng(seed).integers(0, 3, size=(n, d)).astype(np.float32)
    dataset = checked("grid", rows, rows[:1], "l2", rows[:, 0].astype(int))
    assert np.array_equal(np.sort(make(name, dataset, seed)), np.arange(n))


def test_orders_of_one_seed_share_no_stream(small):
    assert not np.array_equal(make("random", small, seed=1), make("block-shuffle", small, seed=1, block=small.n))


VALUES = {
    "lid": lambda dataset, geometry: geometry.lid(),
    "centroid": lambda dataset, geometry: geometry.centroid_distances(),
    "radius": lambda dataset, geometry: geometry.radius(10),
    "norm": lambda dataset, geometry: np.linalg.norm(dataset.base, axis=1),
}


@pytest.mark.parametrize("what", VALUES)
@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_ascending_and_descending_go_by_the_value_they_are_named_for(what, metric, small):
    dataset = checked("x", small.base, small.queries, metric)
    values = VALUES[what](dataset, Geometry(dataset))
    assert (np.diff(values[make(f"{what}-ascending", dataset)]) >= 0).all()
    assert (np.diff(values[make(f"{what}-descending", dataset)]) <= 0).all()


def test_hubs_go_by_occurrences(small):
    counts = Geometry(small).occurrences(10)
    assert (np.diff(counts[make("hub-first", small)]) <= 0).all()
    assert (np.diff(counts[make("hub-last", small)]) >= 0).all()


def test_residual_is_the_distance_to_the_nearest_centroid(small):
    geometry = Geometry(small)
    # The seed that the order draws for its clusters
    rng = np.random.default_rng([1, *b"residual-descending"])
    nearest, distances = geometry.clusters(20, int(rng.integers(1, 2**31 - 1)))
    assert (np.diff(distances[make("residual-descending", small)]) <= 0).all()
    for cluster in np.unique(nearest):
        assert (nearest == cluster).sum() > 0


def test_a_row_without_lid_counts_as_dimension_zero():
    star = np.concatenate([np.eye(120), np.zeros((1, 120))]).astype(np.float32)  # from the centre, all are equally far
    dataset = checked("star", star, star[-2:], "l2")
    assert np.isnan(Geometry(dataset).lid()).nonzero()[0].tolist() == [120]
    assert make("lid-ascending", dataset)[0] == 120
    assert make("lid-descending", dataset)[-1] == 120


@pytest.mark.parametrize(
    ("name", "estimate"),
    [("lid-descending", Geometry.lid), ("radius-descending", Geometry.radius), ("hub-first", Geometry.occurrences)],
)
def test_copies_leave_orders_by_the_estimates_of_the_distinct_rows(name, estimate):
    rows = np.random.default_rng(1).standard_normal((150, 5)).astype(np.float32)
    popular = np.concatenate([rows, np.repeat(rows[:5], 60, axis=0)])
    values = estimate(Geometry(checked("alone", rows, rows[:1], "l2")), 10)
    of_all = np.concatenate([values, np.repeat(values[:5], 60)])
    params = {} if name == "hub-first" else {"k": 10}
    order = make(name, checked("popular", popular, rows[:1], "l2"), **params)
    assert (np.diff(of_all[order]) <= 0).all()


@pytest.mark.parametrize("name", ["lid-ascending", "radius-ascending", "hub-last"])
def test_too_few_distinct_rows_leave_an_order_random(name):
    rows = np.repeat(np.eye(8, dtype=np.float32), 30, axis=0)
    said = []
    dataset = checked("few", rows, rows[:1], "l2")
    order = orders.make(name, orders.parameters(name, {}), dataset, Geometry(dataset, said.append), 1)
    assert len(set(order[:30] // 30)) > 4
    assert any("8 distinct rows" in line for line in said)


def test_category_inserts_label_after_label_in_the_permutation_asked():
    labels = np.array(["a", "b", "c", "d"])[RNG.integers(4, size=200)]
    dataset = checked("x", RNG.standard_normal((200, 3)), np.ones((1, 3)), "l2", labels)
    order = make("category", dataset, permutation=["c", "a", "d", "b"])
    changes = [label for label, following in pairwise([*labels[order], ""]) if label != following]
    assert changes == ["c", "a", "d", "b"]
    other = make("category", dataset, permutation=["a", "b", "c", "d"])
    for label in "abcd":
        inside, inside_other = order[labels[order] == label], other[labels[other] == label]
        assert np.array_equal(inside, inside_other)  # the permutation alone differs
        assert not np.array_equal(inside, np.sort(inside))


def test_category_takes_integer_labels_by_number(small):
    order = make("category", small, permutation=[4, 3, 2, 1, 0])
    assert (np.diff(small.labels[order]) <= 0).all()


def test_category_without_a_permutation_draws_one(small):
    def sequence(seed):
        labels = small.labels[make("category", small, seed=seed)]
        return tuple(labels[np.flatnonzero(np.diff(labels, prepend=-1))])

    drawn = {sequence(seed) for seed in range(1, 12)}
    assert len(drawn) > 3
    assert all(sorted(s) == [0, 1, 2, 3, 4] for s in drawn)


def test_cluster_keeps_clusters_together_and_round_robin_takes_them_in_turn():
    centres = 100 * np.eye(4, dtype=np.float32)
    group = RNG.integers(4, size=200)
    dataset = checked("far", centres[group] + RNG.uniform(-1, 1, (200, 4)), centres[:1], "l2")
    clusters = group[make("cluster", dataset, clusters=4)]
    assert (np.diff(clusters) != 0).sum() == 3
    turns = group[make("round-robin", dataset, clusters=4)]
    fewest = np.bincount(group).min()
    rounds = turns[: 4 * fewest].reshape(-1, 4)
    assert (np.sort(rounds, axis=1) == np.arange(4)).all()
    assert (rounds == rounds[0]).all()


def test_block_shuffle_leaves_no_block(small):
    order = make("block-shuffle", small, block=64)
    for start in range(0, small.n, 64):
        block = order[start : start + 64]
        assert set(block) == set(range(start, min(start + 64, small.n)))
    assert np.array_equal(make("block-shuffle", small, block=1), np.arange(small.n))


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_partial_shuffle_moves_at_most_its_share(small, fraction):
    moved = (make("partial-shuffle", small, fraction=fraction) != np.arange(small.n)).sum()
    assert moved <= fraction * small.n
    assert moved >= 0.8 * fraction * small.n


def by_definition(points, first):
    """Farthest-first by trying all rows at every step."""
    order, gap = [first], np.full(len(points), np.inf)
    while len(order) < len(points):
        gap = np.minimum(gap, np.linalg.norm(points - points[order[-1]], axis=1))
        gap[order[-1]] = -1
        order.append(int(np.argmax(gap)))
    return np.array(order)


@pytest.mark.parametrize("dimensions", [2, 8])
def test_farthest_first_agrees_with_its_definition(dimensions):
    points = np.random.default_rng(dimensions).standard_normal((700, dimensions)).astype(np.float32)
    order = make("farthest-first", checked("x", points, points[:1] + 1, "l2"))
    assert np.array_equal(order, by_definition(points.astype(np.float64), order[0]))


def test_farthest_first_bears_a_large_common_offset():
    points = (1000 + np.random.default_rng(1).standard_normal((700, 8))).astype(np.float32)
    order = make("farthest-first", checked("x", points, points[:1] + 1, "l2"))
    wide = points.astype(np.float64)
    between = np.linalg.norm(wide[:, None] - wide[None], axis=2)
    for i in range(1, 700):  # every pick is the farthest of what remains, except for the last digits
        gaps = between[np.ix_(order[i:], order[:i])].min(axis=1)
        assert gaps[0] >= gaps.max() * 0.999


def test_farthest_first_takes_duplicates_last():
    points = np.concatenate([RNG.standard_normal((100, 3)), np.ones((50, 3))])
    order = make("farthest-first", checked("x", points, np.ones((1, 3)), "l2"))
    assert set(order[-49:]) <= set(range(100, 150))


def test_one_row_has_one_order():
    dataset = checked("one", np.ones((1, 3)), np.ones((1, 3)), "l2", np.zeros(1, int))
    for name in ("given", "random", "farthest-first", "cluster", "category", "norm-ascending"):
        assert make(name, dataset).tolist() == [0]


@pytest.mark.parametrize(
    ("name", "params", "named"),
    [
        ("lid-desc", {}, ("'lid-desc'", "given, reverse")),
        ("random", {"block": 3}, ("'random'", "'block'", "none")),
        ("block-shuffle", {"blok": 3}, ("'block-shuffle'", "'blok'", "block")),
        ("block-shuffle", {"block": "x"}, ("'block-shuffle'", "block", "text")),
        ("lid-ascending", {"k": 1.5}, ("'lid-ascending'", "k")),
    ],
)
def test_unknown_orders_and_parameters_are_named(name, params, named):
    with refused(*named):
        orders.parameters(name, params)


@pytest.mark.parametrize(
    ("name", "params", "named"),
    [
        ("lid-ascending", {"k": 400}, ("'lid-ascending'", "'clustered'", "k = 400", "400 rows", 2, 399)),
        ("lid-ascending", {"estimator": "x"}, ("'x'", "mle, mom, tle")),
        ("lid-descending", {"k": 1}, ("'lid-descending'", "k = 1", "400 rows", 2, 399)),
        ("radius-descending", {"k": 0}, ("'radius-descending'", "k = 0", 1, 399)),
        ("cluster", {"clusters": 401}, ("'cluster'", "clusters = 401", 1, 400)),
        ("block-shuffle", {"block": 0}, ("'block-shuffle'", "block = 0")),
        ("partial-shuffle", {"fraction": 1.5}, ("'partial-shuffle'", "fraction = 1.5", 0, 1)),
        ("category", {"permutation": ["0", "7"]}, ("'7'", "0, 1, 2, 3, 4")),
        ("category", {"permutation": [0, 1, 2, 3]}, ("'category'", "4 categories", "0, 1, 2, 3, 4")),
        ("category", {"permutation": [0, 1, 2, 3, 3]}, ("'category'", "5 categories", "0, 1, 2, 3, 4")),
    ],
)
def test_orders_that_a_dataset_cannot_have_are_refused_before_anything_is_built(name, params, named, small):
    with refused(*named):
        orders.check(name, orders.parameters(name, params), small)


def test_an_order_without_its_labels_is_refused(small):
    bare = checked("bare", small.base, small.queries, "l2")
    with refused("'category'", "'bare'", "--labels"):
        orders.check("category", {"permutation": None}, bare)


@pytest.mark.parametrize("name", GENERAL)
def test_defaults_pass_the_check(name, small):
    orders.check(name, orders.parameters(name, {}), small)


def labelled(labels):
    return checked("labelled", np.zeros((len(labels), 2)), np.zeros((1, 2)), "l2", np.array(labels))


def permutations(labels, most):
    params = orders.parameters("category", {"permutations": most})
    orders.check_expansion("category", params)
    return [one["permutation"] for one in orders.expand("category", params, labelled(labels))]


def test_all_permutations_where_they_are_few_else_a_sample_by_a_fixed_seed():
    three = ["a", "b", "c"]
    assert permutations(three, 6) == [list(p) for p in itertools.permutations("abc")]
    assert permutations(three, 1000) == permutations(three, 6)
    sample = permutations(three, 5)
    assert len({tuple(p) for p in sample}) == 5
    assert sample == permutations(three, 5)
    drawn = permutations(list(range(10)), 200)
    assert all(sorted(permutation) == list(range(10)) for permutation in drawn)
    # A uniform draw has each label first in a tenth of 200, 20 ± 4.2: 4 standard deviations.
    assert (np.bincount([permutation[0] for permutation in drawn], minlength=10) > 3).all()


def test_permutations_of_a_hundred_thousand_labels_are_drawn_alike():
    labels = np.array([f"label {i}" for i in range(100_000)])
    drawn = permutations(labels, 3)
    assert all(sorted(permutation) == sorted(labels.tolist()) for permutation in drawn)
    assert len({tuple(permutation) for permutation in drawn}) == 3


def test_a_permutation_of_other_labels_is_refused_in_a_line():
    dataset = labelled([f"label {i}" for i in range(1600)])
    for permutation in (["x" * 10_000], ["label 1"] * 1600):
        with pytest.raises(BenchError) as refused:
            orders.check("category", {"permutation": permutation}, dataset)
        assert len(str(refused.value)) < 250
        assert "label 0, label 1, label 10, label 100, label 1000, … (1,600)" in str(refused.value)


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"permutations": 1}, ("permutations = 1", 2, 10_000)),
        ({"permutations": 1_000_000}, ("permutations = 1000000", 10_000)),
        ({"permutations": "all"}, ("permutations", "text")),
        ({"permutations": 6, "permutation": ["a"]}, ("permutations = 6",)),
    ],
)
def test_permutations_that_cannot_be_are_refused(params, named):
    with refused("'category'", *named):
        orders.check_expansion("category", orders.parameters("category", params))


def test_an_order_stands_for_itself_alone_without_an_expansion(small):
    params = orders.parameters("block-shuffle", {"block": 7})
    assert orders.expand("block-shuffle", params, small) == [{"block": 7}]
    assert orders.expand("category", orders.parameters("category", {}), small) == [{"permutation": None}]


@pytest.mark.parametrize("name", GENERAL)
def test_only_orders_that_say_so_estimate_dimension(name, small, monkeypatch):
    def refuse(*_):
        raise AssertionError("dimension was estimated")

    monkeypatch.setattr(dimension, "pointwise", refuse)
    fresh = checked("fresh", small.base + np.float32(len(name)), small.queries, "l2", small.labels)  # nothing is cached
    if orders.ORDERS[name].estimates_dimension:
        with pytest.raises(AssertionError, match="dimension"):
            make(name, fresh)
    else:
        make(name, fresh)


def test_rows_of_a_category_keep_their_sequence_in_every_permutation_of_a_seed(small):
    made = {
        (seed, permutation): make("category", small, seed=seed, permutation=list(permutation))
        for seed in (1, 2)
        for permutation in itertools.islice(itertools.permutations(range(5)), 0, 120, 40)
    }
    for label in range(5):
        rows = {
            seed: {tuple(order[small.labels[order] == label]) for (of, _), order in made.items() if of == seed}
            for seed in (1, 2)
        }
        assert len(rows[1]) == len(rows[2]) == 1
        assert rows[1] != rows[2]
