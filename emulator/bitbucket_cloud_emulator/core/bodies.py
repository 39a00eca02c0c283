"""Bodies of write requests: parsed and validated before anything changes."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from bitbucket_cloud_emulator.core.errors import ApiError

Model = TypeVar("Model", bound=BaseModel)


class Body(BaseModel):
    """A body, or an object in one. Types are strict: ``1`` is no string and ``"yes"`` no boolean. Other fields are ignored."""

    model_config = ConfigDict(strict=True)

    def sent(self) -> dict[str, Any]:
        """Return the fields that were sent; clients send null for what they do not set."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in values.items() if value is not None}


def parse_json(content: bytes) -> Any:
    """Return the value of a JSON text.

    :raises ValueError: malformed, nested too deeply, or an integer with too many digits
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


async def json_value(request: Request) -> Any:
    """Return the JSON value in a request; an empty body is an empty object.

    :raises ApiError: 400
    """
    try:
        return parse_json(await request.body() or b"{}")
    except ValueError:
        raise ApiError(400, "Invalid JSON") from None


async def json_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in a request; an empty body is an empty object.

    :raises ApiError: 400
    """
    body = await json_value(request)
    if not isinstance(body, dict):
        raise ApiError(400, "Invalid JSON: expected an object")
    return body


async def read_body(request: Request, model: type[Model]) -> Model:
    """Return the JSON object in a request as a model.

    :raises ApiError: 400, naming the first malformed field
    """
    return validate(await json_object(request), model)


def validate(body: Any, model: type[Model]) -> Model:
    """Return a body as a model.

    :raises ApiError: 400, naming the first malformed field
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems: dict[str, str] = {}
        for each in error.errors(include_url=False):
            problems.setdefault(".".join(map(str, each["loc"])) or "body", _problem(each))
    name, problem = next(iter(problems.items()))
    raise ApiError(400, f"{name}: {problem}", fields={name: [problem] for name, problem in problems.items()})


def _problem(error: ErrorDetails) -> str:
    """Return what is wrong with a field, in Bitbucket's words where they are known."""
    match error["type"]:
        case "missing" | "string_too_short":
            return "This field is required."
        case "value_error":
            return str(error["ctx"]["error"])
        case "literal_error":
            return f"'{error['input']}' is not a valid choice."
        case "string_too_long":
            return f"Ensure this value has at most {error['ctx']['max_length']} characters (it has {len(error['input'])})."
        case _:
            return f"{error['msg']}."
