import json

import msgspec
import pytest

from bench.data.dataset import checked
from bench.errors import BenchError
from bench.indexes import INDEXES
from bench.indexes.engine import Params
from bench.study import experiment as experiments
from bench.study.experiment import Experiment
from bench.study.study import Study, read

GOOD = """
title = "x"
datasets = ["digits"]
orders = ["random", { name = "block-shuffle", block = 100 }]
k = 10
ef_search = [10, 40]
build_seeds = 2
[[index]]
engine = "hnswlib"
M = 8
[[index]]
engine = "faiss"
"""


@pytest.fixture
def write(tmp_path):
    def written(content):
        path = tmp_path / "my.toml"
        path.write_text(content)
        return str(path)

    return written


def test_trials_are_datasets_by_engines_by_orders_by_seeds_by_searches(write):
    study = read(write(GOOD))
    assert study.name == "my"
    assert len(study.trials) == 1 * 2 * 2 * 2 * 2
    assert len({trial.key for trial in study.trials}) == len(study.trials)
    assert len({trial.build for trial in study.trials}) == len(study.trials) / 2
    first = study.trials[0]
    data, index = first.data, first.index
    assert (data.dataset, index.engine, index.M, index.ef_construction) == ("digits", "hnswlib", 8, 128)
    assert (index.chunk, index.threads, data.metric, data.n, data.d, data.queries) == (1, 1, "l2", 1597, 64, 200)
    assert {trial.order.order_params for trial in study.trials} == {"{}", '{"block":100}'}


def test_a_study_cut_short_has_all_orders_at_fewer_seeds(write):
    trials = read(write(GOOD)).trials
    half = trials[: len(trials) // 2]
    assert {trial.seeds.build_seed for trial in half} == {1}
    assert {trial.order.order for trial in half} == {"random", "block-shuffle"}
    assert {trial.index.engine for trial in half} == {"hnswlib", "faiss"}


def seeds(**given):
    return Experiment(datasets=["digits"], orders=["random"], index=[{"engine": "faiss"}], **given).seeds


def test_every_build_draws_its_order_anew_unless_order_seeds_are_crossed():
    assert seeds(build_seeds=3) == [(1, 1), (2, 2), (3, 3)]
    assert seeds(build_seeds=2, order_seeds=3) == [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3)]


def test_searches_pair_only_what_an_engine_would_honour():
    experiment = Experiment(
        datasets=["digits"], orders=["random"], index=[{"engine": "faiss"}], k=[10, 100], ef_search=[10, 40, 100]
    )
    assert experiment.searches == [(10, 10), (40, 10), (100, 10), (100, 100)]


@pytest.mark.parametrize("name", experiments.experiments())
def test_every_shipped_experiment_reads(name):
    _, experiment = experiments.read_experiment(name)
    assert experiment.title
    assert experiments.check(experiment, name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["digits"]', '["digit"]', "unknown dataset 'digit'; near it: digits; see"),
        ('["digits"]', "[]", "datasets is empty"),
        ('["digits"]', '["digits", "digits"]', "a dataset is named twice"),
        ('["digits"]', "[{ n = 3 }]", "a table needs a name"),
        ('"random"', '"rand"', "unknown order 'rand'; known: given, reverse, random"),
        ('"random"', '"random", "random"', "listed twice"),
        ("block = 100", "size = 100", "unknown parameter 'size'; known: block"),
        ("block = 100", "block = 0", "block = 0: give a positive number"),
        ('"random"', '{ name = "lid-ascending", k = 5000 }', "k = 5000 neighbours of 1597 rows"),
        ('"faiss"', '"fais"', "unknown engine 'fais'; known: hnswlib, faiss"),
        ("M = 8", "m = 8", r"index\[0\]: hnswlib: unknown key 'm'; known: M, ef_construction, threads"),
        ("M = 8", "M = 0", "M = 0: give a positive number"),
        ("M = 8", "M = -3", "M = -3: give a positive number"),
        ("M = 8", "M = 16.5", r"index\[0\]: hnswlib: M: expected int, got float"),
        ("M = 8", "ef_construction = 4", "ef_construction = 4 is below M = 16"),
        ("\nk = 10", "\nk = 0", "k = 0: give a positive number"),
        ("\nk = 10", "\nk = 2000", "ef_search = 10 is below every k: .* an ef_search of at least 2000"),
        ("k = 10\nef_search = [10, 40]", "k = 2000\nef_search = [2000]", "k = 2000, but the base of 'digits' has only"),
        ("[10, 40]", "[10, 0]", "ef_search = 0: give a positive number"),
        ("[10, 40]", "[5, 40]", "ef_search = 5 is below every k: .* an ef_search of at least 10"),
        ("[10, 40]", "[10, 10]", "ef_search names a number twice"),
        ("[10, 40]", "[10, 99999999999]", "ef_search = 99999999999: give at most"),
        ("\nk = 10\nef_search = [10, 40]", "\nk = 70000\nef_search = 70000", "k = 70000: give at most 65,535"),
        ("M = 8", "M = 20000", "M = 20000: give at most 10,000"),
        ("build_seeds = 2", "build_seeds = 0", "build_seeds = 0"),
        ("build_seeds = 2", "build_seed = 2", "unknown key 'build_seed'; known: datasets, orders, index"),
        ("title", "title =", "not valid TOML"),
        ('engine = "faiss"', 'engine = "hnswlib"\nM = 8', "an index is listed twice"),
    ],
)
def test_every_mistake_is_named_before_anything_is_built(write, old, new, message):
    assert old in GOOD
    with pytest.raises(BenchError, match=message) as error:
        read(write(GOOD.replace(old, new)))
    assert "\n" not in str(error.value)


def test_an_order_that_needs_labels_is_named_with_the_dataset(write):
    content = GOOD.replace('"digits"', '"subspace-small"').replace('"random"', '"category"')
    with pytest.raises(BenchError, match="order 'category' needs labels, and dataset 'subspace-small' has none"):
        read(write(content))


def test_unknown_experiments_are_named():
    with pytest.raises(
        BenchError, match=r"unknown experiment 'defualt'; known: beyond-lid, .*category-permutations, clinc150"
    ):
        read("defualt")
    with pytest.raises(BenchError, match=r"^my\.toml does not exist: give the path of an experiment"):
        read("my.toml")


def test_a_limit_makes_another_dataset(write):
    study = read(write(GOOD), limit_rows=100)
    assert {(trial.data.dataset, trial.data.n) for trial in study.trials} == {("digits[100]", 100)}
    with pytest.raises(BenchError, match="--limit 0"):
        read(write(GOOD), limit_rows=0)


def test_a_study_needs_queries(small):
    bare = checked("bare", small.base, small.queries[:0], "l2")
    experiment = Experiment(datasets=["bare"], orders=["random"], index=[{"engine": "faiss"}])
    with pytest.raises(BenchError, match="'bare' has no queries"):
        Study("x", experiment, [bare])


PERMUTED = (
    "datasets = ['digits', { name = 'mixture', n = 60, queries = 5, dimensions = [2, 3, 4] }]\n"
    "orders = ['random', { name = 'category', permutations = 12 }]\nef_search = 10\nbuild_seeds = 2\n"
    "[[index]]\nengine = 'hnswlib'\n"
)


def test_permutations_are_an_order_each_by_the_labels_of_each_dataset(write):
    study = read(write(PERMUTED))
    by_dataset = {name: [json.loads(order.order_params) for order in listed] for name, listed in study.orders.items()}
    digits, mixture = by_dataset.values()
    assert len(digits) == 1 + 12  # of the 10! of ten labels, a sample
    assert [params["permutation"] for params in mixture[1:]] == [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ]
    assert len(study.trials) == 2 * (13 + 7)
    assert {trial.order.order_params for trial in study.trials if trial.data.n == 60} >= {'{"permutation":[2,1,0]}'}


def test_a_permutation_named_besides_is_built_once(write):
    content = PERMUTED.replace("'random'", "{ name = 'category', permutation = ['0', '1', '2'] }").replace(
        "'digits', ", ""
    )
    assert len(read(write(content)).trials) == 2 * 7  # as text it is another
    assert len(read(write(content.replace("'0', '1', '2'", "0, 1, 2"))).trials) == 2 * 6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("= 12", "= 1", "order 'category': permutations = 1"),
        ("= 12", "= 12, permutation = [1]", "order 'category': permutations = 12"),
        ("= 12", "= true", "order 'category': permutations: expected int"),
        ("'category'", "'random'", "unknown parameter 'permutations'"),
        ("'digits'", "'subspace-small'", "order 'category' needs labels, and dataset 'subspace-small' has none"),
    ],
)
def test_mistakes_in_permutations_are_named(write, old, new, message):
    with pytest.raises(BenchError, match=message):
        read(write(PERMUTED.replace(old, new)))


class Own(Params, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """alpha: a parameter that no other engine has."""

    alpha: float = 1.2


@pytest.fixture
def own_engine(monkeypatch):
    monkeypatch.setitem(INDEXES, "own", msgspec.structs.replace(INDEXES["hnswlib"], params=Own))


def test_an_engines_own_parameters_identify_its_trials(write, own_engine):
    study = read(write(GOOD.replace('engine = "hnswlib"', 'engine = "own"\nalpha = 1.5')))
    own = [trial for trial in study.trials if trial.index.engine == "own"]
    assert {(trial.index.M, trial.index.engine_params) for trial in own} == {(8, '{"alpha":1.5}')}
    with pytest.raises(
        BenchError, match=r"index\[0\]: own: unknown key 'beta'; known: M, ef_construction, threads, alpha"
    ):
        read(write(GOOD.replace('engine = "hnswlib"', 'engine = "own"\nbeta = 1')))


def test_an_engine_that_is_not_installed_stops_only_who_asks_for_it(write, monkeypatch):
    missing = msgspec.structs.replace(INDEXES["hnswlib"], package="not-a-package", extra="special")
    monkeypatch.setitem(INDEXES, "missing", missing)
    assert read(write(GOOD)).trials
    with pytest.raises(BenchError, match=r"'missing' needs the package not-a-package: .*special"):
        read(write(GOOD.replace('engine = "hnswlib"', 'engine = "missing"')))


def test_an_engine_without_the_datasets_metric_is_refused(write, monkeypatch):
    monkeypatch.setitem(INDEXES, "plain", msgspec.structs.replace(INDEXES["hnswlib"], metrics=("cosine",)))
    with pytest.raises(BenchError, match=r"engine 'plain' has no metric l2, .*'digits'"):
        read(write(GOOD.replace('engine = "hnswlib"', 'engine = "plain"')))
