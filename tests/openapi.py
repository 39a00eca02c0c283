"""Validation of the emulator's responses and the client's requests against Bitbucket's published OpenAPI.

Without the document the tests that need it are skipped, and the summary of the run says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from tests.openapi_deviations import DEVIATIONS, PARAMETERS_IN_TEXT, STATUS_DEVIATIONS
from tests.openapi_document import HOW_TO_PROVIDE_IT, openapi_document

#: Parameters that the REST introduction documents for every collection; single operations do not repeat them.
GENERAL_PARAMETERS = {"page", "pagelen", "ctx", "fields", "q", "sort"}
#: Statuses that any request can receive, whether or not its operation lists them; all have the error envelope.
GENERAL_ERRORS = {400, 401, 403, 404, 405, 409, 410, 429, 500, 502, 503, 504, 555}

_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_timestamp(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_formats.checks("uri")
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


@dataclass(frozen=True)
class Operation:
    """One method of one path of the specification."""

    method: str
    template: str
    definition: dict[str, Any] = field(repr=False)
    parameters: dict[str, dict[str, Any]] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


class OpenApi:
    """The specification.

    :param document: the parsed file
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.operations = {(one.method, one.template): one for one in self._read()}
        self.used_deviations: set[str] = set()

    @staticmethod
    @cache
    def load() -> OpenApi:
        """Return the specification, or skip the test if the document was not found."""
        document = openapi_document()
        if document is None:
            pytest.skip(f"Bitbucket's published OpenAPI was not found; {HOW_TO_PROVIDE_IT}")
        return OpenApi(json.loads(document.read_text()))

    def _read(self) -> Iterator[Operation]:
        for template, item in self.document["paths"].items():
            for method in ("get", "post", "put", "delete"):
                if method in item:
                    listed = [*item.get("parameters", []), *item[method].get("parameters", [])]
                    yield Operation(method.upper(), template, item[method], {one["name"]: one for one in listed})

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        # Templates with fewer placeholders first: /pullrequests/activity is not the pull request "activity".
        templates = sorted({template for _, template in self.operations}, key=lambda one: (one.count("{"), one))
        return [(_pattern(template), template) for template in templates]

    def operation(self, method: str, path: str) -> Operation | None:
        """Return the operation of a path (with or without ``/2.0``), None if the specification has none."""
        path = path.removeprefix("/2.0")
        for pattern, template in self._patterns:
            if pattern.fullmatch(path) and (method, template) in self.operations:
                return self.operations[method, template]
        return None

    def validate_response(self, method: str, path: str, status: int, body: Any) -> None:
        """Validate a response.

        :param body: the parsed JSON; None for a response without JSON
        :raises AssertionError: operation, status or body is not in the specification; the message lists all problems
        """
        operation = self.operation(method, path)
        assert operation, f"{method} {path} is not in the specification"
        if status == 304:  # documented in the introduction for all operations
            return
        documented = operation.definition["responses"].get(str(status))
        if documented is None:
            other = STATUS_DEVIATIONS.get((str(operation), status))
            if other:
                self.used_deviations.add(f"{operation} {status}")
                documented = operation.definition["responses"][other[0]] if other[0] else {}
            elif status in GENERAL_ERRORS:
                documented = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}}
        assert documented is not None, f"{operation} does not document status {status}"
        schema = documented.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None and body is not None:
            problems = [one for one in self.problems(body, schema) if not self._tolerated(f"{operation} {status}", one)]
            assert not problems, f"{operation} answered {status} in violation of its specification:\n  " + "\n  ".join(problems)

    def validate_request(self, method: str, path: str, query: str = "", body: str | None = None) -> None:
        """Validate a request.

        :param query: the query string as sent
        :param body: the body as sent
        :raises AssertionError: the path, a parameter or the body is not in the specification
        """
        operation = self.operation(method, path)
        assert operation, f"{method} {path} is not in the specification"
        for name, value in parse_qsl(query, keep_blank_values=True):
            parameter = operation.parameters.get(name)
            value = value.removeprefix("-") if name == "sort" else value  # descending
            if parameter is not None:
                problems = self.problems(_typed(value, parameter["schema"]), parameter["schema"])
                assert not problems, f"{operation}: parameter {name}={value!r}: {problems}"
            else:
                known = GENERAL_PARAMETERS | PARAMETERS_IN_TEXT.get(str(operation), set())
                assert name in known, f"{operation} has no parameter {name!r}"
        content = operation.definition.get("requestBody", {}).get("content", {})
        is_yaml = "target.type=" in query  # an on-demand pipeline has its fields in the query and YAML in the body
        if body and "application/json" in content and not is_yaml:
            problems = self.problems(json.loads(body), content["application/json"]["schema"])
            problems = [one for one in problems if not self._tolerated(f"{operation} request", one)]
            assert not problems, f"{operation}: body violates its specification:\n  " + "\n  ".join(problems)

    def problems(self, value: Any, schema: dict[str, Any]) -> list[str]:
        """Return the problems of a value, one line each: JSON path with ``*`` for list items, and a description."""
        validator = Draft4Validator({**schema, "components": self.document["components"]}, format_checker=_formats)
        return sorted({line for error in validator.iter_errors(value) for line in _lines(error)})

    def _tolerated(self, where: str, problem: str) -> bool:
        for deviation in DEVIATIONS:
            if re.search(deviation.where, where) and re.fullmatch(deviation.problem, problem):
                self.used_deviations.add(deviation.problem)
                return True
        return False


def _pattern(template: str) -> re.Pattern[str]:
    """Return the regular expression of the paths of a template, whose names may contain slashes and which may end in one."""
    text = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
    text = re.sub(r"\{(path|name|spec|revspec)\}", "(.*)", text)
    return re.compile(re.sub(r"\{[A-Za-z_]+\}", "([^/]+)", text) + "/?")


def _lines(error: ValidationError) -> Iterator[str]:
    if error.context:
        for inner in error.context:
            yield from _lines(inner)
        return
    path = "/".join("*" if isinstance(part, int) else str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        for name in sorted(set(error.instance) - set(error.schema.get("properties", {}))):
            yield f"{path}: has {name!r}, which is not documented"
    elif error.instance is None:
        yield f"{path}: null"
    else:
        yield f"{path}: {error.message[:200]}"


def _typed(value: str, schema: dict[str, Any]) -> Any:
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if schema.get("type") == "boolean" and value in ("true", "false"):
        return value == "true"
    if schema.get("type") == "array":
        return [unquote(value)]
    return value
