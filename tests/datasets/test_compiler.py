"""A column is declared once: its declaration makes its value."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from airflow_provider_bitbucket.datasets.catalog import SPECS
from airflow_provider_bitbucket.datasets.column import TEXT, Column
from airflow_provider_bitbucket.datasets.compiler import compile_columns
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

RECORD = {
    "repository": "acme/api",
    "branch": {"name": "main", "empty": "", "target": {"hash": "abc", "author": None}, "links": {"html": {"href": "https://x"}}},
}


def column(source: str, **options: Any) -> Column:
    return Column("repository", TEXT, "a column", source, **options)


def values(columns: list[Column], *records: dict[str, Any], root: str | None = None) -> list[list[Any]]:
    return [[*one] for one in compile_columns(columns, root)(records)]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("asked for", "acme/api"),
        ("name", "main"),
        ("target.hash", "abc"),
        ("links.html.href", "https://x"),
        ("target.author.user.uuid", None),
        ("missing", None),
        ("empty", ""),
        ("empty, else null", None),
        ("empty, else target.hash", "abc"),
        ("missing.name, else empty, else name", "main"),
    ],
)
def test_the_source_of_a_column_makes_its_value(source: str, value: object):
    assert values([column(source)], RECORD, RECORD, root="branch") == [[value, value]]


@pytest.mark.parametrize("source", ["made from the name", "links.html.", "Name", "a['b']", "a or b", ""])
def test_a_column_without_a_value_is_refused_and_not_null(source: str):
    with pytest.raises(ValueError, match="is not a path"):
        compile_columns([column(source)], "branch")


def test_paths_that_share_objects_do_not_mix_them_up():
    paths = {"a": "source.commit.hash", "b": "target.commit.hash", "c": "source.branch.name", "d": "target.branch.name"}
    records = [
        {side: {"commit": {"hash": f"{side} 1 {n}"}, "branch": {"name": f"{side} 2 {n}"}} for side in ("source", "target")}
        for n in range(2)
    ]
    columns = [Column(name, TEXT, "a column", path) for name, path in paths.items()]
    expected = ("source 1", "target 1", "source 2", "target 2")
    assert values(columns, *records) == [[f"{text} {n}" for n in range(2)] for text in expected]


class Pair(NamedTuple):
    first: int
    second: int | None


def test_a_function_makes_a_value_and_an_object_has_several():
    records = [{"a": 1}, {"a": 2, "b": 3}]
    columns = [
        Column("count", TEXT, "fields", "made", value=len),
        Column("second", TEXT, "field b", "made", group=lambda record: Pair(record["a"], record.get("b"))),
        Column("a", TEXT, "field a", "a"),
    ]
    assert values(columns, *records) == [[1, 2], [None, 3], [1, 2]]


def test_columns_of_a_group_are_null_where_it_returns_none():
    columns = [Column(name, TEXT, "part", "made", group=lambda record: record.get("pair")) for name in Pair._fields]
    assert values(columns, {"pair": Pair(1, 2)}, {}, {"pair": Pair(3, None)}) == [[1, None, 3], [2, None, None]]
    assert values(columns, {}, {}) == [[None, None], [None, None]]


def test_a_column_that_its_group_does_not_have_is_an_error_and_not_null():
    with pytest.raises(AttributeError):
        values([column("made", group=lambda record: object())], RECORD)


def test_columns_of_a_group_share_one_call():
    calls: list[object] = []

    def group(record: object) -> Pair:
        calls.append(record)
        return Pair(1, 2)

    assert values([Column(name, TEXT, "part", "made", group=group) for name in Pair._fields], RECORD) == [[1], [2]]
    assert len(calls) == 1


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_column_of_every_dataset_declares_its_value(spec: DatasetSpec):
    assert callable(spec.schema.values_of)
