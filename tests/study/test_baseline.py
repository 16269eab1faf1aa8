import base64
import json
import zlib

import msgspec
import numpy as np
import pytest
from support.examples import TRIAL
from support.messages import names, refused
from support.needs import ENGINES

from bench import digests
from bench.data.dataset import Dataset
from bench.indexes import INDEXES
from bench.study import baseline
from bench.study.environment import DECIDES, binary, differences, environment
from bench.study.outcome import Build, Outcome
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study, with_builds
from bench.study.trial import changed

HERE = {"versions": {"hnswlib": "0.8.0"}, "binaries": {"hnswlib": "a"}, "cpu": "c", "commit": "1", "side_by_side": 2}


@pytest.fixture(scope="module")
def study(small):
    experiment = Experiment(
        datasets=["clustered"],
        orders=["random", "given"],
        index=[{"engine": "hnswlib"}, {"engine": "faiss"}],
        ef_search=[10, 40],
        build_seeds=3,
    )
    return Study("e", experiment, [small])


def of_trial(trial, hits, ids_sha256="", here=HERE):
    build = Build(id="b", order_seconds=1, build_seconds=1, environment=here)
    measured = {"hits": hits, "hits_tie": hits, "ids_sha256": ids_sha256, "search_seconds": 1.0}
    return Outcome(trial=trial, build=build, **measured)


def outcomes(study, here=HERE):
    rng = np.random.default_rng(0)
    return [
        of_trial(trial, rng.integers(0, trial.search.k + 1, trial.data.queries), digests.key_digest({"n": n}), here)
        for n, trial in enumerate(study.trials)
    ]


@pytest.fixture
def saved(study, tmp_path):
    """A baseline's file."""
    path = tmp_path / "b.json"
    path.write_text(baseline.text(baseline.create("b", study, "e.toml", "why", outcomes(study))))
    return path


def rewritten(path, change):
    """The file with a change made to its content, and a sha256 that matches it."""
    content = json.loads(path.read_text())
    del content["sha256"]
    change(content)
    path.write_text(json.dumps(content | {"sha256": digests.key_digest(content)}))
    return path


def test_a_baseline_reads_back_as_it_was_saved(study, saved):
    found = baseline.read(saved)
    assert (found.name, found.experiment, found.reason, found.builds) == ("b", "e.toml", "why", 3)
    kept = {k.trial: k for k in found.outcomes}
    for outcome in outcomes(study):
        trial = baseline.comparable(outcome.trial)  # the environment states the rest
        assert kept[trial].hits.tolist() == outcome.hits.tolist()
        assert kept[trial].ids_sha256 == outcome.ids_sha256
    assert len(kept) == len(study.trials)


def test_another_program_can_read_the_file(study, saved):
    content = json.loads(saved.read_text())
    setting = next(s for s in content["settings"] if s["engine"] == "faiss" and s["order"] == "given")
    build = setting["builds"][1]
    hits = np.frombuffer(zlib.decompress(base64.b64decode(build["hits"])), dtype="<u1")
    assert len(hits) == setting["queries"]
    assert build["recall"] == pytest.approx(hits.mean() / setting["k"], abs=1e-6)


def test_a_change_of_one_build_is_a_change_of_one_line(study, saved):
    changed = outcomes(study)
    changed[5] = msgspec.structs.replace(changed[5], hits=changed[5].hits * 0)
    before = saved.read_text().splitlines()
    after = baseline.text(baseline.create("b", study, "e.toml", "why", changed)).splitlines()
    differing = [line for line, other in zip(before, after, strict=True) if line != other]
    assert len(differing) == 2  # the build, and the sha256


def test_hits_of_a_large_k_keep_their_values():
    trial = changed(TRIAL, k=1000, queries=2)
    study = type("S", (), {"trials": [trial], "experiment": type("E", (), {"build_seeds": 1})})
    made = baseline.create("b", study, "e", "r", [of_trial(trial, np.array([1000, 3]))])
    build = json.loads(baseline.text(made))["settings"][0]["builds"][0]
    assert np.frombuffer(zlib.decompress(base64.b64decode(build["hits"])), dtype="<u2").tolist() == [1000, 3]


def test_outcomes_of_several_environments_are_no_baseline(study):
    mixed = outcomes(study)
    mixed[3] = of_trial(mixed[3].trial, mixed[3].hits, here=HERE | {"versions": {"hnswlib": "0.7.0"}})
    with refused("'b'", "hnswlib 0.8.0 -> 0.7.0"):
        baseline.create("b", study, "e", "r", mixed)


def test_a_package_without_recorded_hashes_is_no_change_within_one_baseline(study):
    in_place = HERE | {"binaries": {"hnswlib": None}}
    made = baseline.create("b", study, "e", "r", outcomes(study, in_place))
    assert [change.name for change in differences(made.environment, in_place)] == ["hnswlib"]  # a later gate's


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: c.update(schema=1), "schema 1"),
        (lambda c: c["settings"][0].pop("builds"), "builds"),
        (lambda c: c.update(settings=[]), "no builds"),
        (lambda c: c["settings"][0].update(colour=1), "colour"),
        (lambda c: c["settings"][0]["builds"][0].update(colour=1), "'colour'"),
        (lambda c: c.pop("schema"), "baseline"),
        (lambda c: c.update(extra=1), "'extra'"),
    ],
)
def test_a_file_that_is_no_baseline_is_refused_by_its_path(saved, change, named):
    with refused(saved, named):
        baseline.read(rewritten(saved, change))


def test_damaged_and_edited_files_are_named(saved):
    whole = saved.read_text()
    for cut in (0, 1, len(whole) // 2, len(whole) - 3):
        saved.write_text(whole[:cut])
        with refused(saved):
            baseline.read(saved)
    saved.write_text(whole.replace('"reason": "why"', '"reason": "better"'))
    with refused(saved, "sha256"):
        baseline.read(saved)
    saved.write_text("[1, 2]")
    with refused(saved):
        baseline.read(saved)
    with refused(saved.with_name("c.json"), "b"):
        baseline.read(saved.with_name("c.json"))


def test_names_of_baselines():
    assert baseline.path_of("default").as_posix() == "results/baselines/default.json"
    assert baseline.path_of("a/b.json").as_posix() == "a/b.json"
    with refused("'../x'"):
        baseline.path_of("../x")


def test_other_versions_are_compared_and_other_settings_refused(study, saved):
    found = baseline.read(saved)
    assert {o.trial.provenance.engine_version for o in found.outcomes} == {""}
    baseline.check_repeats(found, study)
    wider = msgspec.structs.replace(
        study.experiment, index=[{"engine": "hnswlib", "M": 32}, {"engine": "faiss", "M": 32}]
    )
    datasets = list(study.datasets.values())
    with refused("'e.toml'", "'b'", "M was 16, is 32"):
        baseline.check_repeats(found, Study("e", wider, datasets))
    with refused("'e.toml'", "build_seed was 1+2+3, is 1+2+3+4"):
        baseline.check_repeats(found, with_builds(study, 4))
    moved = Dataset(**{**vars(datasets[0]), "fingerprint": "f" * 64})
    with refused("'clustered'", "'b'", "fingerprint ffffffffffff"):
        baseline.check_repeats(found, Study("e", study.experiment, [moved]))


def test_engines_that_are_not_installed_are_no_part_of_a_baseline_that_is_repeated(study, saved):
    found = baseline.read(saved)
    engines = {outcome.trial.index.engine for outcome in found.outcomes}
    one = min(engines)
    left = baseline.without(found, [one])
    assert {outcome.trial.index.engine for outcome in left.outcomes} == engines - {one}
    assert baseline.without(found, []) == found


def test_environments_differ_by_what_decides_the_ids():
    here = environment(1)
    assert {*DECIDES} <= {*here}
    assert list(differences(here, here | {"side_by_side": 2, "commit": "other", "python": "3.99"})) == []
    newer = here | {"versions": here["versions"] | {"hnswlib": "9"}, "binaries": here["binaries"] | {"hnswlib": "z"}}
    [change] = differences(here, newer)
    assert change[:2] == ("hnswlib", f"hnswlib {here['versions']['hnswlib']} -> 9")
    assert [change.concerns(engine) for engine in ("hnswlib", "faiss")] == [True, False]
    rebuilt = here | {"binaries": here["binaries"] | {"hnswlib": "z"}, "cpu": "c"}
    compiled, cpu = differences(here, rebuilt)
    assert compiled.text == f"hnswlib, compiled {here['binaries']['hnswlib']} -> z"
    assert cpu.text == f"cpu {here['cpu']} -> c"
    assert cpu.concerns("hnswlib")
    assert cpu.concerns("faiss")
    # All are scored by faiss's exact search.
    truth = here | {"versions": here["versions"] | {"faiss-cpu": "9"}}
    assert all(change.concerns("hnswlib") for change in differences(here, truth))
    # What was compiled in place may have changed since.
    in_place = here | {"binaries": here["binaries"] | {"hnswlib": None}}
    [change] = differences(in_place, in_place)
    assert names(change.text, "hnswlib", "unknown -> unknown")


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A function that installs a package of these files, and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, files, direct_url="{}"):
        folder = tmp_path / f"{name}-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (folder / "RECORD").write_text("".join(f"{file},{hashed},1\n" for file, hashed in files.items()))
        (folder / "direct_url.json").write_text(direct_url)
        return name

    return install


@pytest.mark.parametrize("file", ["a.so", "libs/a.so.6", "a.pyd", "x/vss.duckdb_extension", "p/pginstall/bin/postgres"])
def test_compiled_code_is_identified_by_its_recorded_hash(installed, file):
    one, other = (installed(f"p{n}", {file: f"sha256={n}", "a.py": "sha256=x"}) for n in range(2))
    assert binary(one)
    assert binary(one) != binary(other)


def test_pure_python_has_nothing_compiled_which_is_equal_to_itself(installed):
    pure = installed("pure", {"a.py": "sha256=x", "../../../bin/pure": "sha256=y"})
    assert binary(pure) == ""
    here = {"versions": {pure: "1"}, "binaries": {pure: binary(pure)}}
    assert list(differences(here, here)) == []
    compiled = here | {"binaries": {pure: "b"}}
    [change] = differences(here, compiled)
    assert names(change.text, "pure", "nothing -> b")


def test_packages_without_hashes_or_in_place_are_not_identified(installed):
    assert binary(installed("bare", {"a.py": "", "a.so": ""})) is None
    assert binary(installed("half", {"a.py": "sha256=x", "a.so": ""})) is None
    editable = '{"url": "file:///x", "dir_info": {"editable": true}}'
    assert binary(installed("editable", {"editable.pth": "sha256=x"}, editable)) is None


@pytest.mark.parametrize("name", ENGINES)
def test_compiled_code_of_every_engine_is_known(name):
    for package in INDEXES[name].packages:
        assert binary(package)  # no shipped engine is pure Python
