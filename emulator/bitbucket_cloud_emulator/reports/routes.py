"""Code Insights: reports on commits and their annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.graph import resolve
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.core.wire import iso_main
from bitbucket_cloud_emulator.reports.bodies import (
    MOST_ANNOTATIONS,
    AnnotationBody,
    read_annotation,
    read_annotations,
    read_report,
)
from bitbucket_cloud_emulator.reports.models import Annotation, Report
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.users.models import Credential
from bitbucket_cloud_emulator.users.views import account_json

router = APIRouter(prefix=f"{API}/repositories/{{workspace}}/{{repo_slug}}/commit/{{commit}}/reports")

_ONE = "/{reportId}"
_ANNOTATIONS = f"{_ONE}/annotations"
_ANNOTATION = f"{_ANNOTATIONS}/{{annotationId}}"


@dataclass(frozen=True)
class _OnCommit:
    """A request about the reports on a commit."""

    request: Request
    state: State
    credential: Credential
    repository: Repository
    commit: str  # full hash

    def report(self, name: str) -> Report:
        """Return a report by the id of its creator, or its uuid."""
        for report in self.repository.reports.get(self.commit, {}).values():
            if name in (report.external_id, report.uuid):
                return report
        raise ApiError(404, f"Report {name} not found", key="report-service.report.not-found", style="key")


async def _on_commit(
    request: Request,
    workspace: str,
    repo_slug: str,
    commit: str,
    credential: Annotated[Credential, Depends(requires("read:repository"))],
) -> _OnCommit:
    repository = find_repository(request, workspace, repo_slug)
    return _OnCommit(request, current_state(request), credential, repository, resolve(repository, commit).hash)


ReportId = Annotated[str, Path(alias="reportId")]
AnnotationId = Annotated[str, Path(alias="annotationId")]
Here = Annotated[_OnCommit, Depends(_on_commit)]


@router.get("")
async def reports(here: Here) -> Response:
    """The reports on a commit."""
    base = origin(here.request)
    return page(here.request, [*here.repository.reports.get(here.commit, {}).values()], lambda one: _report_json(one, base))


@router.put(_ONE)
async def put_report(here: Here, report_id: ReportId) -> Response:
    """Create or replace a report: 200 in both cases. Its annotations stay."""
    body = await read_report(here.request)
    now, found = here.state.clock.now(), here.repository.reports.setdefault(here.commit, {})
    known = next((one for one in found.values() if report_id in (one.external_id, one.uuid)), None)
    report = known or Report(here.state.uuid(), report_id, here.credential.user, now, now, {})
    report.fields, report.updated_on = _sent(body), now
    found[report.external_id] = report
    return json_response(_report_json(report, origin(here.request)))


@router.get(_ONE)
async def report(here: Here, report_id: ReportId) -> Response:
    """A report."""
    return json_response(_report_json(here.report(report_id), origin(here.request)))


@router.delete(_ONE)
async def delete_report(here: Here, report_id: ReportId) -> Response:
    """Delete a report with its annotations."""
    found = here.report(report_id)
    del here.repository.reports[here.commit][found.external_id]
    return Response(status_code=204)


@router.get(_ANNOTATIONS)
async def annotations_of(here: Here, report_id: ReportId) -> Response:
    """The annotations of a report."""
    return page(here.request, [*here.report(report_id).annotations.values()], _annotation_json)


@router.post(_ANNOTATIONS)
async def put_annotations(here: Here, report_id: ReportId) -> Response:
    """Create or overwrite up to 100 annotations: all of them, or none when one is malformed."""
    found, bodies = here.report(report_id), await read_annotations(here.request)
    _check_room(found, [one.external_id for one in bodies])
    stored = [_store(here, found, one.external_id, one) for one in bodies]
    return json_response([_annotation_json(one) for one in stored])


@router.get(_ANNOTATION)
async def annotation(here: Here, report_id: ReportId, annotation_id: AnnotationId) -> Response:
    """An annotation."""
    return json_response(_annotation_json(_annotation(here.report(report_id), annotation_id)))


@router.put(_ANNOTATION)
async def put_annotation(here: Here, report_id: ReportId, annotation_id: AnnotationId) -> Response:
    """Create or replace an annotation: 200 in both cases."""
    found, body = here.report(report_id), await read_annotation(here.request)
    external_id = next((one.external_id for one in found.annotations.values() if one.uuid == annotation_id), annotation_id)
    _check_room(found, [external_id])
    return json_response(_annotation_json(_store(here, found, external_id, body)))


@router.delete(_ANNOTATION)
async def delete_annotation(here: Here, report_id: ReportId, annotation_id: AnnotationId) -> Response:
    """Delete an annotation."""
    found = here.report(report_id)
    gone = _annotation(found, annotation_id)
    del found.annotations[gone.external_id]
    return Response(status_code=204)


def _annotation(report: Report, name: str) -> Annotation:
    for one in report.annotations.values():
        if name in (one.external_id, one.uuid):
            return one
    raise ApiError(404, f"Annotation {name} not found", key="report-service.annotation.not-found", style="key")


def _check_room(report: Report, external_ids: list[str]) -> None:
    if len({*report.annotations, *external_ids}) > MOST_ANNOTATIONS:
        message = f"A report can have at most {MOST_ANNOTATIONS} annotations"
        raise ApiError(400, message, key="report-service.general.bad-request", style="key")


def _store(here: _OnCommit, report: Report, external_id: str, body: AnnotationBody) -> Annotation:
    now = here.state.clock.now()
    stored = report.annotations.get(external_id) or Annotation(here.state.uuid(), external_id, now, now, {})
    stored.fields, stored.updated_on = _sent(body), now
    report.annotations[external_id] = stored
    return stored


def _sent(body: Any) -> dict[str, Any]:
    sent: dict[str, Any] = body.model_dump(exclude_unset=True, exclude_none=True, exclude={"external_id"})
    return sent


def _report_json(report: Report, base: str) -> dict[str, Any]:
    """A report; ``logo_url`` is not returned (recorded)."""
    return {
        "type": "report",
        "uuid": report.uuid,
        "external_id": report.external_id,
        "created_by": account_json(report.created_by, base),
        "remote_link_enabled": False,
        **{name: value for name, value in report.fields.items() if name != "logo_url"},
        "created_on": iso_main(report.created_on),
        "updated_on": iso_main(report.updated_on),
    }


def _annotation_json(annotation: Annotation) -> dict[str, Any]:
    return {
        "type": "report_annotation",
        "uuid": annotation.uuid,
        "external_id": annotation.external_id,
        **annotation.fields,
        "created_on": iso_main(annotation.created_on),
        "updated_on": iso_main(annotation.updated_on),
    }
