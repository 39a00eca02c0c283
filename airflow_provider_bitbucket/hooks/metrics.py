"""Metrics as DataFrames, for :class:`~airflow_provider_bitbucket.hooks.bitbucket.BitbucketHook`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.hooks.frames import BitbucketFramesMixin

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.hooks.frames import Moment
    from airflow_provider_bitbucket.metrics.catalog import Question
    from airflow_provider_bitbucket.metrics.incidents import Incidents


class BitbucketMetricsMixin(BitbucketFramesMixin):
    """``get_metric_df``: read what a metric is made of, and compute it."""

    def get_metric_df(
        self,
        metric: str,
        repositories: Sequence[str] | str | None = None,
        since: Moment = None,
        until: Moment = None,
        group_by: Sequence[str] | str | None = None,
        bots: Collection[str] | str = (),
        incidents: Incidents | str | None = None,
        *,
        on_repository_error: str = "fail",
        **options: bool,
    ) -> pd.DataFrame:
        """Return a metric by name; docs/metrics.md says what each is, reads and costs.

        :param metric: one of :data:`~airflow_provider_bitbucket.metrics.catalog.METRICS`
        :param repositories: slugs, or one; None: all repositories of the workspace
        :param since: inclusive start of the period, ISO 8601 text or datetime; None: from the beginning
        :param until: exclusive end of the interval; None: until now
        :param group_by: columns to group by, ``week`` and ``month`` among them (docs/metrics.md); None: those of the metric
        :param bots: nicknames, display names, account ids or uuids of machines that have an account of a person
        :param incidents: of ``dora``: what failed, in place of the proxy: records or a frame with ``repository``, ``created_on``
            and ``resolved_on`` (null while open), or the path of a Parquet, CSV or JSON file of them
        :param on_repository_error: ``fail``: a repository that cannot be read is an error; ``skip``: it is left out of the
            metric, unless none can be read or the credentials are refused
        :param options: ``with_commits``, ``with_diffstat`` and ``with_deployments`` of ``cycle_time``, ``with_diffstat`` of
            ``throughput``, ``with_steps`` of ``pipeline_health``: read more, know more
        :raises ValueError: unknown metric, option or column, malformed timestamp or incidents; raised before any request
        :return: the frame. ``attrs["skipped"]`` has ``repository``, ``dataset`` and ``error`` of what was left out,
            ``attrs["incomplete"]`` the records of which something could not be read (docs/extraction.md), 100 at most
        :raises BitbucketError: a repository cannot be read
        """
        from airflow_provider_bitbucket.hooks.metric_reading import read_metric

        return read_metric(
            self,
            metric,
            repositories,
            since,
            until,
            group_by,
            bots,
            incidents,
            on_repository_error=on_repository_error,
            options=options,
        )

    def get_metric_dfs(
        self,
        asked: Mapping[str, tuple[str, Question]],
        repositories: Sequence[str] | str | None = None,
        *,
        on_repository_error: str = "fail",
    ) -> dict[str, pd.DataFrame]:
        """Return several metrics; a dataset that several are made of is read once, for the longest period of theirs.

        Each is what it would be alone. What is read for questions with different ``bots`` is read for each of them.

        :param asked: a name of your choice -> the metric's name and what is asked of it, incidents as a frame
        :param repositories: slugs, or one; None: all repositories of the workspace
        :param on_repository_error: as for :meth:`get_metric_df`; what was left out is in the ``attrs`` of each frame
        :return: the metrics by your names
        :raises ValueError: no such metric or column; no request has been made then
        :raises BitbucketError: a repository cannot be read
        """
        from airflow_provider_bitbucket.hooks.metric_reading import read_metrics

        return read_metrics(self, asked, repositories, on_repository_error=on_repository_error)
