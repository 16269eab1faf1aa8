import pytest
from support.messages import names

from bench.indexes.presets import Preset, TimesK
from bench.study.run import run
from bench.study.spec.experiment import Experiment
from bench.study.spec.preset_studies import Search, searches, studies
from bench.study.store import Store


def preset(system, M, ef_construction, ef_search):
    return Preset(system=system, source="s", version="1", M=M, ef_construction=ef_construction, ef_search=ef_search)


CHOSEN = {
    "a": preset("A", 6, 20, 10),
    "b": preset("B", 6, 20, 30),
    "c": preset("C", 6, 20, TimesK(3)),  # the same as b at k = 10
    "d": preset("D", 8, 30, "ef_construction"),
}


@pytest.fixture
def experiment():
    return Experiment(
        datasets=["clustered"],
        orders=["random", "given"],
        index=[{"engine": "hnswlib"}, {"engine": "faiss"}],
        ef_search=10,
        build_seeds=2,
    )


def test_parameters_go_by_k_and_what_is_raised_is_logged():
    lines = []
    assert searches(CHOSEN, 10, lines.append)["c"] == Search(6, 20, 30)
    assert lines == []
    assert searches(CHOSEN, 25, lines.append) == {
        "a": Search(6, 20, 25),
        "b": Search(6, 20, 30),
        "c": Search(6, 20, 75),
        "d": Search(8, 30, 30),
    }
    assert [names(line, "A", "ef_search 10", "k = 25") for line in lines] == [True]


def test_systems_of_one_graph_share_its_builds(small, experiment, tmp_path):
    made = studies("x", experiment, searches(CHOSEN, 10), small)
    assert [study.name for study in made] == ["x", "x"]
    trials = [trial for study in made for trial in study.trials]
    assert len({trial.key for trial in trials}) == len(trials) == 2 * 2 * 2 * 3  # engines, orders, seeds, searches
    assert len({trial.build for trial in trials}) == 2 * 2 * 2 * 2
    assert {(t.index.M, t.index.ef_construction, t.search.ef_search) for t in trials} == {
        (6, 20, 10),
        (6, 20, 30),
        (8, 30, 30),
    }
    store = Store.create(tmp_path / "s.sqlite")
    for study in made:
        list(run(study, store))
    assert store.missing(trials) == []
    assert len(list(store.outcomes("x"))) == len(trials)
