"""Tasks on pull requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types.pull_requests import Task


class PullRequestTasks(Resource):
    """Tasks on pull requests: what has to be done before the merge."""

    def list(self, repository: str, number: int) -> Iterator[Task]:
        """Yield the tasks. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        :param number: of the pull request
        """
        return cast("Iterator[Task]", self._api.paginate(self._list_path(repository, number)))

    def get(self, repository: str, number: int, task: int) -> Task:
        """Return a task."""
        return cast("Task", self._api.get(self._path(repository, number, task)))

    def create(self, repository: str, number: int, text: str, *, comment: int | None = None) -> Task:
        """Add a task and return it.

        :param text: Markdown
        :param comment: id of the comment that it belongs to
        :raises BitbucketAmbiguousError: it was sent and its answer was lost
        """
        body: dict[str, Any] = {"content": {"raw": text}}
        if comment is not None:
            body["comment"] = {"id": comment}
        return cast("Task", self._api.post(self._list_path(repository, number), body))

    def update(self, repository: str, number: int, task: int, *, text: str | None = None, resolved: bool | None = None) -> Task:
        """Change a task and return it.

        :param text: the new text; None keeps it
        :param resolved: resolve or reopen it; None keeps its state
        """
        body: dict[str, Any] = {}
        if text is not None:
            body["content"] = {"raw": text}
        if resolved is not None:
            body["state"] = "RESOLVED" if resolved else "UNRESOLVED"
        return cast("Task", self._api.put(self._path(repository, number, task), body))

    def delete(self, repository: str, number: int, task: int) -> None:
        """Delete a task."""
        self._api.delete(self._path(repository, number, task))

    def _list_path(self, repository: str, number: int) -> str:
        return f"{self._api.repository_path(repository)}/pullrequests/{segment(number)}/tasks"

    def _path(self, repository: str, number: int, task: int) -> str:
        return f"{self._list_path(repository, number)}/{segment(task)}"
