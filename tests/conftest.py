"""Fixtures that every room's tests share."""

from __future__ import annotations

import pytest

pytest_plugins = ["airflow_provider_bitbucket.emulator.pytest_plugin", "tests.airflow_home", "tests.postgres"]

END_TO_END = "end_to_end"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share the tests out to processes: a file's stay together, and so do all that run a whole Airflow, which come first.

    One Airflow at a time is enough for two cores, and all of them together take as long as all other tests.
    """
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(folder if folder == END_TO_END else str(item.path)))
    items.sort(key=lambda item: item.path.parent.name != END_TO_END)
