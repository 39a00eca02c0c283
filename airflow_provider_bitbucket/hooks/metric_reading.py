"""Read the datasets that metrics are computed from, each once, and compute the metrics."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_bitbucket.hooks.incidents import read_incidents
from airflow_provider_bitbucket.metrics.catalog import METRICS, Metric, Question, Read
from airflow_provider_bitbucket.parameters import flag, interval, names, records

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from airflow_provider_bitbucket.extraction.extraction import Extraction
    from airflow_provider_bitbucket.hooks.datasets import Datasets
    from airflow_provider_bitbucket.hooks.metrics import MetricOptions
    from airflow_provider_bitbucket.parameters.choices import DatasetName, MetricName, OnRepositoryError

log = logging.getLogger(__name__)

#: Options that are not flags of some metrics.
_OF_EVERY_METRIC = ("repositories", "since", "until", "on_repository_error", "bots", "group_by", "incidents")
#: Incomplete records that are named with a metric.
_MOST_NAMED = 100


def read_metric(datasets: Datasets, metric: MetricName, options: MetricOptions) -> pd.DataFrame:
    """Read and compute one metric; parameters and errors as for ``Metrics.get_df``."""
    flags = {name: flag(name, value) for name, value in options.items() if name not in _OF_EVERY_METRIC}
    given_incidents = records("incidents", options.get("incidents"))
    columns, selected = names("group_by", options.get("group_by")), names("repositories", options.get("repositories"))
    chosen = check_metric(metric, columns, {**flags, "incidents": given_incidents is not None})
    period, bots = interval(options.get("since"), options.get("until")), names("bots", options.get("bots")) or ()
    frame = None if given_incidents is None else read_incidents(given_incidents, datasets.full_name)
    by = (chosen.by or ()) if columns is None else columns
    question = Question(tuple(by), *period, tuple(bots), frame)
    on_repository_error = options.get("on_repository_error", "fail")
    return _compute(datasets, {metric: _Job(chosen, question, flags)}, selected, on_repository_error)[metric]


def read_metrics(
    datasets: Datasets,
    questions: Mapping[str, tuple[str, Question]],
    repositories: Sequence[str] | str | None,
    *,
    on_repository_error: OnRepositoryError,
    options: Collection[str],
) -> dict[str, pd.DataFrame]:
    """Read and compute several metrics; parameters and errors as for ``Metrics.get_dfs``."""
    jobs = {
        name: _Job(chosen, question, {option: True for option in options if option in chosen.options})
        for name, (metric, question) in questions.items()
        for chosen in [check_metric(metric, None, {"incidents": question.incidents is not None})]
    }
    return _compute(datasets, jobs, names("repositories", repositories), on_repository_error)


def _compute(
    datasets: Datasets,
    jobs: Mapping[str, _Job],
    repositories: Sequence[str] | str | None,
    on_repository_error: OnRepositoryError,
) -> dict[str, pd.DataFrame]:
    for job in jobs.values():
        # Without rows first: a wrong question is an error before any request is sent.
        job.metric.compute({read.dataset: datasets.empty_df(read.dataset) for read in job.reads}, job.question)
    plans: dict[_Key, _Plan] = {}
    for job in jobs.values():
        for read in job.reads:
            plans.setdefault(job.key(read), _Plan(read.dataset)).add(read, job)
    found = _read(datasets, plans, repositories, on_repository_error)
    return {name: job.compute(found) for name, job in jobs.items()}


def _read(
    datasets: Datasets,
    plans: Mapping[_Key, _Plan],
    repositories: Sequence[str] | str | None,
    on_repository_error: OnRepositoryError,
) -> dict[_Key, _Found]:
    from airflow_provider_bitbucket.datasets.reviews import frames_of

    # Listed once, and not for every dataset.
    named = datasets.repository_names() if len(plans) > 1 and repositories is None else repositories
    found: dict[_Key, _Found] = {}
    for key, plan in plans.items():
        if key in found:
            continue
        lives, reviews = key._replace(dataset="pull_requests"), key._replace(dataset="reviews")
        of = repositories if plan.dataset == "repositories" else named  # all of them are one list
        if key in (lives, reviews) and lives in plans and reviews in plans and plans[lives].covers(plans[reviews]):
            extraction = plans[lives].read(datasets, of, on_repository_error)
            found[lives], found[reviews] = (_Found(frame, extraction) for frame in frames_of(extraction, extraction.report))
        else:
            extraction = plan.read(datasets, of, on_repository_error)
            found[key] = _Found(extraction.frame(), extraction)
    return found


@dataclass(frozen=True)
class _Found:
    """A dataset that was read."""

    frame: pd.DataFrame
    extraction: Extraction


@dataclass(frozen=True)
class _Job:
    """A metric to compute."""

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

        A number computed from a part of its inputs would be wrong, not incomplete.
        """
        used = [(read, found[self.key(read)]) for read in self.reads]
        skipped = [
            {"repository": one.repository, "dataset": read.dataset, "error": str(one.error)}
            for read, dataset in used
            for one in dataset.extraction.skipped
        ]
        left_out = {one["repository"] for one in skipped}
        frames: dict[str, pd.DataFrame] = {
            read.dataset: read.cut(dataset.frame[~dataset.frame["repository"].isin(left_out)], self.question)
            if left_out
            else read.cut(dataset.frame, self.question)
            for read, dataset in used
        }
        self._check_incidents([dataset for _, dataset in used])
        metric = self.metric.compute(frames, self.question)
        metric.attrs["skipped"] = skipped
        incomplete = {one: None for _, dataset in used for one in dataset.extraction.incomplete}
        metric.attrs["incomplete"] = [one.as_dict() for one in [*incomplete][:_MOST_NAMED]]
        return metric

    def _check_incidents(self, used: Collection[_Found]) -> None:
        """Log a warning if incidents belong to repositories that were not read; they are ignored."""
        if self.question.incidents is None:
            return
        read = {one.repository for dataset in used for one in dataset.extraction.results}
        if unknown := sorted(set(self.question.incidents["repository"]) - read):
            log.warning("Ignoring incidents of repositories that were not read: %s", ", ".join(unknown))


class _Key(NamedTuple):
    """Identifies a read that several metrics can share; whole timelines and different bots are read separately."""

    dataset: DatasetName
    is_whole: bool
    bots: frozenset[str]
    period: tuple[datetime | None, datetime | None] | None


class _Plan:
    """How to read a dataset for several metrics at once."""

    def __init__(self, dataset: DatasetName) -> None:
        self.dataset = dataset
        self.options: dict[str, Any] = {}
        self._begins: list[datetime | None] = []
        self._ends: list[datetime | None] = []

    def add(self, read: Read, job: _Job) -> None:
        """Extend it to the needs of one more metric."""
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

    def read(
        self, datasets: Datasets, repositories: Sequence[str] | str | None, on_repository_error: OnRepositoryError
    ) -> Extraction:
        """Return the dataset, ready to be read."""
        return datasets.read(
            self.dataset,
            repositories=repositories,
            since=self.begin,
            until=self.end,
            on_repository_error=on_repository_error,
            **self.options,
        )

    def covers(self, reviews: _Plan) -> bool:
        """Return whether reading these pull requests includes all reviews of another plan."""
        is_long_enough = self.begin is None or (reviews.begin is not None and self.begin <= reviews.begin)
        return is_long_enough and bool(self.options.get("with_activity"))


def check_metric(name: str, group_by: Sequence[str] | str | None, options: Mapping[str, Any]) -> Metric:
    """Return a metric by name if it supports a grouping and options.

    :param group_by: columns to group by; None: the metric's default
    :param options: options of metrics by name; those that are off are ignored
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
