"""Compare the target of a start with the target of an existing pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bitbucket.client.pipeline_target import PipelineTarget as PipelineTarget


def matches_target(asked: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    """Return whether a pipeline with a target may be the requested one.

    :param asked: ``PipelineTarget.request``
    :param shown: the target of a pipeline, which always has the commit; its selector is null until its definition was parsed
    """
    same = shown.get("type") == asked["type"]
    if "commit" in asked:
        same = same and str((shown.get("commit") or {}).get("hash")).startswith(asked["commit"]["hash"])
    if asked["type"] == "pipeline_pullrequest_target":
        same = same and str((shown.get("pullrequest") or {}).get("id")) == asked["pullrequest"]["id"]
    if asked["type"] == "pipeline_ref_target":
        same = same and all(shown.get(name) == asked[name] for name in ("ref_type", "ref_name"))
    return same and _matches_selector(asked.get("selector"), shown.get("selector"))


def _matches_selector(asked: Mapping[str, str] | None, shown: Mapping[str, str] | None) -> bool:
    if not shown:
        return True
    if not asked:  # Bitbucket chose what a push would run, which is never a custom one
        return shown.get("type") != "custom"
    # A pull request's pattern is chosen by Bitbucket too.
    return shown.get("type") == asked["type"] and (
        asked["type"] == "pull-requests" or shown.get("pattern") == asked.get("pattern")
    )
