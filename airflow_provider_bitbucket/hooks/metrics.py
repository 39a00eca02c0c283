"""Metrics as DataFrames: ``hook.metrics``, see :class:`Metrics`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

from airflow_provider_bitbucket.parameters import Timestamp
from airflow_provider_bitbucket.parameters.choices import MetricName, OnRepositoryError

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.hooks.datasets import Datasets
    from airflow_provider_bitbucket.metrics.catalog import Question
    from airflow_provider_bitbucket.metrics.incidents import Incidents

__all__ = ["MetricName", "MetricOptions", "Metrics"]


class MetricOptions(TypedDict, total=False):
    """Keyword parameters with which a metric is read and computed; each may be left out.

    :param repositories: slugs, or one; None: all repositories of the workspace
    :param since: inclusive start of the period, ISO 8601 text or datetime (UTC unless it has a time zone); None: from the
        beginning
    :param until: exclusive end of the period; None: until now
    :param on_repository_error: ``fail``: a repository that cannot be read is an error; ``skip``: it is left out of the metric,
        unless none can be read or the credentials are refused
    :param bots: nicknames, display names, account ids or uuids of bots that use an ordinary user account
    :param group_by: columns to group by, ``week`` and ``month`` among them (docs/metrics.md); None: the metric's default
    :param incidents: of ``dora``: your incidents, which replace the proxy: records or a frame with ``repository``, ``created_on``
        and ``resolved_on`` (null while open), or the path of a Parquet, CSV or JSON file of them
    :param with_commits: of ``cycle_time`` and ``pull_request_times``: read the commits too (coding time)
    :param with_diffstat: of ``cycle_time``, ``pull_request_times`` and ``throughput``: read the diffstats too (size)
    :param with_deployments: of ``cycle_time`` and ``pull_request_times``: read deployments and commits too (time to production)
    :param with_steps: of ``pipeline_health``: read the steps too (queue time)
    """

    repositories: Sequence[str] | str | None
    since: Timestamp
    until: Timestamp
    on_repository_error: OnRepositoryError
    bots: Collection[str] | str
    group_by: Sequence[str] | str | None
    incidents: Incidents | str | None
    with_commits: bool
    with_diffstat: bool
    with_deployments: bool
    with_steps: bool


class Metrics:
    """Read the datasets that metrics are computed from, and compute them; docs/metrics.md has definitions and costs.

    :param datasets: reads the datasets
    """

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    def get_df(self, metric: MetricName, **options: Unpack[MetricOptions]) -> pd.DataFrame:
        """Return a metric as a DataFrame.

        ::

            BitbucketHook().metrics.get_df("dora", since="2026-08-01", group_by=["repository", "month"])

        :param metric: its name
        :param options: see :class:`MetricOptions`
        :return: ``attrs["skipped"]`` has ``repository``, ``dataset`` and ``error`` of the repositories left out,
            ``attrs["incomplete"]`` the records of which something could not be read (docs/extraction.md), 100 at most
        :raises ValueError: unknown metric, option or column, malformed timestamp or incidents; no request was made
        :raises BitbucketError: a repository cannot be read
        """
        from airflow_provider_bitbucket.hooks.metric_reading import read_metric

        return read_metric(self._datasets, metric, options)

    def get_dfs(
        self,
        questions: Mapping[str, tuple[str, Question]],
        repositories: Sequence[str] | str | None = None,
        *,
        on_repository_error: OnRepositoryError = "fail",
        options: Collection[str] = (),
    ) -> dict[str, pd.DataFrame]:
        """Return several metrics; a dataset that several are computed from is read once, for the longest of their periods.

        Each equals what :meth:`get_df` returns. Datasets are read separately for questions with different ``bots``.

        :param questions: a name of your choice -> the metric's name and its question, with incidents as a frame
        :param repositories: slugs, or one; None: all repositories of the workspace
        :param on_repository_error: as in :class:`MetricOptions`
        :param options: options to switch on for the metrics that have them, such as ``with_diffstat``
        :return: the metrics by your names, with ``attrs`` as for :meth:`get_df`
        :raises ValueError: unknown metric or column; no request was made
        :raises BitbucketError: a repository cannot be read
        """
        from airflow_provider_bitbucket.hooks.metric_reading import read_metrics

        return read_metrics(self._datasets, questions, repositories, on_repository_error=on_repository_error, options=options)
