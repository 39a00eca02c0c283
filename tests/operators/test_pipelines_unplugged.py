"""What a user sees when something is not as it should be, run by a real Airflow against the emulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitbucket.exceptions import (
    BitbucketPipelineLostError,
    BitbucketPipelineTimeoutError,
)
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.waiting import POLL, Trigger, asked, both_modes, meanwhile

#: Polls of a pipeline, not the requests before its start.
POLLS = "/pipelines/[^/]+$"


class TestUnplugged:
    """What a user sees when something is not as it should be."""

    @both_modes
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "rate_limit", "count": 4},
            {"kind": "server_error", "count": 4},
            {"kind": "reset", "count": 4},
            {"kind": "truncated", "count": 4},
            {"kind": "html", "count": 4},
        ],
        ids=lambda fault: fault["kind"],
    )
    def test_faults_while_waiting_do_not_fail_the_task(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, fault: dict[str, Any], deferrable: bool, eager_budget: None
    ) -> None:
        bitbucket.clock(speed=500)
        bitbucket.fault(**fault, method="GET", path=POLLS)
        run = trigger(deferrable=deferrable)

        assert run.state == "success"
        assert "Polling the pipeline failed" in run.log
        assert "Bitbucket answers again, after" in run.log

    @both_modes
    def test_a_minute_of_429_is_waited_out(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool, eager_budget: None
    ) -> None:
        bitbucket.fault("rate_limit", method="GET", path=POLLS, seconds=60)
        with meanwhile(bitbucket, lambda seen: asked(bitbucket, POLL) > 2, lambda: bitbucket.clock(speed=500)):
            run = trigger(deferrable=deferrable)

        assert run.state == "success"
        assert "Rate limit for this resource has been exceeded" in run.log

    @both_modes
    def test_a_bitbucket_that_stays_away_times_out_with_the_reason(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool
    ) -> None:
        bitbucket.fault("server_error", count=None, method="GET", path=POLLS)
        run = trigger(deferrable=deferrable, timeout=0.3)

        assert isinstance(run.error, BitbucketPipelineTimeoutError)
        assert "Polling failed:" in str(run.error)
        assert "Bitbucket was asked to stop it" in str(run.error)

    @both_modes
    def test_a_token_revoked_while_waiting_ends_the_wait_with_bitbuckets_words(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool
    ) -> None:
        with meanwhile(bitbucket, lambda seen: True, lambda: bitbucket.control("DELETE", "credentials/demo-api-token")):
            run = trigger(deferrable=deferrable)

        assert isinstance(run.error, BitbucketPipelineLostError)
        assert "401" in str(run.error)
        assert "The pipeline may still be running." in str(run.error)

    @both_modes
    def test_a_pipeline_that_vanished_ends_the_wait(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool
    ) -> None:
        with meanwhile(bitbucket, lambda seen: True, lambda: bitbucket.control("DELETE", "pipelines/acme/api/1")):
            run = trigger(deferrable=deferrable)

        assert isinstance(run.error, BitbucketPipelineLostError)
        assert "404" in str(run.error)

    @pytest.mark.parametrize(
        ("parameters", "said"),
        [
            ({"workspace": "acne"}, ["acne/api", "404"]),
            ({"repository": "appi"}, ["acme/appi", "404", "do not have access"]),
            ({"branch": "mian"}, ["mian", "acme/api", "404"]),
            ({"tag": "v9"}, ["v9", "acme/api", "404"]),
            ({"custom_pipeline": "deploy-prod"}, ["Bitbucket has no custom pipeline 'deploy-prod'", "main of acme/api"]),
        ],
        ids=["workspace", "repository", "branch", "tag", "selector"],
    )
    def test_a_wrong_name_is_named(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, parameters: dict[str, str], said: list[str]
    ) -> None:
        run = trigger(**parameters)

        assert run.state == "failed"
        for words in said:
            assert words in str(run.error)

    def test_switched_off_pipelines_are_told_with_the_way_to_switch_them_on(
        self, bitbucket: BitbucketEmulator, trigger: Trigger
    ) -> None:
        bitbucket.control("POST", "repositories", {"repository": "api", "pipelines_enabled": False})
        run = trigger()

        assert "Pipelines are switched off in acme/api" in str(run.error)

    def test_a_missing_workspace_names_the_connection_and_the_ways_to_give_one(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, connect: Callable[..., None]
    ) -> None:
        connect(connection_json(bitbucket, workspace=""))

        assert str(trigger().error) == (
            "Connection 'bitbucket_default': workspace is empty, and the task names none. Fill it in, give the task "
            "workspace=..., or write the repository as 'workspace/api'."
        )
        assert trigger(repository="acme/api", wait_for_completion=False).state == "success"
        assert trigger(workspace="acme", wait_for_completion=False).state == "success"

    def test_a_missing_connection_is_named(self, airflow_home: object, trigger: Trigger) -> None:
        run = trigger(bitbucket_conn_id="nowhere")

        assert "nowhere" in str(run.error)

    def test_a_token_without_the_scope_says_which_is_missing(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, connect: Callable[..., None]
    ) -> None:
        reading = {"kind": "api_token", "login": "ro@x.org", "secret": "read-only-token", "scopes": ["read:pipeline:bitbucket"]}
        bitbucket.control("POST", "credentials", reading)
        connect(json.dumps({**json.loads(connection_json(bitbucket)), "login": "ro@x.org", "password": "read-only-token"}))
        run = trigger()

        assert "write:pipeline:bitbucket" in str(run.error)
