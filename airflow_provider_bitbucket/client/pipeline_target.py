"""What a pipeline is to run on: the ``target`` of the request that starts it.

Source: published OpenAPI, ``POST /repositories/{workspace}/{repo_slug}/pipelines``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def build_target(
    *,
    branch: str | None,
    tag: str | None,
    commit: str | None,
    pull_request: int | str | None,
    custom_pipeline: str | None,
    selector: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Return the ``target`` object; for a pull request still without its branches and commits.

    A commit beside a branch or tag runs exactly this commit with the definitions and variables of that branch or tag.

    :raises ValueError: not exactly one target is given, it is no number or no selector, or the selector does not fit it
    """
    given = {"branch": branch, "tag": tag, "commit": commit, "pull_request": pull_request}
    named = {name: value for name, value in given.items() if value not in (None, "")}
    if len(named) != 1 and set(named) not in ({"branch", "commit"}, {"tag", "commit"}):
        got = ", ".join(f"{name}={value!r}" for name, value in named.items()) or "none of them"
        raise ValueError(
            "Exactly one of branch, tag, commit and pull_request says what to run on (commit may accompany branch or tag); "
            f"given: {got}"
        )
    if selector is not None and (not isinstance(selector, Mapping) or "type" not in selector):
        raise ValueError(f"selector is {selector!r}; expected {{'type': 'branches', 'pattern': 'main'}} or the like")
    if custom_pipeline and selector:
        raise ValueError(f"Give custom_pipeline ({custom_pipeline!r}) or selector ({dict(selector)!r}), not both")
    chosen = {"type": "custom", "pattern": custom_pipeline} if custom_pipeline else dict(selector or {})
    exact = {"commit": {"type": "commit", "hash": str(commit).strip().lower()}} if commit else {}
    if [*named] == ["commit"]:
        if not chosen:
            raise ValueError(
                "A commit alone does not say which pipeline to run: give custom_pipeline or selector too, or the branch or tag"
            )
        return {"type": "pipeline_commit_target", **exact, "selector": chosen}
    if "pull_request" in named:
        if not str(pull_request).strip().isdecimal():
            raise ValueError(f"pull_request is {pull_request!r}; expected its number")
        return {
            "type": "pipeline_pullrequest_target",
            "pullrequest": {"id": str(int(str(pull_request)))},
            "selector": chosen or {"type": "pull-requests", "pattern": "**"},
        }
    kind, name = ("branch", branch) if branch else ("tag", tag)
    target: dict[str, Any] = {"type": "pipeline_ref_target", "ref_type": kind, "ref_name": name, **exact}
    return {**target, "selector": chosen} if chosen else target


def variable_list(variables: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Return variables as Bitbucket takes them. Values are texts over there.

    :param variables: ``{"NAME": "value"}`` or a list of ``{"key", "value", "secured"}``
    :raises ValueError: says which entry is no variable
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
    raise ValueError(f"Variable {key!r} is a {type(value).__name__}; Bitbucket takes texts: pass json.dumps(...) of it")


def describe_target(target: Mapping[str, Any]) -> str:
    """Return a target in a few words: ``main``, ``tag v1``, ``commit 1a2b3c4d5e6f`` (``of main``), ``pull request 12``."""
    if target["type"] == "pipeline_pullrequest_target":
        return f"pull request {target['pullrequest']['id']}"
    commit = f"commit {target['commit']['hash'][:12]}" if "commit" in target else ""
    if target["type"] == "pipeline_commit_target":
        return commit
    ref = str(target["ref_name"]) if target["ref_type"] == "branch" else f"{target['ref_type']} {target['ref_name']}"
    return f"{commit} of {ref}" if commit else ref


def fits(asked: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    """Say whether a pipeline that shows a target may be the one that was asked for.

    :param asked: as :func:`build_target` gives it
    :param shown: the target of a pipeline, which always has the commit; its selector is null until its definition has been read
    """
    same = shown.get("type") == asked["type"]
    if "commit" in asked:
        same = same and str((shown.get("commit") or {}).get("hash")).startswith(asked["commit"]["hash"])
    if asked["type"] == "pipeline_pullrequest_target":
        same = same and str((shown.get("pullrequest") or {}).get("id")) == asked["pullrequest"]["id"]
    if asked["type"] == "pipeline_ref_target":
        same = same and all(shown.get(name) == asked[name] for name in ("ref_type", "ref_name"))
    return same and _selector_fits(asked.get("selector"), shown.get("selector"))


def _selector_fits(asked: Mapping[str, str] | None, shown: Mapping[str, str] | None) -> bool:
    if not shown:
        return True
    if not asked:  # Bitbucket chose what a push would run, which is never a custom one
        return shown.get("type") != "custom"
    # A pull request's pattern is chosen by Bitbucket too.
    return shown.get("type") == asked["type"] and (
        asked["type"] == "pull-requests" or shown.get("pattern") == asked.get("pattern")
    )
