"""Metrics as DataFrames, for :class:`~airflow_provider_bitbucket.hooks.bitbucket.BitbucketHook`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.hooks.frames import BitbucketFramesMixin
from airflow_provider_bitbucket.metrics.catalog import METRICS, Metric, Question

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.hooks.frames import Moment

__all__ = ["METRICS", "BitbucketMetricsMixin", "check_metric"]


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
        **options: bool,
    ) -> pd.DataFrame:
        """Return a metric by name; docs/metrics.md says what each is, reads and costs.

        :param metric: one of :data:`METRICS`
        :param repositories: slugs, or one; None: all repositories of the workspace
        :param since: first moment of the period, ISO 8601 text or datetime; None: from the beginning
        :param until: first moment that is too late; None: until now
        :param group_by: columns to group by, ``week`` and ``month`` among them; None: those of the metric
        :param bots: nicknames, display names, account ids or uuids of machines that have an account of a person
        :param options: ``with_commits``, ``with_diffstat`` and ``with_deployments`` of ``cycle_time``, ``with_diffstat`` of
            ``throughput``, ``with_steps`` of ``pipeline_health``: read more, know more
        :raises ValueError: no such metric, option, column or moment; no request has been made then
        :raises BitbucketError: a repository can not be read
        """
        from airflow_provider_bitbucket.datasets.extract import interval

        chosen = check_metric(metric, group_by, options)
        begin, end = interval(since, until)
        asked = _question(chosen, group_by, bots, begin, end)
        wanted = [read for read in chosen.reads if read.when is None or options.get(read.when)]
        # Without rows first: what is wrong with the question is raised before a request is spent.
        chosen.compute({read.dataset: self.empty_df(read.dataset) for read in wanted}, asked)
        frames = {}
        for read in wanted:
            passed: dict[str, Any] = {name: options[name] for name in read.passes if options.get(name)}
            if "bots" in read.passes and asked.bots:
                passed["bots"] = asked.bots
            last = end if read.ends else None
            frames[read.dataset] = self.get_df(
                read.dataset, repositories, read.begin(begin), last, **(read.options or {}), **passed
            )
        return chosen.compute(frames, asked)


def check_metric(name: str, group_by: Sequence[str] | str | None, options: dict[str, Any]) -> Metric:
    """Return a metric by name, if it can be asked for so.

    :param group_by: what it shall be grouped by
    :param options: its options
    :raises ValueError: there is no such metric, it can not be grouped, or an option is of another one
    """
    if name not in METRICS:
        raise ValueError(f"There is no metric {name!r}; expected one of {', '.join(METRICS)}")
    metric = METRICS[name]
    if group_by is not None and metric.by is None:
        raise ValueError(f"Metric {name!r} can not be grouped: its rows are what it is about; leave group_by out")
    if wrong := sorted(option for option, value in options.items() if value and option not in metric.options):
        raise ValueError(f"Metric {name!r} has no {', '.join(wrong)}; it has {', '.join(sorted(metric.options)) or 'no options'}")
    return metric


def _question(
    metric: Metric, group_by: Sequence[str] | str | None, bots: Collection[str] | str, since: Any, until: Any
) -> Question:
    by = metric.by or () if group_by is None else [group_by] if isinstance(group_by, str) else group_by
    return Question(tuple(by), since, until, (bots,) if isinstance(bots, str) else tuple(bots))
