"""Pipelines, steps and test reports as JSON."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from bitbucket_cloud_emulator.core.http import API
from bitbucket_cloud_emulator.core.wire import iso_pipelines
from bitbucket_cloud_emulator.pipelines.models import Pipeline, Step
from bitbucket_cloud_emulator.pipelines.plan import PipelineView, StepView, pipeline_at
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.views import repository_json
from bitbucket_cloud_emulator.users.views import account_json

# Links of pipelines have this internal host and two slashes; they cannot be opened from outside.
INTERNAL = "https://bitbucket-pipelines.prod.public.atl-paas.net//rest/1.0/accounts"


def pipeline_json(repository: Repository, pipeline: Pipeline, base: str, now: datetime) -> dict[str, Any]:
    """Return a pipeline, without its variables and without a hint that it has any.

    :param repository: whose
    :param pipeline: which
    :param base: scheme and host for links
    :param now: the time of its state
    """
    view = pipeline_at(pipeline, now)
    shown: dict[str, Any] = {
        "type": "pipeline",
        "uuid": pipeline.uuid,
        "build_number": pipeline.build_number,
        "run_number": pipeline.run_number,
        "creator": account_json(pipeline.creator, base),
        "repository": repository_json(repository, base),
        "target": _target_json(repository, view, base),
        "trigger": {"name": pipeline.trigger, "type": f"pipeline_trigger_{pipeline.trigger.lower()}"},
        "state": pipeline.state_override or _state_json(view, base),
        "created_on": iso_pipelines(pipeline.created_on),
        "duration_in_seconds": int(view.seconds),
        "build_seconds_used": int(view.seconds),
        "first_successful": False,
        "expired": False,
        "has_variables": False,
        "labels": pipeline.labels,
        "configuration_sources": [_source_json(repository, pipeline, base)],
        "links": _internal_links(repository, pipeline),
    }
    if view.completed_on is not None:
        shown["completed_on"] = iso_pipelines(view.completed_on)
    return shown


def step_json(pipeline: Pipeline, view: StepView) -> dict[str, Any]:
    """Return a step; keys that have no value yet are absent.

    :param pipeline: whose
    :param view: the step at a point in time
    """
    step = view.step
    shown: dict[str, Any] = {
        "type": "pipeline_step",
        "uuid": step.uuid,
        "pipeline": {"type": "pipeline", "uuid": pipeline.uuid},
        "run_number": pipeline.run_number,
        "maxTime": 120,
        "image": {"name": step.image},
        "trigger": {"type": f"pipeline_step_trigger_{'manual' if step.manual else 'automatic'}"},
        "state": _step_state_json(view),
        "setup_commands": [_command("user", "umask 000")],
        "script_commands": [_command("user", line) for line in step.script],
        "teardown_commands": _teardown(step),
    }
    if step.name:
        shown["name"] = step.name
    if view.started_on is not None:
        shown["started_on"] = iso_pipelines(view.started_on)
    if view.completed_on is not None:
        shown["completed_on"] = iso_pipelines(view.completed_on)
        shown["duration_in_seconds"] = shown["build_seconds_used"] = int(view.seconds)
    return shown


def test_report_json(step: Step) -> dict[str, Any]:
    """Return how many test cases of a step ended how.

    :param step: one with test cases
    """
    count = {
        status: sum(case["status"] == status for case in step.test_cases)
        for status in ("SUCCESSFUL", "FAILED", "ERROR", "SKIPPED")
    }
    return {
        "type": "pipeline_test_report",
        "step_uuid": step.uuid,
        "number_of_test_cases": len(step.test_cases),
        **{f"number_of_{status.lower()}_test_cases": number for status, number in count.items()},
    }


def test_case_json(step: Step, index: int) -> dict[str, Any]:
    """Return one test case of a step.

    :param step: one with test cases
    :param index: which of them
    """
    case = step.test_cases[index]
    package, _, name = case["name"].rpartition(".")
    return {
        "type": "pipeline_test_case",
        "uuid": test_case_uuid(step, index),
        "step_uuid": step.uuid,
        "name": name,
        "fully_qualified_name": case["name"],
        "package_name": package,
        "status": case["status"],
        "duration": f"PT{case.get('seconds', 0.05):g}S",
    }


def test_case_uuid(step: Step, index: int) -> str:
    """Return the uuid of a test case; it follows from its step's."""
    return "{" + str(uuid.uuid5(uuid.UUID(step.uuid), str(index))) + "}"


def _target_json(repository: Repository, view: PipelineView, base: str) -> dict[str, Any]:
    target = dict(view.pipeline.target)
    for key in ("commit", "destination_commit"):
        if key in target:
            target[key] = _commit_json(repository, target[key]["hash"], base)
    if view.state == "PARSING":
        target["selector"] = None  # not known before the definition is read
    return target


def _commit_json(repository: Repository, commit: str, base: str) -> dict[str, Any]:
    path = repository.full_name
    links = {
        "self": {"href": f"{base}{API}/repositories/{path}/commit/{commit}"},
        "html": {"href": f"{base}/{path}/commits/{commit}"},
    }
    return {"type": "commit", "hash": commit, "links": links}


def _state_json(view: PipelineView, base: str) -> dict[str, Any]:
    kind = f"pipeline_state_{view.state.lower()}"
    state: dict[str, Any] = {"name": view.state, "type": kind}
    if view.stage:
        return {**state, "stage": {"name": view.stage, "type": f"{kind}_{view.stage.lower()}"}}
    result: dict[str, Any] = {"name": view.result, "type": f"{kind}_{str(view.result).lower()}"}
    if view.result == "STOPPED":
        result["terminator"] = account_json(view.pipeline.stopped_by or view.pipeline.creator, base)
    if view.result == "ERROR" and view.pipeline.error:
        result["error"] = {"type": "pipeline_error", **view.pipeline.error}
    return {**state, "result": result}


def _step_state_json(view: StepView) -> dict[str, Any]:
    kind = f"pipeline_step_state_{view.state.lower()}"
    state: dict[str, Any] = {"type": kind, "name": view.state}
    if view.stage:
        state["stage"] = {"type": f"{kind}_{view.stage.lower()}", "name": view.stage}
    if view.result:
        state["result"] = {"type": f"{kind}_{view.result.lower()}", "name": view.result}
    return state


def _source_json(repository: Repository, pipeline: Pipeline, base: str) -> dict[str, str]:
    path = f"{repository.full_name}/src/{pipeline.target['commit']['hash']}/bitbucket-pipelines.yml"
    return {"source": "bitbucket-pipelines.yml", "uri": f"{base}{API}/repositories/{path}"}


def _internal_links(repository: Repository, pipeline: Pipeline) -> dict[str, Any]:
    path = f"{INTERNAL}/{repository.workspace.uuid}/repositories/{repository.uuid}/pipelines/{pipeline.uuid}"
    return {
        "type": "pipelines_pipeline_links",
        "self": {"type": "pipelines_links_section_href", "href": path},
        "steps": {"type": "pipelines_links_section_href", "href": f"{path}/steps/"},
    }


def _teardown(step: Step) -> list[dict[str, str]]:
    if not step.test_cases:
        return []
    text = "Process Test Reports"
    return [{"commandType": "system", "action": "PROCESS_TEST_REPORTS", "command": text, "name": text}]


def _command(kind: str, line: str) -> dict[str, str]:
    return {"commandType": kind, "command": line, "name": line}
