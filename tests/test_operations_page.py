"""The page of operations is current, and each operator that it names exists."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from airflow_provider_bitbucket.get_provider_info import get_provider_info
from tests.openapi import OpenApi
from tests.operations_page import OPERATORS, methods_of_operations, page
from tests.test_client_contract import CALLS

PAGE = Path(__file__).parents[1] / "docs/operations.md"


def test_the_page_shows_what_the_client_covers() -> None:
    specification = OpenApi.load()
    generated = page(specification.operations.values(), methods_of_operations(specification))
    assert PAGE.read_text() == generated, "run: python -m tests.operations_page > docs/operations.md"


def test_each_operator_of_the_page_exists_for_a_method_that_exists() -> None:
    info = get_provider_info()
    modules = [name for kind in ("operators", "sensors") for entry in info[kind] for name in entry["python-modules"]]
    public = {name for module in modules for name in vars(import_module(module))}
    assert set(OPERATORS.values()) <= public
    assert OPERATORS.keys() <= CALLS.keys()
