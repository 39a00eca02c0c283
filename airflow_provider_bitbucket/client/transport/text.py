"""Text from Bitbucket, for logs, errors and terminals."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

_LINE_BREAK = re.compile(r"\r?\n")
#: Control and format characters (terminal escapes, bidirectional overrides), surrogates, and Unicode's own line breaks.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: Format characters that scripts and emoji need; they move and hide nothing.
_JOINERS = frozenset("\u200c\u200d")


def printable(text: str) -> str:
    """Return a text with its control characters made visible, such as ``\\x1b`` for an escape; tabs stay.

    What Bitbucket returns (step names, log lines, titles, error messages) may contain terminal escapes or text that is displayed
    in another order than it is written.
    """
    return "".join(one if one == "\t" or not _is_hidden(one) else _escaped(one) for one in text)


def lines(text: str) -> list[str]:
    """Return the lines of a log, printable; of a progress bar, which rewrites its line with ``\\r``, the last state.

    Only ``\\n`` and ``\\r\\n`` end a line.
    """
    raw = _LINE_BREAK.split(text)
    if raw and not raw[-1]:
        raw.pop()
    return [printable(line.rstrip("\r").rpartition("\r")[2]) for line in raw]


def one_line(text: str) -> str:
    """Return a text on one line: white space as single spaces, control characters made visible."""
    return printable(" ".join(re.split(r"[ \t\r\n\f\v\u2028\u2029\x85]+", text)).strip())


def web_link(address: str, *segments: str) -> str:
    """Return the address of a web page for logs, errors and buttons, with braces percent-encoded.

    Uuids have braces, at which the log page of Airflow cuts links.

    :param address: address of a page, as Bitbucket returned it or as made of names
    :param segments: further path segments, such as the uuid of a step
    """
    path = "".join(f"/{quote(segment, safe='')}" for segment in segments)
    return quote(address, safe="%/:?#[]@!$&'()*+,;=~") + path


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
