"""Waiting for the build statuses of a commit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_bitbucket.triggers import polling
from airflow_provider_bitbucket.triggers.refs import RefLooker
from airflow_provider_bitbucket.triggers.waiting import BitbucketWaitTrigger, Sight, Singles

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

#: Longer lists of builds are cut in a message.
_NAMED = 5


class BuildStatusLooker:
    """Looks at the statuses of each commit with a request, and at the heads of 50 branches with one before.

    No list shows the statuses of several commits. Branches are looked up by name, since a name with a slash can not be asked
    for in place of a hash.

    :param client: made for one try per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._heads = RefLooker(client, repository)
        self._singles = Singles()

    def look(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[polling.Step]:
        """Look; see :class:`~airflow_provider_bitbucket.triggers.polling.Looker`. Subjects: ``commit/hash``, ``branch/name``."""
        from airflow_provider_bitbucket.client import BitbucketNotFoundError

        commits = {one: one.partition("/")[2] for one in waiting if one.startswith("commit/")}
        name = self._client.full_name(self._repository)
        for source, heads in self._heads.look(due, waiting):
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
        for commit in self._singles.in_turn({commits[one]: None for one in due if one in commits}):
            answer = self._ask(commit)
            yield commit, {one: answer for one, of in commits.items() if of == commit}

    def _head(self, branch: str, head: Any) -> str | Exception:
        from airflow_provider_bitbucket.client.transport.malformed import read_or_error, text

        if isinstance(head, Exception):
            return head
        return read_or_error(lambda: text(head["target"]["hash"]), f"{branch} of {self._repository}")

    def _ask(self, commit: str) -> Any:
        from airflow_provider_bitbucket.client.transport.malformed import read_or_error

        rows = self._singles.ask(commit, lambda: [*self._client.build_statuses.list(self._repository, commit)])
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

    :param commit: hash, or how it begins; exactly one of commit and branch is given
    :param branch: name of a branch, the head of which counts at each look
    :param keys: of the statuses that count; None: all that there are, at least one
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.waiting.BitbucketWaitTrigger`
    """

    looker = BuildStatusLooker
    what = "the build statuses"
    own_fields = ("commit", "branch", "keys")

    def __init__(
        self, *, commit: str | None = None, branch: str | None = None, keys: Sequence[str] | None = None, **common: Any
    ) -> None:
        super().__init__(**common)
        self.commit = commit
        self.branch = branch
        self.keys = None if keys is None else list(keys)

    @property
    def subject(self) -> str:
        """Commit or branch."""
        return f"commit/{self.commit}" if self.commit else f"branch/{self.branch}"

    def judge(self, answer: Mapping[str, Any]) -> Sight:
        """Say what the statuses of a commit mean for the wait. States that this provider does not know are waited through."""
        from airflow_provider_bitbucket.client.transport.malformed import text

        present: Mapping[str, Mapping[str, Any]] = answer["statuses"]
        states = {key: text(present[key]["state"]) if key in present else None for key in self.keys or present}
        found = {
            "commit": answer["commit"],
            "branch": self.branch,
            "url": answer["url"],
            "statuses": [
                {name: present[key].get(name) for name in ("key", "name", "state", "url")} for key in states if key in present
            ],
        }
        of = f"commit {answer['commit'][:12]}"
        if bad := {key: state for key, state in states.items() if state in ("FAILED", "STOPPED")}:
            return Sight("failed", f"Not all builds of {of} were successful: {_list(bad)}.", answer["url"], found)
        open_ones = {key: state or "not there" for key, state in states.items() if state != "SUCCESSFUL"}
        if open_ones:
            return Sight(None, f"Builds of {of} are not done: {_list(open_ones)}.", answer["url"], found)
        if not states:
            return Sight(None, f"There is no build status of {of}.", answer["url"], found)
        return Sight("succeeded", f"All {len(states)} builds of {of} were successful.", answer["url"], found)


def _list(states: Mapping[str, str | None]) -> str:
    named = [f"{key!r} ({state})" for key, state in sorted(states.items())]
    return ", ".join([*named[:_NAMED], *([f"{len(named) - _NAMED} more"] if len(named) > _NAMED else [])])
