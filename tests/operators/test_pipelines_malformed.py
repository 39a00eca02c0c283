"""Malformed responses neither fail the task of a successful pipeline nor start a pipeline twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_bitbucket.exceptions import BitbucketPipelineFailedError
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.waiting import START, Trigger, asked, both_modes
from tests.triggers.mutating_proxy import MutatingProxy, Mutation

FOREVER = 1_000_000


@pytest.fixture
def proxy(bitbucket: BitbucketEmulator, trigger: Trigger, connect: Callable[..., None]) -> Iterator[MutatingProxy]:
    """A proxy before the emulator, to which ``bitbucket_default`` leads; pipelines are over soon."""
    bitbucket.clock(speed=60)
    with MutatingProxy(bitbucket) as running:
        connect(running.connection_json)
        yield running


def of(part: str, change: Callable[[Any], Any]) -> Mutation:
    """Return a mutation of the JSON at paths that end with a part."""

    def mutate(path: str, headers: dict[str, str], body: bytes) -> bytes | None:
        if not path.partition("?")[0].rstrip("/").endswith(part):
            return None
        try:
            return json.dumps(change(json.loads(body))).encode()
        except ValueError:
            return None

    return mutate


def each_step(change: Callable[[dict[str, Any]], Any]) -> Mutation:
    return of("/steps", lambda page: {**page, "values": [change(row) for row in page["values"]]})


ODD_STEPS: dict[str, Mutation] = {
    "null rows": each_step(lambda row: None),
    "no uuid": each_step(lambda row: {name: value for name, value in row.items() if name != "uuid"}),
    "a uuid that is a list": each_step(lambda row: {**row, "uuid": [1]}),
    "a state that is a text": each_step(lambda row: {**row, "state": "COMPLETED"}),
    "a result that is a text": each_step(lambda row: {**row, "state": {"name": "COMPLETED", "result": "FAILED"}}),
    "an error that is a text": each_step(
        lambda row: {**row, "state": {"name": "COMPLETED", "result": {"name": "FAILED", "error": "x"}}}
    ),
    "no list": of("/steps", lambda page: {"values": None}),
}


@pytest.mark.parametrize("mutation", ODD_STEPS.values(), ids=ODD_STEPS)
@pytest.mark.parametrize("log_steps", ["failed", "all"])
def test_a_successful_pipeline_succeeds_however_odd_its_steps(
    proxy: MutatingProxy, trigger: Trigger, mutation: Mutation, log_steps: str
) -> None:
    proxy.mutate(mutation, FOREVER)
    run = trigger(deferrable=False, log_steps=log_steps)
    assert run.state == "success", run.error


@pytest.mark.parametrize("mutation", ODD_STEPS.values(), ids=ODD_STEPS)
def test_a_failed_pipeline_is_reported_as_failed_however_odd_its_steps(
    bitbucket: BitbucketEmulator, proxy: MutatingProxy, trigger: Trigger, mutation: Mutation
) -> None:
    bitbucket.script("api", "default", steps=[{"name": "Test", "seconds": 5, "result": "FAILED"}])
    proxy.mutate(mutation, FOREVER)
    run = trigger(deferrable=False)
    assert run.state == "failed"
    assert isinstance(run.error, BitbucketPipelineFailedError), run.error


def odd_state(path: str, headers: dict[str, str], body: bytes) -> bytes | None:
    if "/pipelines/%7B" not in path or "/steps" in path:
        return None
    return json.dumps({**json.loads(body), "state": {"name": "COMPLETED", "result": "FAILED"}}).encode()


@both_modes
def test_a_malformed_state_is_polled_again(proxy: MutatingProxy, trigger: Trigger, deferrable: bool) -> None:
    proxy.mutate(odd_state, 2)
    run = trigger(deferrable=deferrable)
    assert proxy.left == 0
    assert run.state == "success", run.error


ODD_LISTS: dict[str, Mutation] = {
    "a null row": of("/pipelines", lambda page: {**page, "values": [None, *page["values"]]}),
    "a target that is a list": of(
        "/pipelines", lambda page: {**page, "values": [{**row, "target": [1]} for row in page["values"]]}
    ),
    "a creator that is a text": of(
        "/pipelines", lambda page: {**page, "values": [{**row, "creator": "me"} for row in page["values"]]}
    ),
    "a trigger that is a text": of(
        "/pipelines", lambda page: {**page, "values": [{**row, "trigger": "x"} for row in page["values"]]}
    ),
    "no build number": of(
        "/pipelines", lambda page: {**page, "values": [{**row, "build_number": None} for row in page["values"]]}
    ),
    "no uuid": of("/pipelines", lambda page: {**page, "values": [{**row, "uuid": None} for row in page["values"]]}),
}


@pytest.mark.parametrize("mutation", ODD_LISTS.values(), ids=ODD_LISTS)
def test_a_lost_start_is_found_although_the_list_is_malformed_for_a_while(
    bitbucket: BitbucketEmulator, proxy: MutatingProxy, trigger: Trigger, mutation: Mutation
) -> None:
    bitbucket.fault("lost_answer", method="POST")
    seen = 0

    def after_the_mark(path: str, headers: dict[str, str], body: bytes) -> bytes | None:
        nonlocal seen
        if asked(bitbucket, START) == 0 or (changed := mutation(path, headers, body)) is None:
            return None
        seen += 1
        return changed

    proxy.mutate(after_the_mark, 3)
    run = trigger(wait_for_completion=False)
    assert run.state == "success", run.error
    assert seen == 3
    assert asked(bitbucket, START) == 1


@pytest.mark.parametrize("account", [{"uuid": None}, {}, {"uuid": ["x"]}, {"uuid": 7}])
def test_an_odd_account_does_not_hide_a_lost_start(
    bitbucket: BitbucketEmulator, proxy: MutatingProxy, trigger: Trigger, account: dict[str, Any]
) -> None:
    bitbucket.fault("lost_answer", method="POST")
    proxy.mutate(of("/user", lambda _: account), FOREVER)
    run = trigger(wait_for_completion=False)
    assert run.state == "success", run.error
    assert asked(bitbucket, START) == 1


@pytest.mark.parametrize("created_on", [None, "yesterday", 7, "9999-99-99"])
def test_a_lost_start_without_a_readable_timestamp_is_ambiguous_and_not_started_again(
    bitbucket: BitbucketEmulator, proxy: MutatingProxy, trigger: Trigger, created_on: Any
) -> None:
    bitbucket.fault("lost_answer", method="POST")
    proxy.mutate(
        of("/pipelines", lambda page: {**page, "values": [{**row, "created_on": created_on} for row in page["values"]]}), FOREVER
    )
    run = trigger(wait_for_completion=False)
    assert type(run.error).__name__ == "BitbucketAmbiguousStartError"
    assert asked(bitbucket, START) == 1


@pytest.mark.parametrize(
    "date", ["yesterday", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 99 Jan 1970 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 -0000"]
)
def test_an_odd_date_header_breaks_no_start(proxy: MutatingProxy, trigger: Trigger, date: str) -> None:
    def mutate(path: str, headers: dict[str, str], body: bytes) -> bytes:
        for name in [name for name in headers if name.lower() == "date"]:
            del headers[name]
        headers["Date"] = date
        return body

    proxy.mutate(mutate, FOREVER)
    run = trigger(wait_for_completion=False)
    assert run.state == "success", run.error
