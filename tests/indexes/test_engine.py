"""Engines as values: parameters of their own, what is installed, and what says so."""

import subprocess
import sys
from collections.abc import Callable

import msgspec
import pytest
from support.messages import refused
from support.needs import ENGINES

from bench.indexes import INDEXES
from bench.indexes.engine import Engine, Params, how_to_install, installed_version, own_params, params_of, version


class Own(Params, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """quantization: a parameter that no other engine has."""

    quantization: str = "none"
    rounded: bool = False


def refuse_binary(params):
    if params.quantization == "binary":
        raise ValueError("quantization = binary: give none or scalar")


def engine(**changed):
    build: Callable = INDEXES["hnswlib"].build
    return Engine(
        **{"build": build, "package": "hnswlib", "about": "x", "params": Own, "check": refuse_binary} | changed
    )


@pytest.mark.parametrize("name", ENGINES)
def test_the_version_of_an_engine_is_that_of_its_package(name):
    assert version(name, INDEXES[name])[0].isdigit()


def test_an_engine_that_is_not_installed_names_what_installs_it():
    missing = engine(package="not-a-package", extra="special")
    assert installed_version(missing) is None
    assert how_to_install(missing) == "pip install 'hnsw-order-bench[special]'"
    with refused("'x'", "not-a-package", "[special]"):
        version("x", missing)


@pytest.mark.parametrize("name", INDEXES)
@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"M": 0}, ("M = 0",)),
        ({"M": 1}, ("M = 1", 2)),
        ({"M": 20_000}, ("M = 20000", 10_000)),
        ({"ef_construction": 0}, ("ef_construction = 0",)),
        ({"M": 32, "ef_construction": 16}, ("ef_construction = 16", "M = 32")),
        ({"threads": -1}, ("threads = -1",)),
        ({"M": 16.5}, ("M",)),
        ({"colour": 1}, ("'colour'", "M, ef_construction, threads")),
    ],
)
def test_parameters_that_no_graph_can_have_are_refused(name, params, named):
    with refused("place", *named):
        params_of(INDEXES[name], params, "place")
    params_of(INDEXES[name], {}, "place")


def test_an_engine_has_parameters_of_its_own():
    params = params_of(engine(), {"M": 8, "quantization": "scalar"}, "x")
    assert (params.M, own_params(engine(), params)) == (8, {"quantization": "scalar", "rounded": False})
    assert own_params(engine(later=("rounded",)), params) == {"quantization": "scalar"}
    with refused("x", "quantization = binary"):
        params_of(engine(), {"quantization": "binary"}, "x")
    with refused("'quantisation'", "M, ef_construction, threads, quantization"):
        params_of(engine(), {"quantisation": "scalar"}, "x")


def test_chunk_is_a_parameter_of_engines_that_it_changes():
    assert params_of(INDEXES["faiss"], {"chunk": 100}, "x").chunk == 100
    with refused("chunk = 0"):
        params_of(INDEXES["faiss"], {"chunk": 0}, "x")
    with refused("'chunk'", "M, ef_construction, threads"):
        params_of(INDEXES["hnswlib"], {"chunk": 100}, "x")


def test_engines_are_values():
    one = msgspec.structs.replace(INDEXES["hnswlib"], about="another")
    assert (one.about, one.build) == ("another", INDEXES["hnswlib"].build)


PREPARED = """
import sys, numpy as np, numpy.random
from bench.indexes import INDEXES
engine = INDEXES[{name!r}]
params = engine.params()
engine.prepare(params)
before = {{module.partition(".")[0] for module in sys.modules}}
engine.build(np.eye(64, dtype=np.float32), np.arange(64), "l2", params, 1)
after = {{module.partition(".")[0] for module in sys.modules}}
print(after - before - sys.stdlib_module_names)
"""


@pytest.mark.parametrize("name", ENGINES)
def test_a_build_imports_no_library_that_was_not_prepared(name):
    program = [sys.executable, "-c", PREPARED.format(name=name)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_later_parameter_names_outcomes_unless_it_is_at_its_default():
    later = engine(later=("rounded",))
    assert own_params(later, Own()) == {"quantization": "none"}
    assert own_params(later, Own(rounded=True)) == {"quantization": "none", "rounded": True}
    assert own_params(engine(), Own()) == {"quantization": "none", "rounded": False}


def test_outcomes_of_pgvector_are_called_as_before_it_had_a_dtype():
    pgvector = INDEXES["pgvector"]
    assert own_params(pgvector, pgvector.params()) == {"index": "first"}
    assert own_params(pgvector, pgvector.params(dtype="halfvec")) == {"dtype": "halfvec", "index": "first"}


@pytest.mark.parametrize(
    ("dtype", "d", "named"),
    [("vector", 2000, ""), ("vector", 2001, "2,000"), ("halfvec", 4000, ""), ("halfvec", 4001, "4,000")],
)
def test_pgvector_takes_so_many_dimensions_by_its_dtype(dtype, d, named):
    pgvector = INDEXES["pgvector"]
    reason = pgvector.refuses(pgvector.params(dtype=dtype), d)
    assert bool(reason) == bool(named)
    assert named in reason
