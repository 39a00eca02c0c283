"""Pull requests: read, open, change, review, merge and decline them."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack, cast
from urllib.parse import unquote, urlsplit

from airflow_provider_bitbucket.client import bbql
from airflow_provider_bitbucket.client.paging import LARGEST_PULL_REQUEST_PAGE, deduplicate, rows_of
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.errors import BitbucketServerError
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types.commits import BuildStatus, FileChange
from airflow_provider_bitbucket.client.types.pull_requests import (
    ActivityEntry,
    MergeFields,
    MergeStatus,
    Participant,
    PullRequest,
    PullRequestFields,
    PullRequestState,
)
from airflow_provider_bitbucket.client.types.repositories import Commit

log = logging.getLogger(__name__)

STATES: tuple[PullRequestState, ...] = ("OPEN", "MERGED", "DECLINED", "SUPERSEDED")

#: What the list leaves out unless asked, and what saves a request for every pull request. ``closed_on`` is not in the published
#: specification (Atlassian names it in BCLOUD-22709); where it is missing, the activity has it.
WITH_REVIEWS = "+values.participants,+values.reviewers,+values.closed_on,+values.merge_commit.date"


@dataclass(frozen=True)
class MergeAnswer:
    """The answer to a merge: the pull request, or the task of a merge that takes longer.

    :param pull_request: merged; with a merge queue still OPEN and ``queued``. None: ask for the task
    :param task: id of the task, for :meth:`PullRequests.merge_status`; None: the merge is done, or Bitbucket named no task
    """

    pull_request: PullRequest | None
    task: str | None


class PullRequests(Resource):
    """Pull requests of a repository."""

    def list(
        self,
        repository: str,
        *,
        states: Iterable[str] | None = None,
        updated_since: datetime | None = None,
        q: str | None = None,
        fields: str | None = WITH_REVIEWS,
    ) -> Iterator[PullRequest]:
        """Yield pull requests, oldest first, each once. Costs one request for every 50.

        Sorted by ``created_on``, which does not move: a pull request that is updated while pages are read is neither missed nor
        given twice. There is no upper bound to ask for: one on ``updated_on`` would drop what changes meanwhile. For the same
        reason ask for all states and choose yourself where none may be missed: one that leaves the list while it is read (it
        was OPEN and is merged) moves the others up, over the edge of a page.

        :param repository: slug, or ``workspace/slug``
        :param states: OPEN, MERGED, DECLINED, SUPERSEDED; all by default (Bitbucket's own default is OPEN alone)
        :param updated_since: only those updated at or after this time
        :param q: further BBQL condition; quote its values with :func:`bbql.quote`
        :param fields: partial response; by default with reviewers, approvals and close time; None: what Bitbucket gives by itself
        :raises ValueError: a state that does not exist, or none at all
        """
        wanted = STATES if states is None else tuple(states)
        if not wanted or set(wanted) - set(STATES):
            raise ValueError(f"Pull-request states are {wanted!r}; expected some of {STATES}")
        since = f"updated_on >= {bbql.quote(updated_since)}" if updated_since else None
        # With q present Bitbucket ignores state=, so the states stand in q.
        params = {"q": bbql.all_of(bbql.one_of("state", wanted), since, q)}
        if fields:
            params["fields"] = fields if fields.strip()[0] in "+-" else f"{fields},values.id"
        return cast("Iterator[PullRequest]", self._each_once(self._list_path(repository), params))

    def get(self, repository: str, number: int) -> PullRequest:
        """Return a pull request with reviewers and participants.

        Its commits have hashes of 12 characters; :meth:`Commits.get` returns the full one.
        """
        return cast("PullRequest", self._api.get(self._path(repository, number)))

    def numbered(self, repository: str, numbers: Iterable[int], *, with_reviews: bool = False) -> Sequence[PullRequest]:
        """Return those of these pull requests that there are, whatever their state. Costs one request.

        ``id`` can be filtered by (developer.atlassian.com/cloud/bitbucket/rest/intro, "Filtering": pull requests).

        :param repository: slug, or ``workspace/slug``
        :param numbers: 50 at most, which is what a page shows
        :param with_reviews: with ``participants`` and ``reviewers``
        :raises ValueError: they are more
        """
        wanted = [*dict.fromkeys(numbers)]
        if len(wanted) > LARGEST_PULL_REQUEST_PAGE:
            raise ValueError(f"{len(wanted)} pull requests are asked for at once; expected {LARGEST_PULL_REQUEST_PAGE} at most")
        # Without the states only open ones may come.
        params = {
            "q": bbql.all_of(bbql.one_of("state", STATES), bbql.one_of("id", wanted)),
            "pagelen": LARGEST_PULL_REQUEST_PAGE,
            **({"fields": WITH_REVIEWS} if with_reviews else {}),
        }
        path = self._list_path(repository)
        return cast("Sequence[PullRequest]", rows_of(self._api.get_page(path, params, follow_next=False), path))

    def activity(self, repository: str, number: int | None = None) -> Iterator[ActivityEntry]:
        """Yield the timeline, newest first: of one pull request, or of all of them. Costs one request for every 50 entries.

        An entry has ``pull_request`` and one of ``update``, ``approval``, ``changes_requested``, ``comment``; others may come.
        """
        path = f"{self._list_path(repository)}/activity" if number is None else f"{self._path(repository, number)}/activity"
        rows = deduplicate(self._api.paginate(path, pagelen=LARGEST_PULL_REQUEST_PAGE), identity=_entry_identity)
        return cast("Iterator[ActivityEntry]", rows)

    def commits(self, repository: str, number: int) -> Iterator[Commit]:
        """Yield the commits, newest first, as they were before a squash."""
        return cast("Iterator[Commit]", self._api.paginate(f"{self._path(repository, number)}/commits"))

    def diffstat(self, repository: str, number: int) -> Iterator[FileChange]:
        """Yield a row for every changed file. Bitbucket answers 400 when the branches have no common history."""
        return cast("Iterator[FileChange]", self._api.paginate(f"{self._path(repository, number)}/diffstat"))

    def statuses(self, repository: str, number: int) -> Iterator[BuildStatus]:
        """Yield the build statuses of the head, old ones included: the latest ``updated_on`` of each ``key`` counts."""
        return cast("Iterator[BuildStatus]", self._api.paginate(f"{self._path(repository, number)}/statuses"))

    def conflicts(self, repository: str, number: int) -> Iterator[dict[str, Any]]:
        """Yield an object with the ``path`` of each file with merge conflicts. Bitbucket redirects, so it costs two requests."""
        return self._api.paginate(f"{self._path(repository, number)}/conflicts")

    def of_commit(self, repository: str, commit: str) -> Iterator[PullRequest]:
        """Yield the pull requests that a commit is part of. Costs one request for every 100.

        :raises BitbucketNotFoundError: there is no such commit, or the workspace lacks the app Pull Request Commit Links
        """
        path = f"{self._api.repository_path(repository)}/commit/{segment(commit)}/pullrequests"
        return cast("Iterator[PullRequest]", self._api.paginate(path))

    def authored(
        self, account: str, workspace: str | None = None, *, states: Iterable[PullRequestState] = STATES
    ) -> Iterator[PullRequest]:
        """Yield the pull requests of an author in all repositories of a workspace. Costs one request for every 50.

        :param account: uuid in braces, or account id
        :param workspace: slug, by default the client's
        :param states: some of OPEN, MERGED, DECLINED, SUPERSEDED
        """
        path = f"{self._api.workspace_path(workspace)}/pullrequests/{segment(account)}"
        rows = self._api.paginate(path, {"state": [*states]}, pagelen=LARGEST_PULL_REQUEST_PAGE)
        return cast("Iterator[PullRequest]", rows)

    def diff(self, repository: str, number: int) -> str:
        """Return the change as text in the format of ``git diff``. Costs two requests, because Bitbucket redirects."""
        return self._text(repository, number, "diff")

    def patch(self, repository: str, number: int) -> str:
        """Return the commits as text in the format of ``git format-patch``. Costs two requests, because Bitbucket redirects."""
        return self._text(repository, number, "patch")

    def create(
        self,
        repository: str,
        *,
        source: str,
        source_repository: str | None = None,
        **fields: Unpack[PullRequestFields],
    ) -> PullRequest:
        """Open a pull request and return it. Default reviewers are not added.

        An open pull request between the same branches is overwritten and returned instead (recorded 2026-10).

        :param repository: slug, or ``workspace/slug``, of the destination
        :param source: branch with the change
        :param source_repository: the fork that has the branch, ``workspace/slug``; default: ``repository``
        :param fields: ``title`` is needed; ``destination`` is by default the main branch
        :raises BitbucketBadRequestError: a branch does not exist, there is no difference, or a reviewer is refused
        :raises BitbucketAmbiguousError: it was sent and its answer was lost
        """
        origin: dict[str, Any] = {"branch": {"name": source}}
        if source_repository is not None:
            origin["repository"] = {"full_name": self._api.full_name(source_repository)}
        return cast("PullRequest", self._api.post(self._list_path(repository), {**_body(fields), "source": origin}))

    def update(self, repository: str, number: int, **fields: Unpack[PullRequestFields]) -> PullRequest:
        """Change an open pull request and return it.

        Reviewers and a description that are not sent are kept, according to recordings of 2022 and 2026; earlier reports had
        them cleared. Send them again where they matter.

        :param fields: what to change; an empty list of ``reviewers`` removes them
        :raises BitbucketBadRequestError: it is not open, or a reviewer is refused
        """
        return cast("PullRequest", self._api.put(self._path(repository, number), _body(fields)))

    def merge(self, repository: str, number: int, *, run_async: bool = True, **fields: Unpack[MergeFields]) -> MergeAnswer:
        """Merge a pull request, or put it into the merge queue of its destination.

        :param run_async: answer at once with a task; else Bitbucket answers after the merge, unless that takes long
        :param fields: how to merge
        :raises BitbucketBadRequestError: it cannot be merged
        :raises BitbucketConflictError: a branch moved during the merge
        :raises BitbucketAmbiguousError: it was sent and its answer was lost or was a timeout (555): it may be merged
        """
        path = f"{self._path(repository, number)}/merge"
        params = {"async": "true"} if run_async else None
        body = {"type": "pullrequest_merge_parameters", **fields}  # the published specification requires a type
        response = self._api.request("POST", path, params=params, json=body, headers={"Accept": "*/*"})
        if response.status_code == 202:
            _, _, task = urlsplit(response.headers.get("Location", "")).path.rstrip("/").rpartition("/task-status/")
            return MergeAnswer(None, task or None)
        return MergeAnswer(self.get(repository, number), None)

    def merge_status(self, repository: str, number: int, task: str) -> MergeStatus:
        """Return the state of a merge that takes long: ``PENDING``, also of an unknown task, or ``SUCCESS`` with its result.

        :param task: from :class:`MergeAnswer`
        :raises BitbucketBadRequestError: the merge failed
        :raises BitbucketConflictError: a branch moved during the merge
        """
        path = f"{self._path(repository, number)}/merge/task-status/{segment(unquote(task))}"
        return cast("MergeStatus", self._api.get(path))

    def decline(self, repository: str, number: int, *, message: str | None = None) -> PullRequest:
        """Decline an open pull request, for good, and return it.

        :param message: the reason
        :raises BitbucketBadRequestError: it is not open
        :raises BitbucketAmbiguousError: it was sent and its answer was lost
        """
        body = {"message": message} if message else None
        return cast("PullRequest", self._api.post(f"{self._path(repository, number)}/decline", body))

    def approve(self, repository: str, number: int) -> Participant:
        """Approve as the account of the credentials; a request for changes of that account is withdrawn."""
        # Approving twice is approving once. An empty body of type JSON is refused, so nothing is sent.
        return cast("Participant", self._api.post(f"{self._path(repository, number)}/approve", idempotent=True))

    def unapprove(self, repository: str, number: int) -> None:
        """Withdraw the approval of the account of the credentials.

        :raises BitbucketNotFoundError: the account has not approved
        :raises BitbucketBadRequestError: the pull request is merged
        """
        self._api.delete(f"{self._path(repository, number)}/approve")

    def request_changes(self, repository: str, number: int) -> Participant:
        """Request changes as the account of the credentials; an approval of that account is withdrawn."""
        return cast("Participant", self._api.post(f"{self._path(repository, number)}/request-changes", idempotent=True))

    def withdraw_request(self, repository: str, number: int) -> None:
        """Withdraw the request for changes of the account of the credentials.

        :raises BitbucketNotFoundError: the account has not requested changes
        :raises BitbucketBadRequestError: the pull request is closed
        """
        self._api.delete(f"{self._path(repository, number)}/request-changes")

    def _list_path(self, repository: str) -> str:
        return f"{self._api.repository_path(repository)}/pullrequests"

    def _path(self, repository: str, number: int) -> str:
        return f"{self._list_path(repository)}/{segment(number)}"

    def _text(self, repository: str, number: int, kind: str) -> str:
        response = self._api.request("GET", f"{self._path(repository, number)}/{kind}", headers={"Accept": "*/*"})
        return response.content.decode("utf-8", "replace")  # Bitbucket names no charset

    def _each_once(self, path: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        seen: set[Hashable] = set()
        try:
            yield from deduplicate(self._rows(path, {**params, "sort": "created_on"}), seen)
        except BitbucketServerError as error:
            if error.status != 500:
                raise
            # Large repositories have answered a lasting 500 to a sorted list with several states; unsorted it works, and what
            # was already given is known by its id.
            log.warning("Bitbucket cannot sort the pull requests of %s (500); reading them unsorted.", path)
            yield from deduplicate(self._rows(path, params), seen)

    def _rows(self, path: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        return self._api.paginate(path, params, pagelen=LARGEST_PULL_REQUEST_PAGE)


def _entry_identity(entry: dict[str, Any]) -> Hashable | None:
    """Return what reports an entry of the timeline apart: it has no id, and a growing feed pushes it on to the next page."""
    for kind, what in entry.items():
        if kind != "pull_request" and isinstance(what, dict) and (date := what.get("date") or what.get("created_on")):
            who = what.get("author") or what.get("user") or {}
            return (entry.get("pull_request") or {}).get("id"), kind, what.get("id"), date, who.get("uuid")
    return None


def _body(fields: PullRequestFields) -> dict[str, Any]:
    """Return the body of a write. Reviewers are accepted by uuid and by account id alone (recorded 2026-10)."""
    body: dict[str, Any] = {**fields}
    if "destination" in fields:
        body["destination"] = {"branch": {"name": fields["destination"]}}
    if "reviewers" in fields:
        body["reviewers"] = [{"uuid" if one.startswith("{") else "account_id": one} for one in fields["reviewers"]]
    return body
