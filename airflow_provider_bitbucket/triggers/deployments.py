"""Waiting for a deployment."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger, WaitParameters
from airflow_provider_bitbucket.triggers.fetching import SingleRequests
from airflow_provider_bitbucket.triggers.wait_condition import WaitState

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.triggers.poller import FetchStep

__all__ = ["BitbucketDeploymentTrigger"]

#: Pages of 100 that are searched for a deployment that was never found; afterwards only the newest page is.
SEARCHED_PAGES = 3


class Wanted(NamedTuple):
    """The deployment that is waited for.

    :param environment: name, slug or uuid
    :param commit: hash, or its beginning; empty: ``pipeline`` counts
    :param pipeline: uuid or build number
    """

    environment: str
    commit: str
    pipeline: str

    def matches(self, shown: Shown) -> bool:
        """Return whether a deployment is of the commit or pipeline, to any environment."""
        if self.commit:
            return shown.commit.startswith(self.commit)
        return self.pipeline in (shown.pipeline, shown.number)


class Shown(NamedTuple):
    """A deployment of the list.

    :param number: build number of the pipeline, which is the name of its release: "#12"
    :param began: when it began, to the second; empty if it has not
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


class DeploymentFetcher:
    """Fetch the newest 100 deployments with one request, which answers for all waits.

    Bitbucket neither filters nor sorts this list; the newest were seen to come first. A deployment that was never found is
    searched for on three pages, once. One that was found and is no longer among the newest gets a request of its own. The answer
    for a missing one is None.

    :param client: makes one attempt per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._environments: dict[str, str] = {}  # uuid by uuid, name and slug
        self._known: dict[str, str] = {}  # uuids of deployments that were found
        self._searched: set[str] = set()
        self._singles = SingleRequests()

    def fetch(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[FetchStep]:
        """Yield deployments by :class:`Wanted` as JSON (:class:`StatusFetcher`)."""
        wanted = {subject: Wanted(*json.loads(subject)) for subject in {*due, *waiting}}
        self._known = {subject: uuid for subject, uuid in self._known.items() if subject in wanted}
        self._searched &= wanted.keys()
        self._singles.keep(wanted)
        missing = set(due)
        if any(wanted[subject].environment not in self._environments for subject in missing):
            unknown = self._read_environments({subject: wanted[subject] for subject in missing})
            missing -= unknown.keys()
            yield "environments", unknown
        # Without those whose environment is still unknown: it may be missing.
        unseen = {key: one for key, one in wanted.items() if one.environment in self._environments}
        unseen = {key: one for key, one in unseen.items() if key not in self._known | dict.fromkeys(self._searched)}
        malformed: Exception | None = None  # the error of a row that may be any deployment that was not found
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
        for subject in self._singles.in_order(missing):
            yield subject, {subject: self._ask(subject)}

    def _read_environments(self, wanted: Mapping[str, Wanted]) -> dict[str, Exception]:
        """Read the names of the environments and return an error for each that is missing."""
        from airflow_provider_bitbucket.client import BitbucketNotFoundError
        from airflow_provider_bitbucket.client.transport.malformed import read_rows

        rows = [*self._client.environments.list(self._repository)]
        where = self._client.full_name(self._repository)
        named, malformed = read_rows(rows, _environment_names, f"environments of {where}")
        self._environments = {name: uuid for uuid, names in named for name in names}
        known = ", ".join(sorted(names[0] for _, names in named)) or "none"
        return {
            subject: malformed
            or BitbucketNotFoundError(f"There is no environment {one.environment!r} in {where}; there are: {known}.")
            for subject, one in wanted.items()
            if one.environment not in self._environments
        }

    def _matches(
        self, rows: Sequence[Mapping[str, Any]], wanted: Mapping[str, Wanted]
    ) -> tuple[dict[str, Any], Exception | None]:
        """Return the deployments on a page, of several the one that began last, and the error of a malformed row."""
        from airflow_provider_bitbucket.client.transport.malformed import read_rows

        found: dict[str, Any] = {}
        shown, malformed = read_rows(rows, Shown.read, f"deployments of {self._repository}")
        for subject, one in wanted.items():
            environment = self._environments.get(one.environment)
            matching = [row for row in shown if row.environment == environment and one.matches(row)]
            if environment and matching:
                # One that has not begun (UNDEPLOYED has no times) must not hide one that has.
                newest = max(matching, key=lambda row: row.began)
                found[subject], self._known[subject] = newest.deployment, newest.uuid
        return found, malformed

    def _ask(self, subject: str) -> Any:
        return self._singles.send(subject, lambda: self._client.deployments.get(self._repository, self._known[subject]))


def _is_full(rows: Sequence[Any]) -> bool:
    from airflow_provider_bitbucket.client.paging import LARGEST_PAGE

    return len(rows) >= LARGEST_PAGE


def _environment_names(row: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the uuid of an environment and its names, the displayed one first."""
    from airflow_provider_bitbucket.client.transport.malformed import text

    uuid = text(row["uuid"])
    return uuid, [text(row["name"]), *(str(row[by]) for by in ("slug", "uuid") if row.get(by))]


class BitbucketDeploymentTrigger(BitbucketWaitTrigger):
    """Wait until a commit or a pipeline is deployed to an environment.

    :param environment: name, slug or uuid
    :param commit: hash, or its beginning; exactly one of commit and pipeline is given
    :param pipeline: uuid or build number
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.base.BitbucketWaitTrigger`
    """

    fetcher = DeploymentFetcher
    label = "the deployment"
    fields = ("environment", "commit", "pipeline")

    def __init__(
        self,
        *,
        environment: str,
        commit: str | None = None,
        pipeline: str | None = None,
        **common: Unpack[WaitParameters],
    ) -> None:
        super().__init__(**common)
        self.environment = environment
        self.commit = commit
        self.pipeline = pipeline

    @property
    def subject(self) -> str:
        """A :class:`Wanted` as JSON."""
        return json.dumps(Wanted(self.environment, self.commit or "", self.pipeline or ""))

    def evaluate(self, response: Mapping[str, Any] | None) -> WaitState:
        """Return what a deployment, or None if there is none, means for the wait."""
        from airflow_provider_bitbucket.client.transport.malformed import text

        built = f"commit {self.commit[:12]}" if self.commit else f"pipeline {self.pipeline}"
        which = f"deployment of {built} to {self.environment}"
        if response is None:
            return WaitState(None, f"There is no {which} yet.", "", {})
        found = {**_summary(response), "environment": self.environment}
        name, status = found["state"], found["status"]
        if name != "COMPLETED":
            how = {"UNDEPLOYED": "has not begun", "IN_PROGRESS": "is in progress"}.get(name, f"is {name}")
            return WaitState(None, f"The {which} {how}.", found["url"], found)
        if text(status) == "SUCCESSFUL":
            return WaitState("succeeded", f"The {which} was successful.", found["url"], found)
        return WaitState("failed", f"The {which} was not successful: {status}.", found["url"], found)


def _summary(deployment: Mapping[str, Any]) -> dict[str, Any]:
    from airflow_provider_bitbucket.client.transport.text import web_link

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
        "url": web_link(str(state.get("url") or release.get("url") or "")),
    }
