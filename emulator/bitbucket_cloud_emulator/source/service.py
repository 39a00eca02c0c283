"""Commits made by the source endpoint."""

from __future__ import annotations

from bitbucket_cloud_emulator.commits.diffs import imagined_file
from bitbucket_cloud_emulator.commits.graph import parting, resolve
from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.repositories.models import Repository


def parent_commit(repository: Repository, branch: str, parents: str) -> Commit | None:
    """Return what the new commit builds on: the branch's head, which ``parents`` must name if it is given."""
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
