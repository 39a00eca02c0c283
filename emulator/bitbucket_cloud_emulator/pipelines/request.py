"""Requests to start a pipeline: validation, targets, and Bitbucket's error messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.wire import number
from bitbucket_cloud_emulator.pipelines.bodies import CommitTarget, PipelineBody, PullRequestTarget, RefTarget, Selector
from bitbucket_cloud_emulator.pipelines.definition import NOTHING, DefinitionError, Definitions, parse
from bitbucket_cloud_emulator.pipelines.service import definition_at, find_script, pull_request_target
from bitbucket_cloud_emulator.repositories.models import Repository


def refuse(status: int, detail: str, key: str | None = None) -> ApiError:
    """Return an error of the Pipelines service: a generic message, the sentence in ``detail``."""
    message = {400: "Bad request", 401: "Unauthorized", 404: "Not found", 409: "Conflict"}[status]
    return ApiError(status, message, detail=detail, key=key, style="pipelines")


def invalid_properties() -> ApiError:
    """Return the error for a malformed request."""
    return refuse(400, "The request body contains invalid properties", "result-service.pipeline.invalid-properties")


def invalid_sort(sort: str) -> ApiError:
    """Return the error for an unsupported ``sort``."""
    detail = f"Invalid sort attribute provided '{sort.removeprefix('-')}'"
    return refuse(400, detail, "rest-service.rest-service.invalid-sort-attribute")


def from_query(params: Mapping[str, str]) -> dict[str, Any]:
    """Return the request that the query parameters of an on-demand pipeline stand for.

    :param params: ``target.ref_name`` and so on, ``variables[0].key`` and so on
    """
    body: dict[str, Any] = {"target": {}}
    variables: dict[str, dict[str, Any]] = {}
    for name, value in params.items():
        if found := re.fullmatch(r"variables\[(\d+)]\.(key|value|secured)", name):
            variables.setdefault(found[1], {})[found[2]] = value == "true" if found[2] == "secured" else value
            continue
        place = body
        *path, last = name.split(".")
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):  # a value and something below it
                raise invalid_properties()
        place[last] = value
    if variables:
        body["variables"] = [variables[index] for index in sorted(variables, key=int)]
    return body


def read_request(body: Any) -> PipelineBody:
    """Return a request to start a pipeline.

    :param body: its JSON
    :raises ApiError: 400 if it is malformed
    """
    try:
        return PipelineBody.model_validate(body)
    except ValidationError:
        raise invalid_properties() from None


def resolve_target(repository: Repository, body: PipelineBody, on_demand: bytes | None) -> dict[str, Any]:
    """Return the target of a request with the full hash of its commit and its selector.

    :param repository: the repository of the pipeline
    :param body: the request
    :param on_demand: the definition that was sent with the request; it replaces the commit's
    :raises ApiError: 400 or 404 in Bitbucket's words
    """
    wanted = body.target
    ref: tuple[str, str]
    match wanted:
        case RefTarget():
            target, ref = _ref_target(repository, wanted)
        case CommitTarget():
            target, ref = {"type": wanted.type, "commit": _commit(repository, wanted.commit.hash)}, ("custom", "")
        case PullRequestTarget():
            target, ref = _pull_request_target(repository, wanted)
    target["selector"] = _resolve_selector(repository, target["commit"]["hash"], _selector(wanted.selector), ref, on_demand)
    return target


def _ref_target(repository: Repository, wanted: RefTarget) -> tuple[dict[str, Any], tuple[str, str]]:
    kind, name = wanted.ref_type, wanted.ref_name
    if kind == "tag":
        tag = repository.tags.get(name)
        head = tag.hash if tag else None
    else:
        head = repository.branches.get(name)
    if head is None:
        raise refuse(404, f"Could not find last reference for {'tag' if kind == 'tag' else 'branch'} {name}")
    commit = _commit(repository, wanted.commit.hash) if wanted.commit else {"type": "commit", "hash": head}
    target = {"type": wanted.type, "ref_type": kind, "ref_name": name, "commit": commit}
    return target, ("tags" if kind == "tag" else "branches", name)


def _pull_request_target(repository: Repository, wanted: PullRequestTarget) -> tuple[dict[str, Any], tuple[str, str]]:
    identifier = str(wanted.pullrequest.id)
    pull_request = repository.pull_requests.get(number(identifier) or 0)
    if pull_request is None:
        raise refuse(404, f"Could not find pull request {identifier}")
    target = {**pull_request_target(pull_request), "commit": _commit(repository, wanted.commit.hash)}
    return target, ("pull-requests", pull_request.source_branch)


def _commit(repository: Repository, prefix: str) -> dict[str, str]:
    found = next((full for full in repository.commits if full.startswith(prefix)), None)
    if found is None:
        raise refuse(404, "Could not find the revision")
    return {"type": "commit", "hash": found}


def _selector(selector: Selector | None) -> dict[str, str] | None:
    if selector is None:
        return None
    if selector.type != "default" and selector.pattern is None:
        raise invalid_properties()
    return {"type": selector.type, **({"pattern": selector.pattern} if selector.pattern else {})}


def _resolve_selector(
    repository: Repository, commit: str, selector: dict[str, str] | None, ref: tuple[str, str], on_demand: bytes | None
) -> dict[str, str]:
    content = on_demand or definition_at(repository, commit)
    if content is None and not repository.scripts:
        raise refuse(400, f"There is no bitbucket-pipelines.yml at {commit[:12]}", "result-service.pipeline.missing-yml")
    try:
        definitions = parse(content) if content else NOTHING
    except DefinitionError:
        return selector or {"type": "default"}  # starts, and ends with ERROR at once
    chosen = selector or definitions.select(*ref) or {"type": "default"}
    if _is_known(repository, definitions, chosen):
        return chosen
    raise refuse(
        400,
        "Requested selector is not found in bitbucket-pipelines.yml.",
        "result-service.pipeline.selector-not-found",
    )


def _is_known(repository: Repository, definitions: Definitions, selector: dict[str, str]) -> bool:
    """A selector is known when the definition has it, or a script plays it by its name."""
    if definitions.find(selector) is not None:
        return True
    script = find_script(repository, selector)
    return script is not None and (script.selector == selector.get("pattern") or selector["type"] == "default")
