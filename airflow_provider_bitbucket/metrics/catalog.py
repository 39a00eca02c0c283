"""The metrics by name: the datasets that each one needs, how far back these are read, and how it is computed.

Reading for a period starts earlier than the period, or has no end. Pull requests are read if updated since its start: reading
only those updated *in* it would miss the ones merged in it and commented on later. Deployments are read from the beginning,
because earlier deployments determine which commits are new, and it costs the same. Commits are read from some time before,
because they are older than their deployment. The rows are then filtered here, by the date that defines the metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.metrics import deployments, pipelines, pull_requests, repositories, reviews, test_reports
from airflow_provider_bitbucket.metrics.changes import changes
from airflow_provider_bitbucket.metrics.groups import between
from airflow_provider_bitbucket.parameters.choices import DatasetName, MetricName

if TYPE_CHECKING:
    import pandas as pd

#: Maximum age, at the start of the period, of the commits that are deployed in it.
COMMITS_BEFORE = timedelta(days=90)
#: Maximum time between creation and end of a pipeline that is counted in the period of its end.
PIPELINES_BEFORE = timedelta(days=7)
#: The same for pipelines whose test reports are read; shorter, because every step costs a request.
TESTS_BEFORE = timedelta(days=1)

_ALWAYS = timedelta.max


@dataclass(frozen=True)
class Question:
    """The options with which a metric is computed.

    :param by: columns to group by
    :param since: inclusive start of the period; None: from the beginning
    :param until: exclusive end of the period; None: until now
    :param bots: names and ids of bots that use an ordinary user account
    :param incidents: incidents that define failures; None: failures are proxies
    """

    by: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    bots: tuple[str, ...] = ()
    incidents: pd.DataFrame | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Read:
    """A dataset that a metric needs, and the interval to read.

    :param dataset: name of the dataset
    :param before: how long before the period reading starts; ``timedelta.max``: always read from the beginning
    :param ends: whether reading ends with the period
    :param dated: timestamp column by which rows of a shared read are filtered; None: additional rows do not change the metric
    :param when: option of the metric that makes it necessary; None: always read
    :param alone: read separately for each period, because rows of several periods cannot be separated afterwards
    :param options: options with which it is read
    :param passes: options of the metric that are passed on to the dataset
    """

    dataset: DatasetName
    before: timedelta = timedelta(0)
    ends: bool = False
    dated: str | None = None
    when: str | None = None
    alone: bool = False
    options: Mapping[str, Any] | None = None
    passes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the dataset is always read from the beginning."""
        return self.before == _ALWAYS

    def begin(self, since: datetime | None) -> datetime | None:
        """Return the ``since`` of the read for a period; None: from the beginning."""
        return None if since is None or self.is_whole else since - self.before

    def end(self, until: datetime | None) -> datetime | None:
        """Return the ``until`` of the read for a period; None: until now."""
        return until if self.ends else None

    def cut(self, frame: pd.DataFrame, asked: Question) -> pd.DataFrame:
        """Return the rows that a separate read for these options would contain, from a shared read."""
        return frame if self.dated is None else between(frame, self.dated, self.begin(asked.since), self.end(asked.until))


@dataclass(frozen=True)
class Metric:
    """How a metric is computed.

    :param reads: the datasets that it needs
    :param compute: computes it from the frames by dataset name
    :param by: default columns to group by; None: the metric has one row per item and does not support grouping
    :param takes: names of inputs other than datasets
    :param key: columns that identify a row of a metric without grouping; empty: the columns to group by do
    """

    reads: tuple[Read, ...]
    compute: Callable[[Mapping[str, pd.DataFrame], Question], pd.DataFrame]
    by: tuple[str, ...] | None = None
    takes: tuple[str, ...] = ()
    key: tuple[str, ...] = ()

    @property
    def options(self) -> frozenset[str]:
        """Names of the options that are specific to this metric."""
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
_PULL_REQUEST = ("repository", "id")
_LIVES = (
    Read("pull_requests", options={"with_activity": True}, passes=("with_commits", "with_diffstat", "bots")),
    Read("deployments", before=_ALWAYS, when="with_deployments"),
    Read("commits", before=COMMITS_BEFORE, dated="date", when="with_deployments"),
)
_PULL_REQUESTS = Read("pull_requests", passes=("with_diffstat", "bots"))
# Until now: a failure in the period may be fixed after it. The list is newest first, so this costs no additional request.
_RUNS = Read("pipelines", before=PIPELINES_BEFORE, dated="created_on")
_EVERY_PULL_REQUEST = Read("pull_requests", before=_ALWAYS)
_EVERY_DEPLOYMENT = Read("deployments", before=_ALWAYS)
_BRANCHES = Read("branches", before=_ALWAYS)
_REPOSITORIES = Read("repositories", before=_ALWAYS)
_COMMITS = Read("commits", before=COMMITS_BEFORE, dated="date")
_COMMITS_OF_THE_PERIOD = Read("commits", ends=True, dated="date", passes=("bots",))

#: The metrics by name; docs/metrics.md defines them.
METRICS: dict[MetricName, Metric] = {
    "cycle_time": Metric(_LIVES, _cycle_time, _WEEKLY),
    "pull_request_times": Metric(_LIVES, _pull_request_times, key=_PULL_REQUEST),
    "throughput": Metric((_PULL_REQUESTS,), _throughput, _WEEKLY),
    "review_load": Metric((Read("reviews", passes=("bots",)),), _review_load, ("reviewer_id", "reviewer", "week")),
    "pipeline_health": Metric(
        (_RUNS, Read("pipeline_steps", before=PIPELINES_BEFORE, ends=True, when="with_steps")), _pipeline_health, _WEEKLY
    ),
    "flakiness": Metric((_RUNS,), _flakiness, ("repository", "selector_type", "selector_pattern")),
    "time_to_fix": Metric((_RUNS, _REPOSITORIES), _time_to_fix, key=("repository", "broken_by")),
    "test_health": Metric(
        (Read("test_reports", before=TESTS_BEFORE, ends=True, alone=True),), _test_health, ("repository", "step", "week")
    ),
    "dora": Metric((_EVERY_DEPLOYMENT, _COMMITS), _dora, _WEEKLY, takes=("incidents",)),
    "deployment_frequency": Metric((_EVERY_DEPLOYMENT,), _deployment_frequency, ("repository",)),
    "repository_health": Metric(
        (_REPOSITORIES, _EVERY_PULL_REQUEST, _BRANCHES, _COMMITS_OF_THE_PERIOD), _repository_health, key=("repository",)
    ),
    "stale_pull_requests": Metric((_EVERY_PULL_REQUEST,), _stale_pull_requests, key=_PULL_REQUEST),
    "stale_branches": Metric((_REPOSITORIES, _EVERY_PULL_REQUEST, _BRANCHES), _stale_branches, key=("repository", "name")),
}
