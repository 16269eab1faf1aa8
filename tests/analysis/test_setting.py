import json

import msgspec
import pytest
from support import examples
from support.examples import TRIAL

from bench.analysis.setting import (
    FOLLOWS,
    by_setting,
    fields_of,
    labels,
    samples,
    split,
    varying_by_engine,
    with_own_params,
)
from bench.study.order_labels import label
from bench.study.trial import DIGESTS, FIELDS, Order, TrialSetting, changed


def outcome(hits=(5, 5), experiment="e", **fields):
    return experiment, examples.outcome(hits, **fields)


def test_a_table_shows_all_of_a_setting_but_digests_and_the_engines_version_after_its_name():
    of_setting = [name for group in msgspec.structs.fields(TrialSetting) for name in group.type.__struct_fields__]
    shown = fields_of(changed(TRIAL, engine_params='{"levels":2}').setting)
    assert shown.keys() == set(of_setting) - set(DIGESTS)
    assert [*shown][:9] == [
        "dataset",
        "metric",
        "n",
        "d",
        "queries",
        "engine",
        "engine_version",
        "M",
        "ef_construction",
    ]
    assert [*shown][-2:] == ["k", "ef_search"]
    assert shown["engine_params"] == '{"levels":2}'
    assert "engine_params" not in fields_of(TRIAL.setting)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_parts_settings_or_orders_or_is_a_seed(name):
    value = '{"x":1}' if name.endswith("_params") else "x" if FIELDS[name] is str else 77
    other = changed(TRIAL, **{name: value})
    outcomes = [("e", msgspec.structs.replace(examples.outcome([5]), trial=trial)) for trial in (TRIAL, other)]
    groups = by_setting(outcomes)
    orders = {order for by_order in groups.values() for order in by_order}
    assert (len(groups), len(orders)) == {
        **dict.fromkeys(("order", "order_params", "order_code"), (1, 2)),
        **dict.fromkeys(("order_seed", "build_seed"), (1, 1)),
    }.get(name, (2, 1))


@pytest.mark.parametrize("name", [name for name in DIGESTS if name != "order_code"])
def test_datasets_of_one_name_are_distinct_by_the_digests_that_differ(name):
    first, second = by_setting([outcome(), outcome(**{name: "other"})])
    assert first.name != second.name
    assert first.name.startswith("d #")
    assert first.name.count("-") == 0  # one digest differs
    assert first.fields["dataset"] == first.name
    third, fourth = by_setting([outcome(), outcome(**{name: "other", "fingerprint": "g", "code": "x"})])
    assert third.name.count("-") == fourth.name.count("-") == len({name, "fingerprint", "code"}) - 1


def test_two_engines_do_not_part_a_dataset():
    settings = by_setting([outcome(), outcome(engine="faiss", engine_binary="other", code="other")])
    assert [setting.name for setting in settings] == ["d", "d"]


def test_results_do_not_depend_on_the_sequence_of_outcomes():
    outcomes = [outcome([seed, 5], build_seed=seed, order=order) for seed in (3, 1, 2) for order in ("random", "given")]
    [by_order], [reversed_by_order] = (by_setting(each).values() for each in (outcomes, outcomes[::-1]))
    assert [*by_order] == [*reversed_by_order] == [Order(order="given"), Order(order="random")]
    first, second = samples(by_order), samples(reversed_by_order)
    assert all(first[order].recalls.tolist() == second[order].recalls.tolist() for order in by_order)


def test_orders_of_one_label_have_a_sequence_of_their_own():
    params = ['{"permutation":["1","2"]}', '{"permutation":[1,2]}']
    outcomes = [outcome(order="category", order_params=one, order_code=code) for one in params for code in "xy"]
    [by_order], [reversed_by_order] = (by_setting(each).values() for each in (outcomes, outcomes[::-1]))
    assert [*by_order] == [*reversed_by_order]
    assert len(by_order) == 4


def test_labels_show_what_is_not_a_default():
    assert label(Order(order="lid-descending", order_params='{"estimator":"mle","k":100}')) == "lid-descending"
    assert (
        label(Order(order="lid-descending", order_params='{"estimator":"tle","k":50}'))
        == "lid-descending estimator=tle k=50"
    )
    assert label(Order(order="category", order_params='{"permutation":["b","a"]}')) == "category permutation=b+a"
    assert label(Order(order="somebodys-own", order_params='{"key":null}')) == "somebodys-own key=None"


def test_a_permutation_of_many_labels_has_a_short_name_of_its_own():
    def of(sequence):
        return examples.outcome([1], order="category", order_params=json.dumps({"permutation": sequence}))

    many = [f"label {i}" for i in range(1600)]
    names = labels(
        [("e", of(many)), ("e", of([*many[:5], *many[:4:-1]])), ("e", of(["R+D, HR, IT", "e:f=g"]))]
    ).values()
    short = "category permutation=label 0+label 1+label 2+label 3+label 4+… (1,600)"
    shown = sorted(name.partition(" #")[0] for name in names)
    assert shown == ['category permutation="R+D, HR, IT"+"e:f=g"', short, short]
    assert len(set(names)) == 3


def test_orders_of_one_label_have_names_of_their_own():
    params = ['{"permutation":["1","2"]}', '{"permutation":[1,2]}']
    outcomes = [outcome(order="category", order_params=one) for one in params]
    outcomes += [outcome(order_code="1"), outcome(experiment="f", order_code="2")]
    by_order = labels(outcomes)
    names = [by_order[Order(order="category", order_params=one)] for one in params]
    assert len(set(names)) == 2
    assert all(name.startswith("category permutation=1+2 #") for name in names)
    assert set(by_order.values()) == {*names, "random"}  # those of two experiments share no table


def test_fields_that_vary_are_columns_unless_they_follow_from_another():
    common, varying = split(
        [
            {"dataset": "a", "n": 1, "engine": "x", "engine_version": "1", "M": 8},
            {"dataset": "b", "n": 2, "engine": "y", "engine_version": "2", "M": 8, "engine_params": "p"},
        ]
    )
    assert common == {"M": 8}
    assert varying == ["dataset", "engine", "engine_params"]
    assert split([{"dataset": "a", "n": 1}, {"dataset": "a", "n": 2}])[1] == ["n"]
    assert set(FOLLOWS["dataset"]) > {"n", "d", "queries", "metric"}


def test_settings_are_named_by_the_fields_that_vary_within_their_engine():
    hnswlib = {"dataset": "d", "engine": "hnswlib", "M": 16, "chunk": 1, "ef_search": 10}
    own = '{"dtype":"f32","jitter":8}'
    usearch = {"dataset": "d", "engine": "usearch", "M": 16, "chunk": 1000, "engine_params": own, "ef_search": 10}
    bf16 = usearch | {"engine_params": '{"dtype":"bf16","jitter":8}'}
    assert varying_by_engine([hnswlib, usearch]) == {"hnswlib": ["engine"], "usearch": ["engine"]}
    assert varying_by_engine([hnswlib, usearch, bf16]) == {"hnswlib": ["engine"], "usearch": ["engine", "dtype"]}
    wider = {**bf16, "ef_search": 40}
    assert varying_by_engine([hnswlib, usearch, wider]) == {
        "hnswlib": ["engine", "ef_search"],
        "usearch": ["engine", "dtype", "ef_search"],
    }
    assert with_own_params(usearch)["jitter"] == 8
    mine = hnswlib | {"engine": "mine", "k": 10, "engine_params": '{"k":3}'}
    other = mine | {"engine_params": '{"k":5}'}
    assert (with_own_params(other)["k"], with_own_params(other)["own k"]) == (10, 5)
    assert varying_by_engine([mine, other]) == {"mine": ["own k"]}
