"""Write a comment or a task once, and update it in place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from airflow_provider_bitbucket.changes.once import find_or_create
from airflow_provider_bitbucket.client import BitbucketClient, BitbucketPermissionError
from airflow_provider_bitbucket.client.types import Comment, Inline, Task


def upsert_comment(
    client: BitbucketClient, repository: str, number: int, key: str, markdown: str, *, inline: Inline | None = None
) -> Comment:
    """Write a comment on a pull request, or replace the text of the comment that was written with the same key.

    The comment is recognized by a marker in its text that Markdown does not show (a link definition without a link). So an
    attempt that is repeated after a lost answer or a kill finds the comment of the attempt before. Costs one request for every
    100 comments, and one to write.

    :param repository: slug, or ``workspace/slug``
    :param key: identifies the comment within the pull request, any text; only its hash is sent
    :param markdown: the text
    :param inline: where in a file a new comment stands; part of its identity, because a comment cannot be moved
    :raises BitbucketError: Bitbucket refused, or the answers to two attempts were lost
    """
    marker = _marker(key, inline)
    body = f"{markdown.rstrip()}\n\n{marker}"

    def update() -> Comment | None:
        for comment in _marked(client, repository, number, marker):
            if (comment.get("content") or {}).get("raw") == body:
                return comment
            try:
                return client.pull_request_comments.update(repository, number, int(comment["id"]), body)
            except BitbucketPermissionError:
                continue  # of another account
        return None

    return find_or_create(update, lambda: client.pull_request_comments.create(repository, number, body, inline=inline))


def ensure_task(client: BitbucketClient, repository: str, number: int, markdown: str, *, resolved: bool | None = None) -> Task:
    """Add a task with this text to a pull request unless it has one, and resolve or reopen it if asked.

    Tasks have no room for a hidden marker, so the text identifies them. Costs one request for every 100 tasks, and one or two
    to write.

    :param repository: slug, or ``workspace/slug``
    :param markdown: the text
    :param resolved: True: resolve it; False: reopen it; None: leave its state, a new one is unresolved
    :raises BitbucketError: Bitbucket refused, or the answers to two attempts were lost
    """

    def find() -> Task | None:
        tasks = client.pull_request_tasks.list(repository, number)
        same = (task for task in tasks if ((task.get("content") or {}).get("raw") or "").strip() == markdown.strip())
        return next(same, None)

    task = find_or_create(find, lambda: client.pull_request_tasks.create(repository, number, markdown))
    return task if resolved is None else settle_task(client, repository, number, task, resolved=resolved)


def settle_task(client: BitbucketClient, repository: str, number: int, task: Task, *, resolved: bool) -> Task:
    """Resolve or reopen a task, unless it is in that state, and return it."""
    if (task.get("state") == "RESOLVED") == resolved:
        return task
    text = (task.get("content") or {}).get("raw")  # documented as required
    return client.pull_request_tasks.update(repository, number, int(task["id"]), text=text, resolved=resolved)


def _marker(key: str, inline: Inline | None) -> str:
    identity = f"{key}\n{sorted(inline.items()) if inline else ''}"
    return f"[//]: # (airflow-{hashlib.sha256(identity.encode()).hexdigest()[:20]})"


def _marked(client: BitbucketClient, repository: str, number: int, marker: str) -> Iterator[Comment]:
    for comment in client.pull_request_comments.list(repository, number):
        if not comment.get("deleted") and marker in ((comment.get("content") or {}).get("raw") or ""):
            yield comment
