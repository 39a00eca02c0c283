"""What a request to start a pipeline asks for, and Bitbucket's words when it can not be had."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.pipelines.definition import NOTHING, DefinitionError, Definitions, parse
from bitbucket_cloud_emulator.pipelines.service import definition_at, find_script, pull_request_target
from bitbucket_cloud_emulator.repositories.models import Repository

REF_TYPES = ("branch", "tag", "named_branch", "bookmark")
SELECTOR_TYPES = ("default", "branches", "tags", "bookmarks", "custom", "pull-requests")


def refuse(status: int, detail: str, key: str | None = None) -> ApiError:
    """Return an error of the Pipelines service: a generic message, the sentence in ``detail``."""
    message = {400: "Bad request", 404: "Not found"}[status]
    return ApiError(status, message, detail=detail, key=key, style="pipelines")


def invalid_properties() -> ApiError:
    """Return what a body that is no request for a pipeline is answered with."""
    return refuse(400, "The request body contains invalid properties", "result-service.pipeline.invalid-properties")


def invalid_sort(sort: str) -> ApiError:
    """Return what a ``sort`` by something the list can not be sorted by is answered with."""
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
        place[last] = value
    if variables:
        body["variables"] = [variables[index] for index in sorted(variables, key=int)]
    return body


def read_variables(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the variables of a request.

    :raises ApiError: 400 when they are no list of keys and values, both strings
    """
    variables = body.get("variables") or []
    if not isinstance(variables, list):
        raise invalid_properties()
    for variable in variables:
        if not isinstance(variable, dict) or not all(isinstance(variable.get(key), str) for key in ("key", "value")):
            raise invalid_properties()
    return variables


def resolve_target(repository: Repository, body: Any, on_demand: bytes | None) -> dict[str, Any]:
    """Return the target of a request with the full hash of its commit and its selector.

    :param repository: where
    :param body: the JSON that was sent
    :param on_demand: the definition that came with the request instead of the commit's
    :raises ApiError: 400 or 404 with the sentence Bitbucket says
    """
    wanted = body.get("target") if isinstance(body, dict) else None
    if not isinstance(wanted, dict):
        raise invalid_properties()
    selector = _read_selector(wanted.get("selector"))
    kind = wanted.get("type")
    if kind == "pipeline_ref_target":
        target, ref = _ref_target(repository, wanted)
    elif kind == "pipeline_commit_target" and selector:
        target, ref = {"type": kind, "commit": _commit(repository, wanted)}, ("custom", "")
    elif kind == "pipeline_pullrequest_target":
        target, ref = _pull_request_target(repository, wanted)
    else:
        raise invalid_properties()
    target["selector"] = _resolve_selector(repository, target["commit"]["hash"], selector, ref, on_demand)
    return target


def _ref_target(repository: Repository, wanted: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, str]]:
    kind, name = wanted.get("ref_type"), wanted.get("ref_name")
    if kind not in REF_TYPES or not isinstance(name, str):
        raise invalid_properties()
    if kind == "tag":
        tag = repository.tags.get(name)
        head = tag.hash if tag else None
    else:
        head = repository.branches.get(name)
    if head is None:
        raise refuse(404, f"Could not find last reference for {'tag' if kind == 'tag' else 'branch'} {name}")
    commit = _commit(repository, wanted) if wanted.get("commit") else {"type": "commit", "hash": head}
    target = {"type": wanted["type"], "ref_type": kind, "ref_name": name, "commit": commit}
    return target, ("tags" if kind == "tag" else "branches", name)


def _pull_request_target(repository: Repository, wanted: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, str]]:
    names = ("source", "destination", "destination_commit", "commit", "pullrequest")
    if not all(wanted.get(name) for name in names) or not isinstance(wanted["pullrequest"], dict):
        raise invalid_properties()
    number = str(wanted["pullrequest"].get("id"))
    pull_request = repository.pull_requests.get(int(number)) if number.isdigit() else None
    if pull_request is None:
        raise refuse(404, f"Could not find pull request {number}")
    target = {**pull_request_target(pull_request), "commit": _commit(repository, wanted)}
    return target, ("pull-requests", pull_request.source_branch)


def _commit(repository: Repository, wanted: dict[str, Any]) -> dict[str, str]:
    commit = wanted.get("commit")
    hash_ = commit.get("hash") if isinstance(commit, dict) else None
    if not isinstance(hash_, str) or not re.fullmatch(r"[0-9a-f]{7,40}", hash_):
        raise invalid_properties()
    found = next((full for full in repository.commits if full.startswith(hash_)), None)
    if found is None:
        raise refuse(404, "Could not find the revision")
    return {"type": "commit", "hash": found}


def _read_selector(selector: Any) -> dict[str, str] | None:
    if not selector:
        return None
    if not isinstance(selector, dict) or selector.get("type") not in SELECTOR_TYPES:
        raise invalid_properties()
    pattern = selector.get("pattern")
    if selector["type"] != "default" and not isinstance(pattern, str):
        raise invalid_properties()
    return {"type": selector["type"], **({"pattern": pattern} if pattern else {})}


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
