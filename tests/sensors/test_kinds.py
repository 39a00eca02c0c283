"""All sensors but that of pipelines, blocking and deferrable: they succeed, fail without retries, skip, time out, lose access."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_bitbucket.exceptions import BitbucketLostError
from airflow_provider_bitbucket.sensors.build_statuses import BitbucketBuildStatusSensor
from airflow_provider_bitbucket.sensors.deployments import BitbucketDeploymentSensor
from airflow_provider_bitbucket.sensors.pull_requests import BitbucketPullRequestSensor
from airflow_provider_bitbucket.sensors.refs import BitbucketRefSensor
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import client_of, open_pull_request, run_pipelines, set_status
from tests.sensors.conftest import Sense
from tests.triggers.waits import until_asked

both_forms = pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])


@dataclass(frozen=True)
class Kind:
    """A kind of wait and what happens in it; all functions are called with the emulator.

    :param sensor: the sensor
    :param begin: sets the scene and returns the sensor's parameters
    :param reach: reaches the state that is waited for
    :param fail: makes that state impossible; None: nothing does
    :param says: what the log reports during the wait, and the error after a failure
    :param lost: parameters of a missing subject; None: it can still be created
    :param value: some of what the task returns
    """

    sensor: type
    begin: Callable[[BitbucketEmulator], dict[str, Any]]
    reach: Callable[[BitbucketEmulator], object]
    fail: Callable[[BitbucketEmulator], object] | None
    says: tuple[str, str]
    lost: dict[str, Any] | None
    value: dict[str, Any]


def happen(what: str) -> Callable[[BitbucketEmulator], object]:
    event = {"do": what, "user": "dana.demo"}
    return lambda bitbucket: bitbucket.control("POST", "pullrequests/acme/api/1/events", {"events": [event]})


def building(bitbucket: BitbucketEmulator) -> dict[str, Any]:
    set_status(bitbucket, "main", "lint", "SUCCESSFUL")
    set_status(bitbucket, "main", "test", "INPROGRESS")
    return {"branch": "main"}


def tag(bitbucket: BitbucketEmulator) -> object:
    body = {"name": "v2", "target": {"hash": head(bitbucket)}}
    return client_of(bitbucket).post("/repositories/acme/api/refs/tags", body)


def head(bitbucket: BitbucketEmulator) -> str:
    return str(client_of(bitbucket).refs.branch("api", "main")["target"]["hash"])


def deploying(bitbucket: BitbucketEmulator) -> dict[str, Any]:
    run_pipelines(
        bitbucket,
        {"steps": [{"name": "Deploy", "seconds": 60, "environment": "production"}], "parsing_seconds": 0, "pending_seconds": 0},
        seconds=30,
    )
    return {"environment": "production", "commit": head(bitbucket)[:12]}


PULL_REQUEST = Kind(
    BitbucketPullRequestSensor,
    lambda bitbucket: {"pull_request": open_pull_request(bitbucket)},
    happen("merge"),
    happen("decline"),
    ("Pull request #1 is OPEN.", "#1 is DECLINED by Dana Demo and will not change; expected MERGED."),
    {"pull_request": 99},
    {"id": 1, "state": "MERGED", "closed_by": "Dana Demo"},
)
BUILD_STATUS = Kind(
    BitbucketBuildStatusSensor,
    building,
    lambda bitbucket: set_status(bitbucket, "main", "test", "SUCCESSFUL"),
    lambda bitbucket: set_status(bitbucket, "main", "test", "FAILED"),
    ("are not done: 'test' (INPROGRESS).", "were successful: 'test' (FAILED)."),
    {"branch": "gone/away"},
    {"branch": "main"},
)
REF = Kind(
    BitbucketRefSensor,
    lambda bitbucket: {"tag": "v2"},
    tag,
    None,
    ("There is no tag 'v2' in acme/api.", ""),
    None,
    {"type": "tag", "name": "v2"},
)
DEPLOYMENT = Kind(
    BitbucketDeploymentSensor,
    deploying,
    lambda bitbucket: bitbucket.control("POST", "pipelines/acme/api/1/finish", {"result": "SUCCESSFUL"}),
    lambda bitbucket: bitbucket.control("POST", "pipelines/acme/api/1/finish", {"result": "FAILED"}),
    ("to production is in progress.", "to production was not successful: FAILED."),
    {"environment": "moon"},
    {"status": "SUCCESSFUL", "build_number": 1, "environment": "production"},
)
KINDS = {"pull_request": PULL_REQUEST, "build_status": BUILD_STATUS, "ref": REF, "deployment": DEPLOYMENT}
all_kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
failing_kinds = pytest.mark.parametrize("kind", [one for one in KINDS.values() if one.fail], ids=lambda one: one.sensor.__name__)


@pytest.fixture
def meanwhile(bitbucket: BitbucketEmulator) -> Iterator[Callable[..., None]]:
    """Do something as soon as the sensor has polled twice."""
    threads = []

    def meanwhile(what: Callable[[BitbucketEmulator], object]) -> None:
        bitbucket.reset_requests()
        thread = threading.Thread(target=lambda: (until_asked(bitbucket, 2), what(bitbucket)))
        threads.append(thread)
        thread.start()

    yield meanwhile
    for thread in threads:
        thread.join(timeout=30)


@both_forms
@all_kinds
def test_it_succeeds_in_the_state_that_is_waited_for(
    bitbucket: BitbucketEmulator, run_sensor: Sense, meanwhile: Callable[..., None], kind: Kind, deferrable: bool
) -> None:
    parameters = kind.begin(bitbucket)
    meanwhile(kind.reach)
    run = run_sensor(kind.sensor, deferrable=deferrable, **parameters)

    assert run.state == "success", run.log
    assert run.value.items() >= kind.value.items()
    assert run.value["url"].startswith(bitbucket.url)
    assert json.loads(json.dumps(run.value)) == run.value
    assert run.log.count(kind.says[0]) == 1, "logged once, in the worker or in the triggerer"
    assert ("DEFERRED" in run.log) is deferrable


@both_forms
@failing_kinds
def test_a_state_that_has_become_impossible_fails_it_without_retries(
    bitbucket: BitbucketEmulator, run_sensor: Sense, meanwhile: Callable[..., None], kind: Kind, deferrable: bool
) -> None:
    parameters = kind.begin(bitbucket)
    assert kind.fail
    meanwhile(kind.fail)
    run = run_sensor(kind.sensor, deferrable=deferrable, retries=2, **parameters)

    assert run.state == "failed"  # not up_for_retry: it would find the same
    assert isinstance(run.error, AirflowFailException)
    assert kind.says[1] in str(run.error)
    assert bitbucket.url in str(run.error)


@both_forms
@failing_kinds
def test_soft_fail_skips(
    bitbucket: BitbucketEmulator, run_sensor: Sense, meanwhile: Callable[..., None], kind: Kind, deferrable: bool
) -> None:
    parameters = kind.begin(bitbucket)
    assert kind.fail
    meanwhile(kind.fail)

    assert run_sensor(kind.sensor, deferrable=deferrable, soft_fail=True, **parameters).state == "skipped"


@both_forms
def test_soft_fail_does_not_skip_a_sensor_that_lost_access(
    bitbucket: BitbucketEmulator, run_sensor: Sense, meanwhile: Callable[..., None], deferrable: bool
) -> None:
    """A token that was revoked would skip every DAG, green and unnoticed."""
    parameters = PULL_REQUEST.begin(bitbucket)
    meanwhile(lambda bitbucket: bitbucket.control("DELETE", "credentials/demo-api-token"))
    run = run_sensor(PULL_REQUEST.sensor, deferrable=deferrable, soft_fail=True, **parameters)

    assert isinstance(run.error, BitbucketLostError)


@all_kinds
def test_a_state_that_was_reached_before_the_deadline_counts_though_it_was_polled_later(
    bitbucket: BitbucketEmulator, run_sensor: Sense, kind: Kind
) -> None:
    """In the triggerer many waits share the requests of their last poll."""
    parameters = kind.begin(bitbucket)
    kind.reach(bitbucket)
    sensor = kind.sensor(task_id="wait", repository="api", deferrable=True, **parameters)
    late = {"status": "timeout", "found": {}, "message": "It was not so when it was seen last."}

    assert sensor.execute_complete({}, late).items() >= kind.value.items()


def test_the_last_known_state_is_reported_if_the_last_poll_fails(bitbucket: BitbucketEmulator) -> None:
    sensor = PULL_REQUEST.sensor(task_id="wait", repository="api", deferrable=True, **PULL_REQUEST.begin(bitbucket))
    bitbucket.fault("server_error", count=None)
    with pytest.raises(AirflowSensorTimeout, match="is OPEN"):
        sensor.execute_complete({}, {"status": "timeout", "found": {}, "message": "Pull request #1 is OPEN."})


@both_forms
@all_kinds
def test_a_timeout_reports_the_last_state(bitbucket: BitbucketEmulator, run_sensor: Sense, kind: Kind, deferrable: bool) -> None:
    run = run_sensor(kind.sensor, deferrable=deferrable, timeout=0.4, **kind.begin(bitbucket))

    assert run.state == "failed"
    assert isinstance(run.error, AirflowSensorTimeout)
    if deferrable:
        assert kind.says[0] in str(run.error)


@both_forms
@all_kinds
def test_a_missing_subject_ends_the_wait_at_the_first_poll(
    bitbucket: BitbucketEmulator, run_sensor: Sense, kind: Kind, deferrable: bool
) -> None:
    parameters = {**kind.begin(bitbucket), **(kind.lost or {"repository": "nowhere"})}
    run = run_sensor(kind.sensor, deferrable=deferrable, **parameters)

    assert isinstance(run.error, BitbucketLostError)
    assert "DEFERRED" not in run.log


@all_kinds
def test_a_state_that_was_reached_before_is_not_deferred(bitbucket: BitbucketEmulator, run_sensor: Sense, kind: Kind) -> None:
    parameters = kind.begin(bitbucket)
    kind.reach(bitbucket)
    run = run_sensor(kind.sensor, deferrable=True, **parameters)

    assert run.state == "success"
    assert "DEFERRED" not in run.log
