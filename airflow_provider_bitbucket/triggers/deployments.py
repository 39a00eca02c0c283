"""Waiting for a deployment."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_bitbucket.triggers import polling
from airflow_provider_bitbucket.triggers.waiting import BitbucketWaitTrigger, Sight, Singles

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

#: Pages of 100 that are looked through for a deployment that was never seen; afterwards only the newest one is.
SEARCHED_PAGES = 3


class Wanted(NamedTuple):
    """What is waited for.

    :param environment: name, slug or uuid
    :param commit: hash, or how it begins; empty: ``pipeline`` counts
    :param pipeline: uuid or build number
    """

    environment: str
    commit: str
    pipeline: str

    def is_of(self, shown: Shown) -> bool:
        """Say whether a deployment is of the commit or pipeline, wherever it went."""
        if self.commit:
            return shown.commit.startswith(self.commit)
        return self.pipeline in (shown.pipeline, shown.number)


class Shown(NamedTuple):
    """A deployment of the list.

    :param number: of the pipeline; its release is called like it: "#12"
    :param began: when it began, to the second; empty when it has not
    :param deployment: the JSON it was read from
    """

    uuid: str
    environment: str | None
    commit: str
    pipeline: str | None
    number: str
    began: str
    deployment: Mapping[str, Any]

    @classmethod
    def read(cls, deployment: Mapping[str, Any]) -> Shown:
        """Read a row of the list."""
        from airflow_provider_bitbucket.client.transport.malformed import text

        release, state = deployment.get("release") or {}, deployment.get("state") or {}
        commit = deployment.get("commit") or release.get("commit") or {}
        return cls(
            uuid=text(deployment["uuid"]),
            environment=(deployment.get("environment") or {}).get("uuid"),
            commit=str(commit.get("hash") or ""),
            pipeline=(release.get("pipeline") or {}).get("uuid"),
            number=str(release.get("name") or "").lstrip("#"),
            # Documented under the second names, sent under the first. To the second they sort as texts: all are UTC.
            began=str(state.get("started_on") or state.get("start_date") or "")[:19],
            deployment=deployment,
        )


class DeploymentLooker:
    """Looks at the newest 100 deployments with a request, which answers for all that wait.

    Bitbucket neither filters nor sorts this list; the newest have been seen to come first. Who was never seen is looked for
    on three pages, once. Who was seen and is not among the newest any more is asked for singly. None: it is not there.

    :param client: made for one try per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._environments: dict[str, str] = {}  # uuid by uuid, name and slug
        self._known: dict[str, str] = {}  # uuids of deployments that were seen
        self._searched: set[str] = set()
        self._singles = Singles()

    def look(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[polling.Step]:
        """Look; see :class:`~airflow_provider_bitbucket.triggers.polling.Looker`. Subjects are :class:`Wanted` as JSON."""
        wanted = {subject: Wanted(*json.loads(subject)) for subject in {*due, *waiting}}
        self._known = {subject: uuid for subject, uuid in self._known.items() if subject in wanted}
        self._searched &= wanted.keys()
        self._singles.keep(wanted)
        missing = set(due)
        if any(wanted[subject].environment not in self._environments for subject in missing):
            unknown = self._read_environments({subject: wanted[subject] for subject in missing})
            missing -= unknown.keys()
            yield "environments", unknown
        # Not yet those whose environment nobody has asked for: it may not be there.
        unseen = {one: what for one, what in wanted.items() if what.environment in self._environments}
        unseen = {one: what for one, what in unseen.items() if one not in self._known | dict.fromkeys(self._searched)}
        malformed: Exception | None = None  # of a row that may be any deployment that was not found
        for number in range(1, SEARCHED_PAGES + 1):
            if not missing:
                return
            rows = self._client.deployments.newest(self._repository, number)
            found, error = self._matches(rows, wanted if number == 1 else unseen)
            malformed = malformed or error
            unseen = {one: wanted[one] for one in unseen if one not in self._known}
            is_last = number == SEARCHED_PAGES or not _is_full(rows)
            searched = self._searched | unseen.keys() if is_last else self._searched
            answers = found | dict.fromkeys(searched - self._known.keys(), malformed)
            if malformed is None:
                self._searched = searched
            missing -= answers.keys()
            yield ("newest", number), answers
            if missing <= self._searched | self._known.keys():
                break
        for subject in self._singles.in_turn(missing):
            yield subject, {subject: self._ask(subject)}

    def _read_environments(self, wanted: Mapping[str, Wanted]) -> dict[str, Exception]:
        """Read the names of the environments and return an error for each that is not there."""
        from airflow_provider_bitbucket.client import BitbucketNotFoundError
        from airflow_provider_bitbucket.client.transport.malformed import read_rows

        rows = [*self._client.environments.list(self._repository)]
        where = self._client.full_name(self._repository)
        named, malformed = read_rows(rows, _environment_names, f"environments of {where}")
        self._environments = {name: uuid for uuid, names in named for name in names}
        there = ", ".join(sorted(names[0] for _, names in named)) or "none"
        return {
            subject: malformed
            or BitbucketNotFoundError(f"There is no environment {one.environment!r} in {where}; there are: {there}.")
            for subject, one in wanted.items()
            if one.environment not in self._environments
        }

    def _matches(
        self, rows: Sequence[Mapping[str, Any]], wanted: Mapping[str, Wanted]
    ) -> tuple[dict[str, Any], Exception | None]:
        """Return what is on a page, of several deployments the one that began last, and the error of a malformed row."""
        from airflow_provider_bitbucket.client.transport.malformed import read_rows

        found: dict[str, Any] = {}
        shown, malformed = read_rows(rows, Shown.read, f"deployments of {self._repository}")
        for subject, one in wanted.items():
            environment = self._environments.get(one.environment)
            of_it = [row for row in shown if row.environment == environment and one.is_of(row)]
            if environment and of_it:
                # One that never begins (UNDEPLOYED has no times) must not hide one that did.
                newest = max(of_it, key=lambda row: row.began)
                found[subject], self._known[subject] = newest.deployment, newest.uuid
        return found, malformed

    def _ask(self, subject: str) -> Any:
        return self._singles.ask(subject, lambda: self._client.deployments.get(self._repository, self._known[subject]))


def _is_full(rows: Sequence[Any]) -> bool:
    from airflow_provider_bitbucket.client.paging import LARGEST_PAGE

    return len(rows) >= LARGEST_PAGE


def _environment_names(row: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the uuid of an environment and what it can be called by, its name first."""
    from airflow_provider_bitbucket.client.transport.malformed import text

    uuid = text(row["uuid"])
    return uuid, [text(row["name"]), *(str(row[by]) for by in ("slug", "uuid") if row.get(by))]


class BitbucketDeploymentTrigger(BitbucketWaitTrigger):
    """Wait until a commit or a pipeline is deployed to an environment.

    :param environment: name, slug or uuid
    :param commit: hash, or how it begins; exactly one of commit and pipeline is given
    :param pipeline: uuid or build number
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.waiting.BitbucketWaitTrigger`
    """

    looker = DeploymentLooker
    what = "the deployment"
    own_fields = ("environment", "commit", "pipeline")

    def __init__(self, *, environment: str, commit: str | None = None, pipeline: str | None = None, **common: Any) -> None:
        super().__init__(**common)
        self.environment = environment
        self.commit = commit
        self.pipeline = pipeline

    @property
    def subject(self) -> str:
        """A :class:`Wanted` as JSON."""
        return json.dumps(Wanted(self.environment, self.commit or "", self.pipeline or ""))

    def judge(self, answer: Mapping[str, Any] | None) -> Sight:
        """Say what a deployment, or that there is none, means for the wait."""
        from airflow_provider_bitbucket.client.transport.malformed import text

        what = f"commit {self.commit[:12]}" if self.commit else f"pipeline {self.pipeline}"
        which = f"deployment of {what} to {self.environment}"
        if answer is None:
            return Sight(None, f"There is no {which} yet.", "", {})
        found = {**_summary(answer), "environment": self.environment}
        name, status = found["state"], found["status"]
        if name != "COMPLETED":
            how = {"UNDEPLOYED": "has not begun", "IN_PROGRESS": "is in progress"}.get(name, f"is {name}")
            return Sight(None, f"The {which} {how}.", found["url"], found)
        if text(status) == "SUCCESSFUL":
            return Sight("succeeded", f"The {which} was successful.", found["url"], found)
        return Sight("failed", f"The {which} was not successful: {status}.", found["url"], found)


def _summary(deployment: Mapping[str, Any]) -> dict[str, Any]:
    state, release = deployment.get("state") or {}, deployment.get("release") or {}
    number = str(release.get("name") or "").lstrip("#")
    return {
        "uuid": deployment["uuid"],
        "state": str(state.get("name") or ""),
        "status": (state.get("status") or {}).get("name"),
        "commit": (deployment.get("commit") or release.get("commit") or {}).get("hash"),
        "pipeline": (release.get("pipeline") or {}).get("uuid"),
        "build_number": int(number) if number.isdecimal() else None,
        "started_on": state.get("started_on") or state.get("start_date"),
        "completed_on": state.get("completed_on") or state.get("completion_date"),
        "url": state.get("url") or release.get("url") or "",
    }
