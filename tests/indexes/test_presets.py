import numpy as np
import pytest
from support.messages import refused

from bench.data.dataset import METRICS
from bench.indexes import INDEXES, presets
from bench.indexes.engine import params_of
from bench.indexes.presets import Preset, TimesK


def preset(**stated):
    return Preset(system="S", source="s.h", version="1", **stated)


@pytest.mark.parametrize(
    ("rule", "at"),
    [
        (64, {1: 64, 100: 64}),
        ("ef_construction", {10: 100, 1000: 100}),
        (TimesK(8, least=100, most=500), {1: 100, 10: 100, 13: 104, 62: 496, 63: 500, 1000: 500}),  # Weaviate's
        (TimesK(1.5), {10: 15, 3: 5, 1: 2}),
        (TimesK(1, least=16), {10: 16, 17: 17}),
    ],
)
def test_ef_search_follows_its_rule(rule, at):
    stated = preset(M=16, ef_construction=100, ef_search=rule)
    assert {k: stated.ef_search_at(k) for k in at} == at


def test_an_ef_search_that_is_not_stated_has_no_value():
    with refused("S", "ef_search", error=ValueError):
        preset(M=16, ef_construction=100).ef_search_at(10)


def test_rules_read_as_the_survey_has_them():
    assert str(TimesK(8, least=100, most=500)) == "8 k, at least 100, at most 500"
    assert str(TimesK(1.5)) == "1.5 k"
    assert str(TimesK(1)) == "k"


@pytest.mark.parametrize("name", presets.presets())
def test_every_row_names_its_source_and_can_be_built(name):
    row = presets.presets()[name]
    assert row.system
    assert row.source
    assert row.version
    assert row.metric is None or row.metric in METRICS
    assert name == name.lower() != presets.ALL
    if not row.unstated:
        for engine in (INDEXES["hnswlib"], INDEXES["faiss"]):  # pgvector refuses some
            params_of(engine, {"M": row.M, "ef_construction": row.ef_construction}, name)
        assert row.ef_search_at(10) >= 10


def test_rows_whose_source_is_no_source_code_are_doubtful():
    rows = presets.presets().values()
    assert all(row.doubtful for row in rows if "article" in row.source or "guides" in row.source)
    assert any(not row.doubtful for row in rows)


def test_medians_are_those_of_the_numbers_stated(monkeypatch):
    rows = {
        "a": preset(M=8, ef_construction=100, ef_search="ef_construction"),
        "b": preset(M=16, ef_construction=200, ef_search=10),
        "c": preset(M=48, ef_search=TimesK(2)),
    }
    monkeypatch.setattr(presets, "presets", lambda: rows)
    assert presets.medians() == {"M": 16, "ef_construction": 150, "ef_search": 55}


def test_medians_of_the_survey_are_the_parameters_of_the_study():
    found = presets.medians()
    assert (found["M"], found["ef_construction"]) == (16, 128)
    stated = [row.M for row in presets.presets().values() if row.M is not None]
    assert found["M"] == np.median(stated)


def test_a_preset_is_chosen_by_name_and_all_are_those_that_state_everything():
    assert list(presets.chosen("qdrant")) == ["qdrant"]
    everything = presets.chosen("all")
    assert "lucene" not in everything
    assert set(everything) == {name for name, row in presets.presets().items() if not row.unstated}
    with refused("'qdran'", "faiss", "all"):
        presets.chosen("qdran")
    with refused("'lucene'", "ef_search", "--M 16", "--ef-construction 100"):
        presets.chosen("lucene")
