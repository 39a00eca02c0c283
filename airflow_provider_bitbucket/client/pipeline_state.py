"""What a pipeline's JSON means. The one place that knows Bitbucket's state words.

``state`` is a name plus a ``stage`` (while it runs) or a ``result`` (when it is completed); PAUSED and HALTED are stages
and can last for weeks. Source: published OpenAPI (``pipeline_state*``) and recorded answers of 2020 to 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from airflow_provider_bitbucket.client.errors import BitbucketServerError, broken_answer

_T = TypeVar("_T")


class PipelineStatus(StrEnum):
    """Where a pipeline stands."""

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


@dataclass(frozen=True)
class PipelineOutcome:
    """What has become of a pipeline so far.

    :param uuid: uuid with braces
    :param build_number: number shown in Bitbucket
    :param status: where it stands
    :param completed: whether Bitbucket says that it is over, known result or not
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
        """It is over and will not change again."""
        return self.completed

    @property
    def is_successful(self) -> bool:
        """It is over and all went well."""
        return self.status is PipelineStatus.SUCCESSFUL

    @property
    def needs_person(self) -> bool:
        """It goes on only when somebody clicks or pays."""
        return self.status in (PipelineStatus.PAUSED, PipelineStatus.HALTED)

    def summary(self) -> dict[str, Any]:
        """Return what is worth passing on, as JSON: names, numbers and ISO times."""
        target = self.pipeline.get("target") or {}
        return {
            "uuid": self.uuid,
            "build_number": self.build_number,
            "status": str(self.status),
            "url": self.url,
            "ref_name": target.get("ref_name") or target.get("source"),
            "commit": (target.get("commit") or {}).get("hash"),
            "created_on": self.pipeline.get("created_on"),
            "completed_on": self.pipeline.get("completed_on"),
            "duration_in_seconds": self.pipeline.get("duration_in_seconds"),
        }


def evaluate(pipeline: Mapping[str, Any], results_url: str) -> PipelineOutcome:
    """Read a pipeline's JSON. Unknown words raise nothing.

    :param pipeline: as Bitbucket gives it; its ``links`` lead to an internal host and are not used
    :param results_url: address of the repository's results, ``https://bitbucket.org/acme/api/pipelines/results``
    :raises BitbucketServerError: it does not say which pipeline it is, so it says nothing about any
    """
    state = _part(pipeline, "state")
    name = str(state.get("name") or "")
    completed = name == "COMPLETED"
    inner = _part(state, "result" if completed else "stage")
    word = str(inner.get("name") or "")
    if completed:
        status = PipelineStatus(word) if word in _RESULTS else PipelineStatus.UNKNOWN
    else:
        status = _STAGES.get(word) or _NAMES.get(name) or _in_progress(name, word)
    number = build_number(pipeline)
    return PipelineOutcome(
        uuid=_needed(pipeline, "uuid", str),
        build_number=number,
        status=status,
        completed=completed,
        reason=_reason(number, status, name, word, inner),
        url=f"{results_url}/{number}",
        pipeline=pipeline,
    )


def build_number(pipeline: Mapping[str, Any]) -> int:
    """Return the number of a pipeline, by which they are counted up in a repository.

    :raises BitbucketServerError: it has none
    """
    return _needed(pipeline, "build_number", int)


def is_identified(pipeline: Mapping[str, Any]) -> bool:
    """Say whether a pipeline's JSON tells which one it is, as :func:`evaluate` needs it."""
    try:
        return bool(_needed(pipeline, "uuid", str) and build_number(pipeline))
    except BitbucketServerError:
        return False


def step_result(step: Mapping[str, Any]) -> str:
    """Return a step's result, or its stage or state while it has none."""
    state = step.get("state") or {}
    inner = state.get("result") or state.get("stage") or {}
    return str(inner.get("name") or state.get("name") or "UNKNOWN")


def _needed(pipeline: Mapping[str, Any], name: str, kind: Callable[[Any], _T]) -> _T:
    with suppress(TypeError, ValueError):
        if pipeline.get(name):
            return kind(pipeline[name])
    raise broken_answer(f"Bitbucket told of a pipeline without a usable {name!r}: a broken answer, which says nothing about it.")


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}


def _in_progress(name: str, stage: str) -> PipelineStatus:
    return PipelineStatus.RUNNING if name == "IN_PROGRESS" and not stage else PipelineStatus.UNKNOWN


def _reason(number: int, status: PipelineStatus, name: str, word: str, inner: Mapping[str, Any]) -> str:
    error, person = _part(inner, "error"), _part(inner, "terminator").get("display_name")
    why = error.get("message") or error.get("key") or "Bitbucket does not say which"
    words = "/".join(filter(None, (name, word))) or "none given"
    sentences = {
        PipelineStatus.PENDING: "is waiting to start",
        PipelineStatus.RUNNING: "is running",
        PipelineStatus.PAUSED: "is paused at a manual step: somebody must start it in Bitbucket",
        PipelineStatus.HALTED: "is halted: out of build minutes, or waiting for another deployment",
        PipelineStatus.SUCCESSFUL: "was successful",
        PipelineStatus.FAILED: "failed",
        PipelineStatus.ERROR: f"ended with an error: {why}",
        PipelineStatus.STOPPED: f"was stopped by {person}" if person else "was stopped",
        PipelineStatus.EXPIRED: "expired: it was paused or halted for too long",
        PipelineStatus.UNKNOWN: f"is in a state this provider does not know: {words}",
    }
    return f"Pipeline #{number} {sentences[status]}."
