"""Ensure schedules of pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.parameters import Kind, Templated, flag, mapping, name_if_given, names, refused, required_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketEnsurePipelineSchedulesOperator"]

_FIELDS = 7


def schedule_patterns(parameter: str, value: Any) -> list[str]:
    """Return cron patterns of seven fields; an empty list means none.

    :raises ValueError: it is not given, or a pattern has another number of fields
    """
    found = names(parameter, value)
    if found is None:
        raise refused(parameter, value, "patterns such as '0 30 2 * * ? *', or an empty list")
    for pattern in found:
        if len(pattern.split()) != _FIELDS:
            expected = "seven fields: second, minute, hour, day of month, month, day of week, year, such as '0 30 2 * * ? *'"
            raise refused(f"A pattern of {parameter}", pattern, expected)
    return found


class BitbucketEnsurePipelineSchedulesOperator(BitbucketRepositoryOperator):
    """Give a branch and pipeline of a repository exactly these schedules::

        BitbucketEnsurePipelineSchedulesOperator(
            task_id="nightly", repository="api", branch="main", custom_pipeline="nightly", cron_patterns="0 30 2 * * ? *"
        )

    Bitbucket cannot change the pattern of a schedule: one with another pattern is deleted after the wanted ones exist, also if a
    person has made it. Schedules of other branches and pipelines are left as they are.

    **Under retry** there is one schedule for each pattern, also after a lost answer or a kill at any point. Costs one request,
    and one for each schedule that is created, deleted, enabled or disabled.

    :param branch: the branch that is run (templated)
    :param cron_patterns: patterns of seven fields, in UTC; the empty list: no schedule (templated)
    :param custom_pipeline: name under ``custom:``; default: the pipeline that a push to the branch would run (templated)
    :param selector: any other selector, ``{"type": ..., "pattern": ...}`` (templated)
    :param enabled: False: the schedules exist and do not run
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :return: the uuid of each schedule by pattern
    :raises ValueError: a parameter is malformed
    :raises BitbucketScheduleLimitError: the repository has as many schedules as Bitbucket allows
    :raises BitbucketError: Bitbucket refused
    """

    template_fields: Sequence[str] = (
        *BitbucketRepositoryOperator.template_fields,
        *("branch", "cron_patterns", "custom_pipeline", "selector"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"selector": "json"}
    branch = Templated()
    cron_patterns = Templated()
    custom_pipeline = Templated()
    selector = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "branch": required_name,
        "cron_patterns": schedule_patterns,
        "custom_pipeline": name_if_given,
        "selector": mapping,
    }

    def __init__(
        self,
        *,
        branch: str,
        cron_patterns: str | Sequence[str],
        custom_pipeline: str | None = None,
        selector: Mapping[str, str] | None = None,
        enabled: bool = True,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.branch = branch
        self.cron_patterns = cron_patterns
        self.custom_pipeline = custom_pipeline
        self.selector = selector
        self.enabled = flag("enabled", enabled)

    def perform(self, context: Context) -> dict[str, str]:
        """Ensure the schedules and return their uuids."""
        from airflow_provider_bitbucket.changes.pipeline_schedules import ensure_schedules

        found = ensure_schedules(
            self.hook.get_conn(),
            self.repository,
            self.branch,
            self.cron_patterns,
            custom_pipeline=self.custom_pipeline,
            selector=self.selector,
            enabled=self.enabled,
        )
        return {str(one.get("cron_pattern")): str(one.get("uuid")) for one in found}
