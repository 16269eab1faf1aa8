"""Labels one after the other, as a line to read and as the command line takes them.

A label that would be split is put in double quotes, with a quote in it doubled (as in CSV): `"R+D, HR"+sales`.
"""

from collections.abc import Collection
from itertools import islice

MOST, FIRST = 10, 5  # labels that are listed whole, and those of more that are listed
LONGEST = 40  # signs of a label
_PARTING = ",:+"  # between items of a list, parameters and labels


def listed(labels: Collection[object], separator: str = ", ") -> str:
    """Labels as a line of bounded length: of many the first, and how many there are."""
    shown = [quoted(cut(str(label))) for label in islice(labels, MOST if len(labels) <= MOST else FIRST)]
    return separator.join(shown if len(labels) <= MOST else [*shown, f"… ({len(labels):,})"])


def cut(text: str, longest: int = LONGEST) -> str:
    """A label or the like, of a long one its beginning."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def split(text: str, separator: str) -> list[str]:
    """Return text split at a separator, except at separators in double quotes; quotes stay."""
    parts, start, quoted, closed = [], 0, False, -1
    for place, sign in enumerate(text):
        # A quote opens where a label begins, and right after one that closed, which it doubles; in 5" disk it does not
        opens = place in (start, closed + 1) or text[place - 1] in f"{_PARTING}="
        if sign == '"' and (quoted or opens):
            closed = place if quoted else closed
            quoted = not quoted
        elif sign == separator and not quoted:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def unquoted(text: str) -> str:
    """Return a label without the double quotes that may surround it."""
    return text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text


def quoted(label: object) -> str:
    """Return a label as written in a list, in double quotes if it would be split."""
    label = str(label)
    parted = label.strip() != label or any(sign in label for sign in (*_PARTING, '="'))
    return label if label and label[0] != '"' and not parted else '"' + label.replace('"', '""') + '"'
