"""Read the datasets that metrics are computed from, each once, and compute the metrics."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_bitbucket.datasets.intervals import interval
from airflow_provider_bitbucket.hooks.incidents import read_incidents
from airflow_provider_bitbucket.metrics.catalog import METRICS, Metric, Question, Read
from airflow_provider_bitbucket.parameters import flag, names, records

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from airflow_provider_bitbucket.extraction.extraction import Extraction
    from airflow_provider_bitbucket.hooks.frames import BitbucketFramesMixin, Moment
    from airflow_provider_bitbucket.metrics.incidents import Incidents

log = logging.getLogger(__name__)

#: Incomplete records that are named with a metric.
_MOST_NAMED = 100


def read_metric(
    hook: BitbucketFramesMixin,
    metric: str,
    repositories: Sequence[str] | str | None,
    since: Moment,
    until: Moment,
    group_by: Sequence[str] | str | None,
    bots: Collection[str] | str,
    incidents: Incidents | str | None,
    *,
    on_repository_error: str,
    options: Mapping[str, bool],
) -> pd.DataFrame:
    """Read and compute one metric; parameters as for ``BitbucketHook.get_metric_df``."""
    flags = {name: flag(name, value) for name, value in options.items()}
    columns, selected = names("group_by", group_by), names("repositories", repositories)
    chosen = check_metric(metric, columns, {**flags, "incidents": incidents is not None})
    period, bot_names = interval(since, until), names("bots", bots) or ()
    given_incidents = records("incidents", incidents)
    frame = None if given_incidents is None else read_incidents(given_incidents, hook.get_conn().full_name)
    by = (chosen.by or ()) if columns is None else columns
    question = Question(tuple(by), *period, tuple(bot_names), frame)
    return _compute(hook, {metric: _Job(chosen, question, flags)}, selected, on_repository_error)[metric]


def read_metrics(
    hook: BitbucketFramesMixin,
    asked: Mapping[str, tuple[str, Question]],
    repositories: Sequence[str] | str | None,
    *,
    on_repository_error: str,
) -> dict[str, pd.DataFrame]:
    """Read and compute several metrics; parameters as for ``BitbucketHook.get_metric_dfs``."""
    jobs = {
        name: _Job(check_metric(metric, None, {"incidents": question.incidents is not None}), question)
        for name, (metric, question) in asked.items()
    }
    return _compute(hook, jobs, names("repositories", repositories), on_repository_error)


def _compute(
    hook: BitbucketFramesMixin, jobs: Mapping[str, _Job], repositories: Sequence[str] | str | None, on_repository_error: str
) -> dict[str, pd.DataFrame]:
    for job in jobs.values():
        # Without rows first: what is wrong with a question is raised before a request is spent.
        job.metric.compute({read.dataset: hook.empty_df(read.dataset) for read in job.reads}, job.question)
    plans: dict[_Key, _Plan] = {}
    for job in jobs.values():
        for read in job.reads:
            plans.setdefault(job.key(read), _Plan(read.dataset)).add(read, job)
    found = _read(hook, plans, repositories, on_repository_error)
    return {name: job.compute(found) for name, job in jobs.items()}


def _read(
    hook: BitbucketFramesMixin, plans: Mapping[_Key, _Plan], repositories: Sequence[str] | str | None, on_repository_error: str
) -> dict[_Key, _Found]:
    from airflow_provider_bitbucket.datasets.reviews import frames_of

    # Asked for once, and not for every dataset.
    named = hook.repository_names() if len(plans) > 1 and repositories is None else repositories
    found: dict[_Key, _Found] = {}
    for key, plan in plans.items():
        if key in found:
            continue
        lives, reviews = key._replace(dataset="pull_requests"), key._replace(dataset="reviews")
        of = repositories if plan.dataset == "repositories" else named  # all of them are one list
        if key in (lives, reviews) and lives in plans and reviews in plans and plans[lives].covers(plans[reviews]):
            options = {**plans[lives].options, "on_repository_error": on_repository_error}
            reading = hook.read("pull_requests", of, plans[lives].begin, None, **options)
            found[lives], found[reviews] = (_Found(frame, reading) for frame in frames_of(reading, reading.report))
        else:
            options = {**plan.options, "on_repository_error": on_repository_error}
            reading = hook.read(plan.dataset, of, plan.begin, plan.end, **options)
            found[key] = _Found(reading.frame(), reading)
    return found


@dataclass(frozen=True)
class _Found:
    """A dataset that was read."""

    frame: pd.DataFrame
    reading: Extraction


@dataclass(frozen=True)
class _Job:
    """A metric that is asked for."""

    metric: Metric
    question: Question
    options: Mapping[str, bool] = field(default_factory=dict)

    @property
    def reads(self) -> list[Read]:
        return [read for read in self.metric.reads if read.when is None or self.options.get(read.when)]

    def key(self, read: Read) -> _Key:
        """Return the key under which the dataset is read once."""
        bots = frozenset(self.question.bots if "bots" in read.passes else ())
        return _Key(read.dataset, read.is_whole, bots, (self.question.since, self.question.until) if read.alone else None)

    def compute(self, found: Mapping[_Key, _Found]) -> pd.DataFrame:
        """Return the metric, without the repositories of which one of its datasets could not be read.

        Half of what a number is made of would give another number, not an incomplete one.
        """
        used = [(read, found[self.key(read)]) for read in self.reads]
        skipped = [
            {"repository": one.repository, "dataset": read.dataset, "error": str(one.error)}
            for read, dataset in used
            for one in dataset.reading.skipped
        ]
        left_out = {one["repository"] for one in skipped}
        frames = {
            read.dataset: read.cut(dataset.frame[~dataset.frame["repository"].isin(left_out)], self.question)
            if left_out
            else read.cut(dataset.frame, self.question)
            for read, dataset in used
        }
        self._check_incidents([dataset for _, dataset in used])
        metric = self.metric.compute(frames, self.question)
        metric.attrs["skipped"] = skipped
        incomplete = {one: None for _, dataset in used for one in dataset.reading.incomplete}
        metric.attrs["incomplete"] = [one.as_dict() for one in [*incomplete][:_MOST_NAMED]]
        return metric

    def _check_incidents(self, used: Collection[_Found]) -> None:
        """Warn of incidents of repositories that were not read: they count nowhere."""
        if self.question.incidents is None:
            return
        read = {one.repository for dataset in used for one in dataset.reading.results}
        if unknown := sorted(set(self.question.incidents["repository"]) - read):
            log.warning("Incidents of repositories that were not read do not count: %s", ", ".join(unknown))


class _Key(NamedTuple):
    """Identifies a read that several metrics can share; whole timelines and different bots are read separately."""

    dataset: str
    is_whole: bool
    bots: frozenset[str]
    period: tuple[datetime | None, datetime | None] | None


class _Plan:
    """How a dataset is read so that it is enough for several metrics."""

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        self.options: dict[str, Any] = {}
        self._begins: list[datetime | None] = []
        self._ends: list[datetime | None] = []

    def add(self, read: Read, job: _Job) -> None:
        """Make it enough for one more."""
        self._begins.append(read.begin(job.question.since))
        self._ends.append(read.end(job.question.until))
        self.options |= {**(read.options or {}), **{name: True for name in read.passes if job.options.get(name)}}
        if "bots" in read.passes and job.question.bots:
            self.options["bots"] = job.question.bots

    @property
    def begin(self) -> datetime | None:
        return None if None in self._begins else min(one for one in self._begins if one)

    @property
    def end(self) -> datetime | None:
        return None if None in self._ends else max(one for one in self._ends if one)

    def covers(self, reviews: _Plan) -> bool:
        """Return whether reading pull requests so reads their reviews too, or more of them."""
        is_long_enough = self.begin is None or (reviews.begin is not None and self.begin <= reviews.begin)
        return is_long_enough and bool(self.options.get("with_activity"))


def check_metric(name: str, group_by: Sequence[str] | str | None, options: dict[str, Any]) -> Metric:
    """Return a metric by name, if it can be asked for so.

    :param group_by: what it shall be grouped by
    :param options: its options
    :raises ValueError: the metric is unknown, does not support group_by, or does not have an option
    """
    if name not in METRICS:
        raise ValueError(f"There is no metric {name!r}; expected one of {', '.join(METRICS)}")
    metric = METRICS[name]
    if group_by is not None and metric.by is None:
        raise ValueError(f"Metric {name!r} does not support group_by; it returns one row per item")
    if wrong := sorted(option for option, value in options.items() if value and option not in metric.options):
        raise ValueError(f"Metric {name!r} has no {', '.join(wrong)}; it has {', '.join(sorted(metric.options)) or 'no options'}")
    return metric
