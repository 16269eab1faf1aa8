import json

import h5py
import numpy as np
import pytest

from bench.data import catalog
from bench.data.dataset import METRICS
from bench.errors import BenchError

SPECS = {path.stem: catalog.read_spec(path) for path in catalog.folder().glob("*.toml")}
DIGITS = np.arange(40, dtype=np.float32).reshape(20, 2) + 1


@pytest.mark.parametrize("name", catalog.names())
def test_every_dataset_of_the_catalogue_states_what_it_is(name):
    spec = SPECS[name]
    assert spec.title
    assert spec.licence
    assert spec.metric in METRICS
    assert spec.citation or spec.source or spec.generator
    assert spec.n or "n" in spec.parameters
    assert spec.d or "d" in spec.parameters or spec.texts


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.download])
def test_every_download_of_the_catalogue_tells_its_address_and_its_order(name):
    spec = SPECS[name]
    assert spec.source.startswith("https://")
    # The order of rows is stated, be it as unknown: an order left out would pass for unknown.
    assert "file_order = " in (catalog.folder() / f"{name}.toml").read_text()
    for file in spec.download:
        assert file.url.startswith(("http://", "https://"))
    if not spec.texts:
        assert spec.download[0].name == f"{name}.hdf5"
        # lastfm's 65th value is none of its name's; dbpedia's name has its rows instead.
        assert str(spec.d) in name or name == "lastfm-64-dot" or name.startswith("dbpedia-")


def test_no_two_datasets_are_kept_in_one_place():
    files = {(file.name, file.url, file.checksum) for spec in SPECS.values() for file in spec.published}
    assert len({name for name, _, _ in files}) == len(files)  # one file may serve several datasets


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.generator])
def test_generated_datasets_have_the_size_that_is_stated(name):
    spec, dataset = SPECS[name], catalog.load(name)
    stated = {"n": spec.n, "d": spec.d, "queries": spec.queries}
    stated = {key: spec.parameters.get(key) if value is None else value for key, value in stated.items()}
    assert stated == {"n": dataset.n, "d": dataset.d, "queries": len(dataset.queries)}


@pytest.fixture
def no_mirror(tmp_path, monkeypatch):
    monkeypatch.delenv("BENCH_MIRROR", raising=False)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "sift-128-euclidean",
            r"sift-128-euclidean\.hdf5, .*`bench fetch .*` \(501\.0 MB\)",
        ),
        ("dpr-jina-768-normalized", r"run `bench fetch dpr-jina-768-normalized` \(over 64\.4 GB\)"),
        (
            "clinc150",
            r"BENCH_MIRROR .*`bench fetch clinc150`$",
        ),
        ("scifact", r"'scifact' is texts .*`bench fetch scifact`.*`bench embed`"),
        ("banking77", r"'banking77' is texts"),
    ],
)
def test_what_is_not_here_is_reported_with_how_to_get_it(no_mirror, name, message):
    with pytest.raises(BenchError, match=message):
        catalog.load(name)


def test_a_download_is_fetched_once_and_then_loads(no_mirror, tmp_path, monkeypatch):
    np.save(tmp_path / "v.npy", DIGITS)
    (tmp_path / "my.toml").write_text("title = 'x'\nmetric = 'l2'\n[[download]]\nurl = 'http://127.0.0.1:1/v.npy'")
    with pytest.raises(BenchError, match=rf"run `bench fetch {tmp_path}/my\.toml`$"):
        catalog.load("my.toml", beside=tmp_path)
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path))
    [file] = catalog.fetch(str(tmp_path / "my.toml"))
    assert (file.path, file.origin) == (tmp_path / "v.npy", "mirror")
    dataset = catalog.load("my.toml", beside=tmp_path)
    assert (dataset.name, dataset.n + len(dataset.queries)) == ("my", 20)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("n = 61", r"ann\.hdf5 has n = 20, .*my\.toml states 61"),
        ("d = 1000", r"has d = 2, .* states 1,000"),
        ("queries = 7", r"has queries = 5, .* states 7"),
        ("n = 20\nd = 2\nqueries = 5", None),
    ],
)
def test_a_download_must_have_the_size_that_is_stated(tmp_path, monkeypatch, stated, message):
    with h5py.File(tmp_path / "ann.hdf5", "w") as file:
        file["train"], file["test"], file.attrs["distance"] = DIGITS, DIGITS[:5] + 1, "angular"
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path))
    (tmp_path / "my.toml").write_text(
        f"title = 'x'\nmetric = 'cosine'\n{stated}\n[[download]]\nurl = 'http://127.0.0.1:1/ann.hdf5'"
    )
    if message is None:
        assert catalog.load("my.toml", beside=tmp_path).n == 20
        return
    with pytest.raises(BenchError, match=message):
        catalog.load("my.toml", beside=tmp_path)


@pytest.mark.parametrize("name", ["digits", "my.toml"])
def test_what_is_not_published_cannot_be_fetched(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'b.npy'")
    with pytest.raises(BenchError, match=name):
        catalog.fetch(name)


def test_a_generated_dataset_is_generated_once(monkeypatch):
    first = catalog.load("subspace-small")
    monkeypatch.setattr("bench.data.generators.GENERATORS", {"subspace": catalog.generators.subspace})
    monkeypatch.setattr("bench.cache._write", lambda *_: pytest.fail("generated again"))
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
        ("sift", {}, "'sift'; near it: sift-128-euclidean"),
        ("clink150", {}, "'clink150'; near it: clinc150"),
        ("nope.toml", {}, "nope.toml does not exist"),
        ("subspace", {"dim": 3}, "unknown parameter 'dim'; known: intrinsic_dimension"),
        ("subspace", {"intrinsic_dimension": "3"}, "intrinsic_dimension: expected int, got str"),
        ("subspace", {"intrinsic_dimension": 2000}, "do not fit in d = 1024"),
        ("subspace", {"n": 10**13}, "does not fit into memory"),
        ("clinc150", {"n": 3}, "takes no parameters: n"),
    ],
)
def test_what_cannot_be_loaded_is_reported(name, parameters, message):
    with pytest.raises(BenchError, match=message):
        catalog.load(name, parameters)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("title = 'x", "not valid TOML"),
        ("title = 'x'", "missing required field metric"),
        ("title = 'x'\nmetric = 'l2'", "give one of generator, records, files, beir and download"),
        ("title = 'x'\nmetric = 'l1'\ngenerator = 'digits'", "unknown metric 'l1'"),
        ("title = 'x'\nmetric = 'l2'\ngenerator = 'digit'", "unknown generator 'digit'; known: subspace"),
        ("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'b'\n[parameters]\nn = 3", "parameters are a generator's"),
        ("title = 'x'\nmetric = 'l2'\nfile_order = 'random'\ngenerator = 'digits'", "file_order: invalid enum value"),
        ("title = 'x'\nmetric = 'l2'\ntexts = true\ngenerator = 'digits'", "texts are downloaded"),
        ("title = 'x'\nmetric = 'l2'\n[[download]]\nurl = 'ftp://h/x'", "does not begin with https://"),
        (
            "title = 'x'\nmetric = 'l2'\n[[download]]\nurl = 'http://h/x'\n[[download]]\nurl = 'http://h/y'",
            "vectors are downloaded as one file",
        ),
        ("title = 'x'\nmetric = 'l2'\n[[download]]\nurl = 'http://h/x'\nsha = 'y'", r"unknown key 'sha'; known: url"),
        (
            "title = 'x'\nmetric = 'l2'\n[records]\nvectors = 'v'\nrecords = 'r'\nsplit_field = 's'\n"
            "query_splits = []\nmax_queries = 1\n[records.sha256]\n",
            "checksum 'sha256:' of v is not",
        ),
        ("title = 'x'\nmetric = 'l2'\nurl = 'y'", "unknown key 'url'; known: title, metric"),
        ("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'b.npy'\nquery = 'q'", "files: unknown key 'query'; known: base"),
    ],
)
def test_a_bad_file_of_the_catalogue_is_reported(tmp_path, content, message):
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


def test_a_bundle_in_a_toml_needs_no_more_than_its_base(tmp_path):
    with h5py.File(tmp_path / "ann.hdf5", "w") as file:
        file["train"], file["test"], file["neighbors"] = DIGITS, DIGITS[:5] + 1, np.arange(15).reshape(5, 3)
        file.attrs["distance"] = "angular"
    (tmp_path / "my.toml").write_text("title = 'x'\nmetric = 'cosine'\n[files]\nbase = 'ann.hdf5'\n")
    dataset = catalog.load("my.toml", beside=tmp_path)
    assert (dataset.name, len(dataset.queries)) == ("my", 5)
    assert np.array_equal(dataset.neighbors, np.arange(15).reshape(5, 3))


@pytest.mark.parametrize(
    ("name", "is_file"),
    [
        ("x.npy", True),
        ("X.HDF5", True),
        ("x.h5#a/b", True),
        ("a.csv", True),
        ("no.csv", True),  # so that the error says that it does not exist
        ("rows", True),
        (".", True),
        ("digits", False),  # which lies in the folder, too
        ("digit", False),
        ("my.toml", False),
    ],
)
def test_files_differ_from_datasets_by_their_names(tmp_path, monkeypatch, name, is_file):
    monkeypatch.chdir(tmp_path)
    for file in ("my.toml", "a.csv", "digits", "rows"):
        (tmp_path / file).write_text("")
    assert catalog.is_file(name) == is_file


def test_clinc150_is_split_as_its_readme_says(mirror):
    dataset = catalog.load("clinc150")
    assert dataset.base.shape == (18_200, 384)
    assert dataset.queries.shape == (1000, 384)
    assert len(np.unique(dataset.labels)) == 11
    rows = np.load(mirror / "clinc150" / "minilm-l6-mean.npy")
    assert np.array_equal(dataset.base[0], rows[0].astype(np.float32))


@pytest.mark.parametrize(("name", "domains"), [("clinc150-5", 5), ("clinc150-10", 10)])
def test_domains_of_clinc150_have_base_and_queries_of_their_own(mirror, name, domains):
    whole, part = catalog.load("clinc150"), catalog.load(name)
    assert part.base.shape == (1800 * domains, 384)
    assert part.queries.shape == (450 * domains, 384)
    alphabetical = sorted(set(whole.labels) - {"oos"})
    assert sorted(set(part.labels)) == alphabetical[:domains]
    assert np.array_equal(part.base, whole.base[np.isin(whole.labels, part.labels)])


@pytest.mark.parametrize(("name", "key"), [("clinc150-5", "labels"), ("clinc150-in-scope", "query_labels")])
def test_labels_of_records_need_the_field_that_holds_them(tmp_path, name, key):
    stated = (catalog.folder() / f"{name}.toml").read_text()
    (tmp_path / "my.toml").write_text(stated.replace('label_field = "domain"', ""))
    with pytest.raises(BenchError, match=rf"records\.{key} needs records\.label_field"):
        catalog.load("my.toml", beside=tmp_path)


def test_clinc150_is_searched_with_what_is_out_of_scope_or_in(mirror):
    """The first 1,000 records of its test splits are those that no domain has."""
    records = (mirror / "clinc150" / "records.jsonl").read_text().splitlines()
    splits = [json.loads(line)["split"] for line in records]
    vectors = np.load(mirror / "clinc150" / "minilm-l6-mean.npy").astype(np.float32)
    out_of_scope, within = catalog.load("clinc150"), catalog.load("clinc150-in-scope")
    assert np.array_equal(out_of_scope.queries, vectors[np.array(splits) == "oos_test"])
    assert np.array_equal(within.queries, vectors[np.array(splits) == "test"])
    assert np.array_equal(within.base, out_of_scope.base)


@pytest.mark.parametrize("name", ["clinc150-5", "clinc150-10"])
def test_domains_of_clinc150_can_be_searched_with_what_is_out_of_scope(mirror, name):
    within, outside = catalog.load(name), catalog.load(f"{name}-oos")
    assert np.array_equal(outside.base, within.base)
    assert np.array_equal(outside.queries, catalog.load("clinc150").queries)
