"""Metrics by name: which datasets each is made of, how far back they have to be read, and how it is computed.

For a period the right rows have to be read first. Pull requests of a period are those updated since it began: who reads only
those updated *in* it loses what was merged then and commented on later. Deployments have to be read from the beginning, because
what a deployment brought is told by what was there before; it costs the same. Commits are read from some time before, as they
are older than their deployment. Cutting at the period is done here, by the moment that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.metrics import deployments, pipelines, pull_requests, repositories, reviews, test_reports
from airflow_provider_bitbucket.metrics.changes import changes
from airflow_provider_bitbucket.metrics.groups import between

if TYPE_CHECKING:
    import pandas as pd

#: How much older than the period the commits are that are deployed in it.
COMMITS_BEFORE = timedelta(days=90)
#: How long a pipeline may wait and run to be counted in the period in which it ends.
PIPELINES_BEFORE = timedelta(days=7)
#: ... of which the test reports are read, where every step costs a request.
TESTS_BEFORE = timedelta(days=1)

_ALWAYS = timedelta.max


@dataclass(frozen=True)
class Question:
    """What is asked of a metric.

    :param by: columns to group by
    :param since: first moment; None: from the beginning
    :param until: first moment that is too late; None: until now
    :param bots: names and ids of machines that have an account of a person
    :param incidents: what failures are told by; None: by proxies
    """

    by: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    bots: tuple[str, ...] = ()
    incidents: pd.DataFrame | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Read:
    """A dataset that a metric is made of.

    :param dataset: its name
    :param before: how long before the period reading begins; ``timedelta.max``: from the beginning of all time
    :param ends: whether reading ends with the period
    :param dated: column of the moment by which it is read; None: rows that were read for others change nothing here
    :param when: option with which alone it is read; None: always
    :param alone: read for each period by itself, because its rows can not be told apart afterwards
    :param options: options with which it is read
    :param passes: options of the metric that are passed on to it
    """

    dataset: str
    before: timedelta = timedelta(0)
    ends: bool = False
    dated: str | None = None
    when: str | None = None
    alone: bool = False
    options: Mapping[str, Any] | None = None
    passes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether reading begins at the beginning of all time."""
        return self.before == _ALWAYS

    def begin(self, since: datetime | None) -> datetime | None:
        """Return where reading begins for a period."""
        return None if since is None or self.is_whole else since - self.before

    def end(self, until: datetime | None) -> datetime | None:
        """Return where reading ends for a period."""
        return until if self.ends else None

    def cut(self, frame: pd.DataFrame, asked: Question) -> pd.DataFrame:
        """Return the rows that are read for this question alone, of what was read for several."""
        return frame if self.dated is None else between(frame, self.dated, self.begin(asked.since), self.end(asked.until))


@dataclass(frozen=True)
class Metric:
    """How a metric is made.

    :param reads: what it is made of
    :param compute: makes it of the frames by name of their dataset
    :param by: columns it is grouped by unless others are asked for; None: it has rows of its own and is not grouped
    :param takes: names of what it can be given beside what it reads
    """

    reads: tuple[Read, ...]
    compute: Callable[[Mapping[str, pd.DataFrame], Question], pd.DataFrame]
    by: tuple[str, ...] | None = None
    takes: tuple[str, ...] = ()

    @property
    def options(self) -> frozenset[str]:
        """Names of its options, beside those that all have."""
        read = {name for one in self.reads for name in (*one.passes, one.when) if name and name != "bots"}
        return frozenset(read.union(self.takes))


def _pull_request_times(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    brought = changes(frames["commits"], frames["deployments"]) if "deployments" in frames else None
    times = pull_requests.pull_request_times(_of_people(frames["pull_requests"]), brought)
    return between(times, "closed_on", asked.since, asked.until)


def _cycle_time(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    return pull_requests.summarize(_pull_request_times(frames, asked), asked.by)


def _throughput(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    return pull_requests.throughput(_of_people(frames["pull_requests"]), asked.by, asked.since, asked.until)


def _review_load(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    return reviews.review_load(frames["reviews"], asked.by, asked.since, asked.until)


def _pipeline_health(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    times = pipelines.pipeline_times(frames["pipelines"], frames.get("pipeline_steps"))
    return pipelines.summarize(between(times, "completed_on", asked.since, asked.until), asked.by)


def _flakiness(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    return pipelines.flakiness(frames["pipelines"], asked.by, asked.since, asked.until)


def _time_to_fix(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    mains = frames["repositories"][["repository", "main_branch"]].rename(columns={"main_branch": "ref_name"}).drop_duplicates()
    runs = frames["pipelines"].merge(mains.dropna(), on=["repository", "ref_name"])  # each repository has its own
    return between(pipelines.time_to_fix(runs, set(runs["ref_name"])), "broken_on", asked.since, asked.until)


def _test_health(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    return test_reports.summarize(between(frames["test_reports"], "completed_on", asked.since, asked.until), asked.by)


def _dora(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    outcomes = deployments.deployment_outcomes(frames["deployments"], asked.incidents)
    brought = changes(frames["commits"], frames["deployments"])
    return deployments.summarize(
        between(outcomes, "completed_on", asked.since, asked.until),
        between(brought, "deployed_on", asked.since, asked.until),
        asked.by,
    )


def _deployment_frequency(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    return deployments.deployment_frequency(frames["deployments"], asked.by, asked.since, _now(asked))


def _stale_pull_requests(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    return repositories.stale_pull_requests(frames["pull_requests"], _now(asked))


def _stale_branches(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    return repositories.stale_branches(frames["branches"], frames["repositories"], frames["pull_requests"], _now(asked))


def _repository_health(frames: Mapping[str, pd.DataFrame], asked: Question) -> pd.DataFrame:
    return repositories.repository_health(
        frames["repositories"],
        frames["pull_requests"],
        frames["branches"],
        frames["commits"],
        now=_now(asked),
    )


def _of_people(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[~frame["author_is_bot"].fillna(False).astype(bool)]


def _now(asked: Question) -> datetime:
    return asked.until or datetime.now(UTC)


_WEEKLY = ("repository", "week")
_LIVES = (
    Read("pull_requests", options={"with_activity": True}, passes=("with_commits", "with_diffstat", "bots")),
    Read("deployments", before=_ALWAYS, when="with_deployments"),
    Read("commits", before=COMMITS_BEFORE, dated="date", when="with_deployments"),
)
_PULL_REQUESTS = Read("pull_requests", passes=("with_diffstat", "bots"))
# Up to now, which costs nothing (newest first): what fails in the period may pass after it.
_RUNS = Read("pipelines", before=PIPELINES_BEFORE, dated="created_on")
_EVERY_PULL_REQUEST = Read("pull_requests", before=_ALWAYS)
_EVERY_DEPLOYMENT = Read("deployments", before=_ALWAYS)
_BRANCHES = Read("branches", before=_ALWAYS)
_REPOSITORIES = Read("repositories", before=_ALWAYS)
_COMMITS = Read("commits", before=COMMITS_BEFORE, dated="date")
_COMMITS_OF_THE_PERIOD = Read("commits", ends=True, dated="date", passes=("bots",))

#: The metrics by name; docs/metrics.md says what they are.
METRICS: dict[str, Metric] = {
    "cycle_time": Metric(_LIVES, _cycle_time, _WEEKLY),
    "pull_request_times": Metric(_LIVES, _pull_request_times),
    "throughput": Metric((_PULL_REQUESTS,), _throughput, _WEEKLY),
    "review_load": Metric((Read("reviews", passes=("bots",)),), _review_load, ("reviewer_id", "reviewer", "week")),
    "pipeline_health": Metric(
        (_RUNS, Read("pipeline_steps", before=PIPELINES_BEFORE, ends=True, when="with_steps")), _pipeline_health, _WEEKLY
    ),
    "flakiness": Metric((_RUNS,), _flakiness, ("repository", "selector_type", "selector_pattern")),
    "time_to_fix": Metric((_RUNS, _REPOSITORIES), _time_to_fix),
    "test_health": Metric(
        (Read("test_reports", before=TESTS_BEFORE, ends=True, alone=True),), _test_health, ("repository", "step", "week")
    ),
    "dora": Metric((_EVERY_DEPLOYMENT, _COMMITS), _dora, _WEEKLY, takes=("incidents",)),
    "deployment_frequency": Metric((_EVERY_DEPLOYMENT,), _deployment_frequency, ("repository",)),
    "repository_health": Metric((_REPOSITORIES, _EVERY_PULL_REQUEST, _BRANCHES, _COMMITS_OF_THE_PERIOD), _repository_health),
    "stale_pull_requests": Metric((_EVERY_PULL_REQUEST,), _stale_pull_requests),
    "stale_branches": Metric((_REPOSITORIES, _EVERY_PULL_REQUEST, _BRANCHES), _stale_branches),
}
