import numpy as np
import pytest

from bench.data.texts import lsa


def test_lsa_gives_unit_rows_by_meaning_and_zeros_for_unknown_words():
    texts = ["valve circuit"] * 3 + ["radio wave"] * 3 + ["valve", "radio", "circuit", "wave"]
    transform = lsa.fit(texts, 2, "texts")
    valve, circuit, radio, unknown = transform(["valve", "circuit", "radio", "tomato"])
    assert np.linalg.norm(valve) == pytest.approx(1, abs=1e-6)
    assert valve @ circuit == pytest.approx(1, abs=1e-5)
    assert valve @ radio == pytest.approx(0, abs=1e-5)
    assert not unknown.any()


def test_a_text_with_nothing_in_these_dimensions_is_all_zeros_and_not_a_rounding_error():
    texts = ["red green", "green red", "red red green", "blue"]  # one dimension, in which the last has no part
    rows = lsa.fit(texts, 1, "texts")(texts)
    assert np.linalg.norm(rows, axis=1).tolist() == pytest.approx([1, 1, 1, 0], abs=0)
