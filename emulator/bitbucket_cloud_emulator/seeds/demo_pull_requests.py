"""The processes of the demo's pull requests: written, built, reviewed (or not), reworked, merged or declined (or forgotten)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bitbucket_cloud_emulator.commits.graph import add_commit
from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.pull_requests import merge as ending
from bitbucket_cloud_emulator.pull_requests import reviews
from bitbucket_cloud_emulator.pull_requests import service as actions
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.seeds import demo_texts as texts
from bitbucket_cloud_emulator.seeds.demo_people import Person
from bitbucket_cloud_emulator.seeds.demo_pipelines import Build, Builds, Hotfix
from bitbucket_cloud_emulator.seeds.demo_texts import Topic
from bitbucket_cloud_emulator.seeds.demo_timeline import Process, Timeline, seconds_later
from bitbucket_cloud_emulator.users.models import User

#: How pull requests of people fare, and how often.
FATES = {"approved": 42, "commented": 24, "reworked": 16, "self-merged": 6, "declined": 8, "superseded": 1, "stale": 3}
#: The same for those of the bot.
BOT_FATES = {"approved": 80, "declined": 8, "stale": 12}
_SUPERSEDED_REASON = "Superseded by a new pull request on the same branch."


class PullRequestProcess:
    """One pull request with the people around it; ``pr`` is set once it is opened.

    :param timeline: the simulation that it belongs to
    :param builds: starts its pipelines
    :param repository: where
    :param topic: what it is about
    :param author: who writes it; ``keeper`` maintains a bot's
    :param keeper: whose working hours count
    """

    def __init__(
        self, timeline: Timeline, builds: Builds, repository: Repository, topic: Topic, author: User, keeper: Person
    ) -> None:
        self.timeline = timeline
        self.builds = builds
        self.repository = repository
        self.topic = topic
        self.author = author
        self.keeper = keeper
        self.commits: list[Commit] = []  # newest first
        self.at = timeline.first
        self.build: Build | None = None

    def run(self, began: datetime, fate: str) -> Process:
        """Write it, open it, and let it fare as was drawn.

        :param began: when the work on it begins
        :param fate: one of :data:`FATES`
        """
        timeline = self.timeline
        yield from self._write(began)
        draft = fate not in ("self-merged",) and self.author is not timeline.bot and timeline.chance(0.13)
        reviewers = [] if fate == "self-merged" else self._choose_reviewers()
        pr = self._open(reviewers, draft)
        yield from self._built(0.14)
        if self.build and self.author is not timeline.bot and timeline.chance(0.4):
            yield self._later(20, 90)
            self._say(
                timeline.bot, f"Coverage: {timeline.random.uniform(78, 93):.1f} % ({timeline.random.uniform(-0.4, 0.6):+.1f})"
            )
        if draft:
            yield self._worked(self.keeper, timeline.hours(9))
            actions.set_draft(timeline.state, self.repository, pr, self.author, False, at=self.at)
        end: dict[str, Callable[[PullRequest, list[Person]], Process]] = {
            "approved": self._approved,
            "commented": self._commented,
            "reworked": self._reworked,
            "self-merged": self._self_merged,
            "declined": self._declined,
            "superseded": self._superseded,
            "stale": self._stale,
        }
        yield from end[fate](pr, reviewers)

    def run_urgently(self, began: datetime) -> Process:
        """A hotfix: one commit, one reviewer at once, merged at once.

        :param began: when the work on it begins
        """
        self.at = began
        yield self._later(600, 2400)
        self._commit(self.topic.title)
        yield self._later(60, 300)
        reviewers = self._choose_reviewers()[:1]
        pr = self._open(reviewers, draft=False)
        yield from self._built(0.0)
        yield self._later(120, 1500)
        for reviewer in reviewers:
            reviews.approve(self.timeline.state, self.repository, pr, reviewer.user, at=self.at)
        yield self._later(30, 300)
        yield from self._merge(pr, self.author)

    # What it is made of

    def _write(self, began: datetime) -> Process:
        self.at = began
        count = 1 if self.author is self.timeline.bot else 1 + min(int(self.timeline.hours(1.4)), 6)
        names = [self.topic.title, *self.timeline.random.sample(texts.COMMITS, 6)]
        for number in range(count):
            yield self.at
            self._commit(names[number])
            self._worked(self.keeper, self.timeline.hours(1.6, 1.0))
        yield self.at

    def _commit(self, message: str) -> Commit:
        branch = self.topic.branch
        parents = None if branch in self.repository.branches else (self.repository.branches["main"],)
        author = None if self.author is self.timeline.bot else self.author
        commit = add_commit(
            self.timeline.state, self.repository, author=author, message=message, at=self.at, branch=branch, parents=parents
        )
        self.commits.insert(0, commit)
        return commit

    def _open(self, reviewers: list[Person], draft: bool) -> PullRequest:
        branch = self.topic.branch
        self.pr = actions.create(
            self.timeline.state,
            self.repository,
            author=self.author,
            title=self.topic.title,
            source_branch=branch,
            description=self._description(),
            reviewers=[one.user for one in reviewers],
            draft=draft,
            close_source_branch=True,
            commits=self.commits,
            diffstat=self._diffstat(),
            at=self.at,
        )
        return self.pr

    def _description(self) -> str:
        if self.topic.kind == "dependencies":
            return "This update was proposed automatically. Release notes are linked in the dashboard."
        number = self.timeline.random.randint(100, 999)
        return f"{self.topic.title}.\n\nSee {self.repository.slug.upper()[:4].rstrip('-')}-{number}."

    def _diffstat(self) -> list[dict[str, Any]]:
        random, kind = self.timeline.random, self.topic.kind
        if kind == "dependencies":
            path = {"data-platform": "pyproject.toml", "api": "pyproject.toml"}.get(self.repository.slug, "package.json")
            return [_row(path, "modified", 1, 1), _row("requirements.lock", "modified", random.randint(2, 40), 8)]
        median = {"feature": 130, "bugfix": 28, "chore": 90, "docs": 45, "hotfix": 3}[kind]
        lines = max(1, int(self.timeline.hours(median, 1.0)))
        paths = texts.files(self.repository.slug, self.topic, 1 + min(lines // 40, 11))
        rows = []
        for path in paths:
            added = max(1, int(lines / len(paths) * random.uniform(0.5, 1.5)))
            is_new = kind == "feature" and random.random() < 0.4
            rows.append(_row(path, "added" if is_new else "modified", added, 0 if is_new else int(added * random.random())))
        return sorted(rows, key=lambda row: str(row["path"]))

    def _choose_reviewers(self) -> list[Person]:
        team = [one for one in self.timeline.team(self.repository.slug, self.at) if one.user is not self.author]
        count = self.timeline.random.choices((1, 2, 3), (50, 38, 12))[0]
        return self.timeline.random.sample(team, min(count, len(team)))

    # What happens to it

    def _built(self, failing: float) -> Process:
        """Build it; what fails is repaired with a commit, or run once more when it was a flake."""
        self.build = self.builds.of_pull_request(self.repository, self.pr, self.author, self._later(1, 6), failing=failing)
        if self.build is None or self.build.result is None:
            return
        self.at = self.build.ended_on
        if self.build.result != "SUCCESSFUL":
            if self.timeline.chance(0.35):
                yield self._worked(self.keeper, self.timeline.hours(0.3))
                self.build = self.builds.again(self.repository, self.build, self.keeper.user, self.at)
                self.at = self.build.ended_on
            else:
                yield self._worked(self.keeper, self.timeline.hours(0.8))
                yield from self._push(f"Fix {'lint' if self.timeline.chance(0.3) else 'tests'}", failing=0.0)
        yield self.at

    def _push(self, message: str, failing: float) -> Process:
        commit = self._commit(message)
        actions.push(self.timeline.state, self.repository, self.pr, author=self.author, commits=[commit], at=self.at)
        yield from self._built(failing)

    def _approved(self, pr: PullRequest, reviewers: list[Person]) -> Process:
        for reviewer in self._in_order(reviewers):
            yield self._worked(reviewer, self.timeline.hours(2.4, 1.1))
            if self.timeline.chance(0.25):
                self._say(reviewer.user, self.timeline.random.choice(texts.PRAISE))
            reviews.approve(self.timeline.state, self.repository, pr, reviewer.user, at=self.at)
        yield from self._merge_in_time(pr, reviewers)

    def _commented(self, pr: PullRequest, reviewers: list[Person]) -> Process:
        first = self._in_order(reviewers)[0]
        yield self._worked(first, self.timeline.hours(3, 1.1))
        for _ in range(self.timeline.random.choice((1, 1, 2, 3))):
            remark = self._say(first.user, self.timeline.random.choice(texts.REMARKS), inline=True)
            yield self._later(60, 900)
        yield self._worked(self.keeper, self.timeline.hours(1.5))
        self._say(self.author, self.timeline.random.choice(texts.REPLIES), parent=remark)
        if self.timeline.chance(0.6):
            yield from self._push(self.timeline.random.choice(texts.REWORK), failing=0.05)
        yield from self._approved(pr, reviewers)

    def _reworked(self, pr: PullRequest, reviewers: list[Person]) -> Process:
        timeline, first = self.timeline, self._in_order(reviewers)[0]
        for _ in range(2 if timeline.chance(0.2) else 1):
            yield self._worked(first, timeline.hours(3, 1.1))
            objection = self._say(first.user, timeline.random.choice(texts.OBJECTIONS), inline=True)
            task = reviews.add_task(timeline.state, pr, first.user, "Fix before merge", comment=objection, at=self.at)
            yield self._later(5, 60)
            reviews.request_changes(timeline.state, self.repository, pr, first.user, at=self.at)
            for _ in range(timeline.random.choice((1, 1, 2))):
                yield self._worked(self.keeper, timeline.hours(5))
                yield from self._push(timeline.random.choice(texts.REWORK), failing=0.08)
            self._say(self.author, timeline.random.choice(texts.REPLIES), parent=objection)
            reviews.settle_task(timeline.state, pr, task, self.author, at=self.at)
        # The objection stands in the timeline only until its author approves: sometimes another reviewer does.
        others = [one for one in reviewers if one is not first]
        yield from self._approved(pr, others if others and timeline.chance(0.5) else reviewers)

    def _self_merged(self, pr: PullRequest, _: list[Person]) -> Process:
        yield self._worked(self.keeper, self.timeline.hours(0.3))
        yield from self._merge(pr, self.author)

    def _declined(self, pr: PullRequest, reviewers: list[Person]) -> Process:
        by = self._in_order(reviewers)[0]
        yield self._worked(by, self.timeline.hours(20, 1.0))
        if self.timeline.chance(0.5):
            self._say(by.user, self.timeline.random.choice(texts.OBJECTIONS))
            yield self._worked(self.keeper, self.timeline.hours(6))
            by = self.keeper
        reason = self.timeline.random.choice(texts.DECLINED) if self.timeline.chance(0.8) else ""
        ending.decline(self.timeline.state, self.repository, pr, by.user, reason=reason, at=self.at)

    def _superseded(self, pr: PullRequest, _: list[Person]) -> Process:
        """A state that only old pull requests have; no action of the API leads to it."""
        yield self._worked(self.keeper, self.timeline.hours(12))
        ending.decline(self.timeline.state, self.repository, pr, self.author, reason=_SUPERSEDED_REASON, at=self.at)
        pr.state = pr.activity[-1].payload["state"] = "SUPERSEDED"

    def _stale(self, pr: PullRequest, reviewers: list[Person]) -> Process:
        if reviewers and self.timeline.chance(0.5):
            yield self._worked(reviewers[0], self.timeline.hours(30))
            self._say(reviewers[0].user, "Is this still needed?")

    def _merge_in_time(self, pr: PullRequest, reviewers: list[Person]) -> Process:
        by = self.keeper if self.timeline.chance(0.8) else reviewers[-1]
        yield self._worked(by, self.timeline.hours(1.2, 1.2))
        yield from self._merge(pr, by.user if self.author is not self.timeline.bot or self.timeline.chance(0.4) else self.author)

    def _merge(self, pr: PullRequest, by: User) -> Process:
        ending.merge(self.timeline.state, self.repository, pr, by, at=self.at)
        build = self.builds.of_main(self.repository, by, self._later(1, 6))
        if build and build.result not in (None, "SUCCESSFUL"):
            self.at = build.ended_on
            yield self._worked(self.keeper, self.timeline.hours(0.4))
            self.builds.again(self.repository, build, self.keeper.user, self.at)

    # Small things

    def _later(self, least: float, most: float) -> datetime:
        self.at = seconds_later(self.timeline, self.at, least, most)
        return self.at

    def _worked(self, person: Person, hours: float) -> datetime:
        done = person.after(self.at, hours * person.pace)
        self.at = max(done, self.at) + timedelta(microseconds=self.timeline.random.randint(1, 59_999_999))
        return self.at

    def _in_order(self, reviewers: list[Person]) -> list[Person]:
        return reviewers or [self.keeper]

    def _say(self, user: User, text: str, *, inline: bool = False, parent: int | None = None) -> int:
        place = None
        if inline:
            place = {"path": self.timeline.random.choice(self.pr.diffstat)["path"], "to": self.timeline.random.randint(1, 80)}
        made = reviews.comment(self.timeline.state, self.repository, self.pr, user, text, inline=place, parent=parent, at=self.at)
        return made.id


def pull_request(timeline: Timeline, builds: Builds, slug: str, began: datetime) -> Process:
    """A pull request of a team member, or sometimes of the bot.

    :param began: when the work on it begins
    """
    team = [one for one in timeline.team(slug, began) if began.date() not in one.away] or timeline.people[:1]
    keeper = timeline.random.choice(team)
    is_bot = slug != "docs" and timeline.chance(0.09)
    fates = BOT_FATES if is_bot else FATES
    fate = timeline.random.choices(list(fates), list(fates.values()))[0]
    author = timeline.bot if is_bot else keeper.user
    process = PullRequestProcess(
        timeline, builds, timeline.repository(slug), timeline.topic(slug, dependency=is_bot), author, keeper
    )
    return process.run(began if is_bot else keeper.after(began, timeline.random.random()), fate)


def hotfixes(timeline: Timeline, builds: Builds) -> Hotfix:
    """Return what makes the pull requests that repair failed deployments."""

    def hotfix(repository: Repository, lead: Person, failed: Build) -> Process:
        topic = texts.hotfix_topic(failed.pipeline.build_number)
        return PullRequestProcess(timeline, builds, repository, topic, lead.user, lead).run_urgently(failed.ended_on)

    return hotfix


def _row(path: str, status: str, added: int, removed: int) -> dict[str, Any]:
    return {"path": path, "status": status, "lines_added": added, "lines_removed": removed, "old_path": None}
