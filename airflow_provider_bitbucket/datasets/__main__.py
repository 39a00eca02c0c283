"""``python -m airflow_provider_bitbucket.datasets > docs/datasets.md``: the docs of the datasets, from what the code says."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

from airflow_provider_bitbucket.datasets.catalog import SPECS
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

_INTRODUCTION = """# Datasets

Made by `python -m airflow_provider_bitbucket.datasets > docs/datasets.md`; a test compares it with the code.

A frame has the same columns in the same dtypes for no row and for a million. Moments are UTC with microseconds, ids are
strings or `Int64`, durations are seconds with the unit in the name, and every column can hold nulls: where Bitbucket says
nothing, where an account was deleted, and where something was not read. Half a character, where something was cut in the middle
of an emoji, is a `?`. The key tells rows apart, so that rows of
overlapping reads can be merged. A Parquet file without rows keeps every dtype but the values of categories."""


def markdown() -> str:
    """Return the page."""
    return "\n\n".join([_INTRODUCTION, *map(_section, SPECS)]) + "\n"


def _section(spec: DatasetSpec) -> str:
    functions = {"read": spec.read, "read_workspace": spec.read_workspace}
    costs = [_cost(name, function) for name, function in functions.items() if function]
    key = ", ".join(f"`{column}`" for column in spec.schema.key)
    description = inspect.cleandoc(spec.description or "")
    return "\n\n".join([f"## `{spec.name}`", description, *costs, f"Key: {key}.", spec.schema.to_markdown()])


def _cost(name: str, function: Callable[..., object]) -> str:
    cost = (inspect.getdoc(function) or "").partition("\n:param")[0].strip().replace("``", "`")
    return f"`{name}`: {cost}"


if __name__ == "__main__":
    sys.stdout.write(markdown())
