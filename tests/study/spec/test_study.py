import json
import warnings
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from support.datasets import checked
from support.messages import refused, warned

from bench.data.dataset import Judgements
from bench.indexes import INDEXES
from bench.indexes.engine import Params
from bench.study.spec import experiment as experiments
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study, read
from bench.study.trial import ALL_ROWS, Search

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
    ("old", "new", "named"),
    [
        ('["digits"]', '["digit"]', ("'digit'", "digits")),
        ('["digits"]', "[]", ("my.toml", "datasets", "empty")),
        ('["digits"]', '["digits", "digits"]', ("'digits'", "twice")),
        ('["digits"]', "[{ n = 3 }]", ("my.toml", "datasets", "table", "name")),
        ('"random"', '"rand"', ("'rand'", "given, reverse, random")),
        ('"random"', '"random", "random"', ("my.toml", "random", "twice")),
        ("block = 100", "size = 100", ("'block-shuffle'", "'size'", "block")),
        ("block = 100", "block = 0", ("'block-shuffle'", "block = 0")),
        ('"random"', '{ name = "lid-ascending", k = 5000 }', ("'lid-ascending'", "'digits'", "k = 5000", "1597 rows")),
        ('"faiss"', '"fais"', ("index[1]", "'fais'", "hnswlib, faiss")),
        ("M = 8", "m = 8", ("index[0]", "hnswlib", "'m'", "M, ef_construction, threads")),
        ("M = 8", "M = 0", ("index[0]", "M = 0")),
        ("M = 8", "M = -3", ("index[0]", "M = -3")),
        ("M = 8", "M = 16.5", ("index[0]", "hnswlib", "M")),
        ("M = 8", "ef_construction = 4", ("index[0]", "ef_construction = 4", "M = 16")),
        ("\nk = 10", "\nk = 0", ("my.toml", "k = 0")),
        ("\nk = 10", "\nk = 2000", ("ef_search = 10", 2000)),
        ("k = 10\nef_search = [10, 40]", "k = 2000\nef_search = [2000]", ("k = 2000", "'digits'", 1597)),
        ("[10, 40]", "[10, 0]", ("ef_search = 0",)),
        ("[10, 40]", "[5, 40]", ("ef_search = 5", 10)),
        ("[10, 40]", "[10, 10]", ("ef_search", "twice")),
        ("[10, 40]", "[10, 99999999999]", ("ef_search = 99999999999",)),
        ("\nk = 10\nef_search = [10, 40]", "\nk = 70000\nef_search = 70000", ("k = 70000", 65535)),
        ("M = 8", "M = 20000", ("M = 20000", 10000)),
        ("build_seeds = 2", "build_seeds = 0", ("build_seeds = 0",)),
        ("build_seeds = 2", "build_seed = 2", ("'build_seed'", "datasets, orders, index")),
        ("title", "title =", ("my.toml", "TOML")),
        ('engine = "faiss"', 'engine = "hnswlib"\nM = 8', ("index hnswlib", "twice")),
    ],
)
def test_every_mistake_is_named_before_anything_is_built(write, old, new, named):
    assert old in GOOD
    with refused(*named) as error:
        read(write(GOOD.replace(old, new)))
    assert "\n" not in str(error.value)


def test_an_order_that_needs_labels_is_named_with_the_dataset(write):
    content = GOOD.replace('"digits"', '"subspace-small"').replace('"random"', '"category"')
    with refused("'category'", "'subspace-small'", "--labels"):
        read(write(content))


def test_unknown_experiments_are_named():
    with refused("'defualt'", "beyond-lid", "category-permutations, clinc150"):
        read("defualt")
    with refused("my.toml"):
        read("my.toml")


def test_a_limit_makes_another_dataset(write):
    study = read(write(GOOD), limit_rows=100)
    assert {(trial.data.dataset, trial.data.n) for trial in study.trials} == {("digits[100]", 100)}
    with refused("--limit 0"):
        read(write(GOOD), limit_rows=0)


def test_a_study_needs_queries(small):
    bare = replace(small, name="bare", queries=small.queries[:0])
    experiment = Experiment(datasets=["bare"], orders=["random"], index=[{"engine": "faiss"}])
    with refused("'bare'", "queries"):
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
    ("old", "new", "named"),
    [
        ("= 12", "= 1", ("'category'", "permutations = 1")),
        ("= 12", "= 12, permutation = [1]", ("'category'", "permutations = 12")),
        ("= 12", "= true", ("'category'", "permutations")),
        ("'category'", "'random'", ("'random'", "'permutations'")),
        ("'digits'", "'subspace-small'", ("'category'", "'subspace-small'", "--labels")),
    ],
)
def test_mistakes_in_permutations_are_named(write, old, new, named):
    with refused(*named):
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
    with refused("index[0]", "own", "'beta'", "M, ef_construction, threads, alpha"):
        read(write(GOOD.replace('engine = "hnswlib"', 'engine = "own"\nbeta = 1')))


def test_an_engine_that_is_not_installed_stops_only_who_asks_for_it(write, monkeypatch):
    missing = msgspec.structs.replace(INDEXES["hnswlib"], package="not-a-package", extra="special")
    monkeypatch.setitem(INDEXES, "missing", missing)
    assert read(write(GOOD)).trials
    with refused("'missing'", "not-a-package", "[special]"):
        read(write(GOOD.replace('engine = "hnswlib"', 'engine = "missing"')))


REFUSALS = {
    "metric": {"metrics": ("cosine",)},
    "dimensions": {"refuses": lambda params, d: "takes at most 63 dimensions" if d > 63 else ""},
    "ef_search": {"most_ef_search": 9},
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_data_that_every_engine_refuses_is_a_mistake(write, monkeypatch, kind):
    monkeypatch.setitem(INDEXES, "faiss", msgspec.structs.replace(INDEXES["faiss"], **REFUSALS[kind]))
    assert len(read(write(GOOD)).trials) == 16  # hnswlib takes them
    with refused("my", "'digits'", "'faiss'"):
        read(write(GOOD.replace('engine = "hnswlib"\nM = 8\n[[index]]\n', "")))


LADDER = [13, 17, 23, 30, 53, 70, 92, 121, 160, 211, 279, 368, 485, 640]  # from 10 to 640, but 10 and 40


def searched(study, order):
    """The ef_search of every build of an order, in the sequence of the trials."""
    trials = [trial for trial in study.with_ladder if trial.order.order == order]
    builds = {trial.build: [] for trial in trials}
    for trial in trials:
        builds[trial.build].append(trial.search.ef_search)
    return list(builds.values())


def test_the_reference_is_searched_on_the_ladder_beside_its_own_searches(write):
    study = read(write(GOOD))
    assert searched(study, "random") == [[10, 40, *LADDER]] * 4
    assert searched(study, "block-shuffle") == [[10, 40]] * 4
    assert [trial.search.ef_search for trial in study.ladder] == LADDER * 4
    assert sorted([*study.trials, *study.ladder], key=str) == sorted(study.with_ladder, key=str)
    builds = [trial.build for trial in study.with_ladder]
    assert sum(one != other for one, other in pairwise(builds)) == len(set(builds)) - 1  # one build serves both
    half = study.with_ladder[: len(builds) // 2]
    assert {trial.seeds.build_seed for trial in half} == {1}


def test_the_ladder_is_of_the_reference_that_an_experiment_states(write):
    study = read(write('reference = "block-shuffle block=100"\n' + GOOD))
    assert {trial.order.order for trial in study.ladder} == {"block-shuffle"}
    with refused("my", "reference", "'given'", "block-shuffle block=100, random"):
        read(write('reference = "given"\n' + GOOD))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title", 'reference = ""\ntitle'),
        ('"random", {', '"given", {'),
        (', { name = "block-shuffle", block = 100 }', ""),
    ],
)
def test_without_two_orders_of_which_one_is_the_reference_there_is_no_ladder(write, old, new):
    study = read(write(GOOD.replace(old, new)))
    assert study.ladder == []
    assert study.with_ladder == study.trials


def test_an_engine_without_ef_search_has_no_ladder(write, monkeypatch):
    engine = INDEXES["hnswlib"]
    promises = msgspec.structs.replace(engine.promises, has_ef_search=False)
    monkeypatch.setitem(INDEXES, "hnswlib", msgspec.structs.replace(engine, promises=promises))
    assert {trial.index.engine for trial in read(write(GOOD)).ladder} == {"faiss"}


def test_the_ladder_ends_at_the_number_of_rows(small):
    experiment = Experiment(
        datasets=["clustered"],
        orders=["random", "given"],
        index=[{"engine": "faiss"}],
        k=[10, 100],
        ef_search=[10, 100],
    )
    assert [ef for ef, k in experiment.ladder(small.n) if k == 10] == [
        13, 17, 23, 30, 40, 53, 70, 92, 121, 160, 211, 279, 368, 400
    ]  # fmt: skip
    assert [ef for ef, k in experiment.ladder(small.n) if k == 100] == [132, 174, 230, 303, 400]
    assert {trial.search for trial in Study("x", experiment, [small]).ladder} == {
        Search(k=k, ef_search=ef) for ef, k in experiment.ladder(small.n)
    }


def indexes(write, table):
    """The engine, M and chunk of every index that a table stands for."""
    study = read(write(GOOD.partition("[[index]]")[0] + f"[[index]]\n{table}\n"))
    return [(index.engine, index.M, index.chunk) for index in study.indexes]


def test_lists_in_a_table_of_an_index_stand_for_every_combination(write):
    listed = indexes(write, 'engine = ["hnswlib", "faiss"]\nM = [8, 16]')
    assert listed == [("hnswlib", 8, 1), ("hnswlib", 16, 1), ("faiss", 8, 1), ("faiss", 16, 1)]
    chunks = indexes(write, 'engine = "faiss"\nchunk = [1, 100, "all"]')
    assert chunks == [("faiss", 16, 1), ("faiss", 16, 100), ("faiss", 16, ALL_ROWS)]


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ('engine = "faiss"\nchunk = []', ("index[0]", "chunk", "empty")),
        ('engine = "faiss"\nchunk = [1, 0]', ("index[0]", "faiss", "chunk = 0")),
        ('engine = "faiss"\nchunk = "every"', ("index[0]", "faiss", "chunk", "'every'")),
        ('engine = "hnswlib"\nchunk = [1, 2]', ("index[0]", "hnswlib", "'chunk'")),
        ('engine = "faiss"\nM = [8, 8]', ("index faiss", "twice")),
        ('engine = "faiss"\norders = []', ("index[0]", "orders")),
        (
            'engine = "faiss"\norders = ["given"]',
            ("index", "orders", "'given'", "block-shuffle block=100, random"),
        ),
    ],
)
def test_a_mistake_in_a_table_of_an_index_is_named(write, table, named):
    with refused(*named):
        indexes(write, table)


def test_an_index_may_be_built_in_some_of_the_orders(write):
    tables = GOOD.replace("M = 8", 'M = 8\norders = ["random"]')
    study = read(write(tables))
    built = {(trial.index.engine, trial.order.order) for trial in study.trials}
    assert built == {("hnswlib", "random"), ("faiss", "random"), ("faiss", "block-shuffle")}
    assert {trial.index.engine for trial in study.ladder} == {"faiss"}  # alone, the reference is compared with nothing


def test_a_table_of_a_dataset_may_limit_its_rows(write):
    study = read(write(GOOD.replace('"digits"', '"digits", { name = "digits", limit = 500 }')))
    assert {name: dataset.n for name, dataset in study.datasets.items()} == {"digits": 1597, "digits[500]": 500}


def test_a_limit_in_a_table_warns_of_relevant_documents_that_it_drops(write, monkeypatch):
    rows = np.random.default_rng(0).standard_normal((40, 4), dtype=np.float32)
    documents = np.array([f"d{n}" for n in range(40)])
    judged = Judgements(np.array(["q"]), documents, {"q": dict.fromkeys(documents.tolist(), 1)})
    loaded = checked("judged", rows, rows[:1], "l2", judgements=judged)
    monkeypatch.setattr("bench.study.spec.study.load_all", lambda *_, **__: [loaded])
    text = GOOD.replace('"digits"', '{ name = "judged", limit = 10 }').replace("block = 100", "block = 2")
    with warned("judged[10]", "75 %"):
        assert [*read(write(text)).datasets] == ["judged[10]"]


@pytest.mark.parametrize("limit", ["0", "true", '"many"'])
def test_a_limit_that_is_no_number_of_rows_is_named(write, limit):
    with refused("my.toml", "datasets: digits: limit"):
        read(write(GOOD.replace('"digits"', f'{{ name = "digits", limit = {limit} }}')))


def test_an_engine_with_a_largest_ef_search_is_asked_for_no_more(write, monkeypatch):
    narrow = msgspec.structs.replace(INDEXES["faiss"], most_ef_search=100)
    monkeypatch.setitem(INDEXES, "faiss", narrow)
    study = read(write(GOOD))
    highest = {
        trial.index.engine: trial.search.ef_search for trial in sorted(study.ladder, key=lambda t: t.search.ef_search)
    }
    assert highest["faiss"] <= 100 < highest["hnswlib"]


@pytest.fixture
def without_faiss(monkeypatch):
    missing = msgspec.structs.replace(INDEXES["faiss"], package="no-such-package", extra="special")
    monkeypatch.setitem(INDEXES, "faiss", missing)


def test_a_missing_engine_is_left_out_if_the_experiment_allows_it(write, without_faiss):
    with refused("'faiss'", "no-such-package", "[special]"):
        read(write(GOOD))
    with warned("my", "faiss", "pip install 'hnsw-order-bench[special]'"):
        study = read(write(f"installed_only = true\n{GOOD}"))
    assert study.left_out == ["faiss"]
    assert {trial.index.engine for trial in study.trials} == {"hnswlib"}


def test_without_any_engine_an_experiment_is_a_mistake(write, without_faiss):
    alone = GOOD.partition("[[index]]")[0] + '[[index]]\nengine = ["faiss"]\n'
    with refused("my.toml", "pip install 'hnsw-order-bench[special]'"):
        read(write(f"installed_only = true\n{alone}"))


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("N = 8", ("my.toml", "index[1]", "faiss", "'N'")),
        ("M = 1", ("my.toml", "index[1]", "faiss", "M = 1")),
        ("orders = 3", ("my.toml", "index[1]", "orders")),
        ('orders = ["randon"]', ("index", "'randon'")),
    ],
)
def test_a_mistake_in_a_table_of_an_engine_that_is_left_out_is_named(write, without_faiss, key, named):
    text = GOOD.replace('engine = "faiss"', f'engine = "faiss"\n{key}')
    with refused(*named), warnings.catch_warnings(action="ignore"):
        read(write(f"installed_only = true\n{text}"))


def test_a_name_that_is_no_engines_is_a_mistake_all_the_same(write):
    with refused("'fais'"):
        read(write("installed_only = true\n" + GOOD.replace('"faiss"', '"fais"')))


def test_a_study_need_not_know_what_ef_search_an_order_equals(write):
    assert read(write(GOOD)).ladder
    assert not read(write(f"equal_ef = false\n{GOOD}")).ladder


@pytest.mark.engine("usearch")
def test_identical_builds_are_warned_of(write):
    table = GOOD.partition("[[index]]")[0] + '[[index]]\nengine = "usearch"\njitter = 1\n'
    with warned("usearch", "jitter = 1", 2):
        read(write(table))
    read(write(table.replace("build_seeds = 2", "build_seeds = 1")))
