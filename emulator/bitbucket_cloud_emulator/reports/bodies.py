"""Bodies of reports and annotations."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from bitbucket_cloud_emulator.core.bodies import Body, json_object, json_value
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.wire import absolute_url

#: Most annotations of a request and of a report, and figures of a report (published OpenAPI).
MOST_PER_REQUEST, MOST_ANNOTATIONS, MOST_FIGURES = 100, 1000, 10
#: Longer summaries are refused (seen in reviewdog#1344, 2022).
LONGEST_SUMMARY = 450

T = TypeVar("T")
_Text = Annotated[str, Field(min_length=1)]
_Url = Annotated[str, BeforeValidator(absolute_url)]


class _NamedLink(Body):
    text: _Text
    href: _Url


#: Type of a figure -> Python types of its value.
_VALUES: dict[str, Any] = {
    "BOOLEAN": bool,
    **dict.fromkeys(("DATE", "DURATION"), int),
    **dict.fromkeys(("NUMBER", "PERCENTAGE"), (int, float)),
    "TEXT": str,
    "LINK": _NamedLink,
}


class Figure(Body):
    """A figure of a report. Without a type its value is a boolean, number or text; dates and durations are milliseconds."""

    title: _Text
    type: Literal["BOOLEAN", "DATE", "DURATION", "LINK", "NUMBER", "PERCENTAGE", "TEXT"] | None = None
    value: bool | int | float | str | _NamedLink

    @model_validator(mode="after")
    def _check_value(self) -> Figure:
        expected = _VALUES.get(self.type or "", object)
        if not isinstance(self.value, expected) or (expected is not bool and self.type and isinstance(self.value, bool)):
            raise ValueError(f"value is not of type {self.type}")
        return self


class ReportBody(Body):
    """A report. These fields were required when it was tried, though the specification marks none."""

    title: _Text
    details: _Text
    report_type: Literal["SECURITY", "COVERAGE", "TEST", "BUG"]
    result: Literal["PASSED", "FAILED", "PENDING"]
    link: _Url
    reporter: str | None = None
    remote_link_enabled: bool | None = None
    logo_url: _Url | None = None
    data: Annotated[list[Figure], Field(max_length=MOST_FIGURES)] | None = None


class AnnotationBody(Body):
    """An annotation."""

    annotation_type: Literal["VULNERABILITY", "CODE_SMELL", "BUG"]
    summary: Annotated[str, Field(min_length=1, max_length=LONGEST_SUMMARY)]
    path: str | None = None
    line: Annotated[int, Field(ge=1)] | None = None
    details: str | None = None
    result: Literal["PASSED", "FAILED", "SKIPPED", "IGNORED"] | None = None
    severity: Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"] | None = None
    link: _Url | None = None


class ListedAnnotation(AnnotationBody):
    """An annotation of a list, with its id."""

    external_id: _Text


_REPORT = TypeAdapter(ReportBody)
_ANNOTATION = TypeAdapter(AnnotationBody)
_LIST = TypeAdapter(list[ListedAnnotation])


async def read_report(request: Request) -> ReportBody:
    """Return the report in a request.

    :raises ApiError: 400, naming the malformed fields
    """
    return _validated(_REPORT, await json_object(request), "Report")


async def read_annotation(request: Request) -> AnnotationBody:
    """Return the annotation in a request.

    :raises ApiError: 400, naming the malformed fields
    """
    return _validated(_ANNOTATION, await json_object(request), "Annotation")


async def read_annotations(request: Request) -> list[ListedAnnotation]:
    """Return the list of annotations in a request.

    :raises ApiError: 400, also for an empty list, more than 100, and two with the same id
    """
    body = await json_value(request)
    if isinstance(body, list) and len(body) > MOST_PER_REQUEST:
        raise ApiError(400, f"Bulk upload supports a maximum of /{MOST_PER_REQUEST} annotations.", style="code")
    annotations = _validated(_LIST, body, "Annotation")
    if not annotations:
        raise _refusal("Cannot build Annotation, the list is empty")
    if len({one.external_id for one in annotations}) < len(annotations):
        raise _refusal("Cannot build Annotation, external_id is not unique")
    return annotations


def _validated(adapter: TypeAdapter[T], value: Any, kind: str) -> T:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    missing = [str(one["loc"][-1]) for one in problems if one["type"] == "missing"]
    if missing:
        raise _refusal(f"Cannot build {kind}, some of required attributes are not set [{', '.join(dict.fromkeys(missing))}]")
    first = problems[0]
    raise _refusal(f"Cannot build {kind}, {'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}")


def _refusal(message: str) -> ApiError:
    return ApiError(400, message, key="report-service.general.bad-request", style="key")
