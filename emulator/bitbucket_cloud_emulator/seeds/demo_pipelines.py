"""The demo's pipelines and deployments: builds of pull requests and of main, nightlies, releases, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bitbucket_cloud_emulator.deployments.service import ensure_environment
from bitbucket_cloud_emulator.pipelines.models import Pipeline, Step
from bitbucket_cloud_emulator.pipelines.plan import pipeline_at
from bitbucket_cloud_emulator.pipelines.service import pull_request_pushed, pushed, start_pipeline
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.refs.models import Tag
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.seeds.demo_definitions import failing_case, passing_cases
from bitbucket_cloud_emulator.seeds.demo_people import Person
from bitbucket_cloud_emulator.seeds.demo_texts import FAILURES
from bitbucket_cloud_emulator.seeds.demo_timeline import Process, Timeline, seconds_later
from bitbucket_cloud_emulator.users.models import User

#: Seconds a step takes by its first word.
_SECONDS = {"Lint": 35.0, "Build": 95.0, "Test": 190.0, "Deploy": 70.0, "Smoke": 25.0, "Full": 900.0}
_CASES = passing_cases(60)
#: Weekdays and UTC hour of releases, and which of them fail (every so many, beginning with the third).
RELEASES = {"api": ((1, 3), 9, 7), "web": ((0, 1, 2, 3), 13, 11), "data-platform": ((2,), 10, 6)}


@dataclass(frozen=True)
class Build:
    """A pipeline of the past with its result and end; result None: still running at the end of the timeline."""

    pipeline: Pipeline
    result: str | None
    ended_on: datetime


Hotfix = Callable[[Repository, Person, Build], Process]
"""Makes the pull request that repairs a failed deployment."""


class Builds:
    """Starts pipelines that take as long, and fail as often, as those of a real company.

    :param timeline: the simulation that they belong to
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline

    def of_pull_request(
        self, repository: Repository, pull_request: PullRequest, by: User, at: datetime, *, failing: float
    ) -> Build | None:
        """Build an open pull request; None where Pipelines is off."""
        made = pull_request_pushed(self.timeline.state, repository, pull_request, creator=by, at=at)
        return made if made is None else self._play(made, failing)

    def of_main(self, repository: Repository, by: User, at: datetime) -> Build | None:
        """Build main after a merge; None where Pipelines is off."""
        made = pushed(self.timeline.state, repository, "main", creator=by, at=at)
        return made if made is None else self._play(made, 0.06)

    def again(self, repository: Repository, build: Build, by: User, at: datetime) -> Build:
        """Run the same target once more, as people do with a flake. It passes."""
        target = build.pipeline.target
        made = start_pipeline(self.timeline.state, repository, target, trigger="MANUAL", creator=by, at=at)
        return self._play(made, 0.0)

    def custom(
        self, repository: Repository, name: str, by: User | None, at: datetime, *, failing: float, trigger: str = "MANUAL"
    ) -> Build:
        """Run a custom pipeline on main."""
        target = {
            "type": "pipeline_ref_target",
            "ref_type": "branch",
            "ref_name": "main",
            "commit": {"type": "commit", "hash": repository.branches["main"]},
            "selector": {"type": "custom", "pattern": name},
        }
        made = start_pipeline(self.timeline.state, repository, target, trigger=trigger, creator=by, at=at)
        return self._play(made, failing)

    def _play(self, pipeline: Pipeline, failing: float) -> Build:
        random = self.timeline.random
        pipeline.parsing_seconds = 1.0 + random.random() * 3
        pipeline.pending_seconds = 4.0 + random.random() * 12
        breaking = random.choices(pipeline.steps, [_breaks(step) for step in pipeline.steps])[0]
        fails = self.timeline.chance(failing)
        for step in pipeline.steps:
            step.seconds = _SECONDS[_word(step)] * random.lognormvariate(0, 0.25)
            if _word(step) in ("Test", "Full"):
                step.test_cases = _CASES
            if fails and step is breaking:
                _break(step)
        last = pipeline_at(pipeline, self.timeline.end + timedelta(days=1))
        ended_on = last.completed_on or self.timeline.end
        return Build(pipeline, pipeline_at(pipeline, self.timeline.end).result, ended_on)


def nightlies(timeline: Timeline, builds: Builds, slug: str) -> Process:
    """Run the nightly pipeline at two, every night; schedules have no creator."""
    at = (timeline.first + timedelta(days=1)).replace(hour=2, minute=0, second=0, microsecond=0)
    while True:
        at = seconds_later(timeline, at, 0.5, 4)
        yield at
        builds.custom(timeline.repository(slug), "nightly", None, at, failing=0.07, trigger="SCHEDULE")
        at = at.replace(hour=2, minute=0, second=0, microsecond=0) + timedelta(days=1)


def releases(timeline: Timeline, builds: Builds, slug: str, hotfix: Hotfix) -> Process:
    """Deploy main to staging and, when there is something new, to production; put right what fails.

    What fails in production is repaired with a small pull request, merged quickly, and deployed at once.
    """
    weekdays, hour, every = RELEASES[slug]
    repository, released, number = timeline.repository(slug), "", 0
    day = timeline.first.replace(hour=hour, minute=0, second=0, microsecond=0)
    while True:
        day += timedelta(days=1)
        if day.weekday() not in weekdays:
            continue
        lead = timeline.random.choice(
            [one for one in timeline.team(slug, day) if day.date() not in one.away] or timeline.people[:1]
        )
        at = seconds_later(timeline, day, 0, 2400)
        yield at
        if repository.branches["main"] == released:
            continue
        staging = builds.custom(repository, "deploy-staging", lead.user, at, failing=0.05)
        at = seconds_later(timeline, staging.ended_on, 600, 5400)
        yield at
        if staging.result != "SUCCESSFUL":
            builds.custom(repository, "deploy-staging", lead.user, at, failing=0.0)
            at = seconds_later(timeline, at, 900, 3600)
            yield at
        number += 1
        production = builds.custom(repository, "deploy-production", lead.user, at, failing=number % every == 3 % every)
        yield production.ended_on
        if production.result != "SUCCESSFUL":
            for at in hotfix(repository, lead, production):
                yield at
            at = seconds_later(timeline, at, 120, 900)
            yield at
            production = builds.custom(repository, "deploy-production", lead.user, at, failing=0.0)
        _tag(repository, f"v1.{number}.0", lead, production)
        released = repository.branches["main"]


def _tag(repository: Repository, name: str, lead: Person, production: Build) -> None:
    commit = production.pipeline.target["commit"]["hash"]
    repository.tags[name] = Tag(name, commit, f"Release {name}", production.ended_on.replace(microsecond=0), lead.user)


def _word(step: Step) -> str:
    return str(step.name).split()[0]


def _breaks(step: Step) -> float:
    """How likely it is this step that breaks, when one does. Releases break where they deploy."""
    return {"Lint": 1.0, "Build": 0.4, "Test": 4.0, "Deploy": 6.0, "Smoke": 3.0, "Full": 4.0}[_word(step)]


def _break(step: Step) -> None:
    step.result = "FAILED"
    kind = "Test" if _word(step) == "Full" else str(step.name)
    step.log = FAILURES.get(kind, FAILURES["deploy"])
    if step.test_cases:
        failed = failing_case("tests.test_orders.test_total_includes_tax", "assert Decimal('100.00') == Decimal('119.00')")
        step.test_cases = [*_CASES, failed]


def open_environments(timeline: Timeline) -> None:
    """Give every repository that releases its three environments."""
    for slug in RELEASES:
        for name in ("test", "staging", "production"):
            ensure_environment(timeline.state, timeline.repository(slug), name)
