"""Comments on pull requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types.pull_requests import Comment, Inline, Resolution


class PullRequestComments(Resource):
    """Comments on pull requests, which can be written in any state of the pull request."""

    def list(self, repository: str, number: int) -> Iterator[Comment]:
        """Yield the comments, oldest first, deleted ones (empty) included. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        :param number: of the pull request
        """
        return cast("Iterator[Comment]", self._api.paginate(self._list_path(repository, number)))

    def get(self, repository: str, number: int, comment: int) -> Comment:
        """Return a comment."""
        return cast("Comment", self._api.get(self._path(repository, number, comment)))

    def create(
        self, repository: str, number: int, text: str, *, inline: Inline | None = None, parent: int | None = None
    ) -> Comment:
        """Write a comment and return it.

        :param text: Markdown, 200,000 characters were accepted
        :param inline: the file, and the line in it; neither is compared with the diff (recorded 2026-10)
        :param parent: id of the comment that it replies to
        :raises BitbucketAmbiguousError: it was sent and its answer was lost
        """
        body: dict[str, Any] = {"content": {"raw": text}}
        if inline is not None:
            body["inline"] = inline
        if parent is not None:
            body["parent"] = {"id": parent}
        return cast("Comment", self._api.post(self._list_path(repository, number), body))

    def update(self, repository: str, number: int, comment: int, text: str) -> Comment:
        """Replace the text of a comment and return it.

        :raises BitbucketNotFoundError: it is deleted
        """
        return cast("Comment", self._api.put(self._path(repository, number, comment), {"content": {"raw": text}}))

    def delete(self, repository: str, number: int, comment: int) -> None:
        """Delete a comment; it stays in the list, without text."""
        self._api.delete(self._path(repository, number, comment))

    def resolve(self, repository: str, number: int, comment: int) -> Resolution:
        """Resolve the discussion that begins with an inline comment.

        :raises BitbucketConflictError: it is resolved already
        :raises BitbucketPermissionError: the comment is a reply, or not inline
        """
        return cast("Resolution", self._api.post(f"{self._path(repository, number, comment)}/resolve"))

    def reopen(self, repository: str, number: int, comment: int) -> None:
        """Reopen a resolved discussion.

        :raises BitbucketNotFoundError: it is not resolved
        """
        self._api.delete(f"{self._path(repository, number, comment)}/resolve")

    def _list_path(self, repository: str, number: int) -> str:
        return f"{self._api.repository_path(repository)}/pullrequests/{segment(number)}/comments"

    def _path(self, repository: str, number: int, comment: int) -> str:
        return f"{self._list_path(repository, number)}/{segment(comment)}"
