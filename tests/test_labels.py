import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.labels import FIRST, LONGEST, MOST, cut, listed, split, unquoted

ODD = ["R+D, HR, IT", "e:f=g", "a,b", "c\\d", 'quoted "x"', '"x"', '5" disk', " edge ", "", "="]


def test_labels_are_quoted_where_they_would_be_cut_apart():
    assert listed(["sport", "R+D, HR, IT", "e:f=g", 'quoted "x"', '"x"']) == (
        'sport, "R+D, HR, IT", "e:f=g", quoted "x", """x"""'
    )
    assert listed([2, 0, 1], "+") == "2+0+1"


def test_of_many_labels_the_first_are_listed_and_how_many_there_are():
    assert listed(range(MOST)).endswith(", 9")
    assert listed(range(1600), "+") == "0+1+2+3+4+… (1,600)"
    long = listed(["x" * 1000] * 1000)
    assert len(long) < (FIRST + 1) * (LONGEST + 2) + 20


@pytest.mark.parametrize("label", ODD)
def test_a_label_is_listed_as_it_is_to_be_typed(label):
    text = listed([label, "other", label], "+")
    assert [unquoted(part) for part in split(text, "+")] == [label, "other", label]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text('ab,:+="\\ ', max_size=6), min_size=1, max_size=MOST))
def test_a_list_is_split_into_the_same_labels(labels):
    whole = f"random,category:permutation={listed(labels, '+')}:other=1,given"
    first, order, last = split(whole, ",")
    name, permutation, other = split(order, ":")
    assert (first, name, other, last) == ("random", "category", "other=1", "given")
    assert [unquoted(part) for part in split(permutation.removeprefix("permutation="), "+")] == labels


def test_without_quotes_it_is_split_as_ever():
    for text in ("a,b", "a,,b,", ",", "", 'a 5" disk,b'):
        assert split(text, ",") == text.split(",")


def test_a_text_is_cut_where_it_is_too_long():
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"
