"""The demo's timeline: it runs many processes in the order of their timestamps, as in a simulation."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from random import Random

from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.seeds.demo_people import Person
from bitbucket_cloud_emulator.seeds.demo_texts import Topic, dependency_topics, topics
from bitbucket_cloud_emulator.users.models import User
from bitbucket_cloud_emulator.workspaces.models import Workspace

WEEKS = 13
LEAVING_DAYS = 30
"""Days before the end at which the account of a person who leaves is deleted."""

Process = Iterator[datetime]
"""Something that happens over time: it yields the time of its next step."""


class Timeline:
    """Three months of a company, which end at the clock's start.

    :param state: is filled
    :param workspace: has the repositories
    :param people: the employees; the last one leaves
    :param bot: the account that updates dependencies
    """

    def __init__(self, state: State, workspace: Workspace, people: list[Person], bot: User) -> None:
        self.state = state
        self.workspace = workspace
        self.people = people
        self.bot = bot
        self.random = Random(state.random.getrandbits(64))
        self.end = state.clock.start
        self.first = self.end - timedelta(weeks=WEEKS)
        self._steps: list[tuple[datetime, int, Process]] = []
        self._order = count()
        self._topics: dict[str, list[Topic]] = {}

    def schedule(self, at: datetime, process: Process) -> None:
        """Run the next step of a process at a time."""
        heapq.heappush(self._steps, (at, next(self._order), process))

    def run(self) -> None:
        """Run all steps in order until the end; processes that have not finished stop there."""
        while self._steps and self._steps[0][0] <= self.end:
            _, _, process = heapq.heappop(self._steps)
            at = next(process, None)
            if at is not None:
                self.schedule(at, process)

    def repository(self, slug: str) -> Repository:
        """Return a repository."""
        return self.workspace.repositories[slug]

    def team(self, slug: str, at: datetime) -> list[Person]:
        """Return the people who work on a repository at a time."""
        leaving = self.end - timedelta(days=LEAVING_DAYS)
        gone = self.people[-1:] if at > leaving - timedelta(days=10) else []
        return [one for one in self.people if slug in one.teams and one not in gone]

    def topic(self, slug: str, *, dependency: bool = False) -> Topic:
        """Return the next thing to do in a repository."""
        key = f"{slug} dependencies" if dependency else slug
        if key not in self._topics:
            self._topics[key] = dependency_topics(self.random) if dependency else topics(slug, self.random)
        return self._topics[key].pop()

    def hours(self, median: float, spread: float = 0.8) -> float:
        """Draw a duration in hours from a log-normal distribution."""
        return self.random.lognormvariate(math.log(median), spread)

    def chance(self, share: float) -> bool:
        """Draw True with this probability."""
        return self.random.random() < share


def seconds_later(timeline: Timeline, at: datetime, least: float, most: float) -> datetime:
    """Return a time between ``least`` and ``most`` seconds later."""
    return at + timedelta(microseconds=timeline.random.randint(int(least * 1e6), int(most * 1e6)))
