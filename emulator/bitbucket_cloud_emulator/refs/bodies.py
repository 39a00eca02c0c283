"""Bodies of new branches and tags."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body

Name = Annotated[str, Field(min_length=1, max_length=250)]


class _Target(Body):
    hash: Annotated[str, Field(min_length=1)]


class NewBranch(Body):
    """A branch and the commit that it points to."""

    name: Name
    target: _Target


class NewTag(NewBranch):
    """A tag with the message of its annotation."""

    message: str | None = None
