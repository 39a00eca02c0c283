"""Build the ``target`` and ``variables`` of the request that starts a pipeline.

Source: published OpenAPI, ``POST /repositories/{workspace}/{repo_slug}/pipelines``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_NAMES = ("branch", "tag", "commit", "pull_request")
_COMBINATIONS = ({"branch", "commit"}, {"tag", "commit"})


@dataclass(frozen=True)
class PipelineTarget:
    """What to run a pipeline on, validated when it is created.

    A commit beside a branch or tag runs exactly this commit with the definitions and variables of that branch or tag.

    :param branch: run on the head of this branch
    :param tag: run on this tag
    :param commit: run on this commit
    :param pull_request: run on the pull request with this number
    :param custom_pipeline: name of the pipeline under ``custom:``
    :param selector: any other selector, ``{"type": ..., "pattern": ...}``
    :raises ValueError: not exactly one target is given, a number or selector is malformed, or the selector contradicts the target
    """

    branch: str | None = None
    tag: str | None = None
    commit: str | None = None
    pull_request: int | str | None = None
    custom_pipeline: str | None = None
    selector: Mapping[str, str] | None = None
    #: The ``target`` object of the request; for a pull request still without its branches and commits.
    request: dict[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "request", self._request())

    def _request(self) -> dict[str, Any]:
        self._check_names()
        selector = self._selector()
        commit = {"commit": {"type": "commit", "hash": str(self.commit).strip().lower()}} if self.commit else {}
        if self.pull_request not in (None, ""):
            if not str(self.pull_request).strip().isdecimal():
                raise ValueError(f"pull_request is {self.pull_request!r}; expected its number")
            return {
                "type": "pipeline_pullrequest_target",
                "pullrequest": {"id": str(int(str(self.pull_request)))},
                "selector": selector or {"type": "pull-requests", "pattern": "**"},
            }
        if not (self.branch or self.tag):
            if not selector:
                raise ValueError(
                    "A commit alone does not determine the pipeline: add custom_pipeline or selector, or the branch or tag"
                )
            return {"type": "pipeline_commit_target", **commit, "selector": selector}
        kind, name = ("branch", self.branch) if self.branch else ("tag", self.tag)
        target: dict[str, Any] = {"type": "pipeline_ref_target", "ref_type": kind, "ref_name": name, **commit}
        return {**target, "selector": selector} if selector else target

    def _check_names(self) -> None:
        named = {name: value for name in _NAMES if (value := getattr(self, name)) not in (None, "")}
        if len(named) != 1 and set(named) not in _COMBINATIONS:
            got = ", ".join(f"{name}={value!r}" for name, value in named.items()) or "none of them"
            raise ValueError(
                "Exactly one of branch, tag, commit and pull_request is required (commit may accompany branch or tag); "
                f"given: {got}"
            )

    def _selector(self) -> dict[str, str]:
        if self.selector is not None and (not isinstance(self.selector, Mapping) or "type" not in self.selector):
            raise ValueError(f"selector is {self.selector!r}; expected {{'type': 'branches', 'pattern': 'main'}} or similar")
        if self.custom_pipeline and self.selector:
            raise ValueError(f"Give custom_pipeline ({self.custom_pipeline!r}) or selector ({dict(self.selector)!r}), not both")
        if self.custom_pipeline:
            return {"type": "custom", "pattern": self.custom_pipeline}
        return dict(self.selector or {})


def variable_list(variables: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Return variables in the form of the request; Bitbucket accepts only text values.

    :param variables: ``{"NAME": "value"}`` or a list of ``{"key", "value", "secured"}``
    :raises ValueError: an entry is malformed; the message names it
    """
    if not variables:
        return []
    if isinstance(variables, Mapping):
        return [{"key": str(key), "value": _text(key, value)} for key, value in variables.items()]
    listed = []
    for entry in variables:
        if not isinstance(entry, Mapping) or not entry.get("key") or set(entry) - {"key", "value", "secured"}:
            shown = sorted(entry) if isinstance(entry, Mapping) else type(entry).__name__  # its value may be a secret
            raise ValueError(f"A pipeline variable is {{'key': ..., 'value': ..., 'secured': True}}; given: {shown}")
        variable: dict[str, Any] = {"key": str(entry["key"]), "value": _text(entry["key"], entry.get("value", ""))}
        listed.append({**variable, "secured": True} if entry.get("secured") else variable)
    return listed


def _text(key: Any, value: Any) -> str:
    if isinstance(value, str | int | float):  # True included: bool is an int
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise ValueError(f"Variable {key!r} is a {type(value).__name__}; Bitbucket accepts only text: pass json.dumps(...) of it")


def describe_target(target: Mapping[str, Any]) -> str:
    """Return a target in a few words: ``main``, ``tag v1``, ``commit 1a2b3c4d5e6f`` (``of main``), ``pull request 12``."""
    if target["type"] == "pipeline_pullrequest_target":
        return f"pull request {target['pullrequest']['id']}"
    commit = f"commit {target['commit']['hash'][:12]}" if "commit" in target else ""
    if target["type"] == "pipeline_commit_target":
        return commit
    ref = str(target["ref_name"]) if target["ref_type"] == "branch" else f"{target['ref_type']} {target['ref_name']}"
    return f"{commit} of {ref}" if commit else ref
