"""Commits, their comments and approvals, and the differences between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Commit, CommitComment, FileChange, Inline, Participant


class Commits(Resource):
    """Commits of a repository, by full or short hash, branch or tag."""

    def get(self, repository: str, commit: str) -> Commit:
        """Return a commit by full or short hash, with its full hash."""
        return cast("Commit", self._api.get(self._path(repository, commit)))

    def list(
        self, repository: str, *, include: str | None = None, exclude: str | None = None, path: str | None = None
    ) -> Iterator[Commit]:
        """Yield commits, newest first; Bitbucket ignores ``q`` here. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        :param include: commits that can be reached from this branch, tag or hash; from every branch by default
        :param exclude: ... but not from this one
        :param path: only commits that touch this path
        """
        params = {"include": include, "exclude": exclude, "path": path}
        rows = self._api.paginate(
            f"{self._api.repository_path(repository)}/commits",
            {name: value for name, value in params.items() if value is not None},
        )
        return cast("Iterator[Commit]", rows)

    def approve(self, repository: str, commit: str) -> Participant:
        """Approve a commit as the account of the credentials; approving twice is as once."""
        return cast("Participant", self._api.post(f"{self._path(repository, commit)}/approve", idempotent=True))

    def unapprove(self, repository: str, commit: str) -> None:
        """Withdraw the approval of a commit.

        :raises BitbucketNotFoundError: it is not approved, or an earlier attempt whose response was lost has withdrawn it
        """
        self._api.delete(f"{self._path(repository, commit)}/approve")

    def comments(self, repository: str, commit: str) -> Iterator[CommitComment]:
        """Yield the comments on a commit, deleted ones (empty) included. Costs one request for every 100."""
        return cast("Iterator[CommitComment]", self._api.paginate(f"{self._path(repository, commit)}/comments"))

    def comment(self, repository: str, commit: str, comment: int) -> CommitComment:
        """Return a comment on a commit by its id."""
        return cast("CommitComment", self._api.get(self._comment_path(repository, commit, comment)))

    def create_comment(
        self, repository: str, commit: str, text: str, *, inline: Inline | None = None, parent: int | None = None
    ) -> CommitComment:
        """Comment on a commit and return the comment; empty where Bitbucket returns none, as its specification has it.

        :param repository: slug, or ``workspace/slug``
        :param commit: hash, full or short
        :param text: Markdown
        :param inline: ``path``, and ``to``, a line of the new file
        :param parent: id of the comment that this one answers
        :raises BitbucketAmbiguousError: the comment may have been created; it is not sent again
        """
        body: dict[str, object] = {"content": {"raw": text}}
        if inline is not None:
            body["inline"] = inline
        if parent is not None:
            body["parent"] = {"id": parent}
        return cast("CommitComment", self._api.post(f"{self._path(repository, commit)}/comments", body))

    def update_comment(self, repository: str, commit: str, comment: int, text: str) -> CommitComment:
        """Change the text of a comment on a commit and return it, like :meth:`create_comment`."""
        body = {"content": {"raw": text}}
        return cast("CommitComment", self._api.put(self._comment_path(repository, commit, comment), body))

    def delete_comment(self, repository: str, commit: str, comment: int) -> None:
        """Delete a comment on a commit; it stays in lists, empty."""
        self._api.delete(self._comment_path(repository, commit, comment))

    def diffstat(self, repository: str, source: str, destination: str | None = None) -> Iterator[FileChange]:
        """Yield a row for every file that differs. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        :param source: hash, branch or tag with the changes; the first, the other way round than in git
        :param destination: hash, branch or tag to compare it with, from their merge base; None: the first parent of ``source``
        """
        return cast("Iterator[FileChange]", self._api.paginate(self._between(repository, "diffstat", source, destination)))

    def diff(self, repository: str, source: str, destination: str | None = None) -> str:
        """Return the difference as text in git's form; empty if there is none. Parameters as in :meth:`diffstat`.

        :raises BitbucketServerError: Bitbucket timed out (555), as it does for large differences
        """
        return self._text(self._between(repository, "diff", source, destination))

    def patch(self, repository: str, source: str, destination: str | None = None) -> str:
        """Return the commits as patches, each with author, date and message. Parameters as in :meth:`diffstat`."""
        return self._text(self._between(repository, "patch", source, destination))

    def merge_base(self, repository: str, one: str, other: str) -> Commit:
        """Return the newest common ancestor of two commits, branches or tags.

        :raises BitbucketNotFoundError: one does not exist
        """
        return cast("Commit", self._api.get(self._between(repository, "merge-base", one, other)))

    def _path(self, repository: str, commit: str) -> str:
        return f"{self._api.repository_path(repository)}/commit/{segment(commit)}"

    def _comment_path(self, repository: str, commit: str, comment: int) -> str:
        return f"{self._path(repository, commit)}/comments/{segment(comment)}"

    def _between(self, repository: str, kind: str, source: str, destination: str | None) -> str:
        spec = segment(source) if destination is None else f"{segment(source)}..{segment(destination)}"
        return f"{self._api.repository_path(repository)}/{kind}/{spec}"

    def _text(self, path: str) -> str:
        # Files in a diff have encodings of their own.
        return self._api.request("GET", path, headers={"Accept": "*/*"}).content.decode(errors="replace")
