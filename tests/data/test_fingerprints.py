"""Fingerprints are part of trials' keys: if one changes, outcomes in stores and baselines are orphans."""

import numpy as np
import pytest
from support.datasets import load, whole_file

ROWS = (np.arange(240).reshape(60, 4) * 7 % 31 - 15).astype(np.float32)
ZEROS = ROWS.copy()
ZEROS[[3, 41]] = 0
FINGERPRINTS = {
    "held out": ({"base": "b.npy"}, "1ac6e6669d53f18c"),
    "limited": ({"base": "b.npy", "limit": 20}, "b88c50e84942b39b"),
    "zeros left out": ({"base": "z.npy", "queries": "z.npy", "metric": "cosine"}, "2ba0a95e4065a2ff"),
    "zeros left out, labelled, held out": (
        {"base": "z.npy", "labels": "l.txt", "metric": "cosine"},
        "943c98cf141f6c8a",
    ),
    "copies": ({"base": "copies.npy", "queries": "q.npy"}, "cc049534c67d3a64"),
    "converted": ({"base": "double.npy", "queries": "q.npy"}, "d99a902e1d1bd18f"),
    "bundle": ({"base": "bundle.npz"}, "89dda83eddd12671"),
    "bundle, other queries": ({"base": "bundle.npz", "queries": "q.npy", "query_groups": "g.txt"}, "aa5ba8aba00ea2b9"),
    "definition": ({"base": "my.toml"}, "5be0d5590c3fbed7"),
    "definition, other labels": ({"base": "my.toml", "labels": "l.txt"}, "433ada5180297df7"),
    "definition, other queries, limited": (
        {"base": "my.toml", "queries": "bundle.npz", "limit": 30},
        "38f810cfd5957207",
    ),
    "generated": ({"base": "digits"}, "31a89fb576088696"),
    "generated, other queries": ({"base": "digits", "queries": "q64.npy"}, "ad6a6360ea89d083"),
    "generated, limited": ({"base": "digits", "limit": 100}, "89a090b5c2e51347"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arrays = {
        "b": ROWS,
        "z": ZEROS,
        "copies": np.tile(ROWS, (2, 1)),
        "double": ROWS.astype(float) / 3,
        "q": ROWS[:7] + 1,
    }
    for name, array in (arrays | {"q64": np.arange(320).reshape(5, 64).astype(np.float32)}).items():
        np.save(f"{name}.npy", array)
    np.savez("bundle.npz", base=ROWS, queries=ROWS[:5] + 2, labels=np.arange(60) % 3, query_groups=[1, 1, 2, 3, 3])
    (tmp_path / "l.txt").write_text("red\ngreen, blue\n" * 30)
    (tmp_path / "g.txt").write_text("a\na\nb\nb\nc\nd\nd\n")
    (tmp_path / "my.toml").write_text(
        "title = 'x'\nmetric = 'l2'\n[files]\nbase = 'b.npy'\nqueries = 'q.npy'\nquery_groups = 'g.txt'\n"
    )
    return tmp_path


@pytest.mark.filterwarnings("ignore::bench.errors.BenchWarning")
@pytest.mark.parametrize("case", FINGERPRINTS)
def test_a_fingerprint_is_what_it_was(folder, case):
    given, fingerprint = FINGERPRINTS[case]
    files = {part: folder / file if part not in ("base", "metric", "limit") else file for part, file in given.items()}
    assert load(**files).fingerprint[:16] == fingerprint


@pytest.mark.filterwarnings("ignore::bench.errors.BenchWarning")
def test_the_fingerprint_of_a_whole_file_is_what_it_was(folder):
    assert whole_file("z.npy", "cosine", folder / "l.txt").fingerprint[:16] == "e7547a24ae5bfef0"
