"""Values are quoted so that they cannot change the meaning of a query."""

from __future__ import annotations

import enum
import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_bitbucket.client import bbql
from bitbucket_cloud_emulator.core import query

TIMESTAMPS = st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis expects naive bounds


def matches(condition: str, **item: Any) -> bool:
    return query.parse(condition)(item, query.dotted)


@given(st.text(), st.text())
@example('" OR id > 0 OR title = "', "x")
@example('\\" OR id > 0 OR title = \\"', "x")
@example("\\", '" OR id > 0')
@example('a\\\\"', "\\")
def test_a_quoted_text_matches_itself_and_nothing_else(wanted: str, other: str) -> None:
    condition = bbql.all_of(f"title = {bbql.quote(wanted)}", f"author = {bbql.quote(other)}")
    assert matches(condition, title=wanted, author=other, id=1)
    assert matches(condition, title=wanted + "x", author=other, id=1) is False
    assert matches(condition, title=wanted, author=f"x{other}", id=1) is False


@given(st.text())
def test_a_quoted_text_is_a_single_string_literal(text: str) -> None:
    assert re.fullmatch(r'"(?:[^"\\]|\\["\\])*"', bbql.quote(text))


@given(st.integers() | st.booleans() | st.none())
def test_integers_booleans_and_null_match_themselves(value: int | bool | None) -> None:
    assert matches(f"id = {bbql.quote(value)}", id=value)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_a_float_is_written_without_an_exponent(value: float) -> None:
    assert float(bbql.quote(value)) == pytest.approx(value, abs=1e-6)
    assert re.fullmatch(r"-?\d+\.\d+", bbql.quote(value))


@given(TIMESTAMPS, st.integers(-23, 23))
def test_a_timestamp_is_the_same_in_every_time_zone(timestamp: datetime, hours: int) -> None:
    in_other_zone = timestamp.astimezone(timezone(timedelta(hours=hours)))
    assert bbql.quote(in_other_zone) == bbql.quote(timestamp)
    assert bbql.quote(timestamp.replace(tzinfo=None)) == bbql.quote(timestamp)
    assert matches(f"updated_on >= {bbql.quote(timestamp)}", updated_on=timestamp.isoformat())


def test_an_offset_is_written_with_a_colon() -> None:
    assert bbql.quote(datetime(2026, 11, 2, tzinfo=UTC)) == '"2026-11-02T00:00:00.000000+00:00"'


class State(enum.StrEnum):
    OPEN = "OPEN"


def test_an_enum_member_is_written_as_its_value() -> None:
    assert bbql.quote(State.OPEN) == '"OPEN"'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), date(2026, 1, 1), ["a"], b"a"])
def test_a_value_that_bbql_cannot_express_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="cannot be written in a query"):
        bbql.quote(value)


def test_an_or_in_a_condition_of_the_user_does_not_disable_other_conditions() -> None:
    condition = bbql.all_of(bbql.one_of("state", ["OPEN", "MERGED"]), None, 'title = "a" or title = "b"')
    assert matches(condition, state="OPEN", title="b")
    assert not matches(condition, state="DECLINED", title="b")
