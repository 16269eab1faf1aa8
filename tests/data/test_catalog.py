import numpy as np
import pytest

from bench.data import catalog, formats
from bench.data.dataset import METRICS
from bench.errors import BenchError


@pytest.mark.parametrize("name", catalog.names())
def test_every_dataset_of_the_catalogue_states_what_it_is(name):
    spec = catalog.read_spec(catalog.folder() / f"{name}.toml")
    assert spec.title
    assert spec.licence
    assert spec.metric in METRICS


def test_a_generated_dataset_is_made_once(monkeypatch):
    first = catalog.load("subspace-small")
    monkeypatch.setattr("bench.data.generators.GENERATORS", {"subspace": catalog.generators.subspace})
    monkeypatch.setattr("bench.cache._write", lambda *_: pytest.fail("made again"))
    second = catalog.load("subspace-small")
    assert first.fingerprint == second.fingerprint
    assert isinstance(second.base, np.memmap)
    assert np.array_equal(first.base, second.base)


def test_a_fingerprint_from_the_cache_is_that_of_the_content():
    loaded = catalog.load("digits")
    again = catalog.checked("digits", loaded.base, loaded.queries, "l2", loaded.labels)
    assert loaded.fingerprint == again.fingerprint


def test_changed_parameters_change_data_and_name():
    changed = catalog.load("subspace-small", {"intrinsic_dimension": 3})
    assert changed.name == "subspace-small(intrinsic_dimension=3)"
    assert np.linalg.matrix_rank(changed.base, tol=1e-2) == 3


def test_a_list_makes_a_sweep():
    names = [d.name for d in catalog.load_all("subspace-small", {"intrinsic_dimension": [2, 3], "n": 100})]
    assert names == [
        "subspace-small(intrinsic_dimension=2, n=100)",
        "subspace-small(intrinsic_dimension=3, n=100)",
    ]


def test_a_parameter_that_is_a_list_itself_is_not_swept():
    [one] = catalog.load_all("mixture", {"dimensions": [2, 3], "n": 100})
    assert set(one.labels) == {0, 1}


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("sift", {}, "unknown dataset 'sift'; known: .*digits"),
        ("nope.toml", {}, "nope.toml is not there"),
        ("subspace", {"dim": 3}, "unknown parameter 'dim'; known: intrinsic_dimension"),
        ("subspace", {"intrinsic_dimension": "3"}, "intrinsic_dimension: expected int, got str"),
        ("subspace", {"intrinsic_dimension": 2000}, "do not fit in d = 1024"),
        ("subspace", {"n": 10**13}, "does not fit into memory"),
        ("clinc150", {"n": 3}, "takes no parameters: n"),
    ],
)
def test_what_cannot_be_loaded_is_told(name, parameters, message):
    with pytest.raises(BenchError, match=message):
        catalog.load(name, parameters)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("title = 'x", "not valid TOML"),
        ("title = 'x'", "missing required field metric"),
        ("title = 'x'\nmetric = 'l2'", "give one of generator, records, files and beir"),
        ("title = 'x'\nmetric = 'l1'\ngenerator = 'digits'", "unknown metric 'l1'"),
        ("title = 'x'\nmetric = 'l2'\ngenerator = 'digit'", "unknown generator 'digit'; known: subspace"),
        ("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'b'\n[parameters]\nn = 3", "parameters are a generator's"),
        ("title = 'x'\nmetric = 'l2'\nurl = 'y'", "unknown key 'url'; known: title, metric"),
        ("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'b.npy'\nquery = 'q'", "files: unknown key 'query'; known: base"),
    ],
)
def test_a_bad_file_of_the_catalogue_is_told(tmp_path, content, message):
    (tmp_path / "my.toml").write_text(content)
    with pytest.raises(BenchError, match=message) as error:
        catalog.load("my.toml", beside=tmp_path)
    assert str(tmp_path / "my.toml") in str(error.value)


def test_a_dataset_of_files_is_found_beside_its_toml(tmp_path):
    rows = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    np.save(tmp_path / "b.npy", rows)
    np.save(tmp_path / "q.npy", rows[:3])
    np.save(tmp_path / "l.npy", np.array(["x", "y", "z"] * 10))
    (tmp_path / "my.toml").write_text(
        "title = 'x'\nmetric = 'ip'\n[files]\nbase = 'b.npy'\nqueries = 'q.npy'\nlabels = 'l.npy'"
    )
    dataset = catalog.load("my.toml", beside=tmp_path)
    assert (dataset.name, dataset.metric, dataset.n, len(dataset.queries)) == ("my", "ip", 30, 3)
    assert dataset.labels[1] == "y"


def test_errors_in_files_name_the_file_and_its_own_row(tmp_path):
    rows = np.ones((30, 4), np.float32)
    rows[20, 2] = np.nan
    np.save(tmp_path / "b.npy", rows)
    with pytest.raises(BenchError, match=r"b\.npy has NaN or infinity .* row 20"):
        catalog.from_files(tmp_path / "b.npy")


def test_clinc150_is_split_as_its_readme_says(mirror):
    dataset = catalog.load("clinc150")
    assert dataset.base.shape == (18_200, 384)
    assert dataset.queries.shape == (1000, 384)
    assert len(np.unique(dataset.labels)) == 11
    rows = formats.read_npy(mirror / "clinc150" / "minilm-l6-mean.npy")
    assert np.array_equal(dataset.base[0], rows[0].astype(np.float32))


@pytest.mark.parametrize(("name", "domains"), [("clinc150-5", 5), ("clinc150-10", 10)])
def test_domains_of_clinc150_have_base_and_queries_of_their_own(mirror, name, domains):
    whole, part = catalog.load("clinc150"), catalog.load(name)
    assert part.base.shape == (1800 * domains, 384)
    assert part.queries.shape == (450 * domains, 384)
    alphabetical = sorted(set(whole.labels) - {"oos"})
    assert sorted(set(part.labels)) == alphabetical[:domains]
    assert np.array_equal(part.base, whole.base[np.isin(whole.labels, part.labels)])


def test_labels_of_records_need_the_field_that_holds_them(tmp_path):
    stated = (catalog.folder() / "clinc150-5.toml").read_text()
    (tmp_path / "my.toml").write_text(stated.replace('label_field = "domain"', ""))
    with pytest.raises(BenchError, match=r"records\.labels needs records\.label_field"):
        catalog.load("my.toml", beside=tmp_path)
