"""Check what a message names, and leave its wording free."""

import re

import pytest

from bench.errors import BenchError, BenchWarning


def refused(*named, error=BenchError):
    """Expect this error, whose message names all of these: files, options, values, numbers."""
    return pytest.raises(error, match=_naming(named))


def warned(*named):
    """Expect a BenchWarning whose message names all of these."""
    return pytest.warns(BenchWarning, match=_naming(named))


def names(text, *named):
    """Return whether the text names all of these, each as a whole word and in any order."""
    return re.match(_naming(named), str(text)) is not None


def lines_naming(text, *named):
    """Return the lines of the text that name all of these."""
    return [line for line in text.splitlines() if names(line, *named)]


def _naming(named):
    if not named:
        raise TypeError("give at least one thing that the message names")
    return "(?s)" + "".join(f"(?=.*{_whole(one)})" for one in named)


def _whole(named):
    if isinstance(named, int | float):  # not a part of another number; thousands may be parted
        return rf"(?<![\w.,-])(?:{re.escape(str(named))}|{re.escape(f'{named:,}')})(?!\w|[.,]\d)"
    text = str(named)
    return rf"{_edge(text[:1], '?<!')}{re.escape(text)}{_edge(text[-1:], '?!')}"


def _edge(letter, look):
    return rf"({look}\w)" if re.match(r"\w", letter) else ""
