"""Nothing a user types can change a query."""

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

MOMENTS = st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def fits(condition: str, **item: Any) -> bool:
    return query.parse(condition)(item, query.dotted)


@given(st.text(), st.text())
@example('" OR id > 0 OR title = "', "x")
@example('\\" OR id > 0 OR title = \\"', "x")
@example("\\", '" OR id > 0')
@example('a\\\\"', "\\")
def test_a_text_is_found_by_itself_and_by_nothing_else(wanted: str, other: str) -> None:
    condition = bbql.all_of(f"title = {bbql.quote(wanted)}", f"author = {bbql.quote(other)}")
    assert fits(condition, title=wanted, author=other, id=1)
    assert fits(condition, title=wanted + "x", author=other, id=1) is False
    assert fits(condition, title=wanted, author=f"x{other}", id=1) is False


@given(st.text())
def test_a_quoted_text_is_one_literal_by_any_reading_of_the_language(text: str) -> None:
    assert re.fullmatch(r'"(?:[^"\\]|\\["\\])*"', bbql.quote(text))


@given(st.integers() | st.booleans() | st.none())
def test_numbers_and_words_stay_what_they_are(value: int | bool | None) -> None:
    assert fits(f"id = {bbql.quote(value)}", id=value)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_a_fraction_is_written_without_exponent(value: float) -> None:
    assert float(bbql.quote(value)) == pytest.approx(value, abs=1e-6)
    assert re.fullmatch(r"-?\d+\.\d+", bbql.quote(value))


@given(MOMENTS, st.integers(-23, 23))
def test_a_moment_is_the_same_in_every_time_zone(moment: datetime, hours: int) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))
    assert bbql.quote(elsewhere) == bbql.quote(moment)
    assert bbql.quote(moment.replace(tzinfo=None)) == bbql.quote(moment)
    assert fits(f"updated_on >= {bbql.quote(moment)}", updated_on=moment.isoformat())


def test_an_offset_has_a_colon() -> None:
    assert bbql.quote(datetime(2026, 11, 2, tzinfo=UTC)) == '"2026-11-02T00:00:00.000000+00:00"'


class Word(enum.StrEnum):
    OPEN = "OPEN"


def test_an_enum_is_its_value() -> None:
    assert bbql.quote(Word.OPEN) == '"OPEN"'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), date(2026, 1, 1), ["a"], b"a"])
def test_what_the_language_can_not_write_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="cannot be written in a query"):
        bbql.quote(value)


def test_a_users_own_condition_can_not_let_go_of_ours() -> None:
    condition = bbql.all_of(bbql.one_of("state", ["OPEN", "MERGED"]), None, 'title = "a" or title = "b"')
    assert fits(condition, state="OPEN", title="b")
    assert not fits(condition, state="DECLINED", title="b")
