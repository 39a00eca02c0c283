"""Who works at the demo's company, where, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.seeds.common import add_user
from bitbucket_cloud_emulator.users.models import User

HOURS_A_DAY = 8


@dataclass(eq=False)
class Person:
    """A person with working hours.

    ``offset`` is the distance to UTC in hours, ``begins`` the local hour the day begins, ``pace`` how much slower (or
    faster) than others they answer, ``away`` the days off.
    """

    user: User
    teams: tuple[str, ...]
    offset: float
    begins: int = 9
    pace: float = 1.0
    away: set[date] = field(default_factory=set)

    def after(self, start: datetime, hours: float) -> datetime:
        """Return when this person has worked a number of hours after a point in time.

        :param start: any time
        :param hours: working hours
        """
        shift = timedelta(hours=self.offset)
        local = start + shift
        while True:
            opens = local.replace(hour=self.begins, minute=0, second=0)
            closes = opens + timedelta(hours=HOURS_A_DAY)
            if local.weekday() < 5 and local.date() not in self.away and local < closes:
                local = max(local, opens + timedelta(minutes=start.second % 25))  # not exactly on the hour
                room = (closes - local).total_seconds() / 3600
                if hours <= room:
                    return local + timedelta(hours=hours) - shift
                hours -= max(room, 0)
            local = opens + timedelta(days=1)


#: name, repositories, hours from UTC, begins at, pace. The first owns the workspace, the last leaves.
_PEOPLE: tuple[tuple[str, str, float, int, float], ...] = (
    ("Dana Demo", "api infrastructure", 1, 9, 0.8),
    ("Priya Raman", "api data-platform", 5.5, 10, 0.9),
    ("Tomás Herrera", "api", 1, 9, 1.0),
    ("Ingrid Solberg", "api web", 1, 8, 0.7),
    ("Wei Zhang", "web", 0, 10, 1.2),
    ("Amara Okafor", "web mobile", 0, 9, 0.8),
    ("Lucas Martin", "mobile", 1, 9, 1.5),
    ("Hana Novák", "mobile web", 1, 8, 1.0),
    ("Yuki Tanaka", "data-platform", 1, 9, 1.1),
    ("Samuel Adeyemi", "data-platform infrastructure", 0, 9, 1.0),
    ("Grace Mitchell", "infrastructure docs", -5, 9, 1.1),
    ("Mateo Rossi", "infrastructure api", 1, 10, 1.3),
    ("Elena Petrova", "docs web", 2, 9, 0.9),
    ("Noah Fischer", "api web", 1, 9, 1.0),
)
BOT = "Acme Automation"


def hire(state: State, first: datetime, end: datetime) -> tuple[list[Person], User]:
    """Return the people (the first owns the workspace, the last leaves before the end) and their bot.

    :param state: where their accounts go
    :param first: start of the timeline
    :param end: when it ends
    """
    people = []
    for number, (name, teams, offset, begins, pace) in enumerate(_PEOPLE):
        user = add_user(state, name, since=first - timedelta(days=900 - 55 * number))
        people.append(Person(user, tuple(teams.split()), offset, begins, pace, _days_off(number, first, end)))
    return people, add_user(state, BOT, since=first - timedelta(days=400), kind="app_user")


def _days_off(number: int, first: datetime, end: datetime) -> set[date]:
    """A common long weekend in the middle, and one or two weeks per person."""
    middle = (first + (end - first) / 2).date()
    friday = middle + timedelta(days=4 - middle.weekday())
    holiday = first.date() + timedelta(days=9 + 5 * number)
    weeks = range(5 + 7 * (number % 2))
    return {friday, friday + timedelta(days=3), *(holiday + timedelta(days=day) for day in weeks)}
