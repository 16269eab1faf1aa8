import subprocess
import sys

import numpy as np
import pytest
from support.datasets import checked, from_files, load
from support.messages import warned

from bench.geometry import Geometry
from bench.geometry.verify import warn_of_rows_as_queries

RNG = np.random.default_rng(0)
BASE = RNG.standard_normal((500, 6)).astype(np.float32)
OTHERS = RNG.standard_normal((200, 6)).astype(np.float32)


def warn(queries, metric="l2", base=BASE):
    warn_of_rows_as_queries(Geometry(checked("x", base, queries, metric)))


def some(count, scale=1):
    """Queries of which so many are rows of the base, times a number."""
    return np.concatenate([BASE[:count] * np.float32(scale), OTHERS[count:]])


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_queries_that_are_rows_of_the_base_are_counted(metric):
    with warned("x", "40 of 200 queries", "--queries"):
        warn(some(40), metric)
    with warned("x", "500 of 500 queries"):
        warn(BASE, metric)


def test_rows_of_another_length_are_the_same_under_cosine_alone():
    with warned("x", "40 of 200 queries"):
        warn(some(40, scale=3.7), "cosine")
    warn(some(40, scale=3.7), "l2")
    warn(some(40, scale=3.7), "ip")


def test_rows_that_differ_by_rounding_are_the_same_and_near_ones_are_not():
    with warned("x", "200 of 200 queries"):
        warn(BASE[:200] * np.float32(1 + 2**-22))
    warn(BASE[:200] * np.float32(1 + 1e-4))


def test_less_than_one_in_a_hundred_is_passed_over_and_so_is_a_single_one():
    warn(some(1))
    warn(BASE[:1])
    warn(np.concatenate([OTHERS, OTHERS + 1, some(3)]))
    with warned("x", "2 of 200 queries"):
        warn(some(2))


def test_rows_held_out_of_a_base_with_duplicates_are_counted(tmp_path):
    np.save(tmp_path / "twice.npy", np.concatenate([BASE, BASE]))
    with warned("twice", "100 queries"):
        warn_of_rows_as_queries(Geometry(from_files(tmp_path / "twice.npy")))
    np.save(tmp_path / "once.npy", BASE)
    warn_of_rows_as_queries(Geometry(from_files(tmp_path / "once.npy")))


def test_two_rows_are_too_few_to_say():
    warn(BASE[:1], base=BASE[:2])


@pytest.mark.parametrize("name", ["digits", "subspace-small"])
def test_queries_of_the_catalogue_are_not_rows_of_its_bases(name):
    warn_of_rows_as_queries(Geometry(load(name)))


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["clinc150", "clinc150-10", "clinc150-in-scope", "npl"])
def test_queries_of_real_texts_are_not_rows_of_their_bases(mirror, name):
    warn_of_rows_as_queries(Geometry(load(name)))


def test_estimators_leave_warnings_as_they_are():
    """scikit-dimension silences all of them when it is imported."""
    program = (
        "import warnings; warnings.simplefilter('error')\n"
        "import numpy as np; from bench.geometry.dimension import pointwise, two_nn\n"
        "near = np.arange(1.0, 51).reshape(5, 10); known = near, near.astype(int) % 5, near\n"
        "pointwise(*known); two_nn(*known)\n"
        "try: warnings.warn('heard')\n"
        "except UserWarning: print('heard')"
    )
    assert subprocess.check_output([sys.executable, "-W", "ignore", "-c", program], text=True) == "heard\n"
