"""The demo's story: lives that take turns on one timeline, so that everything happens in the order in which it is dated."""

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
"""The one who leaves does so this long before the end."""

Life = Iterator[datetime]
"""Something that goes on: each instant it yields is when it wants to go on next."""


class Story:
    """Three months of a company, told up to the clock's start.

    :param state: what it is told into
    :param workspace: where the repositories are
    :param people: who works there; the last one leaves
    :param bot: what works there
    """

    def __init__(self, state: State, workspace: Workspace, people: list[Person], bot: User) -> None:
        self.state = state
        self.workspace = workspace
        self.people = people
        self.bot = bot
        self.random = Random(state.random.getrandbits(64))
        self.end = state.clock.start
        self.first = self.end - timedelta(weeks=WEEKS)
        self._turns: list[tuple[datetime, int, Life]] = []
        self._order = count()
        self._topics: dict[str, list[Topic]] = {}

    def begin(self, at: datetime, life: Life) -> None:
        """Let something begin at an instant."""
        heapq.heappush(self._turns, (at, next(self._order), life))

    def tell(self) -> None:
        """Let everything happen, in order, until the end; what is not over then stays as it is."""
        while self._turns and self._turns[0][0] <= self.end:
            _, _, life = heapq.heappop(self._turns)
            at = next(life, None)
            if at is not None:
                self.begin(at, life)

    def repository(self, slug: str) -> Repository:
        """Return a repository."""
        return self.workspace.repositories[slug]

    def team(self, slug: str, at: datetime) -> list[Person]:
        """Return who works on a repository at an instant."""
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
        """Draw how many hours something takes: half take less than the median, some take very long."""
        return self.random.lognormvariate(math.log(median), spread)

    def chance(self, share: float) -> bool:
        """Draw whether something happens that happens in this share of the cases."""
        return self.random.random() < share


def seconds_later(story: Story, at: datetime, least: float, most: float) -> datetime:
    """Return an instant a little later."""
    return at + timedelta(microseconds=story.random.randint(int(least * 1e6), int(most * 1e6)))
