"""``fields`` selects the parts of a response."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitbucket_cloud_emulator.core.fields import Fields

PAGE = {
    "values": [
        {
            "id": 1,
            "author": {"uuid": "{a}", "nickname": "ann", "links": {"self": {"href": "s"}}},
            "links": {"html": {"href": "h"}},
        },
        {"id": 2, "author": None, "links": {"html": {"href": "h"}}},
    ],
    "pagelen": 10,
    "next": "https://next",
}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("values.id", {"values": [{"id": 1}, {"id": 2}]}),
        ("values.id,next", {"values": [{"id": 1}, {"id": 2}], "next": "https://next"}),
        ("values.author.uuid", {"values": [{"author": {"uuid": "{a}"}}, {"author": None}]}),
        (
            "values.*.uuid",
            {"values": [{"author": {"uuid": "{a}"}, "id": 1, "links": {}}, {"author": None, "id": 2, "links": {}}]},
        ),
        ("nothing.like.it", {}),
        ("-values,-next", {"pagelen": 10}),
        (
            "-values.links,-values.author.links,-pagelen",
            {
                "values": [{"id": 1, "author": {"uuid": "{a}", "nickname": "ann"}}, {"id": 2, "author": None}],
                "next": "https://next",
            },
        ),
        ("-*.links,-values.author", {"values": [{"id": 1}, {"id": 2}], "pagelen": 10, "next": "https://next"}),
        (" values.id , pagelen ", {"values": [{"id": 1}, {"id": 2}], "pagelen": 10}),
        ("values.id,-next", {"values": [{"id": 1}, {"id": 2}]}),
        ("+values.participants", PAGE),
        ("", PAGE),
        (None, PAGE),
    ],
)
def test_a_response_contains_the_selected_fields(fields: str | None, expected: dict[str, Any]) -> None:
    assert Fields(fields).apply(PAGE) == expected


def test_a_selection_without_next_drops_the_link_as_on_the_live_api() -> None:
    assert "next" not in Fields("values.id").apply(PAGE)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ("+values.participants", True),
        ("%2Bvalues.participants", False),
        ("+values.participants.user.uuid", True),
        ("values.participants.approved", True),
        ("+values.*", True),
        ("values.id", False),
        ("values,next", False),
        ("-values.participants", False),
        (None, False),
    ],
)
def test_a_field_that_is_omitted_by_default_can_be_selected(fields: str | None, wanted: bool) -> None:
    assert Fields(fields).wants("values", "participants") is wanted


json_like = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)


@given(json_like, st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join))
def test_selecting_and_excluding_fields_is_idempotent(body: Any, path: str) -> None:
    fields = Fields(path)
    once = fields.apply(body)
    assert fields.apply(once) == once
    assert Fields(f"-{path}").apply(Fields(f"-{path}").apply(body)) == Fields(f"-{path}").apply(body)
