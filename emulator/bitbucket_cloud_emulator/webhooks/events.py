"""The events that webhooks can subscribe to. Source: published OpenAPI, ``hook_event``; support.atlassian.com, event payloads."""

from __future__ import annotations

#: Category -> its events, in Bitbucket's order. The issue tracker was removed; its events are still listed.
EVENTS: dict[str, tuple[str, ...]] = {
    "repo": (
        *("push", "fork", "updated", "transfer", "created", "deleted", "imported"),
        *("commit_comment_created", "commit_status_created", "commit_status_updated"),
    ),
    "issue": ("created", "updated", "comment_created"),
    "pullrequest": (
        *("created", "updated", "approved", "unapproved", "changes_request_created", "changes_request_removed", "push"),
        *("fulfilled", "rejected", "comment_created", "comment_updated", "comment_deleted"),
        *("comment_resolved", "comment_reopened"),
    ),
    "project": ("updated",),
    "pipeline": ("span_created",),
}
#: Events of which only a workspace can be the subject.
WORKSPACE_ONLY = frozenset({"repo:created", "repo:deleted", "repo:imported", "project:updated"})

_LABELS = {"repo": "Repository", "issue": "Issue", "pullrequest": "Pull Request", "project": "Project", "pipeline": "Pipelines"}
_SCOPES = {
    "repo": "read:repository",
    "issue": "read:repository",
    "pullrequest": "read:pullrequest",
    "project": "read:project",
    "pipeline": "read:pipeline",
}


def event_keys(subject: str) -> list[str]:
    """Return the keys of all events of a subject, ``repository`` or ``workspace``."""
    keys = [f"{category}:{name}" for category, names in EVENTS.items() for name in names]
    return keys if subject == "workspace" else [key for key in keys if key not in WORKSPACE_ONLY]


def event_json(key: str) -> dict[str, str]:
    """Return an event as listed."""
    category, _, name = key.partition(":")
    label = name.replace("_", " ").capitalize()
    return {"event": key, "category": _LABELS[category], "label": label, "description": f"{_LABELS[category]}: {label.lower()}"}


def scope_of(key: str) -> str:
    """Return the scope that a subscription to an event needs, beside that of webhooks."""
    return _SCOPES[key.partition(":")[0]]
