"""Bitbucket's query language: parse ``q`` and say whether an item fits. Source: REST introduction, "Filtering"."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_bitbucket.emulator.errors import ApiError

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
        return lambda item, get: any(part(item, get) for part in parts)

    def all_of(self) -> Condition:
        parts = [self.one()]
        while self.peek()[1].upper() == "AND":
            self.next()
            parts.append(self.one())
        return lambda item, get: all(part(item, get) for part in parts)

    def one(self) -> Condition:
        kind, text = self.next()
        if text == "(":
            inner = self.any_of()
            if self.next()[1] != ")":
                raise self.fail()
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
        return lambda item, get: any(_compare(get(item, field), "=", value) for value in values) != negated

    def literal(self) -> Any:
        kind, text = self.next()
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        if kind == "date":
            if moment := _moment(text):
                return moment
        elif kind == "number":
            return float(text) if "." in text else int(text)
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
    """Look a dotted path up in rendered JSON; None where it does not lead."""
    for name in path.split("."):
        if not isinstance(item, dict):
            return None
        item = item.get(name)
    return item


def _comparison(field: str, operator: str, wanted: Any) -> Condition:
    def fits(item: Any, get: Lookup) -> bool:
        values = get(item, field)
        # A path through a list (reviewers.uuid) holds when one of its values does.
        candidates = values if isinstance(values, list) else [values]
        return any(_compare(value, operator, wanted) for value in candidates)

    return fits


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    if operator in ("~", "!~"):
        return (str(wanted).lower() in str(value or "").lower()) == (operator == "~")
    if value != wanted:
        value, wanted = _instants(value, wanted, must=operator not in ("=", "!="))
    if operator in ("=", "!="):
        return bool(value == wanted) == (operator == "=")
    if value is None or wanted is None:
        return False
    try:
        return bool({">": value > wanted, ">=": value >= wanted, "<": value < wanted, "<=": value <= wanted}[operator])
    except TypeError:
        return False


def _instants(value: Any, wanted: Any, *, must: bool) -> tuple[Any, Any]:
    """Return both as instants where the value is one: dates may be quoted, and stand for the same in any offset."""
    moment = _moment(value) if isinstance(value, str) else value
    other = _moment(wanted) if isinstance(wanted, str) else wanted
    if not isinstance(moment, datetime):
        return value, wanted
    if isinstance(other, datetime):
        return moment, other
    if must and isinstance(wanted, str):
        raise ApiError(400, f"Invalid date: {wanted}")
    return value, wanted


def _moment(text: str) -> datetime | None:
    """Read an ISO moment; an offset without colon is none, as on the live API."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
