"""Bodies of build statuses and comments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from bitbucket_cloud_emulator.core.bodies import Body
from bitbucket_cloud_emulator.core.wire import absolute_url

_Url = Annotated[str, Field(min_length=1), BeforeValidator(absolute_url)]
State = Literal["SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED"]


class StatusUpdate(Body):
    """Changes of a build status; what is not sent is left as it is."""

    state: State = "INPROGRESS"
    url: _Url = ""
    name: str | None = None
    description: str | None = None
    refname: str | None = None


class NewStatus(StatusUpdate):
    """A new build status."""

    key: Annotated[str, Field(min_length=1, max_length=40)]
    state: State
    url: _Url


class Content(Body):
    """Markdown."""

    raw: Annotated[str, Field(min_length=1)]


class Inline(Body):
    """A position in a diff."""

    path: str
    from_: int | None = Field(None, alias="from")
    to: int | None = None

    def record(self) -> dict[str, Any]:
        """Return the position as it is stored."""
        return {"path": self.path, "from": self.from_, "to": self.to}


class Parent(Body):
    """The comment that another one answers."""

    id: int


class EditedComment(Body):
    """A changed comment."""

    content: Content


class CommentBody(EditedComment):
    """A new comment."""

    inline: Inline | None = None
    parent: Parent | None = None
