"""Open one pull request for a pair of branches, change it, decline it, review it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Unpack, cast

from airflow_provider_bitbucket.changes.once import find_or_create
from airflow_provider_bitbucket.changes.reviewers import Reviewers
from airflow_provider_bitbucket.client import (
    BitbucketAmbiguousError,
    BitbucketBadRequestError,
    BitbucketClient,
    BitbucketNotFoundError,
    bbql,
)
from airflow_provider_bitbucket.client.transport.malformed import malformed_as_error, text
from airflow_provider_bitbucket.client.types import PullRequest, PullRequestFields
from airflow_provider_bitbucket.exceptions import BitbucketPullRequestClosedError

log = logging.getLogger(__name__)

Review = Literal["approve", "unapprove", "request_changes", "withdraw_request"]


def propose(client: BitbucketClient, repository: str, *, source: str, **fields: Unpack[PullRequestFields]) -> PullRequest:
    """Open a pull request, or update the open one between the same branches.

    The update replaces title, description and ``close_source_branch``, adds missing reviewers and removes none; ``draft`` counts
    for a new pull request only, so that one that was marked as ready stays so. Costs two or three requests.

    :param repository: slug, or ``workspace/slug``
    :param source: branch with the change
    :param fields: ``title`` is needed; ``destination`` is by default the main branch; reviewers are named as for
        :meth:`Reviewers.find`
    :raises ValueError: a reviewer is no member of the workspace, or the repository has no main branch
    :raises BitbucketError: Bitbucket refused, or the answers to two requests to open it were lost
    """

    reviewers = Reviewers(client, repository)
    names = fields.pop("reviewers", ())
    fields["destination"] = fields.get("destination") or _main_branch(client, repository)

    def update() -> PullRequest | None:
        if (found := find_open(client, repository, source, fields["destination"])) is None:
            return None
        present = {*_reviewers(found), *(account.get("account_id") for account in found.get("reviewers") or ())}
        missing = [one for one in reviewers.find(names, _author(found)) if one not in present]
        changes = {name: value for name, value in fields.items() if name not in ("draft", "destination")}
        changes["reviewers"] = [*_reviewers(found), *missing]
        return _edit(client, repository, found, cast("PullRequestFields", changes))

    def create() -> PullRequest:
        if accounts := reviewers.find(names):
            fields["reviewers"] = accounts
        return client.pull_requests.create(repository, source=source, **fields)

    # If a request whose answer was lost is still being processed, the next one overwrites what it opens (recorded 2026-10).
    return find_or_create(update, create)


def find_open(client: BitbucketClient, repository: str, source: str, destination: str) -> PullRequest | None:
    """Return the open pull request between two branches of a repository; None if there is none. Costs one or two requests.

    :param repository: slug, or ``workspace/slug``
    :param source: name of the branch with the change; a branch of that name in a fork is another one
    :param destination: name of the branch that is to get it
    """
    branches = {"source.branch.name": source, "destination.branch.name": destination}
    q = bbql.all_of(*(f"{field} = {bbql.quote(branch)}" for field, branch in branches.items()))
    for row in client.pull_requests.list(repository, states=["OPEN"], q=q, fields=None):
        with malformed_as_error(f"a pull request of {client.full_name(repository)}"):
            ends = [_end(row, end) for end in ("source", "destination")]
            number = int(row["id"])
        # Filters may ignore case; branches do not.
        if [branch for _, branch in ends] == [source, destination] and ends[0][0] == ends[1][0]:
            return client.pull_requests.get(repository, number)
    return None


def edit(client: BitbucketClient, repository: str, number: int, **fields: Unpack[PullRequestFields]) -> PullRequest:
    """Change an open pull request and keep what is not given. Costs one request if nothing differs, else two.

    :param repository: slug, or ``workspace/slug``
    :param fields: what to change; ``reviewers``, named as for :meth:`Reviewers.find`, replace the present ones
    :raises ValueError: a reviewer is no member of the workspace
    :raises BitbucketPullRequestClosedError: it is not open
    :raises BitbucketError: Bitbucket refused
    """
    pull_request = client.pull_requests.get(repository, number)
    _check_open(pull_request)
    if "reviewers" in fields:
        fields["reviewers"] = Reviewers(client, repository).find(fields["reviewers"], _author(pull_request))
    return _edit(client, repository, pull_request, fields)


def decline(client: BitbucketClient, repository: str, number: int, message: str | None = None) -> PullRequest:
    """Decline a pull request, unless it is declined already. Costs two requests, three after a lost answer.

    :param repository: slug, or ``workspace/slug``
    :param message: the reason
    :raises BitbucketPullRequestClosedError: it is merged or superseded
    :raises BitbucketError: Bitbucket refused, or the answer was lost and it is still open
    """
    pull_request = client.pull_requests.get(repository, number)
    if pull_request["state"] == "DECLINED":
        log.info("Pull request #%s is already declined.", number)
        return pull_request
    _check_open(pull_request)
    try:
        return client.pull_requests.decline(repository, number, message=message)
    except (BitbucketAmbiguousError, BitbucketBadRequestError) as error:
        # The answer was lost or a timeout (555), or another attempt was faster.
        pull_request = client.pull_requests.get(repository, number)
        if pull_request["state"] == "DECLINED":
            return pull_request
        raise error


def review(client: BitbucketClient, repository: str, number: int, verdict: Review) -> PullRequest:
    """Give or withdraw the acting account's verdict and return the pull request. Doing it twice is doing it once.

    :param repository: slug, or ``workspace/slug``
    :raises BitbucketNotFoundError: there is no such pull request
    :raises BitbucketError: Bitbucket refused, for example to withdraw the approval of a merged pull request
    """
    acts: dict[Review, Callable[[str, int], object]] = {
        "approve": client.pull_requests.approve,
        "unapprove": client.pull_requests.unapprove,
        "request_changes": client.pull_requests.request_changes,
        "withdraw_request": client.pull_requests.withdraw_request,
    }
    try:
        acts[verdict](repository, number)
    except BitbucketNotFoundError:
        if verdict in ("approve", "request_changes"):
            raise
        # Nothing to withdraw; if the pull request is missing, the next request fails.
        log.info("The account has no such verdict on pull request #%s.", number)
    return client.pull_requests.get(repository, number)


def summary(pull_request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a small JSON object about a pull request for XCom.

    :return: ``id``, ``title``, ``state``, ``draft``, ``url``, ``source`` and ``destination`` (branches), ``merge_commit`` (at
        least 12 characters; None unless merged), ``closed_by`` and ``updated_on``
    :raises BitbucketServerError: the response is malformed
    """
    with malformed_as_error("a pull request"):
        return {
            "id": int(pull_request["id"]),
            "title": pull_request.get("title"),
            "state": text(pull_request["state"]),
            "draft": bool(pull_request.get("draft")),
            "url": str(((pull_request.get("links") or {}).get("html") or {}).get("href") or ""),
            "source": _end(pull_request, "source")[1],
            "destination": _end(pull_request, "destination")[1],
            "merge_commit": (pull_request.get("merge_commit") or {}).get("hash"),
            "closed_by": (pull_request.get("closed_by") or {}).get("display_name"),
            "updated_on": pull_request.get("updated_on"),
        }


def _end(pull_request: Mapping[str, Any], end: str) -> tuple[str | None, str | None]:
    """Return the full name of the repository and the branch of an end of a pull request; None if they are deleted."""
    found = pull_request.get(end) or {}
    return (found.get("repository") or {}).get("full_name"), (found.get("branch") or {}).get("name")


def _check_open(pull_request: PullRequest) -> None:
    if pull_request["state"] != "OPEN":
        raise BitbucketPullRequestClosedError(
            f"Pull request #{pull_request['id']} is {pull_request['state']}; expected an open one. {summary(pull_request)['url']}"
        )


def _edit(client: BitbucketClient, repository: str, pull_request: PullRequest, fields: PullRequestFields) -> PullRequest:
    present: dict[str, Any] = {
        **{name: pull_request.get(name) for name in ("title", "description", "draft", "close_source_branch")},
        "destination": _end(pull_request, "destination")[1],
        "reviewers": _reviewers(pull_request),
    }
    changes = {name: value for name, value in fields.items() if value != present[name]}
    if not changes:
        log.info("Pull request #%s has nothing to change.", pull_request["id"])
        return pull_request
    # A PUT has been seen to clear the description and the reviewers that it did not contain, so both are sent again.
    kept = {name: present[name] for name in ("title", "description", "reviewers") if present[name]}
    number = int(pull_request["id"])
    try:
        return client.pull_requests.update(repository, number, **cast("PullRequestFields", {**kept, **changes}))
    except BitbucketBadRequestError as error:
        if "reviewers" in changes or "reviewers" not in kept:
            raise
        # A reviewer who has left the workspace is refused (recorded 2026-10).
        log.warning("Leaving the reviewers as they are. %s", error)
        del kept["reviewers"]
        return client.pull_requests.update(repository, number, **cast("PullRequestFields", {**kept, **changes}))


def _reviewers(pull_request: PullRequest) -> Sequence[str]:
    return [str(account["uuid"]) for account in pull_request.get("reviewers") or () if account.get("uuid")]


def _author(pull_request: PullRequest) -> str | None:
    return (pull_request.get("author") or {}).get("uuid")


def _main_branch(client: BitbucketClient, repository: str) -> str:
    branch = (client.repositories.get(repository).get("mainbranch") or {}).get("name")
    if not branch:
        raise ValueError(f"Repository {repository!r} has no main branch; give destination")
    return str(branch)
