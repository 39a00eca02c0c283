"""Bodies of requests to start a pipeline."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, Field

from bitbucket_cloud_emulator.core.bodies import Body, parse_json
from bitbucket_cloud_emulator.core.errors import ApiError

Model = TypeVar("Model", bound=BaseModel)


class _Commit(Body):
    hash: Annotated[str, Field(pattern="^[0-9a-f]{7,40}$")]


class _PullRequest(Body):
    id: int | str


class Selector(Body):
    """Which pipeline of the definition to start."""

    type: Literal["default", "branches", "tags", "bookmarks", "custom", "pull-requests"]
    pattern: str | None = None


class _Selected(Body):
    selector: Selector | None = None


class RefTarget(_Selected):
    """The head of a branch or tag, or a commit of it."""

    type: Literal["pipeline_ref_target"]
    ref_type: Literal["branch", "tag", "named_branch", "bookmark"]
    ref_name: str
    commit: _Commit | None = None


class CommitTarget(_Selected):
    """A commit; needs a selector."""

    type: Literal["pipeline_commit_target"]
    commit: _Commit
    selector: Selector


class PullRequestTarget(_Selected):
    """A pull request."""

    type: Literal["pipeline_pullrequest_target"]
    source: Annotated[str, Field(min_length=1)]
    destination: Annotated[str, Field(min_length=1)]
    destination_commit: _Commit
    commit: _Commit
    pullrequest: _PullRequest


class Variable(Body):
    """A variable of one run."""

    key: str
    value: str
    secured: bool = False


class PipelineBody(Body):
    """A request to start a pipeline."""

    target: Annotated[RefTarget | CommitTarget | PullRequestTarget, Field(discriminator="type")]
    variables: list[Variable] | None = None


async def read_entity(request: Request, model: type[Model]) -> Model:
    """Return the body of a request to the Pipelines service as a model.

    :raises ApiError: 400 in its words, which do not name the field
    """
    content = await request.body()
    try:
        return model.model_validate(parse_json(content))
    except ValueError:  # pydantic's error is one
        raise ApiError(400, "Request entity cannot be processed", key="unexpected.response.body", style="pipelines") from None
