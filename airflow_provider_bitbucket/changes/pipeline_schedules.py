"""Give a branch and pipeline exactly the schedules that are wanted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from airflow_provider_bitbucket.client import BitbucketAmbiguousError, BitbucketClient, BitbucketNotFoundError
from airflow_provider_bitbucket.client.resources.pipeline_schedules import BitbucketScheduleLimitError, schedule_target
from airflow_provider_bitbucket.client.types import Schedule

log = logging.getLogger(__name__)


def ensure_schedules(
    client: BitbucketClient,
    repository: str,
    branch: str,
    cron_patterns: Sequence[str],
    *,
    custom_pipeline: str | None = None,
    selector: Mapping[str, str] | None = None,
    enabled: bool = True,
) -> list[Schedule]:
    """Return the schedules of a branch and pipeline: afterwards one for each pattern, and no other.

    Schedules cannot be changed, so one with another pattern is deleted after the wanted ones exist. Those of other branches and
    pipelines are left as they are. Costs one request, and one for each schedule that is created, deleted, enabled or disabled.

    :param repository: slug, or ``workspace/slug``
    :param branch: the branch that is run
    :param cron_patterns: each of seven fields, in UTC; none: the branch and pipeline have no schedule afterwards
    :param custom_pipeline: name under ``custom:``; default: the pipeline that a push to the branch would run
    :param selector: any other selector
    :param enabled: whether the schedules run
    :raises BitbucketScheduleLimitError: the repository has as many schedules as allowed, none of which is to be deleted here
    """
    target = schedule_target(branch, custom_pipeline, selector)
    wanted = list(dict.fromkeys(" ".join(one.split()) for one in cron_patterns))
    kept, surplus = _existing(client, repository, target, wanted)
    for pattern in wanted:
        if pattern not in kept:
            kept[pattern] = _create(client, repository, target, pattern, surplus)
        if kept[pattern].get("enabled") is not enabled:
            kept[pattern] = client.pipeline_schedules.update(repository, kept[pattern]["uuid"], enabled=enabled)
    while surplus:
        _delete(client, repository, surplus.pop())
    return [kept[pattern] for pattern in wanted]


def _existing(
    client: BitbucketClient, repository: str, target: Mapping[str, Any], wanted: Sequence[str]
) -> tuple[dict[str, Schedule], list[Schedule]]:
    """Return the wanted schedules of a target that exist, by pattern, and its other ones."""
    kept: dict[str, Schedule] = {}
    surplus = []
    for one in client.pipeline_schedules.list(repository):
        if _identity(one.get("target")) != _identity(target):
            continue
        pattern = " ".join(str(one.get("cron_pattern")).split())
        if pattern in wanted and pattern not in kept:
            kept[pattern] = one
        else:
            surplus.append(one)
    return kept, surplus


def _identity(target: Any) -> tuple[Any, ...]:
    selector = (target or {}).get("selector") or {}
    return (target or {}).get("ref_name"), selector.get("type"), selector.get("pattern") or ""


def _create(
    client: BitbucketClient, repository: str, target: Mapping[str, Any], pattern: str, surplus: list[Schedule]
) -> Schedule:
    """Create a schedule; where the repository has no room for it, delete a surplus one first."""

    def create() -> Schedule:
        while True:
            try:
                return client.pipeline_schedules.create(repository, target["ref_name"], pattern, selector=target["selector"])
            except BitbucketScheduleLimitError:
                if not surplus:
                    raise
                _delete(client, repository, surplus.pop())

    try:
        return create()
    except BitbucketAmbiguousError as error:
        log.warning("Checking whether the schedule was created nevertheless. %s", error)
    found, _ = _existing(client, repository, target, [pattern])
    return found.get(pattern) or create()


def _delete(client: BitbucketClient, repository: str, schedule: Schedule) -> None:
    with suppress(BitbucketNotFoundError):  # deleted by an attempt whose response was lost
        client.pipeline_schedules.delete(repository, schedule["uuid"])
