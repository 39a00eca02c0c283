"""Bodies of writes to pull requests, their comments and tasks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body


class _Branch(Body):
    name: str


class _Fork(Body):
    full_name: Annotated[str, Field(pattern="^[^/]+/[^/]+$")]


class Destination(Body):
    branch: _Branch | None = None


class Source(Body):
    branch: _Branch
    repository: _Fork | None = None


class Reviewer(Body):
    """A reviewer by uuid or account id; one that names neither is malformed."""

    uuid: str = ""
    account_id: str = ""


class Create(Body):
    """A new pull request; clients send null for what they do not set."""

    title: Annotated[str, Field(min_length=1)]
    source: Source
    destination: Destination | None = None
    description: str | None = None
    reviewers: list[Reviewer] | None = None
    draft: bool | None = None
    close_source_branch: bool | None = None


class Update(Body):
    """Changes of a pull request; null changes nothing."""

    title: Annotated[str, Field(min_length=1)] | None = None
    destination: Destination | None = None
    description: str | None = None
    reviewers: list[Reviewer] | None = None
    draft: bool | None = None
    close_source_branch: bool | None = None


class Merge(Body):
    """How to merge."""

    merge_strategy: str | None = None
    message: str | None = None
    close_source_branch: bool | None = None


class Decline(Body):
    """Why a pull request is declined."""

    message: str | None = None


class Content(Body):
    """Markdown."""

    raw: str = ""


class _Numbered(Body):
    id: int


class Inline(Body):
    """A position in a diff."""

    path: str
    from_: int | None = Field(None, alias="from")
    to: int | None = None
    start_from: int | None = None
    start_to: int | None = None

    def record(self) -> dict[str, Any]:
        """Return the position as it is stored."""
        return self.model_dump(by_alias=True, include={"path", "from_", "to", "start_from", "start_to"})


class CommentBody(Body):
    """A comment, new or changed."""

    content: Content | None = None
    inline: Inline | None = None
    parent: _Numbered | None = None
    pending: bool = False


class TaskBody(Body):
    """A new task."""

    content: Content | None = None
    comment: _Numbered | None = None
    pending: bool = False


class TaskUpdate(Body):
    """Changes of a task."""

    content: Content | None = None
    state: Literal["RESOLVED", "UNRESOLVED"] | None = None
