"""Partial responses: ``fields=a,b.c`` keeps only these, ``-a`` takes away, ``+a`` adds what is left out by default.

``*`` matches any name.
Source: developer.atlassian.com, REST intro, "Partial responses". Unknown paths are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bitbucket_cloud_emulator.core.errors import ApiError

Tree = dict[str, Any]

MAX_DEPTH = 50
"""Longest path; a longer one is refused."""


class Fields:
    """The ``fields`` parameter of a request.

    :param text: its value; None or empty shows the default
    """

    def __init__(self, text: str | None) -> None:
        parts = [part.strip() for part in (text or "").split(",") if part.strip()]
        self.added = _tree(part[1:] for part in parts if part[0] == "+")
        self.removed = _tree(part[1:] for part in parts if part[0] == "-")
        self.only = _tree(part for part in parts if part[0] not in "+-")

    def wants(self, *path: str) -> bool:
        """Return whether a field that is omitted by default is requested, by ``+path`` or by name."""
        return any(_reaches(tree, path) for tree in (self.added, self.only) if tree)

    def apply(self, body: Any) -> Any:
        """Return the part of a body that was requested; ``+`` has been rendered into it already."""
        if self.only:
            # A plain list beside +paths: both are shown.
            body = _keep(body, _merge(self.only, self.added))
        return _drop(body, self.removed) if self.removed else body


def _tree(paths: Iterable[str]) -> Tree:
    root: Tree = {}
    for path in paths:
        node = root
        names = path.split(".")
        if len(names) > MAX_DEPTH:
            raise ApiError(400, f"Invalid fields: a path is longer than {MAX_DEPTH} names")
        for name in names:
            node = node.setdefault(name, {})
    return root


def _merge(one: Tree, other: Tree) -> Tree:
    return {name: _merge(one.get(name, {}), other.get(name, {})) for name in {**one, **other}}


def _reaches(tree: Tree, path: tuple[str, ...]) -> bool:
    if not path:
        return True
    branches = [tree[name] for name in (path[0], "*") if name in tree]
    return any(_reaches(branch, path[1:]) for branch in branches)


def _branch(tree: Tree, name: str) -> Tree | None:
    """Return the requested subfields of a name, given by itself or by ``*``; empty: all; None: none."""
    branches = [tree[key] for key in (name, "*") if key in tree]
    if not branches:
        return None
    return _merge(*branches) if len(branches) == 2 and all(branches) else min(branches, key=len)


def _keep(body: Any, tree: Tree) -> Any:
    if not tree:
        return body
    if isinstance(body, list):
        return [_keep(item, tree) for item in body]
    if not isinstance(body, dict):
        return body
    kept = {}
    for name, value in body.items():
        branch = _branch(tree, name)
        if branch is not None:
            kept[name] = _keep(value, branch)
    return kept


def _drop(body: Any, tree: Tree) -> Any:
    if isinstance(body, list):
        return [_drop(item, tree) for item in body]
    if not isinstance(body, dict):
        return body
    left = {}
    for name, value in body.items():
        branch = _branch(tree, name)
        if branch is None:
            left[name] = value
        elif branch:
            left[name] = _drop(value, branch)
    return left
