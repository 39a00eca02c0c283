"""Waiting for a branch or tag."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.triggers import polling
from airflow_provider_bitbucket.triggers.waiting import BitbucketWaitTrigger, Sight, portions

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

#: Names asked for with a request; a page shows 100.
AT_ONCE = 50


class RefLooker:
    """Looks at 50 branches or 50 tags with a request. What the list does not show is not there: None, or the error of
    a malformed row that may be it.

    :param client: made for one try per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository

    def look(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[polling.Step]:
        """Look; see :class:`~airflow_provider_bitbucket.triggers.polling.Looker`. Subjects are ``branch/name``, ``tag/name``."""
        from airflow_provider_bitbucket.client import bbql
        from airflow_provider_bitbucket.client.transport.malformed import read_rows, text

        for kind, ask in (("branch", self._client.refs.branches), ("tag", self._client.refs.tags)):
            of_kind = [one for one in due if one.startswith(f"{kind}/")]
            for page, asked in enumerate(portions(of_kind, {one for one in waiting if one.startswith(f"{kind}/")}, AT_ONCE)):
                names = [one.partition("/")[2] for one in asked]
                rows = [*ask(self._repository, q=bbql.one_of("name", names))]
                found, malformed = read_rows(rows, lambda row: (text(row["name"]), row), f"refs of {self._repository}")
                shown = dict(found)
                yield (kind, page), {one: shown.get(name, malformed) for one, name in zip(asked, names, strict=True)}


class BitbucketRefTrigger(BitbucketWaitTrigger):
    """Wait until a branch or tag exists and, if asked, points to a commit or away from one.

    :param kind: ``branch`` or ``tag``
    :param name: its name
    :param commit: hash that it has to point to, or how that begins
    :param moved_from: hash that it has to point to no longer, or how that begins
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.waiting.BitbucketWaitTrigger`
    """

    looker = RefLooker
    what = "the branch or tag"
    own_fields = ("kind", "name", "commit", "moved_from")

    def __init__(self, *, kind: str, name: str, commit: str | None = None, moved_from: str | None = None, **common: Any) -> None:
        super().__init__(**common)
        self.kind = kind
        self.name = name
        self.commit = commit
        self.moved_from = moved_from

    @property
    def subject(self) -> str:
        """Kind and name."""
        return f"{self.kind}/{self.name}"

    def judge(self, answer: Mapping[str, Any] | None) -> Sight:
        """Say what a branch or tag, or that there is none, means for the wait. It can always still come about."""
        from airflow_provider_bitbucket.client.transport.malformed import text

        found = {"type": self.kind, "name": self.name, "commit": None, "url": ""}
        if answer is None:
            return Sight(None, f"There is no {self.kind} {self.name!r} in {self.repository}.", "", found)
        points_to = text(answer["target"]["hash"])
        url = ((answer.get("links") or {}).get("html") or {}).get("href") or ""
        found |= {"commit": points_to, "url": url}
        there = points_to.startswith(self.commit) if self.commit else True
        moved = not points_to.startswith(self.moved_from) if self.moved_from else True
        said = f"The {self.kind} {self.name!r} points to {points_to[:12]}."
        return Sight("succeeded" if there and moved else None, said, url, found)
