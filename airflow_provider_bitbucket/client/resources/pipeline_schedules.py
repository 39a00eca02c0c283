"""Schedules of pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.errors import BitbucketAuthError, BitbucketError
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Schedule, ScheduleExecution


class BitbucketScheduleLimitError(BitbucketError):
    """The repository has as many schedules as Bitbucket allows. Bitbucket answers 401, though the credentials are good."""


class PipelineSchedules(Resource):
    """Schedules of a repository. A schedule can be enabled and disabled; its branch, pipeline and times cannot be changed."""

    def list(self, repository: str) -> Iterator[Schedule]:
        """Yield the schedules. Costs one request for every 100."""
        return cast("Iterator[Schedule]", self._api.paginate(self._path(repository), count_pages=True))

    def get(self, repository: str, schedule: str) -> Schedule:
        """Return a schedule by uuid."""
        return cast("Schedule", self._api.get(self._path(repository, schedule)))

    def create(
        self,
        repository: str,
        branch: str,
        cron_pattern: str,
        *,
        custom_pipeline: str | None = None,
        selector: Mapping[str, str] | None = None,
    ) -> Schedule:
        """Create an enabled schedule and return it.

        Clients have found that ``enabled: false`` is ignored here, so it is not offered: :meth:`update` disables.

        :param repository: slug, or ``workspace/slug``
        :param branch: the branch that is run
        :param cron_pattern: seven fields in UTC: second, minute, hour, day of month, month, day of week, year, such as
            ``0 30 2 * * ? *``
        :param custom_pipeline: name under ``custom:``; default: the pipeline that a push to the branch would run
        :param selector: any other selector, ``{"type": ..., "pattern": ...}``
        :raises BitbucketScheduleLimitError: the repository has as many schedules as allowed
        :raises BitbucketAmbiguousError: sent, and the response was lost: it may have been created
        """
        body = {
            "type": "pipeline_schedule",
            "target": schedule_target(branch, custom_pipeline, selector),
            "cron_pattern": cron_pattern,
            "enabled": True,
        }
        try:
            return cast("Schedule", self._api.post(self._path(repository), body))
        except BitbucketAuthError as error:
            if "limit" not in error.message.lower():
                raise
            raise BitbucketScheduleLimitError(
                f"{self._api.full_name(repository)} has as many schedules as Bitbucket allows: {error.message}",
                status=error.status,
                method=error.method,
                url=error.url,
                request_id=error.request_id,
            ) from error

    def update(self, repository: str, schedule: str, *, enabled: bool) -> Schedule:
        """Enable or disable a schedule, and return it."""
        return cast("Schedule", self._api.put(self._path(repository, schedule), {"enabled": enabled}))

    def delete(self, repository: str, schedule: str) -> None:
        """Delete a schedule by uuid.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(self._path(repository, schedule))

    def executions(self, repository: str, schedule: str) -> Iterator[ScheduleExecution]:
        """Yield the runs of a schedule. Costs one request for every 100."""
        rows = self._api.paginate(f"{self._path(repository, schedule)}/executions", count_pages=True)
        return cast("Iterator[ScheduleExecution]", rows)

    def _path(self, repository: str, schedule: str | None = None) -> str:
        below = "" if schedule is None else f"/{segment(schedule)}"
        return f"{self._api.repository_path(repository)}/pipelines_config/schedules{below}"


def schedule_target(branch: str, custom_pipeline: str | None = None, selector: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the target of a schedule, as in the request. Parameters as for :meth:`PipelineSchedules.create`.

    :raises ValueError: both custom_pipeline and selector are given
    """
    if custom_pipeline and selector:
        raise ValueError(f"Give custom_pipeline ({custom_pipeline!r}) or selector ({dict(selector)!r}), not both")
    chosen = {"type": "custom", "pattern": custom_pipeline} if custom_pipeline else dict(selector or {})
    # Required by the documentation; clients fall back to the selector of the branch.
    return {
        "type": "pipeline_ref_target",
        "ref_type": "branch",
        "ref_name": branch,
        "selector": chosen or {"type": "branches", "pattern": branch},
    }
