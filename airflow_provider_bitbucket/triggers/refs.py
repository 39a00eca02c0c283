"""Waiting for a branch or tag."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger, WaitParameters
from airflow_provider_bitbucket.triggers.fetching import batches
from airflow_provider_bitbucket.triggers.wait_condition import WaitState

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.triggers.poller import FetchStep

__all__ = ["BitbucketRefTrigger"]

RefKind = Literal["branch", "tag"]

#: Names in one request; a page shows 100.
BATCH_SIZE = 50


class RefFetcher:
    """Fetch 50 branches or 50 tags with one request.

    The answer for one that the list does not show is None, or the error of a malformed row that may be the one.

    :param client: makes one attempt per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository

    def fetch(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[FetchStep]:
        """Yield refs by ``branch/name`` or ``tag/name`` (:class:`StatusFetcher`)."""
        from airflow_provider_bitbucket.client import bbql
        from airflow_provider_bitbucket.client.transport.malformed import read_rows, text

        for kind, ask in (("branch", self._client.refs.branches), ("tag", self._client.refs.tags)):
            of_kind = [one for one in due if one.startswith(f"{kind}/")]
            for page, asked in enumerate(batches(of_kind, {one for one in waiting if one.startswith(f"{kind}/")}, BATCH_SIZE)):
                names = [one.partition("/")[2] for one in asked]
                rows = [*ask(self._repository, q=bbql.one_of("name", names))]
                found, malformed = read_rows(rows, lambda row: (text(row["name"]), row), f"refs of {self._repository}")
                shown = dict(found)
                yield (kind, page), {one: shown.get(name, malformed) for one, name in zip(asked, names, strict=True)}


class BitbucketRefTrigger(BitbucketWaitTrigger):
    """Wait until a branch or tag exists and, if asked, points to a commit or away from one.

    :param kind: ``branch`` or ``tag``
    :param name: its name
    :param commit: hash that it must point to, or its beginning
    :param moved_from: hash that it must no longer point to, or its beginning
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.base.BitbucketWaitTrigger`
    """

    fetcher = RefFetcher
    label = "the branch or tag"
    fields = ("kind", "name", "commit", "moved_from")

    def __init__(
        self,
        *,
        kind: RefKind,
        name: str,
        commit: str | None = None,
        moved_from: str | None = None,
        **common: Unpack[WaitParameters],
    ) -> None:
        super().__init__(**common)
        self.kind = kind
        self.name = name
        self.commit = commit
        self.moved_from = moved_from

    @property
    def subject(self) -> str:
        """Kind and name."""
        return f"{self.kind}/{self.name}"

    def evaluate(self, response: Mapping[str, Any] | None) -> WaitState:
        """Return what a branch or tag, or None if it is missing, means for the wait. It can still be created or moved."""
        from airflow_provider_bitbucket.client.transport.malformed import text

        found = {"type": self.kind, "name": self.name, "commit": None, "url": ""}
        if response is None:
            return WaitState(None, f"There is no {self.kind} {self.name!r} in {self.repository}.", "", found)
        points_to = text(response["target"]["hash"])
        url = ((response.get("links") or {}).get("html") or {}).get("href") or ""
        found |= {"commit": points_to, "url": url}
        matches = points_to.startswith(self.commit) if self.commit else True
        moved = not points_to.startswith(self.moved_from) if self.moved_from else True
        message = f"The {self.kind} {self.name!r} points to {points_to[:12]}."
        return WaitState("succeeded" if matches and moved else None, message, url, found)
