"""Bodies of build statuses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body

_Required = Annotated[str, Field(min_length=1)]
State = Literal["SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED"]


class StatusUpdate(Body):
    """Changes of a build status; what is not sent is left as it is."""

    state: State = "INPROGRESS"
    url: _Required = ""
    name: str | None = None
    description: str | None = None
    refname: str | None = None


class NewStatus(StatusUpdate):
    """A new build status."""

    key: Annotated[str, Field(min_length=1, max_length=40)]
    state: State
    url: _Required
