"""Folders of shards, as Hugging Face, Spark and Dask write them: tables that are one."""

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.data.formats.array import FileArray
from bench.data.formats.columns import of_tables
from bench.data.formats.tables import SUFFIXES, read_table
from bench.errors import BenchError, BenchWarning

_NUMBERED = re.compile(r"(.*?)[-_.]?(\d+)-of-(\d+)")  # as in train-00000-of-00003.parquet


def read_folder(folder: Path) -> tuple[dict[str, FileArray], list[str]]:
    """The vectors in the shards of a folder by name, and the columns that hold none.

    Shards of several sets (train-..., test-...) are as many arrays, by their names. Raises BenchError if it has none.
    """
    files = sorted((file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES), key=_natural)
    sets: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        found = _NUMBERED.match(file.name)
        sets[found[1] if found else ""].append(file)
    if not sets:
        inside = sorted({file.parent.name for suffix in SUFFIXES for file in folder.glob(f"*/*{suffix}")})
        hint = f" or one of its folders: {', '.join(inside)}" if inside else ""
        raise BenchError(
            f"{folder} is a folder without shards ({', '.join(SUFFIXES)}): name a file in it{hint}; of a BEIR folder, "
            "the .toml that `bench embed` writes"
        )
    arrays: dict[str, FileArray] = {}
    unused: list[str] = []
    for name, shards in sets.items():
        warn_of_missing(shards)
        of_set, others = of_tables(folder, [read_table(file, file.suffix.lower()) for file in shards])
        if len(sets) > 1:
            only = len(of_set) == 1
            of_set = {name if only else f"{name}/{column}": array for column, array in of_set.items()}
            others = [f"{name}/{column}" for column in others]
        arrays |= of_set
        unused += others
    return arrays, unused


def warn_of_missing(shards: Sequence[Path]) -> None:
    """A BenchWarning if files are named as shards of more than there are."""
    found = _NUMBERED.match(shards[0].name)
    if found and int(found[3]) > len(shards):
        what = f"{shards[0]} is one shard" if len(shards) == 1 else f"{shards[0].parent} has {len(shards)} shards"
        warnings.warn(
            f"{what} of {int(found[3])}: figures are of its rows alone; put all shards in one folder, and name it",
            BenchWarning,
            stacklevel=4,
        )


def _natural(file: Path) -> list[tuple[int, str]]:
    """A key by which part-10 comes after part-2."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", file.name)]
