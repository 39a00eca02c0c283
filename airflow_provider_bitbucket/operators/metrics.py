"""Compute a metric of Bitbucket data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.hooks.metric_reading import check_metric
from airflow_provider_bitbucket.operators.frames import BitbucketFrameOperator
from airflow_provider_bitbucket.parameters import Templated, flag, names, records
from airflow_provider_bitbucket.parameters.choices import MetricName

if TYPE_CHECKING:
    import pandas as pd
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketMetricsOperator"]


class BitbucketMetricsOperator(BitbucketFrameOperator):
    """Read the datasets of a metric and compute it, as a DataFrame or into a Parquet file.

    Counts events in ``[since, until)`` by the date that the metric is defined for: the merge of a pull request, the end of a
    pipeline or deployment, the request of a review or the response to it. A DAG run computes its data interval with
    ``since="{{ data_interval_start }}"`` and ``until="{{ data_interval_end }}"``; a week or month that begins before ``since`` or
    ends after ``until`` is then incomplete. docs/metrics.md defines each metric and states its cost.

    :param metric: ``cycle_time``, ``pull_request_times``, ``throughput`` and ``review_load`` of pull requests;
        ``pipeline_health``, ``flakiness``, ``time_to_fix`` and ``test_health`` of pipelines; ``dora`` and
        ``deployment_frequency``; ``repository_health``, ``stale_pull_requests`` and ``stale_branches``, which are as of ``until``
    :param group_by: columns to group by, or one, including ``week`` and ``month`` except for ``deployment_frequency``
        (templated); default: repository and week, else as in docs/metrics.md
    :param with_commits: of ``cycle_time`` and ``pull_request_times``: read the commits of pull requests too (coding time), at
        one request for every pull request
    :param with_diffstat: of these two and ``throughput``: read the diffstats too (size), at two requests for every pull
        request
    :param with_deployments: of ``cycle_time`` and ``pull_request_times``: read deployments and commits too (time to
        production), at one request for every 100 of them
    :param with_steps: of ``pipeline_health``: read the steps too (queue time), at one request for every pipeline
    :param incidents: of ``dora``: your incidents, which replace the proxies of change failure rate and recovery: a list of
        records or a DataFrame (such as ``incidents=fetch.output`` of the task ``fetch``), or the path of a Parquet, CSV or JSON
        file of them, with ``repository`` (slug, or workspace/slug), ``created_on`` and ``resolved_on`` (null while open)
        (templated)
    :param repositories: slugs, or one; None: all repositories of the workspace (templated)
    :param since: start of the interval, ISO 8601 (templated); None, or a template that renders to nothing: from the beginning
    :param until: end of the interval, exclusive (templated); None: until now
    :param bots: nicknames, display names, account ids or uuids of bots that use an ordinary user account (templated).
        Bots are left out: their pull requests in ``cycle_time``, ``pull_request_times`` and ``throughput``, their reviews in
        ``review_load`` and their commits in the bus factor of ``repository_health``
    :param output_path: any path of ``ObjectStoragePath``, such as ``s3://bucket/dora.parquet`` (templated); an existing file
        is replaced, a folder never; None: the DataFrame is the task's XCom
    :param on_repository_error: ``fail``: a repository that cannot be read fails the task; ``skip``: the metric is computed
        without it, and the log and the result name it
    :param operator: ``bitbucket_conn_id``, ``workspace``, ``run_as`` and the other parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :return: the DataFrame; with ``output_path`` its ``path``, ``metric``, ``rows``, ``columns``, ``skipped`` (``repository``,
        ``dataset``, ``error``) and ``incomplete`` (``repository``, ``record``, ``missing``, ``error``, 100 at most). With a
        DataFrame the last two are XComs of the same names
    :raises ValueError: unknown metric or column; malformed timestamp or incidents; an option of another metric; an
        ``output_path`` that may not be written
    :raises BitbucketError: a repository cannot be read
    """

    template_fields = (*BitbucketFrameOperator.template_fields, "group_by", "incidents")
    incidents = Templated()
    parameter_kinds = {**BitbucketFrameOperator.parameter_kinds, "group_by": names, "incidents": records}

    def __init__(
        self,
        *,
        metric: MetricName,
        group_by: Sequence[str] | str | None = None,
        with_commits: bool = False,
        with_diffstat: bool = False,
        with_deployments: bool = False,
        with_steps: bool = False,
        incidents: Any = None,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.metric = metric
        self.group_by = group_by
        self.with_commits = flag("with_commits", with_commits)
        self.with_diffstat = flag("with_diffstat", with_diffstat)
        self.with_deployments = flag("with_deployments", with_deployments)
        self.with_steps = flag("with_steps", with_steps)
        self.incidents = incidents
        check_metric(metric, group_by, {**self._options(), "incidents": incidents is not None})

    def perform(self, context: Context) -> pd.DataFrame | dict[str, Any]:
        """Compute the metric and publish it."""
        if self.output_path:
            self.check_output()
        else:
            self.require_xcom_support("pull_requests")  # it has all dtypes of metrics
        frame = self.hook.metrics.get_df(
            self.metric,
            repositories=self.repositories,
            since=self.since,
            until=self.until,
            group_by=self.group_by,
            bots=self.bots,
            incidents=self.incidents,
            on_repository_error=self.on_repository_error,
            **self._options(),
        )
        missing = {key: frame.attrs[key] for key in ("skipped", "incomplete")}
        if not self.output_path:
            if self.do_xcom_push and (instance := context.get("ti")):
                for key, value in missing.items():
                    instance.xcom_push(key=key, value=value)
            self.log.info("Computed %s rows of %s.", f"{len(frame):,}", self.metric)
            return frame
        self.hook.files.write_frame(frame, str(self.output_path))
        self.log.info("Wrote %s rows of %s to %s.", f"{len(frame):,}", self.metric, self.output_path)
        return {
            "path": self.output_path,
            "metric": self.metric,
            "rows": len(frame),
            "columns": list(frame.columns),
            **missing,
        }

    def _options(self) -> dict[str, Any]:
        return {
            "with_commits": self.with_commits,
            "with_diffstat": self.with_diffstat,
            "with_deployments": self.with_deployments,
            "with_steps": self.with_steps,
        }
