"""docs/stability.md names exactly the public names of the provider."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from airflow_provider_bitbucket.get_provider_info import PACKAGE, get_provider_info

PAGE = Path(__file__).parents[1] / "docs" / "stability.md"
#: Public modules that are not registered with Airflow.
FURTHER = (
    "client",
    "datasets",
    "exceptions",
    "hooks.datasets",
    "hooks.files",
    "hooks.metrics",
    "hooks.tables",
    "links",
)
ROOMS = ("operators", "sensors", "triggers", "hooks", "notifications", "bundles")


def registered() -> list[str]:
    """Return the modules that the provider info lists."""
    info = get_provider_info()
    groups = [group for room in ROOMS for group in info.get(room, [])]
    modules = {name for group in groups if isinstance(group, dict) for name in group["python-modules"]}
    modules |= {path.rpartition(".")[0] for path in info.get("notifications", [])}
    return sorted(modules)


MODULES = sorted({PACKAGE, f"{PACKAGE}.testing", *registered(), *(f"{PACKAGE}.{name}" for name in FURTHER)})


def test_the_page_lists_the_public_names_of_every_public_module():
    expected = [
        f"| `{name}` | {', '.join(f'`{public}`' for public in sorted(importlib.import_module(name).__all__))} |"
        for name in MODULES
    ]
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{PACKAGE}")]
    assert rows == expected, "the table must be:\n" + "\n".join(expected)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_exists_and_no_class_for_users_is_left_out(name: str):
    module = importlib.import_module(name)
    assert [public for public in module.__all__ if not hasattr(module, public)] == []
    own = {key for key, value in vars(module).items() if inspect.isclass(value) and value.__module__ == name}
    assert {key for key in own if key.startswith("Bitbucket")} <= set(module.__all__)
