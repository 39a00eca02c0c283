"""Commits made by the source endpoint, and the history of files."""

from __future__ import annotations

from collections.abc import Iterator

from bitbucket_cloud_emulator.commits.diffs import diffstat, imagined_file
from bitbucket_cloud_emulator.commits.graph import ancestors, newest_first, parting, resolve
from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.source.request import CommitRequest
from bitbucket_cloud_emulator.users.models import User


def make_commit(state: State, repository: Repository, asked: CommitRequest, by: User) -> tuple[str, Commit]:
    """Make a commit and return it behind the branch that it is on.

    :raises ApiError: 400 or 409; nothing is changed
    """
    branch = asked.branch or repository.mainbranch or "main"
    head = parent_commit(repository, branch, asked.parents or "")
    files, attributes = (dict(head.files), dict(head.attributes)) if head else ({}, {})
    for path in asked.listed:
        if path not in asked.files and files.pop(path, None) is None and state.settings.delete_of_missing_file_fails:
            raise ApiError(400, f"files: {path} does not exist", fields={"files": [f"{path} does not exist"]})
    files |= asked.files
    attributes = {path: attributes[path] for path in attributes if path in files and path not in asked.files}
    attributes |= asked.attributes
    is_new = branch not in repository.branches
    if head and not is_new and (files, attributes) == (head.files, head.attributes) and state.settings.unchanged_commit_fails:
        raise ApiError(400, "Nothing to commit")
    author = asked.author or f"{by.display_name} <{by.nickname}@example.com>"
    parents = (head.hash,) if head else ()
    message = asked.message or "Edited online with Bitbucket"
    made = Commit(state.hash(), parents, by, author, state.clock.now(), message, files, attributes)
    repository.commits[made.hash] = made
    repository.branches[branch] = made.hash
    repository.mainbranch = repository.mainbranch or branch
    repository.updated_on = made.date
    return branch, made


def parent_commit(repository: Repository, branch: str, parents: str) -> Commit | None:
    """Return the parent of a new commit: the branch's head, which ``parents`` must name if it is given."""
    head = repository.branches.get(branch)
    if not parents:
        start = head or repository.branches.get(repository.mainbranch or "")
        return repository.commits[start] if start else None
    try:
        wanted = resolve(repository, parents)
    except ApiError:
        raise ApiError(400, f"parents: Commit not found: {parents}", fields={"parents": []}) from None
    if head and wanted.hash != head:
        raise ApiError(409, f"{parents} is not the head of {branch} any more")
    return wanted


def versions(repository: Repository, start: Commit, path: str, *, follow_renames: bool) -> Iterator[tuple[Commit, str]]:
    """Yield the commits that changed a file, newest first, with its path in each."""
    for commit in newest_first(repository, ancestors(repository, [start.hash])):
        before = repository.commits[commit.parents[0]].files if commit.parents else {}
        if path not in commit.files or before.get(path) == commit.files[path]:
            continue
        yield commit, path
        if follow_renames and path not in before:
            renamed = (row for row in diffstat(before, commit.files) if row["path"] == path and row["status"] == "renamed")
            path = next((str(row["old_path"]) for row in renamed), path)


def imagined_content(repository: Repository, path: str) -> bytes | None:
    """Return the content of a file that only the diffstats of seeded pull requests have, None if none has it.

    Seeds draw diffstats without writing trees, and links of diffstats lead to files.
    """
    for pr in repository.pull_requests.values():
        base = parting(repository, [repository.commits[sha] for sha in pr.commits])
        trees = (repository.commits[pr.source_hash].files, base.files if base else {})
        if not any(path in tree for tree in trees):
            for row in pr.diffstat:
                if path in (row["path"], row.get("old_path")):
                    return imagined_file(row)
    return None
