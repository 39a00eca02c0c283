"""A column is declared once: its declaration makes its value."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from airflow_provider_bitbucket.datasets.catalog import SPECS
from airflow_provider_bitbucket.datasets.rows import compile_row
from airflow_provider_bitbucket.datasets.schema import TEXT, Column
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

RECORD = {
    "repository": "acme/api",
    "branch": {"name": "main", "empty": "", "target": {"hash": "abc", "author": None}, "links": {"html": {"href": "https://x"}}},
}


def column(source: str, **options: Any) -> Column:
    return Column("repository", TEXT, "a column", source, **options)


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
    assert compile_row([column(source)], "branch")(RECORD) == {"repository": value}


@pytest.mark.parametrize("source", ["made from the name", "links.html.", "Name", "a['b']", "a or b", ""])
def test_a_column_without_a_value_is_refused_and_not_null(source: str):
    with pytest.raises(ValueError, match="is not a path"):
        compile_row([column(source)], "branch")


def test_paths_that_share_objects_do_not_mix_them_up():
    paths = {"a": "source.commit.hash", "b": "target.commit.hash", "c": "source.branch.name", "d": "target.branch.name"}
    record = {side: {"commit": {"hash": f"{side} 1"}, "branch": {"name": f"{side} 2"}} for side in ("source", "target")}
    row = compile_row([Column(name, TEXT, "a column", path) for name, path in paths.items()], None)
    assert row(record) == {"a": "source 1", "b": "target 1", "c": "source 2", "d": "target 2"}


def test_a_function_makes_a_value_and_an_object_has_several():
    class Both(NamedTuple):
        repository: str

    assert compile_row([column("made", value=lambda record: len(record))], None)(RECORD) == {"repository": 2}
    assert compile_row([column("made", group=lambda record: Both("x"))], None)(RECORD) == {"repository": "x"}


def test_a_column_that_its_group_does_not_have_is_an_error_and_not_null():
    with pytest.raises(AttributeError):
        compile_row([column("made", group=lambda record: object())], None)(RECORD)


def test_columns_of_a_group_share_one_call():
    calls: list[object] = []

    def group(record: object) -> object:
        calls.append(record)
        return complex(1, 2)

    columns = [Column(name, TEXT, "part", "made", group=group) for name in ("real", "imag")]
    assert compile_row(columns, None)(RECORD) == {"real": 1, "imag": 2}
    assert len(calls) == 1


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_column_of_every_dataset_declares_its_value(spec: DatasetSpec):
    assert callable(spec.schema.row)
