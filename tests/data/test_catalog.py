import json

import h5py
import numpy as np
import pytest
from support.datasets import checked, from_files, load
from support.messages import refused, warned

from bench.data import catalog, generators
from bench.data.dataset import METRICS, limit
from bench.data.definition import read_definition
from bench.data.loading import load_all, load_whole
from bench.data.parts import Parts
from bench.study.spec import study

SPECS = {path.stem: read_definition(path) for path in catalog.folder().glob("*.toml")}
DIGITS = np.arange(40, dtype=np.float32).reshape(20, 2) + 1


@pytest.mark.parametrize("name", catalog.names())
def test_every_dataset_of_the_catalogue_has_a_title_licence_metric_and_size(name):
    spec = SPECS[name]
    assert spec.title
    assert spec.licence
    assert spec.metric in METRICS
    assert spec.citation or spec.source or spec.generator
    assert spec.n or "n" in spec.parameters
    assert spec.d or "d" in spec.parameters or spec.texts


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.download])
def test_every_download_of_the_catalogue_states_its_address_and_its_order(name):
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
    spec, dataset = SPECS[name], load(name)
    stated = {"n": spec.n, "d": spec.d, "queries": spec.queries}
    stated = {key: spec.parameters.get(key) if value is None else value for key, value in stated.items()}
    assert stated == {"n": dataset.n, "d": dataset.d, "queries": len(dataset.queries)}


@pytest.fixture
def no_mirror(tmp_path, monkeypatch):
    monkeypatch.delenv("BENCH_MIRROR", raising=False)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("sift-128-euclidean", ("sift-128-euclidean.hdf5", "`bench fetch sift-128-euclidean`", "501.0 MB")),
        ("dpr-jina-768-normalized", ("`bench fetch dpr-jina-768-normalized`", "64.4 GB")),
        ("clinc150", ("BENCH_MIRROR", "`bench fetch clinc150`", "datasets/README.md")),
        ("scifact", ("`bench fetch scifact`", "`bench embed`")),
        ("banking77", ("`bench fetch banking77`", "`bench embed`")),
    ],
)
def test_an_absent_dataset_names_the_command_that_gets_it(no_mirror, name, named):
    with refused(repr(name), *named):
        load(name)


def test_a_download_is_fetched_once_and_then_loads(no_mirror, tmp_path, monkeypatch):
    np.save(tmp_path / "v.npy", DIGITS)
    (tmp_path / "my.toml").write_text("title = 'x'\nmetric = 'l2'\n[[download]]\nurl = 'http://127.0.0.1:1/v.npy'")
    with refused("v.npy", f"`bench fetch {tmp_path}/my.toml`"):
        load("my.toml", beside=tmp_path)
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path))
    [file] = catalog.fetch(str(tmp_path / "my.toml"))
    assert (file.path, file.origin) == (tmp_path / "v.npy", "mirror")
    dataset = load("my.toml", beside=tmp_path)
    assert (dataset.name, dataset.n + len(dataset.queries)) == ("my", 20)


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ("n = 61", ("n = 20", 61)),
        ("d = 1000", ("d = 2", 1000)),
        ("queries = 7", ("queries = 5", 7)),
        ("n = 20\nd = 2\nqueries = 5", None),
    ],
)
def test_a_download_must_have_the_size_that_is_stated(tmp_path, monkeypatch, stated, named):
    with h5py.File(tmp_path / "ann.hdf5", "w") as file:
        file["train"], file["test"], file.attrs["distance"] = DIGITS, DIGITS[:5] + 1, "angular"
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path))
    (tmp_path / "my.toml").write_text(
        f"title = 'x'\nmetric = 'cosine'\n{stated}\n[[download]]\nurl = 'http://127.0.0.1:1/ann.hdf5'"
    )
    if named is None:
        assert load("my.toml", beside=tmp_path).n == 20
        return
    with refused("ann.hdf5", "my.toml", *named):
        load("my.toml", beside=tmp_path)


@pytest.mark.parametrize("name", ["digits", "my.toml"])
def test_a_dataset_that_nobody_publishes_cannot_be_fetched(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'b.npy'")
    with refused(name):
        catalog.fetch(name)


def test_a_generated_dataset_is_generated_once(monkeypatch):
    first = load("subspace-small")
    monkeypatch.setattr("bench.data.generators.GENERATORS", {"subspace": generators.subspace})
    monkeypatch.setattr("bench.cache._write", lambda *_: pytest.fail("generated again"))
    second = load("subspace-small")
    assert first.fingerprint == second.fingerprint
    assert isinstance(second.base.base, np.memmap)
    assert np.array_equal(first.base, second.base)


def test_a_fingerprint_from_the_cache_is_that_of_the_content():
    loaded = load("digits")
    again = checked("digits", loaded.base, loaded.queries, "l2", loaded.labels)
    assert loaded.fingerprint == again.fingerprint


def test_changed_parameters_change_data_and_name():
    changed = load("subspace-small", {"intrinsic_dimension": 3})
    assert changed.name == "subspace-small(intrinsic_dimension=3)"
    assert np.linalg.matrix_rank(changed.base, tol=1e-2) == 3


def test_a_list_makes_a_sweep():
    names = [d.name for d in load_all("subspace-small", {"intrinsic_dimension": [2, 3], "n": 100})]
    assert names == [
        "subspace-small(intrinsic_dimension=2, n=100)",
        "subspace-small(intrinsic_dimension=3, n=100)",
    ]


def test_a_parameter_that_is_a_list_itself_is_not_swept():
    [one] = load_all("mixture", {"dimensions": [2, 3], "n": 100})
    assert set(one.labels) == {0, 1}


@pytest.mark.parametrize(
    ("name", "parameters", "named"),
    [
        ("sift", {}, ("'sift'", "sift-128-euclidean")),
        ("clink150", {}, ("'clink150'", "clinc150")),
        ("nope.toml", {}, ("nope.toml",)),
        ("subspace", {"dim": 3}, ("'dim'", "intrinsic_dimension")),
        ("subspace", {"intrinsic_dimension": "3"}, ("intrinsic_dimension", "text")),
        ("subspace", {"intrinsic_dimension": 2000}, ("subspace", 2000, "d = 1024")),
        ("subspace", {"n": 10**13}, ("subspace", "memory")),
        ("clinc150", {"n": 3}, ("clinc150", "n")),
    ],
)
def test_a_dataset_that_cannot_be_loaded_names_the_mistake(name, parameters, named):
    with refused(*named):
        load(name, parameters)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("title = 'x", ("TOML",)),
        ("title = 'x'", ("metric",)),
        ("title = 'x'\nmetric = 'l2'", ("generator, records, files, beir and download",)),
        ("title = 'x'\nmetric = 'l1'\ngenerator = 'digits'", ("'l1'",)),
        ("title = 'x'\nmetric = 'l2'\ngenerator = 'digit'", ("'digit'", "subspace")),
        ("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'b'\n[parameters]\nn = 3", ("parameters", "generator")),
        ("title = 'x'\nmetric = 'l2'\nfile_order = 'random'\ngenerator = 'digits'", ("file_order", "'random'")),
        ("title = 'x'\nmetric = 'l2'\ntexts = true\ngenerator = 'digits'", ("texts", "download")),
        ("title = 'x'\nmetric = 'l2'\n[[download]]\nurl = 'ftp://h/x'", ("'ftp://h/x'", "https://")),
        (
            "title = 'x'\nmetric = 'l2'\n[[download]]\nurl = 'http://h/x'\n[[download]]\nurl = 'http://h/y'",
            ("vectors", "archive"),
        ),
        ("title = 'x'\nmetric = 'l2'\n[[download]]\nurl = 'http://h/x'\nsha = 'y'", ("download[0]", "'sha'", "url")),
        (
            "title = 'x'\nmetric = 'l2'\n[records]\nvectors = 'v'\nrecords = 'r'\nsplit_field = 's'\n"
            "query_splits = []\nmax_queries = 1\n[records.sha256]\n",
            ("'sha256:'", "v", "md5:"),
        ),
        ("title = 'x'\nmetric = 'l2'\nurl = 'y'", ("'url'", "title, metric")),
        ("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'b.npy'\nquery = 'q'", ("files", "'query'", "base")),
    ],
)
def test_a_bad_file_of_the_catalogue_is_refused_by_its_path(tmp_path, content, named):
    (tmp_path / "my.toml").write_text(content)
    with refused(tmp_path / "my.toml", *named):
        load("my.toml", beside=tmp_path)


def test_a_dataset_of_files_is_found_beside_its_toml(tmp_path):
    rows = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    np.save(tmp_path / "b.npy", rows)
    np.save(tmp_path / "q.npy", rows[:3])
    np.save(tmp_path / "l.npy", np.array(["x", "y", "z"] * 10))
    (tmp_path / "my.toml").write_text(
        "title = 'x'\nmetric = 'ip'\n[files]\nbase = 'b.npy'\nqueries = 'q.npy'\nlabels = 'l.npy'"
    )
    dataset = load("my.toml", beside=tmp_path)
    assert (dataset.name, dataset.metric, dataset.n, len(dataset.queries)) == ("my", "ip", 30, 3)
    assert dataset.labels[1] == "y"


def test_a_bundle_in_a_toml_needs_no_more_than_its_base(tmp_path):
    with h5py.File(tmp_path / "ann.hdf5", "w") as file:
        file["train"], file["test"], file["neighbors"] = DIGITS, DIGITS[:5] + 1, np.arange(15).reshape(5, 3)
        file.attrs["distance"] = "angular"
    (tmp_path / "my.toml").write_text("title = 'x'\nmetric = 'cosine'\n[files]\nbase = 'ann.hdf5'\n")
    dataset = load("my.toml", beside=tmp_path)
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
        ("digits", False),  # which is in the folder, too
        ("digit", False),
        ("my.toml", False),
    ],
)
def test_files_differ_from_datasets_by_their_names(tmp_path, monkeypatch, name, is_file):
    monkeypatch.chdir(tmp_path)
    for file in ("my.toml", "a.csv", "digits", "rows"):
        (tmp_path / file).write_text("")
    assert catalog.is_file(name) == is_file


@pytest.mark.mirror
def test_clinc150_is_split_as_its_readme_says(mirror):
    dataset = load("clinc150")
    assert dataset.base.shape == (18_200, 384)
    assert dataset.queries.shape == (1000, 384)
    assert len(np.unique(dataset.labels)) == 11
    rows = np.load(mirror / "clinc150" / "minilm-l6-mean.npy")
    assert np.array_equal(dataset.base[0], rows[0].astype(np.float32))


@pytest.mark.mirror
@pytest.mark.parametrize(("name", "domains"), [("clinc150-5", 5), ("clinc150-10", 10)])
def test_domains_of_clinc150_have_base_and_queries_of_their_own(mirror, name, domains):
    whole, part = load("clinc150"), load(name)
    assert part.base.shape == (1800 * domains, 384)
    assert part.queries.shape == (450 * domains, 384)
    alphabetical = sorted(set(whole.labels) - {"oos"})
    assert sorted(set(part.labels)) == alphabetical[:domains]
    assert np.array_equal(part.base, whole.base[np.isin(whole.labels, part.labels)])


@pytest.mark.parametrize(("name", "key"), [("clinc150-5", "labels"), ("clinc150-in-scope", "query_labels")])
def test_labels_of_records_need_the_field_that_holds_them(tmp_path, name, key):
    stated = (catalog.folder() / f"{name}.toml").read_text()
    (tmp_path / "my.toml").write_text(stated.replace('label_field = "domain"', ""))
    with refused("my.toml", f"records.{key}", "records.label_field"):
        load("my.toml", beside=tmp_path)


@pytest.mark.mirror
def test_clinc150_is_searched_with_what_is_out_of_scope_or_in(mirror):
    """The first 1,000 records of its test splits are those that no domain has."""
    records = (mirror / "clinc150" / "records.jsonl").read_text().splitlines()
    splits = [json.loads(line)["split"] for line in records]
    vectors = np.load(mirror / "clinc150" / "minilm-l6-mean.npy").astype(np.float32)
    out_of_scope, within = load("clinc150"), load("clinc150-in-scope")
    assert np.array_equal(out_of_scope.queries, vectors[np.array(splits) == "oos_test"])
    assert np.array_equal(within.queries, vectors[np.array(splits) == "test"])
    assert np.array_equal(within.base, out_of_scope.base)


@pytest.mark.mirror
def test_wordnet_is_searched_with_definitions_or_sentences_that_it_does_not_hold(mirror):
    records = (mirror / "wordnet" / "records.jsonl").read_text().splitlines()
    splits = np.array([json.loads(line)["split"] for line in records])
    vectors = np.load(mirror / "wordnet" / "minilm-l6-mean.npy", mmap_mode="r")
    definitions, usage = load("wordnet"), load("wordnet-usage")
    assert np.array_equal(definitions.queries, vectors[splits == "definition_test"].astype(np.float32))
    assert np.array_equal(usage.queries, vectors[splits == "usage_test"].astype(np.float32))
    assert definitions.base.shape == usage.base.shape == (106_525, 384)
    assert np.array_equal(usage.base[[0, -1]], vectors[splits == "base"][[0, -1]].astype(np.float32))
    assert len(np.unique(definitions.labels)) == 45


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["clinc150-5", "clinc150-10"])
def test_domains_of_clinc150_can_be_searched_with_what_is_out_of_scope(mirror, name):
    within, outside = load(name), load(f"{name}-oos")
    assert np.array_equal(outside.base, within.base)
    assert np.array_equal(outside.queries, load("clinc150").queries)


@pytest.fixture
def stated(tmp_path):
    """A TOML file that states base, queries, labels and neighbours, and a folder of others to take their place."""
    rows = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    np.save(tmp_path / "b.npy", rows)
    np.save(tmp_path / "q.npy", rows[:5] + 1)
    np.save(tmp_path / "l.npy", np.arange(60))
    np.save(tmp_path / "gt.npy", np.arange(15).reshape(5, 3))
    np.save(tmp_path / "q2.npy", rows[:7] + 2)
    np.save(tmp_path / "gt2.npy", np.arange(14).reshape(7, 2))
    (tmp_path / "l2.txt").write_text("R+D\nHR, IT\n" * 30)
    (tmp_path / "my.toml").write_text(
        "title = 'x'\nmetric = 'cosine'\n[files]\nbase = 'b.npy'\nqueries = 'q.npy'\nlabels = 'l.npy'\n"
        "neighbors = 'gt.npy'\n"
    )
    (tmp_path / "bare.toml").write_text("title = 'x'\nmetric = 'cosine'\n[files]\nbase = 'b.npy'\n")
    return tmp_path


def load_stated(folder, name="my.toml", log=lambda line: None, **parts):
    files = {part: value if part == "metric" else folder / value for part, value in parts.items()}
    return load(name, beside=folder, log=log, **files)


def test_other_queries_take_the_place_of_those_that_a_toml_file_states(stated):
    with warned("gt.npy"):
        dataset = load_stated(stated, queries="q2.npy")
    assert np.array_equal(dataset.queries, np.load(stated / "q2.npy"))
    assert (dataset.name, dataset.metric, dataset.n, dataset.neighbors) == ("my", "cosine", 60, None)
    assert dataset.labels.tolist() == list(range(60))
    assert dataset.fingerprint != load_stated(stated).fingerprint
    with_neighbors = load_stated(stated, queries="q2.npy", neighbors="gt2.npy")
    assert with_neighbors.neighbors.shape == (7, 2)
    with refused("gt2.npy", "(7, 2)", "5 queries"):
        load_stated(stated, neighbors="gt2.npy")


def test_other_labels_take_the_place_of_those_that_a_toml_file_states(stated):
    dataset = load_stated(stated, labels="l2.txt")
    assert dataset.labels.tolist() == ["R+D", "HR, IT"] * 30
    assert dataset.neighbors is not None
    assert dataset.fingerprint != load_stated(stated).fingerprint
    (stated / "l2.txt").write_text("a\n" * 59)
    with refused("l2.txt", "(59,)", "60 rows"):
        load_stated(stated, labels="l2.txt")


def test_groups_of_queries_are_those_of_a_toml_file_or_of_what_takes_their_place(stated):
    (stated / "g.txt").write_text("a\nb\na\nb\nc\n")
    (stated / "g2.txt").write_text("a\nb\na\nb\nc\nc\nc\n")
    (stated / "grouped.toml").write_text((stated / "my.toml").read_text() + "query_groups = 'g.txt'\n")
    assert load_stated(stated, "grouped.toml").query_groups.tolist() == [0, 1, 0, 1, 2]
    assert load_stated(stated, query_groups="g.txt").fingerprint == load_stated(stated, "grouped.toml").fingerprint
    others = {"queries": "q2.npy", "neighbors": "gt2.npy"}
    with warned("g.txt"):
        assert load_stated(stated, "grouped.toml", **others).query_groups is None
    assert load_stated(stated, "grouped.toml", query_groups="g2.txt", **others).query_groups.tolist() == [
        0,
        1,
        0,
        1,
        2,
        2,
        2,
    ]
    with refused("g2.txt", "(7,)", "5 queries"):
        load_stated(stated, query_groups="g2.txt")
    with refused("g.txt", "queries"):
        load_stated(stated, "bare.toml", query_groups="g.txt")


def test_groups_of_generated_queries_may_come_from_a_file(tmp_path):
    np.save(tmp_path / "g.npy", np.arange(200) // 2)
    grouped = load_stated(tmp_path, "digits", query_groups="g.npy")
    assert grouped.query_groups.tolist() == (np.arange(200) // 2).tolist()
    assert grouped.fingerprint != load("digits").fingerprint


@pytest.mark.mirror
@pytest.mark.parametrize(("name", "intents"), [("clinc150-in-scope", 150), ("clinc150-10", 150), ("clinc150-5", 75)])
def test_test_queries_of_clinc150_are_thirty_of_each_intent(mirror, name, intents):
    assert np.bincount(load(name).query_groups).tolist() == [30] * intents


@pytest.mark.mirror
def test_groups_that_records_cannot_give_are_named_with_their_toml_file(mirror, tmp_path):
    text = (catalog.folder() / "clinc150-5-oos.toml").read_text()
    (tmp_path / "my.toml").write_text(text.replace("label_field", 'query_group_field = "intent"\nlabel_field', 1))
    with refused("my.toml", "records.query_group_field"):
        load(str(tmp_path / "my.toml"))


@pytest.mark.mirror
def test_other_queries_leave_the_groups_of_records_out(mirror, tmp_path):
    np.save(tmp_path / "q.npy", np.ones((3, 384), np.float32))
    with warned("clinc150-5"):
        assert load_stated(tmp_path, "clinc150-5", queries="q.npy").query_groups is None


def test_another_metric_leaves_given_neighbours_out(stated):
    with warned("gt.npy", "cosine"):
        dataset = load_stated(stated, metric="l2")
    assert (dataset.metric, dataset.neighbors) == ("l2", None)
    assert load_stated(stated, metric="cosine").neighbors is not None
    assert load_stated(stated, metric="l2", neighbors="gt.npy").neighbors is not None
    with refused("'dot'", "l2, cosine, ip"):
        load_stated(stated, metric="dot")


def test_queries_for_a_toml_file_without_any_leave_all_rows_in_the_base(stated):
    lines = []
    held_out = load_stated(stated, "bare.toml", log=lines.append, labels="l2.txt")
    assert [line.split(":")[0] for line in lines if "6 rows" in line] == [str(stated / "b.npy")]
    assert (held_out.n, held_out.labels[-1]) == (54, "HR, IT")  # one label per row of the file, before any is held out
    dataset = load_stated(stated, "bare.toml", queries="q2.npy")
    assert (dataset.n, len(dataset.queries)) == (60, 7)
    assert dataset.fingerprint == from_files(stated / "b.npy", stated / "q2.npy").fingerprint


def test_arrays_that_a_toml_file_leaves_unused_are_named(stated):
    np.savez(stated / "more.npz", base=np.load(stated / "b.npy"), queries=np.load(stated / "q.npy"), ages=np.arange(60))
    (stated / "more.toml").write_text("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'more.npz'\n")
    experiment = stated / "e.toml"
    experiment.write_text(
        "title = 'x'\ndatasets = ['more.toml']\norders = ['random']\nef_search = [10]\n[[index]]\nengine = 'hnswlib'\n"
    )
    reads = (
        lambda log: load_stated(stated, "more.toml", log=log),
        lambda log: load_whole(Parts(str(stated / "more.toml")), log),
        lambda log: study.read(str(experiment), log=log),
    )
    for read in reads:
        lines = []
        read(lines.append)
        assert [line.split(": ")[0] for line in lines if line.endswith("ages")] == [str(stated / "more.npz")]


def test_geometry_alone_holds_no_queries_out(stated):
    whole = load_whole(Parts(str(stated / "bare.toml"), labels=stated / "l2.txt", metric="ip"))
    assert (whole.name, whole.n, whole.metric, whole.labels[1]) == ("bare", 60, "ip", "HR, IT")
    assert load_whole(Parts(str(stated / "my.toml"))).labels.tolist() == list(range(60))


def test_a_limit_is_drawn_of_what_options_made(stated):
    part = limit(load_stated(stated, "bare.toml", queries="q2.npy", labels="l2.txt"), 20)
    whole = from_files(stated / "b.npy", stated / "q2.npy", stated / "l2.txt", limit=20, name="bare")
    assert (part.name, part.fingerprint) == (whole.name, whole.fingerprint)


def test_parts_of_a_generated_dataset_give_way_to_files(tmp_path):
    digits = load("digits")
    np.save(tmp_path / "q.npy", digits.queries[:20] + 1)
    np.save(tmp_path / "gt.npy", np.zeros((20, 1), int))
    np.save(tmp_path / "l.npy", np.arange(digits.n) % 3)
    dataset = load_stated(tmp_path, "digits", queries="q.npy", labels="l.npy", neighbors="gt.npy", metric="cosine")
    assert (dataset.name, dataset.metric, len(dataset.queries), dataset.neighbors.shape) == (
        "digits",
        "cosine",
        20,
        (20, 1),
    )
    assert set(dataset.labels) == {0, 1, 2}
    assert np.array_equal(dataset.base, digits.base)
    assert dataset.fingerprint != digits.fingerprint
    assert load_stated(tmp_path, "digits", metric="ip").fingerprint == digits.fingerprint
    np.save(tmp_path / "q.npy", np.ones((3, 5), np.float32))
    np.save(tmp_path / "none.npy", np.ones((0, 64), np.float32))
    with refused("none.npy"):
        load_stated(tmp_path, "digits", queries="none.npy")
    with refused("q.npy", 5, "digits", "base", 64):
        load_stated(tmp_path, "digits", queries="q.npy")
    np.save(tmp_path / "l.npy", np.arange(9))
    with refused("l.npy", "(9,)", "1597 rows"):
        load_stated(tmp_path, "digits", labels="l.npy")


def test_rows_of_zeros_are_left_out_if_another_metric_asks_for_a_direction(stated, recwarn):
    rows = np.load(stated / "b.npy")
    rows[11] = 0
    np.save(stated / "b.npy", rows)
    (stated / "flat.toml").write_text("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'b.npy'\nqueries = 'q.npy'\n")
    assert load_stated(stated, "flat.toml").n == 60
    with warned("b.npy", "1 of 60") as caught:
        dataset = load_stated(stated, "flat.toml", metric="cosine")
    assert dataset.source_rows.tolist() == np.delete(np.arange(60), 11).tolist()
    assert len(caught) == 1  # no queries are held out


def test_queries_of_zeros_that_take_the_place_of_others_are_left_out_with_their_groups(tmp_path):
    queries = np.ones((4, 64), np.float32)
    queries[1] = 0
    np.save(tmp_path / "q.npy", queries)
    np.save(tmp_path / "gt.npy", np.arange(8).reshape(4, 2))
    (tmp_path / "g.txt").write_text("a\nb\nc\na\n")
    with warned("q.npy", "1 of 4"):
        dataset = load_stated(
            tmp_path, "digits", queries="q.npy", neighbors="gt.npy", query_groups="g.txt", metric="cosine"
        )
    assert (len(dataset.queries), dataset.query_groups.tolist()) == (3, [0, 1, 0])
    assert dataset.neighbors.tolist() == [[0, 1], [4, 5], [6, 7]]
