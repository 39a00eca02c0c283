"""Bodies of new and changed repositories."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body


class _Project(Body):
    key: Annotated[str, Field(min_length=1)]


class RepositoryBody(Body):
    """A repository, new or changed; what is not sent is left as it is."""

    name: Annotated[str, Field(min_length=1, max_length=62)] = ""
    description: str | None = None
    language: str | None = None
    is_private: bool = True
    fork_policy: Literal["allow_forks", "no_public_forks", "no_forks"] = "no_public_forks"
    project: _Project = Field(default_factory=lambda: _Project(key="PROJ"))
