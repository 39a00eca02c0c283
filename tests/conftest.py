"""Fixtures that every room's tests share, and which tests stay together where several processes run them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitbucket.client import budget

pytest_plugins = ["airflow_provider_bitbucket.testing", "tests.airflow_home", "tests.postgres"]

END_TO_END = "tests/end_to_end/"


@pytest.fixture(autouse=True)
def new_budgets() -> None:
    """Forget what was used of earlier emulators: sooner or later one listens on the port of another."""
    budget._budgets.clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what runs a whole Airflow: it takes the longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(END_TO_END))


@pytest.hookimpl(optionalhook=True)  # older Airflows are tested without pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file's tests in one process, and all that run a whole Airflow: one of those at a time is enough for two cores."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return END_TO_END if nodeid.startswith(END_TO_END) else nodeid.partition("::")[0]

    return ByFile(config, log)
