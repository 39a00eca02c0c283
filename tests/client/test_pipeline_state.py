"""The JSON of a pipeline is evaluated to an outcome."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitbucket.client import BitbucketServerError, PipelineOutcome, PipelineStatus
from airflow_provider_bitbucket.client.pipeline_state import evaluate, step_result
from airflow_provider_bitbucket.client.transport.retry import is_transient


def outcome(state: Any, **more: Any) -> PipelineOutcome:
    return evaluate({"uuid": "{1}", "build_number": 7, "state": state, **more}, "https://x.org/acme/api/pipelines/results")


def shown(name: str, stage: str = "", result: str = "", **inner: Any) -> dict[str, Any]:
    """Return a state in the form that Bitbucket returns."""
    kind = "result" if result else "stage"
    return {"name": name, kind: {"name": result or stage, **inner}} if stage or result else {"name": name}


@pytest.mark.parametrize(
    ("state", "status", "person"),
    [
        (shown("PARSING", "PARSING"), "PENDING", False),
        (shown("PENDING", "PENDING"), "PENDING", False),
        (shown("PENDING"), "PENDING", False),
        (shown("IN_PROGRESS", "RUNNING"), "RUNNING", False),
        (shown("IN_PROGRESS"), "RUNNING", False),
        (shown("IN_PROGRESS", "PAUSED"), "PAUSED", True),
        (shown("IN_PROGRESS", "HALTED"), "HALTED", True),
        (shown("PENDING", "HALTED"), "HALTED", True),
        (shown("IN_PROGRESS", "DREAMING"), "UNKNOWN", False),
        (shown("SLEEPING"), "UNKNOWN", False),
        ({}, "UNKNOWN", False),
        (None, "UNKNOWN", False),
    ],
)
def test_a_pipeline_in_an_unfinished_or_unknown_state_is_not_terminal(state: Any, status: str, person: bool) -> None:
    seen = outcome(state)
    assert (seen.status, seen.is_terminal, seen.is_successful, seen.needs_person) == (status, False, False, person)


@pytest.mark.parametrize("result", ["SUCCESSFUL", "FAILED", "ERROR", "STOPPED", "EXPIRED"])
def test_successful_is_the_only_successful_result(result: str) -> None:
    seen = outcome(shown("COMPLETED", result=result))
    assert (seen.status, seen.is_terminal, seen.needs_person) == (result, True, False)
    assert seen.is_successful == (result == "SUCCESSFUL")


@pytest.mark.parametrize(
    "state", [{"name": "COMPLETED", "result": result} for result in (None, {}, [], "FAILED", {"name": None})]
)
def test_a_completed_state_without_a_readable_result_is_a_transient_error(state: Any) -> None:
    with pytest.raises(BitbucketServerError, match="malformed") as caught:
        outcome(state)
    assert is_transient(caught.value)


def test_an_unknown_result_is_terminal_and_not_successful() -> None:
    seen = outcome(shown("COMPLETED", result="ABANDONED"))
    assert (seen.status, seen.is_terminal, seen.is_successful) == ("UNKNOWN", True, False)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (shown("COMPLETED", result="SUCCESSFUL"), "Pipeline #7 was successful."),
        (shown("COMPLETED", result="STOPPED", terminator={"display_name": "Dana"}), "Pipeline #7 was stopped by Dana."),
        (shown("COMPLETED", result="STOPPED", terminator=None), "Pipeline #7 was stopped."),
        (
            shown("COMPLETED", result="ERROR", error={"key": "k", "message": "Bad YAML"}),
            "Pipeline #7 ended with an error: Bad YAML.",
        ),
        (shown("COMPLETED", result="ERROR"), "Pipeline #7 ended with an error: Bitbucket does not say which."),
        (shown("IN_PROGRESS", "DREAMING"), "Pipeline #7 is in a state this provider does not know: IN_PROGRESS/DREAMING."),
        (None, "Pipeline #7 is in a state this provider does not know: none given."),
    ],
)
def test_the_reason_is_a_sentence(state: Any, reason: str) -> None:
    assert outcome(state).reason == reason


@pytest.mark.parametrize(
    "state",
    [
        "COMPLETED",
        ["COMPLETED"],
        7,
        {"name": ["COMPLETED"]},
        {"name": "IN_PROGRESS", "stage": "RUNNING"},
        shown("COMPLETED", result="ERROR", error="x", terminator="y"),
    ],
)
def test_a_malformed_state_is_not_successful(state: Any) -> None:
    assert not outcome(state).is_successful


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        *(({"uuid": "{1}", "build_number": number}, "build_number") for number in (True, 0, -1, 1e999, 2**63, "7", {})),
        *(({"uuid": uuid, "build_number": 7}, "uuid") for uuid in (True, 5, [], ["{1}"], {})),
        ({}, "build_number"),
        ({"uuid": "{1}"}, "build_number"),
        ({"build_number": 7}, "uuid"),
        ({"build_number": None}, "build_number"),
        ({"build_number": "soon"}, "build_number"),
        ({"build_number": [7], "uuid": "{1}"}, "build_number"),
    ],
)
def test_a_response_without_pipeline_id_is_a_transient_error(answer: dict[str, Any], missing: str) -> None:
    with pytest.raises(BitbucketServerError, match=f"without a usable '{missing}'") as caught:
        evaluate(answer, "https://x.org")
    assert is_transient(caught.value), "a wait would lose its pipeline"


WORDS = st.sampled_from([status.value for status in PipelineStatus] + ["PARSING", "COMPLETED", "IN_PROGRESS", "PASSED", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("a é\x00", max_size=3) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "hash", "error"]), inner, max_size=2),
    max_leaves=5,
)
INNER = JSON | st.fixed_dictionaries({"name": WORDS | JSON})


@given(
    st.fixed_dictionaries({}, optional={"name": WORDS | JSON, "stage": INNER, "result": INNER}),
    st.dictionaries(st.sampled_from(["target", "created_on", "completed_on", "duration_in_seconds"]), JSON),
)
def test_any_state_yields_an_outcome_with_a_json_summary(state: Any, more: dict[str, Any]) -> None:
    result = state.get("result")
    if state.get("name") == "COMPLETED" and not (
        isinstance(result, dict) and isinstance(result.get("name"), str) and result["name"]
    ):
        with pytest.raises(BitbucketServerError, match="malformed"):
            outcome(state, **more)
        return
    seen = outcome(state, **more)
    assert seen.is_terminal == (state.get("name") == "COMPLETED")
    assert json.loads(json.dumps(seen.summary(), allow_nan=False))["build_number"] == 7
    assert seen.reason.startswith("Pipeline #7 ")


@pytest.mark.parametrize(
    ("target", "ref"),
    [
        ({"ref_name": "main", "commit": {"hash": "a"}}, "main"),
        ({"source": "feature/x", "destination": "main", "commit": {"hash": "a"}}, "feature/x"),
        ({"commit": {"hash": "a"}}, None),
    ],
)
def test_a_summary_names_ref_and_commit(target: dict[str, Any], ref: str | None) -> None:
    summary = outcome(shown("PENDING"), target=target).summary()
    assert (summary["ref_name"], summary["commit"]) == (ref, "a")


@pytest.mark.parametrize(
    ("step", "result"),
    [
        ({"state": shown("COMPLETED", result="NOT_RUN")}, "NOT_RUN"),
        ({"state": shown("PENDING", "PAUSED")}, "PAUSED"),
        ({"state": {"name": "READY"}}, "READY"),
        ({}, "UNKNOWN"),
        *(({"state": state}, "UNKNOWN") for state in ("COMPLETED", [], 7, None)),
        ({"state": {"name": "COMPLETED", "result": "FAILED"}}, "COMPLETED"),
    ],
)
def test_the_result_of_a_step_is_its_most_specific_state(step: dict[str, Any], result: str) -> None:
    assert step_result(step) == result
