"""The subjects of fuzzing: all code that reads responses of Bitbucket, with the properties of its results."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from airflow_provider_bitbucket.client import (
    NO_RETRIES,
    ApiToken,
    BitbucketClient,
    Clock,
    OAuthClientCredentials,
    RetryPolicy,
)
from airflow_provider_bitbucket.datasets import DATASETS
from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.hooks.check import check_connection
from airflow_provider_bitbucket.pipeline_runs.failure import explain_failure
from airflow_provider_bitbucket.pipeline_runs.step_logs import StepLogs
from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger
from airflow_provider_bitbucket.triggers.blocking import BlockingWait
from airflow_provider_bitbucket.triggers.build_statuses import BitbucketBuildStatusTrigger
from airflow_provider_bitbucket.triggers.deployments import BitbucketDeploymentTrigger
from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger
from airflow_provider_bitbucket.triggers.pull_requests import BitbucketPullRequestTrigger
from airflow_provider_bitbucket.triggers.refs import BitbucketRefTrigger
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.timing import Time
from tests.emulator_data import AUTHOR, BOT, REVIEWER, client_of, deploy, open_pull_request, run_pipelines, set_status

log = logging.getLogger("tests.fuzz")

_POLLS = 3


@dataclass(frozen=True)
class World:
    """The contents of the emulator and the address of the mutating server.

    :param url: address of the mutating server
    :param pull_request: number of a merged pull request
    :param commit: hash of a commit with build statuses
    :param failed: build number of a failed pipeline
    :param unchanged: no response is mutated
    """

    url: str
    pull_request: int
    commit: str
    failed: int
    unchanged: bool = False

    def client(self, auth: Any = None, retries: RetryPolicy | None = None, clock: Clock | None = None) -> BitbucketClient:
        """Return a client of the mutating server, by default with its own clock."""
        auth = auth or ApiToken(*BitbucketEmulator.api_token)
        return BitbucketClient(auth, "acme", f"{self.url}/2.0", retries=retries, clock=clock or Time().clock, timeout=(5.0, 5.0))


def emulator() -> BitbucketEmulator:
    """Return an emulator whose clock stands still, so that its responses can be replayed."""
    return BitbucketEmulator(seed="empty", speed=0, now=datetime(2026, 11, 2, 8, tzinfo=UTC))


def fill(bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Create at least one row for every dataset in the emulator, and return the fields of :class:`World` that describe them."""
    merged = open_pull_request(
        bitbucket,
        (1.0, "comment", REVIEWER),
        (2.0, "request_changes", REVIEWER),
        (3.0, "approve", REVIEWER),
        (4.0, "merge", AUTHOR),
    )
    open_pull_request(bitbucket, (1.0, "comment", AUTHOR))
    open_pull_request(bitbucket, (2.0, "decline", AUTHOR), author=BOT)
    deploy(bitbucket)
    steps = [{"name": "Test", "seconds": 5, "result": "FAILED", "test_cases": [{"name": "adds", "status": "FAILED"}]}]
    run_pipelines(bitbucket, {"steps": steps}, {})
    commit = bitbucket.state.workspaces["acme"].repositories["api"].branches["main"]
    (newest, *_) = client_of(bitbucket).pull_requests.commits("api", merged)
    for of in (commit, newest["hash"]):
        set_status(bitbucket, of, "unit", "SUCCESSFUL")
        set_status(bitbucket, of, "lint", "FAILED")
    return {"pull_request": merged, "commit": commit, "failed": 2}


@dataclass(frozen=True)
class Subject:
    """An operation that is run with mutated responses.

    :param name: name in the report of the tests
    :param run: runs the operation and checks its result; may raise a BitbucketError
    """

    name: str
    run: Callable[[World], None]


def _dataset(name: str, **options: Any) -> Subject:
    def run(world: World) -> None:
        dataset = Dataset(name)
        frame = dataset.frame(dataset.records(world.client(), ["api"], **options))
        _check_rows(dataset, frame)
        assert len(frame) or not world.unchanged, f"{name}: fuzzing needs a row"

    return Subject(f"{name} {' '.join(options)}".strip(), run)


def _check_rows(dataset: Dataset, frame: pd.DataFrame) -> None:
    key, required = list(dataset.schema.key), list(dataset.schema.required)
    assert list(frame.columns) == dataset.schema.names
    assert {column.name: str(frame.dtypes[column.name]) for column in dataset.schema} == {
        column.name: column.dtype for column in dataset.schema
    }
    assert not frame[required].isna().any(axis=None), f"{dataset.name}: a row without its key {required}"
    assert not frame.duplicated(key).any(), f"{dataset.name}: duplicate keys"


def _wait(kind: type[BitbucketWaitTrigger], options_of: Callable[[World], dict[str, Any]]) -> Subject:
    def run(world: World) -> None:
        common = {"bitbucket_conn_id": "bitbucket_default", "workspace": None, "repository": "acme/api"}
        trigger = kind(**common, poll_interval=60.0, deadline=time.time() + 3600, **options_of(world))  # type: ignore[arg-type]  # the options differ between the kinds of trigger
        wait = BlockingWait(trigger, world.client(retries=NO_RETRIES), log)
        for _ in range(_POLLS):
            if (event := wait.poll()) is not None:
                assert event["status"] in ("succeeded", "failed", "lost", "paused")
                return
        assert not world.unchanged, f"{kind.__name__} does not end"

    return Subject(f"wait for {kind.__name__}", run)


def _start(world: World) -> None:
    pipelines = world.client().pipelines
    started = pipelines.trigger("api", branch="main", variables={"A": "1"})
    pipelines.outcome("api", started["uuid"])


def _explain(world: World) -> None:
    assert isinstance(explain_failure(world.client, "api", str(world.failed)), str)


def _step_logs(world: World) -> None:
    StepLogs(world.client, "api", str(world.failed), "https://example.com", log=log, mode="all").finish()


def _stop(world: World) -> None:
    world.client().pipelines.stop("api", str(world.failed))


def _check(world: World) -> None:
    result = check_connection(world.client())
    assert isinstance(result.works, bool)
    assert result.message


def _client_credentials(world: World) -> None:
    auth = OAuthClientCredentials(*BitbucketEmulator.oauth_consumer)
    client = world.client(auth)
    client.get("/repositories/acme/api")
    for secret in auth.secrets():
        assert secret
        assert secret.isprintable()


def _entities(world: World) -> None:
    client = world.client()
    # The client accepts an empty object; its keys are checked where they are read.
    assert isinstance(client.pull_requests.get("api", world.pull_request), dict)
    assert isinstance(client.refs.branch("api", "main"), dict)
    list(client.repositories.find(fields="values.slug"))


SUBJECTS: tuple[Subject, ...] = (
    *(_dataset(name) for name in DATASETS),
    _dataset("pull_requests", with_activity=True, with_commits=True, with_diffstat=True),
    _wait(BitbucketPipelineTrigger, lambda world: {"pipeline": str(world.failed)}),
    _wait(BitbucketPullRequestTrigger, lambda world: {"pull_request": world.pull_request, "states": ["MERGED"]}),
    _wait(BitbucketRefTrigger, lambda world: {"kind": "branch", "name": "main"}),
    _wait(BitbucketDeploymentTrigger, lambda world: {"environment": "production", "commit": world.commit}),
    _wait(BitbucketBuildStatusTrigger, lambda world: {"commit": world.commit, "keys": ["unit"]}),
    Subject("start a pipeline", _start),
    Subject("explain a failure", _explain),
    Subject("step logs", _step_logs),
    Subject("stop a pipeline", _stop),
    Subject("test connection", _check),
    Subject("client credentials", _client_credentials),
    Subject("single resources", _entities),
)
