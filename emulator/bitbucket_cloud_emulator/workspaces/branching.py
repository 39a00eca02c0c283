"""Branching models of repositories and projects: settings, their changes, and their JSON."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.workspaces.models import BranchingModel


class _Branch(Body):
    name: str | None = None
    use_mainbranch: bool | None = None
    enabled: bool | None = None


class _BranchType(Body):
    kind: Literal["feature", "bugfix", "release", "hotfix"]
    enabled: bool | None = None
    prefix: Annotated[str, Field(max_length=250)] | None = None


class SettingsBody(Body):
    """Changes of a branching model; what is not sent is left as it is."""

    development: _Branch | None = None
    production: _Branch | None = None
    branch_types: list[_BranchType] = []


def changed(model: BranchingModel, body: SettingsBody, branches: Collection[str] | None) -> BranchingModel:
    """Return a branching model with changes.

    :param branches: names of the branches that it may name; None: any
    :raises ApiError: 400, it would be invalid; nothing is changed
    """
    new = copy.deepcopy(model)
    if body.development:
        new.development = _branch(body.development, "development", new.development, branches)
    if body.production:
        if body.production.enabled is not None:
            new.production_enabled = body.production.enabled
        new.production = _branch(body.production, "production", new.production, branches if new.production_enabled else None)
    for one in body.branch_types:
        if one.prefix is not None:
            new.prefixes[one.kind] = one.prefix
        if one.enabled is not None:
            (new.disabled.discard if one.enabled else new.disabled.add)(one.kind)
    _check_prefixes(new)
    return new


def _branch(change: _Branch, role: str, current: str | None, branches: Collection[str] | None) -> str | None:
    name = None if change.use_mainbranch else change.name or current
    if name is not None and branches is not None and name not in branches:
        raise ApiError(400, f"{role}: branch {name} does not exist", fields={role: [f"branch {name} does not exist"]})
    return name


def _check_prefixes(model: BranchingModel) -> None:
    prefixes = [prefix for kind, prefix in model.prefixes.items() if kind not in model.disabled]
    for prefix in prefixes:
        if not prefix or set(prefix) & set("*?[\\ ~^:"):
            raise ApiError(400, f"branch_types: {prefix!r} is not a valid prefix")
        if sum(other.startswith(prefix) for other in prefixes) > 1:
            raise ApiError(400, f"branch_types: {prefix!r} begins another prefix")


def settings_json(model: BranchingModel, address: str, branches: Collection[str] | None) -> dict[str, Any]:
    """Return all settings.

    :param address: of the settings
    :param branches: names of the branches that there are; None: unknown
    """

    def branch(name: str | None) -> dict[str, Any]:
        return {"is_valid": name is None or branches is None or name in branches, "name": name, "use_mainbranch": name is None}

    return {
        "type": "branching_model_settings",
        "development": branch(model.development),
        "production": {**branch(model.production), "enabled": model.production_enabled},
        "branch_types": [
            {"kind": kind, "prefix": prefix, "enabled": kind not in model.disabled} for kind, prefix in model.prefixes.items()
        ],
        "links": {"self": {"href": address}},
    }


def enabled_types(model: BranchingModel) -> list[dict[str, str]]:
    """Return the kinds of branches that are enabled, with their prefixes."""
    return [{"kind": kind, "prefix": prefix} for kind, prefix in model.prefixes.items() if kind not in model.disabled]
