"""The timeline of pull requests and helpers that all actions share."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.pull_requests.models import Activity, PullRequest
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import Participant, User

Feed = list[tuple[PullRequest, Activity]]
_feeds: WeakKeyDictionary[Repository, tuple[int, Feed]] = WeakKeyDictionary()


def feed(repository: Repository) -> Feed:
    """Return all entries of a repository, newest first; sorted again only after something was added."""
    version, entries = _feeds.get(repository, (-1, []))
    if version != repository.feed_version:
        entries = _newest_first([(pr, entry) for pr in repository.pull_requests.values() for entry in pr.activity])
        _feeds[repository] = (repository.feed_version, entries)
    return entries


def timeline(pr: PullRequest) -> Feed:
    """Return the entries of one pull request, newest first."""
    return _newest_first([(pr, entry) for entry in pr.activity])


def touch(pr: PullRequest, at: datetime) -> None:
    """Advance ``updated_on``, never backwards: seeds write events in any order."""
    pr.updated_on = max(pr.updated_on, at)


def log(repository: Repository, pr: PullRequest, entry: Activity) -> None:
    """Add an entry to the timeline of a pull request, and so to the repository's."""
    pr.activity.append(entry)
    repository.feed_version += 1


def log_update(
    repository: Repository, pr: PullRequest, user: User | None, at: datetime, changes: dict[str, Any] | None = None
) -> None:
    """Add an ``update`` entry: a snapshot of the pull request, the author and the changes."""
    payload = {
        "state": pr.state,
        "title": pr.title,
        "description": pr.description,
        "reason": pr.reason,
        "draft": pr.draft,
        "reviewers": tuple(pr.reviewers),
        "source_hash": pr.source_hash,
        "destination_branch": pr.destination_branch,
        "destination_hash": pr.destination_hash,
        "changes": changes or {},
    }
    log(repository, pr, Activity("update", at, user, payload))
    touch(pr, at)


def take_part(pr: PullRequest, user: User) -> Participant:
    """Return a user as a participant, added if missing."""
    return pr.participants.setdefault(user.uuid, Participant(user, "PARTICIPANT"))


def refusal(field: str, problem: str, *, prefix: bool = True) -> ApiError:
    """A 400 that names a field, in the message too."""
    return ApiError(400, f"{field}: {problem}" if prefix else problem, fields={field: [problem]})


def closed() -> ApiError:
    """Return the error for an action on a closed pull request."""
    return refusal("newstatus", "This pull request is already closed.")


def _newest_first(entries: Feed) -> Feed:
    # Reversed after sorting, so that of two entries with the same timestamp the later one comes first.
    return sorted(entries, key=lambda pair: pair[1].date)[::-1]
