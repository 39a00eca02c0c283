"""The query language of ``q`` filters objects as on Bitbucket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.query import dotted, parse

ITEM = {
    "id": 7,
    "title": 'Fix "login" on 2026-01-05',
    "state": "OPEN",
    "draft": False,
    "closed_by": None,
    "updated_on": "2026-03-01T10:00:00.123456+00:00",
    "source": {"branch": {"name": "2026-01-05"}},
    "reviewers": ["{a}", "{b}"],
}


def matches(query: str, item: dict[str, Any] = ITEM) -> bool:
    return parse(query)(item, dotted)


@pytest.mark.parametrize(
    "query",
    [
        "id = 7",
        "id >= 7 AND id < 8",
        'state = "OPEN"',
        'state != "MERGED"',
        'title ~ "LOGIN"',
        'title ~ "2026-01-05"',
        'title !~ "logout"',
        'title ~ "\\"login\\""',
        "draft = false",
        "closed_by = null",
        'closed_by.uuid != "{x}"',
        'source.branch.name = "2026-01-05"',
        'source.branch.name IN ("main", "2026-01-05")',
        'state NOT IN ("MERGED", "DECLINED")',
        'state = "MERGED" or (state = "OPEN" and id = 7)',
        'state = "OPEN" OR state = "MERGED" AND id = 0',
        "updated_on > 2026-03-01T09:59:59+00:00",
        'updated_on > "2026-03-01T09:59:59+00:00"',
        'updated_on >= "2026-03-01"',
        'updated_on < "2026-03-01T11:30:00+01:00"',
        'reviewers = "{b}"',
    ],
)
def test_a_query_matches_an_object_it_describes(query: str) -> None:
    assert matches(query)


@pytest.mark.parametrize(
    "query",
    [
        "id = 8",
        "id > 7",
        'state = "open"',
        'title ~ "logout"',
        "draft = true",
        "closed_by != null",
        "updated_on < 2026-03-01T10:00:00+00:00",
        'updated_on > "2026-03-01T11:30:00+01:00"',
        '(state = "OPEN" OR state = "MERGED") AND id = 0',
        "title > 3",
    ],
)
def test_a_query_does_not_match_an_object_it_does_not_describe(query: str) -> None:
    assert not matches(query)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "id",
        "id =",
        "id = 7 AND",
        "(id = 7",
        "id = 7)",
        'title = "open',
        "id = 7 8",
        "= 7",
        "id IN 7",
        "id LIKE 7",
        "id = OPEN",
    ],
)
def test_a_malformed_query_is_refused_with_400(query: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse(query)
    assert refused.value.status == 400


def test_a_date_whose_offset_has_no_colon_is_refused() -> None:
    # The live API refuses +0000, whether quoted or not.
    for query in ('updated_on > "2026-03-01T09:59:59+0000"', "updated_on > 2026-03-01T09:59:59+0000"):
        with pytest.raises(ApiError):
            matches(query)


def test_the_error_for_a_field_that_cannot_be_filtered_names_it() -> None:
    with pytest.raises(ApiError, match=r'Field "commit\.date" does not support filtering'):
        parse('commit.date > "2026-01-01"', {"state"})


def test_dates_are_compared_as_points_in_time() -> None:
    item = {"created_on": datetime(2026, 1, 1, 12, tzinfo=UTC)}
    assert matches('created_on = "2026-01-01T13:00:00+01:00"', item)
    assert matches('created_on >= "2026-01-01"', item)
    assert not matches('created_on < "2026-01-01T12:00:00Z"', item)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_text_matches_itself_only(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert matches(f"title = {quoted}", {"title": text})
    assert not matches(f"title != {quoted}", {"title": text})
    assert matches(f"title IN ({quoted})", {"title": text})


@given(st.text(alphabet='ab_."\\()=!<>~, 019-:TZ+', max_size=30))
def test_any_text_is_parsed_or_refused_with_400(text: str) -> None:
    try:
        condition = parse(text)
        condition(ITEM, dotted)
    except ApiError as refused:
        assert refused.status == 400  # noqa: PT017 - a query that is parsed is correct too
