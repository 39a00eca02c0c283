"""Requests that start a pipeline, and the reasons of their refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_bitbucket.client.api import Api
from airflow_provider_bitbucket.client.pipeline_target import PipelineTarget, describe_target, variable_list
from airflow_provider_bitbucket.client.resources.commits import Commits
from airflow_provider_bitbucket.client.resources.pull_requests import PullRequests
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.errors import BitbucketError
from airflow_provider_bitbucket.client.transport.malformed import malformed_as_error

#: Key of the error for a pipeline that the definition does not have (seen on the live API, 2026-10).
SELECTOR_NOT_FOUND = "result-service.pipeline.selector-not-found"
_FULL_HASH = 40


class PipelineRequests(Resource):
    """Prepares requests that start a pipeline."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._commits = Commits(api)
        self._pull_requests = PullRequests(api)

    def prepare(
        self,
        repository: str,
        target: PipelineTarget,
        variables: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
        definition: str | None,
    ) -> dict[str, Any]:
        """Return the request; see :meth:`~airflow_provider_bitbucket.client.resources.pipelines.Pipelines.prepare`."""
        listed = variable_list(variables)
        if definition is not None and (secured := [one["key"] for one in listed if one.get("secured")]):
            raise ValueError(
                f"Variables {secured} are secured; beside a definition, variables are sent in the request's address, which is "
                "no place for secrets. Set them as variables of the repository or environment"
            )
        complete = dict(target.request)
        if complete["type"] == "pipeline_pullrequest_target":
            complete |= self._pull_request_target(repository, int(complete["pullrequest"]["id"]))
        elif "commit" in complete and len(complete["commit"]["hash"]) < _FULL_HASH:
            complete["commit"] = self._full_commit(repository, complete["commit"]["hash"])
        request = {"target": complete, "variables": listed} if listed else {"target": complete}
        return request if definition is None else {**request, "definition": definition}

    def _pull_request_target(self, repository: str, number: int) -> dict[str, Any]:
        """Return what Bitbucket wants to know of a pull request, with the full hashes that pull requests do not show."""
        pull_request = self._pull_requests.get(repository, number)
        with malformed_as_error(f"pull request {number} of {self._api.full_name(repository)}"):
            state, source, destination = pull_request["state"], pull_request["source"], pull_request["destination"]
            is_complete = bool(source.get("commit") and source.get("branch"))
        if state != "OPEN":
            raise ValueError(f"Pull request {number} of {repository!r} is {state}; only an open one can run")
        if not is_complete:
            raise ValueError(f"The branch of pull request {number} of {repository!r} is gone; there is nothing to run on")
        with malformed_as_error(f"pull request {number} of {self._api.full_name(repository)}"):
            names = {"source": source["branch"]["name"], "destination": destination["branch"]["name"]}
            hashes = [(end["commit"] or {})["hash"] for end in (source, destination)]
        commit, destination_commit = (self._full_commit(repository, short) for short in hashes)
        return {**names, "commit": commit, "destination_commit": destination_commit}

    def _full_commit(self, repository: str, short: str) -> dict[str, str]:
        commit = self._commits.get(repository, short)
        with malformed_as_error(f"commit {short} of {self._api.full_name(repository)}"):
            return {"type": "commit", "hash": commit["hash"]}


def as_query(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the query parameters of a start whose body is a definition: ``target.ref_name``, ``variables[0].key`` and so on.

    Source: published OpenAPI, ``POST /repositories/{workspace}/{repo_slug}/pipelines``, on-demand pipelines.
    """
    flat: dict[str, str] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, one in value.items():
                add(f"{name}.{key}", one)
        elif isinstance(value, list):
            for index, one in enumerate(value):
                add(f"{name}[{index}]", one)
        else:
            flat[name] = str(value)

    for part in ("target", "variables"):
        add(part, request.get(part, []))
    return flat


def refusal(error: BitbucketError, name: str, request: Mapping[str, Any]) -> str | None:
    """Return why no pipeline was started, in terms of the request; None to keep Bitbucket's own message.

    :param name: ``workspace/slug``
    :param request: as :meth:`PipelineRequests.prepare` gives it
    """
    target = request["target"]
    where = describe_target(target)
    said = error.message.lower()
    if error.key == SELECTOR_NOT_FOUND:
        selector = target.get("selector") or {}
        kind = "custom pipeline" if selector.get("type") == "custom" else f"{selector.get('type', 'default')} pipeline"
        pattern = f" {selector['pattern']!r}" if selector.get("pattern") else ""
        file = "the definition that was sent" if "definition" in request else "bitbucket-pipelines.yml"
        return f"Bitbucket has no {kind}{pattern} in {file} at {where} of {name}."
    if error.status == 404 and "last reference" in said:
        return f"There is no {target['ref_type']} {target['ref_name']!r} in {name}."
    if error.status in (400, 404) and "pipelines" in said and ("not enabled" in said or "disabled" in said):
        return (
            f"Pipelines are switched off in {name}: {error.message} "
            "Switch them on in the repository's settings, under Pipelines > Settings."
        )
    if error.status in (400, 404):
        return f"Bitbucket started no pipeline at {where} of {name}: {error.message}"
    return None
