"""By what a file is read: its suffix, without what only says that it is packed or cropped, or what it begins with."""

import re
from pathlib import Path

from bench.errors import BenchError

TEXT = (".csv", ".tsv", ".jsonl", ".ndjson", ".txt")  # which may be packed by gzip
PICKLES = (".pkl", ".pickle", ".p", ".pt", ".pth", ".joblib", ".ckpt")
_BEGINNINGS = {b"\x93NUMPY": ".npy", b"\x89HDF\r\n\x1a\n": ".hdf5", b"PAR1": ".parquet", b"ARROW1": ".arrow"}
_CROP = re.compile(r"\.crop_nb_(\d+)$")  # of big-ann-benchmarks: the first N rows


def kind(path: Path) -> str:
    """The suffix that says how a file is read, in small letters: .csv of x.csv.gz, .fbin of x.fbin.crop_nb_1000."""
    name = Path(_CROP.sub("", path.name.lower()))
    inner = name.with_suffix("").suffix if name.suffix == ".gz" else ""
    return inner if inner in TEXT else name.suffix


def kind_by_content(path: Path) -> str | None:
    """The suffix of a file's format by the bytes that it begins with; None if they are of no format with a mark."""
    with path.open("rb") as stream:
        start = stream.read(8)
    return next((suffix for beginning, suffix in _BEGINNINGS.items() if start.startswith(beginning)), None)


def crop(path: Path) -> int | None:
    """How many rows the name of a cropped file states; None if it is not cropped."""
    found = _CROP.search(path.name.lower())
    return int(found[1]) if found else None


def check_readable(path: Path, suffix: str) -> None:
    """Raises BenchError for a pickle, which may run code when it is loaded, and for a packed file of another kind."""
    if suffix in PICKLES:
        raise BenchError(f"{path} is a pickle, which is never loaded: save the array with numpy.save, as a .npy file")
    if suffix in (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz"):
        raise BenchError(f"{path} is packed, which only text may be (by gzip): unpack it")
