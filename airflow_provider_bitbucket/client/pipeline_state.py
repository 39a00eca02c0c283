"""Evaluate a pipeline's JSON. Bitbucket's state names are defined only here.

``state`` is a name plus a ``stage`` (while it runs) or a ``result`` (when it is completed); PAUSED and HALTED are stages
and can last for weeks. Source: published OpenAPI (``pipeline_state*``) and recorded answers of 2020 to 2026.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_bitbucket.client.transport.errors import BitbucketServerError, malformed_response


class PipelineStatus(StrEnum):
    """State of a pipeline."""

    PENDING = "PENDING"  # parsing, or waiting for a machine
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"  # at a manual step: a person must click
    HALTED = "HALTED"  # out of build minutes, or behind a concurrency or deployment gate
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"
    ERROR = "ERROR"
    STOPPED = "STOPPED"
    EXPIRED = "EXPIRED"  # paused or halted for too long
    UNKNOWN = "UNKNOWN"  # a word that is newer than this provider; not an end


_RESULTS = frozenset(
    {
        PipelineStatus.SUCCESSFUL,
        PipelineStatus.FAILED,
        PipelineStatus.ERROR,
        PipelineStatus.STOPPED,
        PipelineStatus.EXPIRED,
    }
)
#: What :func:`step_result` returns, as far as Bitbucket's words are known.
STEP_RESULTS = (
    *("PENDING", "READY", "PAUSED", "HALTED", "IN_PROGRESS"),
    *("SUCCESSFUL", "FAILED", "ERROR", "STOPPED", "NOT_RUN", "EXPIRED"),
)
_NAMES = {"PARSING": PipelineStatus.PENDING, "PENDING": PipelineStatus.PENDING}
_STAGES = {
    "RUNNING": PipelineStatus.RUNNING,
    "PAUSED": PipelineStatus.PAUSED,
    "HALTED": PipelineStatus.HALTED,
    "PARSING": PipelineStatus.PENDING,
    "PENDING": PipelineStatus.PENDING,
}
#: Whatever counts pipelines, 64 bits are enough for it.
_LARGEST_NUMBER = 2**63


@dataclass(frozen=True)
class PipelineOutcome:
    """State and result of a pipeline.

    :param uuid: uuid with braces
    :param build_number: number shown in Bitbucket
    :param status: where it stands
    :param completed: whether Bitbucket reports it as completed, with a known result or not
    :param reason: one sentence for a person
    :param url: its web page
    :param pipeline: the JSON it was read from
    """

    uuid: str
    build_number: int
    status: PipelineStatus
    completed: bool
    reason: str
    url: str
    pipeline: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def is_terminal(self) -> bool:
        """Whether it is completed and will not change again."""
        return self.completed

    @property
    def is_successful(self) -> bool:
        """Whether it completed successfully."""
        return self.status is PipelineStatus.SUCCESSFUL

    @property
    def needs_person(self) -> bool:
        """Whether it continues only after manual action."""
        return self.status in (PipelineStatus.PAUSED, PipelineStatus.HALTED)

    def summary(self) -> dict[str, Any]:
        """Return a summary as JSON: names, numbers and ISO timestamps."""
        target = _part(self.pipeline, "target")
        return {
            "uuid": self.uuid,
            "build_number": self.build_number,
            "status": str(self.status),
            "url": self.url,
            "ref_name": _scalar(target.get("ref_name")) or _scalar(target.get("source")),
            "commit": _scalar(_part(target, "commit").get("hash")),
            "created_on": _scalar(self.pipeline.get("created_on")),
            "completed_on": _scalar(self.pipeline.get("completed_on")),
            "duration_in_seconds": _scalar(self.pipeline.get("duration_in_seconds")),
        }


def evaluate(pipeline: Mapping[str, Any], results_url: str, *, strict: bool = True) -> PipelineOutcome:
    """Return the outcome that a pipeline's JSON describes; unknown state names raise nothing.

    :param pipeline: as Bitbucket gives it; its ``links`` lead to an internal host and are not used
    :param results_url: address of the repository's results, ``https://bitbucket.org/acme/api/pipelines/results``
    :param strict: False: the status of a completed pipeline without a readable result is unknown, for callers that do not wait
    :raises BitbucketServerError: the response is malformed: it does not name the pipeline, or the pipeline is completed and has
        no readable result. It says nothing about the end of any pipeline.
    """
    state = _part(pipeline, "state")
    name = _name(state)
    completed = name == "COMPLETED"
    inner = _part(state, "result" if completed else "stage")
    word = _name(inner)
    if completed and not word and strict:
        raise malformed_response("Bitbucket reported a completed pipeline without a readable result: a malformed response.")
    if completed:
        status = PipelineStatus(word) if word in _RESULTS else PipelineStatus.UNKNOWN
    else:
        status = _STAGES.get(word) or _NAMES.get(name) or _in_progress(name, word)
    number = build_number(pipeline)
    return PipelineOutcome(
        uuid=_uuid(pipeline),
        build_number=number,
        status=status,
        completed=completed,
        reason=_reason(number, status, name, word, inner),
        url=f"{results_url}/{number}",
        pipeline=pipeline,
    )


def build_number(pipeline: Mapping[str, Any]) -> int:
    """Return the build number of a pipeline, which counts the pipelines of a repository.

    :raises BitbucketServerError: it has none
    """
    number = pipeline.get("build_number")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < _LARGEST_NUMBER:
        raise _unidentified("build_number")
    return number


def is_identified(pipeline: Any) -> bool:
    """Return whether a pipeline's JSON has the uuid and number that :func:`evaluate` needs."""
    try:
        return isinstance(pipeline, Mapping) and bool(_uuid(pipeline) and build_number(pipeline))
    except BitbucketServerError:
        return False


def describes_end(pipeline: Mapping[str, Any]) -> bool:
    """Return whether a row of the list reports a pipeline's state as fully as a request for that pipeline does.

    It is not recorded that it always does. Details that the row of a completed pipeline lacks (terminator, error) are requested.
    """
    state = _part(pipeline, "state")
    if _name(state) != "COMPLETED":
        return bool(_name(state))
    result = _part(state, "result")
    needed = {"ERROR": "error", "STOPPED": "terminator"}.get(_name(result))
    return bool(_name(result)) and (needed is None or bool(result.get(needed)))


def step_result(step: Mapping[str, Any]) -> str:
    """Return a step's result, or its stage or state while it has none."""
    state = _part(step, "state")
    inner = _part(state, "result") or _part(state, "stage")
    return _name(inner) or _name(state) or "UNKNOWN"


def _uuid(pipeline: Mapping[str, Any]) -> str:
    uuid = pipeline.get("uuid")
    if not isinstance(uuid, str) or not uuid:
        raise _unidentified("uuid")
    return uuid


def _unidentified(name: str) -> BitbucketServerError:
    return malformed_response(
        f"Bitbucket reported a pipeline without a usable {name!r}: a malformed response, which says nothing about it."
    )


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}


def _name(part: Mapping[str, Any]) -> str:
    name = part.get("name")
    return name if isinstance(name, str) else ""


def _scalar(value: Any) -> str | int | float | None:
    """Return a text or a number as it is, None for anything else: a summary travels through XCom and trigger events."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float) else None


def _in_progress(name: str, stage: str) -> PipelineStatus:
    return PipelineStatus.RUNNING if name == "IN_PROGRESS" and not stage else PipelineStatus.UNKNOWN


def _reason(number: int, status: PipelineStatus, name: str, word: str, inner: Mapping[str, Any]) -> str:
    error, person = _part(inner, "error"), _part(inner, "terminator").get("display_name")
    why = error.get("message") or error.get("key") or "Bitbucket does not say which"
    words = "/".join(filter(None, (name, word))) or "none given"
    sentences = {
        PipelineStatus.PENDING: "is waiting to start",
        PipelineStatus.RUNNING: "is running",
        PipelineStatus.PAUSED: "is paused at a manual step: manual action in Bitbucket is required",
        PipelineStatus.HALTED: "is halted: out of build minutes, or waiting for another deployment",
        PipelineStatus.SUCCESSFUL: "was successful",
        PipelineStatus.FAILED: "failed",
        PipelineStatus.ERROR: f"ended with an error: {why}",
        PipelineStatus.STOPPED: f"was stopped by {person}" if person else "was stopped",
        PipelineStatus.EXPIRED: "expired: it was paused or halted for too long",
        PipelineStatus.UNKNOWN: f"is in a state this provider does not know: {words}",
    }
    return f"Pipeline #{number} {sentences[status]}."
