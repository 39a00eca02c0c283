"""Commit files to a branch once, and propose them as one pull request."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, Unpack

from airflow_provider_bitbucket.changes.pull_requests import propose
from airflow_provider_bitbucket.client import (
    BitbucketAmbiguousError,
    BitbucketClient,
    BitbucketConflictError,
    BitbucketNotFoundError,
)
from airflow_provider_bitbucket.client.resources.source import FileContent, file_path
from airflow_provider_bitbucket.client.types import PullRequest, PullRequestFields

log = logging.getLogger(__name__)

#: How often a commit is attempted while other commits keep moving the branch.
_MOST_ATTEMPTS = 10
#: How often the response to a commit may be lost.
_MOST_LOST = 3


@dataclass(frozen=True)
class Change:
    """Files as they are to be.

    :param files: path -> content
    :param deleted: paths that are not to exist
    """

    files: Mapping[str, FileContent]
    deleted: Iterable[str] = ()

    def __post_init__(self) -> None:
        """Check the paths.

        :raises ValueError: a path is malformed, named twice, or both written and deleted, or there is none
        """
        paths = [file_path(path) for path in (*self.files, *self.deleted)]
        if not paths:
            raise ValueError("There are no files to commit; expected at least one to write or delete")
        if twice := {path for path in paths if paths.count(path) > 1}:
            raise ValueError(f"Files are named twice: {', '.join(sorted(twice))}")

    @classmethod
    def of(cls, contents: Mapping[str, bytes], deleted: Iterable[str] = (), executable: Collection[str] = ()) -> Self:
        """Return a change of ordinary and executable files.

        :param contents: path -> content
        :param executable: paths of those that are executable
        :raises ValueError: as the constructor
        """
        files = {path: FileContent(content, "executable" if path in executable else None) for path, content in contents.items()}
        return cls(files, tuple(deleted))


@dataclass(frozen=True)
class Committed:
    """The state of a branch that has a change.

    :param branch: name; None: nothing differed from the start of a new branch, so it was not created
    :param commit: full hash of the commit with the change; if nothing was left to change, of the head of the branch or its start
    :param changed: paths that the commit wrote or deleted
    """

    branch: str | None
    commit: str
    changed: list[str]


@dataclass(frozen=True)
class BranchHead:
    """Where a change goes.

    :param name: of the branch
    :param commit: full hash of its head, or of the start of a new branch; None: the repository is empty
    :param exists: whether there is such a branch
    """

    name: str
    commit: str | None
    exists: bool


def commit_files(
    client: BitbucketClient,
    repository: str,
    change: Change,
    *,
    message: str,
    branch: str | None = None,
    base: str | None = None,
    author: str | None = None,
    create_branch: bool = False,
) -> Committed:
    """Commit what differs from a change in one commit; nothing if nothing differs.

    The commit names its parent, so that of two attempts only one can succeed: after a lost race or a lost response the new head
    is compared with the change again. Costs two or three requests, and one or two for each file.

    :param repository: slug, or ``workspace/slug``
    :param branch: None: the main branch
    :param base: branch, tag or hash that a new branch starts at; None: the main branch
    :param author: ``Name <e-mail>``; None: the owner of the credentials
    :param create_branch: whether the branch may be created
    :raises BitbucketNotFoundError: the branch does not exist and may not be created, or ``base`` does not exist
    :raises BitbucketError: Bitbucket refused, or the branch moved during every attempt
    """
    previous: str | None = None
    lost = 0
    for attempt in itertools.count(1):
        head = _head(client, repository, branch, base, create_branch=create_branch)
        left = _differences(client, repository, change, head.commit)
        if left is None:
            log.info("Every file is as it is to be; there is nothing to commit.")
            made = _commit_of_earlier_attempt(client, repository, head, previous, message)
            return Committed(head.name if head.exists else None, made, [])
        parts: Any = {"deleted": left.deleted, "message": message, "branch": head.name, "parent": head.commit, "author": author}
        try:
            made = client.source.commit(repository, left.files, **parts)
        except (BitbucketConflictError, BitbucketAmbiguousError) as error:
            lost += isinstance(error, BitbucketAmbiguousError)
            if attempt >= _MOST_ATTEMPTS or lost >= _MOST_LOST:
                raise
            log.warning("Comparing branch %s with the files again. %s", head.name, error)
            previous = head.commit
        else:
            log.info("Committed %s to branch %s.", made, head.name)
            return Committed(head.name, made, [*left.files, *left.deleted])
    raise AssertionError("unreachable")


def propose_change(
    client: BitbucketClient,
    repository: str,
    change: Change,
    *,
    branch: str,
    message: str,
    author: str | None = None,
    **fields: Unpack[PullRequestFields],
) -> tuple[Committed, PullRequest | None]:
    """Commit files to a branch and open one pull request for it, or update the open one.

    Nothing is created if the destination has all files as they are to be, for example after the merge. Costs what
    :func:`commit_files` and :func:`~airflow_provider_bitbucket.changes.pull_requests.propose` cost, and one or two requests more
    for each file.

    :param repository: slug, or ``workspace/slug``
    :param branch: created at the head of the destination if it does not exist
    :param message: of the commit
    :param fields: of the pull request
    :return: what was committed, and the pull request; None if there is nothing to propose
    :raises BitbucketError: Bitbucket refused, or the branch moved during every attempt
    """
    destination = _head(client, repository, fields.get("destination"), None, create_branch=False)
    if destination.commit and _differences(client, repository, change, destination.commit) is None:
        log.info("Branch %s has all files as they are to be; there is nothing to propose.", destination.name)
        return Committed(None, destination.commit, []), None
    committed = commit_files(
        client,
        repository,
        change,
        message=message,
        branch=branch,
        base=destination.commit,
        author=author,
        create_branch=True,
    )
    fields["destination"] = destination.name
    return committed, propose(client, repository, source=branch, **fields)


def _head(client: BitbucketClient, repository: str, branch: str | None, base: str | None, *, create_branch: bool) -> BranchHead:
    """Return the head of a branch, or the start of one that is to be created."""
    main = None if branch else (client.repositories.get(repository).get("mainbranch") or {}).get("name")
    name = branch or main
    if name is None:  # an empty repository
        return BranchHead("main", None, exists=False)
    try:
        return BranchHead(name, client.refs.hash_of_branch(repository, name), exists=True)
    except BitbucketNotFoundError as error:
        if not create_branch:
            raise error.with_message(
                f"Branch {name!r} does not exist; create it first, or set create_branch. {error.message}"
            ) from None
    if base is None:
        return BranchHead(name, _head(client, repository, None, None, create_branch=False).commit, exists=False)
    return BranchHead(name, client.refs.hash_of(repository, base), exists=False)


def _differences(client: BitbucketClient, repository: str, change: Change, commit: str | None) -> Change | None:
    """Return the part of a change that a commit does not have; None if it has everything."""
    if commit is None:
        return Change(change.files) if change.files else None
    files = {path: file for path, file in change.files.items() if not _has_file(client, repository, path, file, commit)}
    deleted = [path for path in change.deleted if _entry(client, repository, path, commit) is not None]
    return Change(files, deleted) if files or deleted else None


def _has_file(client: BitbucketClient, repository: str, path: str, file: FileContent, commit: str) -> bool:
    entry = _entry(client, repository, path, commit)
    if entry is None or entry.get("type") == "commit_directory":
        return False
    attributes = entry.get("attributes") or []
    present = {attributes} if isinstance(attributes, str) else set(attributes)
    if present & {"executable", "link"} != ({file.attribute} if file.attribute else set()):
        return False
    if "lfs" not in present and entry.get("size") not in (None, len(file.content)):
        return False
    return client.source.read(repository, path, commit) == file.content


def _entry(client: BitbucketClient, repository: str, path: str, commit: str) -> Any:
    try:
        return client.source.meta(repository, path, commit)
    except BitbucketNotFoundError:
        return None


def _commit_of_earlier_attempt(
    client: BitbucketClient, repository: str, head: BranchHead, previous: str | None, message: str
) -> str:
    """Return the commit of an attempt whose response was lost; the head if there was none.

    :param previous: head of the branch at that attempt
    """
    if previous is not None and previous != head.commit and head.commit:
        for commit in client.commits.list(repository, include=head.commit, exclude=previous):
            parents = [parent.get("hash") for parent in commit.get("parents") or ()]
            if parents == [previous] and (commit.get("message") or "").strip() == message.strip():
                return str(commit["hash"])
    return head.commit or ""
