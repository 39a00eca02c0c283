"""Pull requests, comments, tasks and timelines as JSON: timestamps with microseconds, hashes of 12 characters."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from bitbucket_cloud_emulator.commits.views import commit_json
from bitbucket_cloud_emulator.core.fields import Fields
from bitbucket_cloud_emulator.core.http import API
from bitbucket_cloud_emulator.core.wire import iso_commit, iso_main, rendered
from bitbucket_cloud_emulator.pull_requests.models import Activity, Comment, PullRequest, Task
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.views import repository_json
from bitbucket_cloud_emulator.users.models import User
from bitbucket_cloud_emulator.users.views import account_json, participant_json

_SHORT = 12
_CALLS = ("commits", "approve", "request-changes", "comments", "activity", "merge", "decline", "statuses")

#: Fields of ``q`` and ``sort`` (recorded 2026-10) and their values in the records.
LOOKUPS: dict[str, Callable[[Repository, PullRequest], Any]] = {
    "id": lambda _, pr: pr.id,
    "title": lambda _, pr: pr.title,
    "state": lambda _, pr: pr.state,
    "draft": lambda _, pr: pr.draft,
    "created_on": lambda _, pr: pr.created_on,
    "updated_on": lambda _, pr: pr.updated_on,
    "author.uuid": lambda _, pr: pr.author and pr.author.uuid,
    "author.nickname": lambda _, pr: pr.author and pr.author.nickname,
    "author.account_id": lambda _, pr: pr.author and pr.author.account_id,
    "reviewers.uuid": lambda _, pr: [user.uuid for user in pr.reviewers],
    "reviewers.nickname": lambda _, pr: [user.nickname for user in pr.reviewers],
    "reviewers.account_id": lambda _, pr: [user.account_id for user in pr.reviewers],
    "source.branch.name": lambda _, pr: pr.source_branch,
    "destination.branch.name": lambda _, pr: pr.destination_branch,
    "source.repository.full_name": lambda repository, pr: (pr.source_repository or repository).full_name,
}

#: Fields that are omitted unless requested; a single pull request always has the first three.
_DETAILS = ("rendered", "reviewers", "participants")

_EXTRAS = (
    *_DETAILS,
    "closed_on",
    *(f"merge_commit.{name}" for name in ("date", "message", "author", "parents")),
    "destination.branch.merge_strategies",
    "destination.branch.default_merge_strategy",
)


def extras(fields: Fields, *, listed: bool, closed_on: bool) -> frozenset[str]:
    """Return what an answer shows beyond the default.

    :param listed: in a list
    :param closed_on: whether asking for ``closed_on`` helps
    """
    place = ("values",) if listed else ()
    wanted = {name for name in _EXTRAS if fields.wants(*place, *name.split("."))}
    if not listed:
        wanted.update(_DETAILS)
    return frozenset(wanted if closed_on else wanted - {"closed_on"})


def full_json(
    repository: Repository, pr: PullRequest, base: str, shows: Collection[str], *, ended: bool = False
) -> dict[str, Any]:
    """A pull request.

    :param shows: of :func:`extras`
    :param ended: in the response to its merge or decline, which has ``closed_on`` and the full hash of the merge commit
    """
    api = f"{base}{API}/repositories/{repository.full_name}"
    own = f"{api}/pullrequests/{pr.id}"
    change = f"{repository.full_name}:{revisions(pr)}?from_pullrequest_id={pr.id}&topic=true"
    shown: dict[str, Any] = {
        "comment_count": sum(not (one.deleted or one.pending) for one in pr.comments.values()),
        "task_count": sum(one.resolved_on is None for one in pr.tasks.values()),
        "type": "pullrequest",
        "id": pr.id,
        "title": pr.title,
        "description": pr.description,
        "state": pr.state,
        "draft": pr.draft,
        "merge_commit": _merge_commit(repository, pr, base, shows, whole=ended),
        "close_source_branch": pr.close_source_branch,
        "closed_by": account_json(pr.closed_by, base),
        "author": account_json(pr.author, base),
        "reason": pr.reason,
        "created_on": iso_main(pr.created_on),
        "updated_on": iso_main(pr.updated_on),
        "destination": _destination(repository, pr, base, shows),
        "source": _source(repository, pr, pr.source_hash, base),
        "links": {
            "self": {"href": own},
            "html": {"href": _page(repository, pr, base)},
            **{name: {"href": f"{own}/{name}"} for name in _CALLS},
            "diff": {"href": f"{api}/diff/{change}"},
            "diffstat": {"href": f"{api}/diffstat/{change}"},
            "mergeability_checks": {"href": f"{own}/mergeability/checks"},
        },
        "summary": rendered(pr.description),
        "queued": pr.queued,
    }
    if "rendered" in shows:
        shown["rendered"] = {"title": rendered(pr.title), "description": rendered(pr.description), "reason": rendered(pr.reason)}
    if "reviewers" in shows:
        shown["reviewers"] = [account_json(user, base) for user in pr.reviewers]
    if "participants" in shows:
        shown["participants"] = [participant_json(one, base) for one in pr.participants.values()]
    if ended or "closed_on" in shows:
        shown["closed_on"] = iso_main(pr.closed_on) if pr.closed_on else None
    return shown


def short_json(repository: Repository, pr: PullRequest, base: str) -> dict[str, Any]:
    """A pull request as part of other objects."""
    own = f"{base}{API}/repositories/{repository.full_name}/pullrequests/{pr.id}"
    links = {"self": {"href": own}, "html": {"href": _page(repository, pr, base)}}
    return {"type": "pullrequest", "id": pr.id, "title": pr.title, "draft": pr.draft, "links": links}


def comment_json(repository: Repository, pr: PullRequest, comment: Comment, base: str) -> dict[str, Any]:
    """A comment; a deleted one is empty."""
    own = f"{base}{API}/repositories/{repository.full_name}/pullrequests/{pr.id}/comments/{comment.id}"
    links = {"self": {"href": own}, "html": {"href": f"{_page(repository, pr, base)}/_/diff#comment-{comment.id}"}}
    shown: dict[str, Any] = {
        "id": comment.id,
        "created_on": iso_main(comment.created_on),
        "updated_on": iso_main(comment.updated_on),
        "content": rendered(comment.raw),
        "user": account_json(comment.user, base),
        "deleted": comment.deleted,
        "pending": comment.pending,
        "type": "pullrequest_comment",
        "links": links,
        "pullrequest": short_json(repository, pr, base),
    }
    if comment.resolved_on:  # else absent
        shown["resolution"] = resolution_json(comment, base)
    if comment.inline is not None:
        links["code"] = {"href": f"{base}{API}/repositories/{repository.full_name}/diff/{repository.full_name}:{revisions(pr)}"}
        shown["inline"] = {"path": comment.inline.get("path"), "from": comment.inline.get("from"), "to": comment.inline.get("to")}
        starts = {name: comment.inline.get(name) for name in ("start_from", "start_to")}
        shown["inline"] |= {name: line for name, line in starts.items() if line is not None}
    if comment.parent is not None:
        parent = f"{own.rpartition('/')[0]}/{comment.parent}"
        shown["parent"] = {"id": comment.parent, "type": "pullrequest_comment", "links": {"self": {"href": parent}}}
    return shown


def resolution_json(comment: Comment, base: str) -> dict[str, Any]:
    """The resolution of a comment."""
    created_on = iso_main(comment.resolved_on) if comment.resolved_on else None
    return {"type": "comment_resolution", "user": account_json(comment.resolved_by, base), "created_on": created_on}


def task_json(repository: Repository, pr: PullRequest, task: Task, base: str) -> dict[str, Any]:
    """A task."""
    own = f"{base}{API}/repositories/{repository.full_name}/pullrequests/{pr.id}"
    shown: dict[str, Any] = {
        "id": task.id,
        "state": "RESOLVED" if task.resolved_on else "UNRESOLVED",
        "content": rendered(task.raw),
        "creator": account_json(task.creator, base),
        "created_on": iso_main(task.created_on),
        "updated_on": iso_main(task.updated_on),
        "resolved_on": iso_main(task.resolved_on) if task.resolved_on else None,
        "resolved_by": account_json(task.resolved_by, base),
        "pending": task.pending,
        "links": {"self": {"href": f"{own}/tasks/{task.id}"}, "html": {"href": f"{_page(repository, pr, base)}#task-{task.id}"}},
    }
    if task.comment is not None:
        link = f"{own}/comments/{task.comment}"
        shown["comment"] = {"id": task.comment, "type": "pullrequest_comment", "links": {"self": {"href": link}}}
    return shown


def activity_json(repository: Repository, pr: PullRequest, entry: Activity, base: str) -> dict[str, Any]:
    """An entry of the timeline: the pull request and one more key, the kind of the entry. It has no id."""
    short = short_json(repository, pr, base)
    if entry.kind == "update":
        return {"pull_request": short, "update": _update_json(repository, pr, entry, base)}
    if entry.kind == "comment":
        comment = pr.comments[entry.payload["id"]]
        return {"pull_request": short, "comment": comment_json(repository, pr, comment, base)}
    if entry.kind in ("approval", "changes_requested"):
        review = {"date": iso_main(entry.date), "user": account_json(entry.user, base), "pullrequest": short}
        return {"pull_request": short, entry.kind: review}
    return {"pull_request": short, entry.kind: entry.payload} if entry.kind else {"pull_request": short}


def diffstat_json(repository: Repository, row: dict[str, Any], old: str, new: str, base: str) -> dict[str, Any]:
    """A row of a diffstat between two hashes."""

    def file(path: str, sha: str) -> dict[str, Any]:
        link = f"{base}{API}/repositories/{repository.full_name}/src/{sha}/{path}"
        return {"path": path, "type": "commit_file", "escaped_path": path, "links": {"self": {"href": link}}}

    return {
        "type": "diffstat",
        "lines_added": row["lines_added"],
        "lines_removed": row["lines_removed"],
        "status": row["status"],
        "old": file(row.get("old_path") or row["path"], old) if row["status"] != "added" else None,
        "new": file(row["path"], new) if row["status"] != "removed" else None,
    }


def revisions(pr: PullRequest) -> str:
    """Source and destination as they stand in links: with an encoded carriage return between them."""
    return f"{pr.source_hash[:_SHORT]}%0D{pr.destination_hash[:_SHORT]}"


def _page(repository: Repository, pr: PullRequest, base: str) -> str:
    return f"{base}/{repository.full_name}/pull-requests/{pr.id}"  # with a hyphen, unlike the API


def _commit(repository: Repository, sha: str, base: str) -> dict[str, Any]:
    cut = sha[:_SHORT]
    path = repository.full_name
    links = {"self": {"href": f"{base}{API}/repositories/{path}/commit/{cut}"}, "html": {"href": f"{base}/{path}/commits/{cut}"}}
    return {"hash": cut, "links": links, "type": "commit"}


def _merge_commit(
    repository: Repository, pr: PullRequest, base: str, shows: Collection[str], *, whole: bool
) -> dict[str, Any] | None:
    if pr.merge_hash is None:
        return None
    shown = _commit(repository, pr.merge_hash, base)
    if whole:
        shown["hash"] = pr.merge_hash
    commit = repository.commits.get(pr.merge_hash)
    if commit and "merge_commit.date" in shows:
        shown["date"] = iso_commit(commit.date)
    for name in ("message", "author", "parents"):
        if commit and f"merge_commit.{name}" in shows:
            shown[name] = commit_json(repository, commit, base)[name]
    return shown


def _source(repository: Repository, pr: PullRequest, sha: str, base: str) -> dict[str, Any]:
    fork = pr.source_repository or repository
    return {
        "branch": {"name": pr.source_branch, "links": {}} if pr.source_branch else None,
        "commit": _commit(fork, sha, base),
        "repository": None if pr.source_deleted else repository_json(fork, base),
    }


def _destination(repository: Repository, pr: PullRequest, base: str, shows: Collection[str]) -> dict[str, Any]:
    branch: dict[str, Any] = {"name": pr.destination_branch}
    if "destination.branch.merge_strategies" in shows:
        branch["merge_strategies"] = list(repository.merge_strategies)
    if "destination.branch.default_merge_strategy" in shows:
        branch["default_merge_strategy"] = repository.merge_strategies[0]
    commit = _commit(repository, pr.destination_hash, base)
    return {"branch": branch, "commit": commit, "repository": repository_json(repository, base)}


def _update_json(repository: Repository, pr: PullRequest, entry: Activity, base: str) -> dict[str, Any]:
    then = entry.payload

    def accounts(users: list[User]) -> list[Any]:
        return [account_json(user, base) for user in users]

    changes = {
        name: {side: accounts(users) for side, users in change.items()} if name == "reviewers" else change
        for name, change in then["changes"].items()
    }
    return {
        "state": then["state"],
        "title": then["title"],
        "description": then["description"],
        "reason": then["reason"],
        "date": iso_main(entry.date),
        "author": account_json(entry.user, base),
        "reviewers": accounts(then["reviewers"]),
        "draft": then["draft"],
        "source": _source(repository, pr, then["source_hash"], base),
        "destination": {
            "branch": {"name": then["destination_branch"]},
            "commit": _commit(repository, then["destination_hash"], base),
            "repository": repository_json(repository, base),
        },
        "changes": changes,
    }
