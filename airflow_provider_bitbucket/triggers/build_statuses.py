"""Waiting for the build statuses of a commit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger, WaitParameters
from airflow_provider_bitbucket.triggers.fetching import SingleRequests
from airflow_provider_bitbucket.triggers.refs import RefFetcher
from airflow_provider_bitbucket.triggers.wait_condition import WaitState

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.triggers.poller import FetchStep

__all__ = ["BitbucketBuildStatusTrigger"]

#: Number of builds that a message names.
_NAMED = 5


class BuildStatusFetcher:
    """Fetch the heads of 50 branches with one request, then the statuses of each commit with one.

    No list shows the statuses of several commits. Branches are read by name, because a branch with a slash in its name cannot
    replace a hash in the URL.

    :param client: makes one attempt per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._heads = RefFetcher(client, repository)
        self._singles = SingleRequests()

    def fetch(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[FetchStep]:
        """Yield the latest statuses by ``commit/hash`` or ``branch/name`` (:class:`StatusFetcher`)."""
        from airflow_provider_bitbucket.client import BitbucketNotFoundError

        commits = {one: one.partition("/")[2] for one in waiting if one.startswith("commit/")}
        name = self._client.full_name(self._repository)
        for source, heads in self._heads.fetch(due, waiting):
            unusable: dict[str, Exception] = {}
            for branch, head in heads.items():
                if head is None:
                    unusable[branch] = BitbucketNotFoundError(f"There is no {branch.replace('/', ' ', 1)!r} in {name}.")
                elif isinstance(commit := self._head(branch, head), Exception):
                    unusable[branch] = commit
                else:
                    commits[branch] = commit
            yield source, unusable
        self._singles.keep(commits.values())
        for commit in self._singles.in_order({commits[one]: None for one in due if one in commits}):
            answer = self._ask(commit)
            yield commit, {one: answer for one, of in commits.items() if of == commit}

    def _head(self, branch: str, head: Any) -> str | Exception:
        from airflow_provider_bitbucket.client.transport.malformed import read_or_error, text

        if isinstance(head, Exception):
            return head
        return read_or_error(lambda: text(head["target"]["hash"]), f"{branch} of {self._repository}")

    def _ask(self, commit: str) -> Any:
        from airflow_provider_bitbucket.client.transport.malformed import read_or_error

        rows = self._singles.send(commit, lambda: [*self._client.build_statuses.list(self._repository, commit)])
        if isinstance(rows, Exception):
            return rows
        return read_or_error(lambda: self._latest(commit, rows), f"the build statuses of {commit} in {self._repository}")

    def _latest(self, commit: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        from airflow_provider_bitbucket.client.transport.malformed import text

        latest: dict[str, Mapping[str, Any]] = {}
        for row in sorted(rows, key=lambda row: str(row.get("updated_on") or "")):
            latest[text(row["key"])] = row
        full = next((text(row["commit"]["hash"]) for row in rows if row.get("commit")), commit)
        page = f"{self._client.web_url}/{quote(self._client.full_name(self._repository))}/commits/{full}"
        return {"commit": full, "url": page, "statuses": latest}


class BitbucketBuildStatusTrigger(BitbucketWaitTrigger):
    """Wait until the build statuses of a commit are successful.

    :param commit: hash, or its beginning; exactly one of commit and branch is given
    :param branch: name of a branch, whose head at each poll counts
    :param keys: keys of the statuses that count; None: all, at least one
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.base.BitbucketWaitTrigger`
    """

    fetcher = BuildStatusFetcher
    label = "the build statuses"
    fields = ("commit", "branch", "keys")

    def __init__(
        self,
        *,
        commit: str | None = None,
        branch: str | None = None,
        keys: Sequence[str] | None = None,
        **common: Unpack[WaitParameters],
    ) -> None:
        super().__init__(**common)
        self.commit = commit
        self.branch = branch
        self.keys = None if keys is None else list(keys)

    @property
    def subject(self) -> str:
        """Commit or branch."""
        return f"commit/{self.commit}" if self.commit else f"branch/{self.branch}"

    def evaluate(self, response: Mapping[str, Any]) -> WaitState:
        """Return what the statuses of a commit mean for the wait, which continues in unknown states."""
        from airflow_provider_bitbucket.client.transport.malformed import text

        present: Mapping[str, Mapping[str, Any]] = response["statuses"]
        states = {key: text(present[key]["state"]) if key in present else None for key in self.keys or present}
        found = {
            "commit": response["commit"],
            "branch": self.branch,
            "url": response["url"],
            "statuses": [
                {name: present[key].get(name) for name in ("key", "name", "state", "url")} for key in states if key in present
            ],
        }
        of = f"commit {response['commit'][:12]}"
        if bad := {key: state for key, state in states.items() if state in ("FAILED", "STOPPED")}:
            return WaitState("failed", f"Not all builds of {of} were successful: {_list(bad)}.", response["url"], found)
        open_ones = {key: state or "missing" for key, state in states.items() if state != "SUCCESSFUL"}
        if open_ones:
            return WaitState(None, f"Builds of {of} are not done: {_list(open_ones)}.", response["url"], found)
        if not states:
            return WaitState(None, f"There is no build status of {of}.", response["url"], found)
        return WaitState("succeeded", f"All {len(states)} builds of {of} were successful.", response["url"], found)


def _list(states: Mapping[str, str | None]) -> str:
    named = [f"{key!r} ({state})" for key, state in sorted(states.items())]
    return ", ".join([*named[:_NAMED], *([f"{len(named) - _NAMED} more"] if len(named) > _NAMED else [])])
