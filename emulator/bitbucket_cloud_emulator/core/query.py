"""Bitbucket's query language: parse ``q`` into a condition on items. Source: REST introduction, "Filtering"."""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bitbucket_cloud_emulator.core.errors import ApiError

MAX_DIGITS = 1000
MAX_DEPTH = 50
"""Deepest nesting of brackets; a deeper query is refused."""

Lookup = Callable[[Any, str], Any]
Condition = Callable[[Any, Lookup], bool]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:\\.|[^"\\])*")
    | (?P<date>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<operator>!=|>=|<=|!~|=|>|<|~)
    | (?P<bracket>[(),])
    | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
    )""",
    re.VERBOSE,
)

_WORDS = {"true": True, "false": False, "null": None}


@dataclass
class _Parser:
    """Recursive descent over the tokens of one query."""

    text: str
    allowed: Collection[str] | None
    tokens: list[tuple[str, str]]
    at: int = 0
    depth: int = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def next(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def fail(self) -> ApiError:
        return ApiError(400, f"Invalid query near {self.peek()[1]!r}: {self.text}")

    def any_of(self) -> Condition:
        parts = [self.all_of()]
        while self.peek()[1].upper() == "OR":
            self.next()
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda item, get: any(part(item, get) for part in parts)

    def all_of(self) -> Condition:
        parts = [self.one()]
        while self.peek()[1].upper() == "AND":
            self.next()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else lambda item, get: all(part(item, get) for part in parts)

    def one(self) -> Condition:
        kind, text = self.next()
        if text == "(":
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise ApiError(400, f"Invalid query: nested deeper than {MAX_DEPTH} levels")
            inner = self.any_of()
            if self.next()[1] != ")":
                raise self.fail()
            self.depth -= 1
            return inner
        if kind != "word":
            raise self.fail()
        if self.allowed is not None and text not in self.allowed:
            raise ApiError(400, f'Field "{text}" does not support filtering')
        negated = self.peek()[1].upper() == "NOT" and bool(self.next())
        if self.peek()[1].upper() == "IN":
            self.next()
            return self._membership(text, negated)
        kind, operator = self.next()
        if kind != "operator":
            raise self.fail()
        return _comparison(text, operator, self.literal())

    def _membership(self, field: str, negated: bool) -> Condition:
        if self.next()[1] != "(":
            raise self.fail()
        values = [self.literal()]
        while self.peek()[1] == ",":
            self.next()
            values.append(self.literal())
        if self.next()[1] != ")":
            raise self.fail()
        tests = [_test("=", value) for value in values]
        return lambda item, get: any(test(get(item, field)) for test in tests) != negated

    def literal(self) -> Any:
        kind, text = self.next()
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        if kind == "date":
            if timestamp := _timestamp(text):
                return timestamp
        elif kind == "number":
            if "." in text:
                return float(text)
            if len(text) <= MAX_DIGITS:
                return int(text)
        elif kind == "word" and text.lower() in _WORDS:
            return _WORDS[text.lower()]
        raise self.fail()


def parse(text: str, allowed: Collection[str] | None = None) -> Condition:
    """Return a query as a condition on an item.

    :param text: the ``q`` parameter
    :param allowed: dotted paths that can be filtered; None allows all
    :raises ApiError: 400, as Bitbucket answers
    """
    tokens, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if not match or match.lastgroup is None:
            raise ApiError(400, f"Invalid query near {stripped[at : at + 20]!r}: {text}")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    parser = _Parser(text, allowed, tokens)
    condition = parser.any_of()
    if parser.peek()[0] != "end":
        raise parser.fail()
    return condition


def dotted(item: Any, path: str) -> Any:
    """Return the value at a dotted path of rendered JSON; None if there is none."""
    for name in path.split("."):
        if not isinstance(item, dict):
            return None
        item = item.get(name)
    return item


def _comparison(field: str, operator: str, wanted: Any) -> Condition:
    test = _test(operator, wanted)

    def fits(item: Any, get: Lookup) -> bool:
        value = get(item, field)
        # A path through a list (reviewers.uuid) holds when one of its values does.
        return any(map(test, value)) if isinstance(value, list) else test(value)

    return fits


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operators.eq,
    "!=": operators.ne,
    ">": operators.gt,
    ">=": operators.ge,
    "<": operators.lt,
    "<=": operators.le,
}


def _test(operator: str, wanted: Any) -> Callable[[Any], bool]:
    """Return a test of one value. All that depends on the query alone is done here, once."""
    if operator in ("~", "!~"):
        needle, contains = str(wanted).lower(), operator == "~"
        return lambda value: (needle in str(value or "").lower()) == contains
    compare, equality = _OPERATORS[operator], operator in ("=", "!=")
    # Dates may be quoted, and any offset of the same time is equal.
    timestamp = _timestamp(wanted) if isinstance(wanted, str) else wanted if isinstance(wanted, datetime) else None

    def test(value: Any) -> bool:
        against = wanted
        if isinstance(value, str) and (timestamp or not equality):
            value = _timestamp(value) or value
        if isinstance(value, datetime):
            if timestamp is None and isinstance(wanted, str) and not equality:
                raise ApiError(400, f"Invalid date: {wanted}")
            against = timestamp or wanted
        if not equality and (value is None or against is None):
            return False
        try:
            return compare(value, against)
        except TypeError:
            return False

    return test


def _timestamp(text: str) -> datetime | None:
    """Return an ISO timestamp, None if malformed; an offset needs a colon, as on the live API."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?", text):
        return None
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
