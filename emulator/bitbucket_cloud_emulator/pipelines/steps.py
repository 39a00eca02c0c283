"""Steps of pipelines, their logs (and the storage where finished logs lie) and their test reports."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.http import API, current_state
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.pipelines.logs import STORAGE, log_bytes, log_response, signature, storage_url
from bitbucket_cloud_emulator.pipelines.models import Step
from bitbucket_cloud_emulator.pipelines.plan import PipelineView, StepView, pipeline_at
from bitbucket_cloud_emulator.pipelines.request import refuse
from bitbucket_cloud_emulator.pipelines.routes import ONE, READ, answer, find_pipeline
from bitbucket_cloud_emulator.pipelines.views import step_json, test_case_json, test_case_uuid, test_report_json
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository

STEPS = f"{ONE}/steps"
STEP = STEPS + "/{step_uuid}"
TESTS = f"{STEP}/test_reports"

router = APIRouter(prefix=API)

storage_router = APIRouter()


@router.get(STEPS, dependencies=READ)
async def list_steps(request: Request) -> Response:
    """All steps whatever page is asked for; none before the definition is read."""
    _, view = _find(request)
    values = [step_json(view.pipeline, step) for step in view.steps]
    # A page length of 1 with all values was recorded live.
    return answer(request, {"page": 1, "values": values, "size": len(values), "pagelen": 1})


@router.get(STEP, dependencies=READ)
async def get_step(request: Request) -> Response:
    """A step."""
    _, view = _find(request)
    return answer(request, step_json(view.pipeline, _find_step(view, request)))


@router.get(f"{STEP}/log", dependencies=READ)
async def get_log(request: Request) -> Response:
    """The log so far while the step runs; afterwards a redirect to the storage, to be followed without credentials."""
    accepted = request.headers.get("Accept", "*/*")
    if not any(kind in accepted for kind in ("*/*", "application/*", "application/octet-stream")):
        return Response(status_code=406)
    repository, view = _find(request)
    step = _find_step(view, request)
    content = log_bytes(repository, view, step, current_state(request).clock.now())
    if content is None:
        raise refuse(404, f"Log in step {step.step.uuid} does not exist.")
    if step.completed_on is None:
        return log_response(request, content)
    location = storage_url(request, repository.uuid, view.pipeline.uuid, step.step.uuid)
    return Response(status_code=307, headers={"Location": location})


@storage_router.get(STORAGE + "/{repository_uuid}/{pipeline_uuid}/{step_uuid}/log")
async def get_stored_log(request: Request, repository_uuid: str, pipeline_uuid: str, step_uuid: str) -> Response:
    """A finished log. Like S3, it takes its signed address only, and no other credentials beside it."""
    if "Authorization" in request.headers:
        return _storage_error(400, "InvalidArgument", "Only one auth mechanism allowed")
    given = request.query_params.get("X-Amz-Signature", "")
    if not hmac.compare_digest(given.encode(), signature(repository_uuid, pipeline_uuid, step_uuid).encode()):
        return _storage_error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
    state = current_state(request)
    now = state.clock.now()
    for repository in state.repositories():
        if repository.uuid == repository_uuid:
            view = pipeline_at(find_pipeline(repository, pipeline_uuid), now)
            content = log_bytes(repository, view, _find_step(view, request), now)
            return log_response(request, content or b"")
    return _storage_error(404, "NoSuchKey", "The specified key does not exist.")


@router.get(TESTS, dependencies=READ)
async def get_test_report(request: Request) -> Response:
    """How many test cases ended how; 404 for a step without a test report."""
    _, view = _find(request)
    return answer(request, test_report_json(_find_report(view, request)))


@router.get(f"{TESTS}/test_cases", dependencies=READ)
async def list_test_cases(request: Request) -> Response:
    """The test cases of a step."""
    _, view = _find(request)
    step = _find_report(view, request)
    cases = range(len(step.test_cases))
    return page(request, cases, lambda index: test_case_json(step, index), sort_fields=(), compact=True)


@router.get(TESTS + "/test_cases/{test_case_uuid}/test_case_reasons", dependencies=READ)
async def get_test_case_reasons(request: Request) -> Response:
    """Why a test case failed."""
    _, view = _find(request)
    step = _find_report(view, request)
    wanted = request.path_params["test_case_uuid"]
    for index, case in enumerate(step.test_cases):
        if test_case_uuid(step, index) == wanted and case.get("reason"):
            reason = {"type": "pipeline_test_case_reason", "message": case["reason"], "stack_trace": case["reason"]}
            return answer(request, reason)
    raise refuse(404, f"No reasons found for test case {wanted}")


def _find(request: Request) -> tuple[Repository, PipelineView]:
    """Return the repository and the pipeline that the path of a request names."""
    names = request.path_params
    repository = find_repository(request, names["workspace"], names["repo_slug"])
    pipeline = find_pipeline(repository, names["pipeline_uuid"])
    return repository, pipeline_at(pipeline, current_state(request).clock.now())


def _find_step(view: PipelineView, request: Request) -> StepView:
    step_uuid = request.path_params["step_uuid"]
    for step in view.steps:
        if step.step.uuid == step_uuid:
            return step
    raise refuse(404, f"Step {step_uuid} not found in pipeline {view.pipeline.uuid}")


def _find_report(view: PipelineView, request: Request) -> Step:
    found = _find_step(view, request)
    if not found.step.test_cases or found.seconds == 0:
        raise refuse(404, f"Test report for step {found.step.uuid} does not exist.")
    return found.step


def _storage_error(status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(body, status, media_type="application/xml")
