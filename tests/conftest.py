"""Fixtures that all tests share, and the assignment of tests to processes."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitbucket.client.transport import budget
from tests.openapi_document import HOW_TO_PROVIDE_IT, openapi_document

pytest_plugins = ["airflow_provider_bitbucket.testing", "tests.airflow_home", "tests.postgres"]

END_TO_END = "tests/end_to_end/"


@pytest.fixture(autouse=True)
def new_budgets() -> None:
    """Reset the request budgets, because an emulator may listen on the port of an earlier one."""
    budget._budgets.clear()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of a file in one process, and all end-to-end tests in one, which start first because they take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(END_TO_END))
    for item in items:
        group = END_TO_END if item.nodeid.startswith(END_TO_END) else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail if groups have no effect, because each process would then start its own Airflow."""
    if getattr(session.config.option, "loadgroup", False) and not all("@" in item.nodeid for item in session.items):
        raise pytest.UsageError("pytest-xdist does not apply the groups of the tests; it may not support this version of pytest.")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Report that responses and requests were not checked against Bitbucket's published OpenAPI."""
    if openapi_document() is None:
        terminalreporter.write_line(f"NOT CHECKED AGAINST BITBUCKET'S OPENAPI: {HOW_TO_PROVIDE_IT}", red=True, bold=True)
