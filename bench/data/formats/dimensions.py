"""Tables with one column per dimension: which of their columns are the vectors."""

import re
from collections import defaultdict
from collections.abc import Sequence

_NUMBERED = re.compile(r"(.*?)(\d+)")
_NO_DIMENSION = ("", "id", "_id", "idx", "index", "label", "labels", "class", "target")
ALL = "columns"  # the name of vectors whose columns have no name in common


def by_dimension(names: Sequence[str]) -> dict[str, list[int]]:
    """The places of the columns that make up a vector, first dimension first, by what their names have in common.

    names: of the columns that hold numbers. Columns that are numbered from 0 or 1 (emb_0, emb_1, ...) are a vector; if
    there are none, all columns are one, without those that are called as ids and labels are. Empty if fewer than two
    columns are left.
    """
    places: dict[str, dict[int, int]] = defaultdict(dict)
    for place, name in enumerate(names):
        if found := _NUMBERED.fullmatch(name):
            places[found[1]].setdefault(int(found[2]), place)
    vectors = {}
    for prefix, numbered in places.items():
        first = min(numbered)
        if len(numbered) > 1 and first <= 1 and set(numbered) == set(range(first, first + len(numbered))):
            vectors[prefix.strip("_-. ") or ALL] = [numbered[number] for number in sorted(numbered)]
    if not vectors:
        all_places = [place for place, name in enumerate(names) if name.strip().lower() not in _NO_DIMENSION]
        vectors = {ALL: all_places} if len(all_places) > 1 else {}
    return vectors
