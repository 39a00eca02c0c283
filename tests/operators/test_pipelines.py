"""Starting a pipeline and waiting for it, run by a real Airflow against the emulator."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, AirflowTaskTimeout

from airflow_provider_bitbucket.exceptions import (
    BitbucketPipelineFailedError,
    BitbucketPipelineTimeoutError,
)
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.waiting import POLL, START, STOP, Trigger, asked, both_modes, meanwhile, pipeline, result_after, until


@both_modes
def test_a_successful_pipeline_makes_a_successful_task(bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool) -> None:
    bitbucket.clock(speed=1000)
    run = trigger(deferrable=deferrable)

    assert run.state == "success"
    known = pipeline(bitbucket)
    assert run.value["status"] == "SUCCESSFUL"
    assert run.value["uuid"] == run.xcom["pipeline_uuid"] == known["uuid"]
    assert run.value["build_number"] == run.xcom["build_number"] == 1
    assert run.value["url"] == run.xcom["pipeline_url"] == f"{bitbucket.url}/acme/api/pipelines/results/1"
    assert asked(bitbucket, START) == 1


@both_modes
def test_a_failed_pipeline_fails_the_task_and_shows_step_log_and_failed_tests(
    bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool
) -> None:
    cases = [{"name": "test_total", "status": "FAILED", "seconds": 0.1, "reason": "1 != 2"}]
    failing = {"name": "Unit tests", "seconds": 5, "result": "FAILED", "log": "collecting\nAssertionError: 1 != 2\n"}
    bitbucket.script("api", "*", steps=[{**failing, "test_cases": cases}])
    bitbucket.clock(speed=1000)
    run = trigger(deferrable=deferrable)

    assert run.state == "failed"
    assert isinstance(run.error, BitbucketPipelineFailedError)
    message = str(run.error)
    assert message.startswith(f"Pipeline #1 failed. {bitbucket.url}/acme/api/pipelines/results/1\n")
    for part in ("Unit tests", "AssertionError: 1 != 2", "test_total"):
        assert part in message
    assert "return_value" not in run.xcom
    assert run.xcom["build_number"] == 1


def test_a_broken_pipeline_definition_is_seen_at_once_and_never_deferred(bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
    bitbucket.script(
        "api", "*", result="ERROR", error={"key": "parse", "message": "Bad indentation"}, parsing_seconds=0, steps=[]
    )
    run = trigger(deferrable=True)

    assert isinstance(run.error, BitbucketPipelineFailedError)
    assert "Bad indentation" in str(run.error)
    assert "DEFERRED" not in run.log


@both_modes
def test_a_pipeline_that_somebody_stopped_is_no_success(bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool) -> None:
    stop = lambda: bitbucket.control("POST", "pipelines/acme/api/1/finish", {"result": "STOPPED"})  # noqa: E731 - it is short
    with meanwhile(bitbucket, lambda seen: True, stop):
        run = trigger(deferrable=deferrable)

    assert isinstance(run.error, BitbucketPipelineFailedError)
    assert "Pipeline #1 was stopped" in str(run.error)


@both_modes
def test_a_paused_pipeline_is_announced_once_with_its_address_and_waited_for(
    bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool
) -> None:
    bitbucket.clock(speed=1000)

    def approve() -> None:
        looks = asked(bitbucket, POLL)
        until(lambda: asked(bitbucket, POLL) >= looks + 4)  # it is left paused for some more looks
        bitbucket.control("POST", "pipelines/acme/api/1/continue", {})

    with meanwhile(bitbucket, lambda seen: seen["stage"] == "PAUSED", approve):
        run = trigger(custom_pipeline="release-with-approval", deferrable=deferrable)

    assert run.state == "success"
    assert run.log.count("Pipeline #1 is paused at a manual step") == 1
    assert f"Manual action required: {bitbucket.url}/acme/api/pipelines/results/1" in run.log


@both_modes
def test_a_state_nobody_knows_yet_is_waited_through(bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool) -> None:
    def show(state: dict[str, Any] | None) -> None:
        bitbucket.control("PUT", "pipelines/acme/api/1/state", {"state": state})

    def surprise() -> None:
        show({"name": "MEDITATING", "type": "pipeline_state_meditating"})
        looks = asked(bitbucket, POLL)
        until(lambda: asked(bitbucket, POLL) >= looks + 3)
        show(None)
        bitbucket.clock(advance=600)

    with meanwhile(bitbucket, lambda seen: True, surprise):
        run = trigger(deferrable=deferrable)

    assert run.state == "success"
    assert run.log.count("is in a state this provider does not know: MEDITATING") == 1


@both_modes
def test_a_timeout_stops_the_pipeline(bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool) -> None:
    run = trigger(deferrable=deferrable, timeout=0.2)

    assert isinstance(run.error, BitbucketPipelineTimeoutError)
    assert "had not finished within 0 s" in str(run.error)
    assert "Bitbucket was asked to stop it" in str(run.error)
    assert result_after(bitbucket, 5) == "STOPPED"


@both_modes
def test_execution_timeout_holds_while_deferred_too_and_stops_the_pipeline(
    bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool
) -> None:
    run = trigger(deferrable=deferrable, execution_timeout=timedelta(seconds=4))

    assert run.state == "failed"
    assert isinstance(run.error, AirflowTaskTimeout)
    assert result_after(bitbucket, 5) == "STOPPED"


def test_a_pipeline_that_ended_while_the_timed_out_task_queued_is_a_success(
    bitbucket: BitbucketEmulator, trigger: Trigger
) -> None:
    started = trigger(wait_for_completion=False)
    bitbucket.clock(advance=600)
    operator = BitbucketTriggerPipelineOperator(task_id="late", repository="api", branch="main")
    event = {"status": "timeout", "found": {"uuid": started.xcom["pipeline_uuid"]}, "message": "was running"}

    assert operator.execute_complete({}, event)["status"] == "SUCCESSFUL"
    assert not asked(bitbucket, STOP)


def test_not_waiting_returns_as_soon_as_the_pipeline_is_started(bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
    run = trigger(wait_for_completion=False, deferrable=True)

    assert run.state == "success"
    assert run.value["status"] == "PENDING"
    assert set(run.xcom) >= {"pipeline_uuid", "build_number", "pipeline_url", "return_value"}
    assert not asked(bitbucket, POLL)


@pytest.mark.parametrize("event", [None, {}, {"status": "success"}, "done"])
def test_an_event_that_says_nothing_known_never_succeeds(event: Any) -> None:
    operator = BitbucketTriggerPipelineOperator(task_id="t", repository="api", branch="main")

    with pytest.raises(AirflowException, match="instead of how the wait ended"):
        operator.execute_complete({}, event)


def test_killing_a_task_that_has_started_nothing_is_harmless(bitbucket: BitbucketEmulator) -> None:
    BitbucketTriggerPipelineOperator(task_id="t", repository="api", branch="main").on_kill()

    assert not bitbucket.requests()


def test_killing_a_waiting_task_stops_its_pipeline(bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
    """The worker calls on_kill from its signal handler, in the middle of the wait."""

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        until(lambda: asked(bitbucket, STOP) == 1)
        bitbucket.clock(advance=5)

    with meanwhile(bitbucket, lambda seen: asked(bitbucket, POLL) > 0, kill):
        run = trigger(deferrable=False)

    assert "It was the last attempt: no later one resumes waiting for the pipeline. Bitbucket was asked to stop it" in run.log
    assert pipeline(bitbucket)["result"] == "STOPPED"
    assert run.state == "failed"


class TestWhatToRun:
    """Parameters, checked as early as they are known."""

    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"branch": "main", "tag": "v1"},
            {"branch": "main", "pull_request": 3},
            {"branch": "main", "tag": "v1", "commit": "{{ params.commit }}"},
        ],
    )
    def test_none_or_two_targets_are_refused_when_the_dag_is_parsed(self, parameters: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="give exactly one of branch, tag, commit, pull_request"):
            BitbucketTriggerPipelineOperator(task_id="t", repository="api", **parameters)

    def test_templates_may_leave_one_target_of_several(self, bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
        run = trigger(branch="{{ '' }}", commit="{{ None or '' }}", tag="", pull_request=None, wait_for_completion=False)
        assert "Exactly one of branch, tag, commit and pull_request" in str(run.error)

        run = trigger(branch="{{ 'main' }}", commit="{{ '' }}", wait_for_completion=False)
        assert run.value["ref_name"] == "main"

    def test_exactly_this_commit_runs_in_the_context_of_a_branch(self, bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
        bitbucket.control("POST", "pullrequests/acme/api", {"title": "Faster", "source_branch": "feature/x"})
        commit = BitbucketHook().get_conn().refs.branch("api", "main")["target"]["hash"]
        run = trigger(branch="feature/x", commit=f"{{{{ '{commit[:10]}' }}}}", wait_for_completion=False)
        assert run.state == "success", run.error
        assert (run.value["ref_name"], run.value["commit"]) == ("feature/x", commit)

    def test_two_targets_after_rendering_are_refused_before_anything_is_started(
        self, bitbucket: BitbucketEmulator, trigger: Trigger
    ) -> None:
        run = trigger(branch="{{ 'main' }}", tag="{{ 'v1' }}")

        assert "given: branch='main', tag='v1'" in str(run.error)
        assert not asked(bitbucket, START)

    @pytest.mark.parametrize("seconds", [0, -1, "soon", timedelta(0), math.inf, math.nan, True])
    @pytest.mark.parametrize("name", ["poll_interval", "timeout"])
    def test_times_are_seconds(self, name: str, seconds: Any) -> None:
        with pytest.raises(ValueError, match=f"{name} is .*expected a finite number of seconds"):
            BitbucketTriggerPipelineOperator(task_id="t", repository="api", branch="main", **{name: seconds})

    def test_what_could_not_be_deferred_is_refused_before_anything_is_started(
        self, bitbucket: BitbucketEmulator, trigger: Trigger
    ) -> None:
        run = trigger(workspace=timedelta(1), deferrable=True)

        assert str(run.error) == "workspace is datetime.timedelta(days=1) (a timedelta); expected text"
        assert not asked(bitbucket, START)

    def test_a_commit_a_selector_and_variables_reach_bitbucket(self, bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
        commit = trigger(wait_for_completion=False).value["commit"]
        run = trigger(
            commit=commit,
            selector={"type": "custom", "pattern": "nightly"},
            variables={"LEVEL": "{{ 1 + 1 }}", "DRY": "true"},
            wait_for_completion=False,
        )

        assert run.state == "success", run.error
        assert pipeline(bitbucket, 2)["variables"] == [
            {"key": "LEVEL", "value": "2"},
            {"key": "DRY", "value": "true"},
        ]

    def test_a_pull_request_runs_its_own_pipeline(self, bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
        run = trigger(pull_request="{{ " + str(self.pull_request()) + " }}", wait_for_completion=False)

        assert run.state == "success", run.error
        assert run.value["ref_name"] == "feature"

    def pull_request(self) -> int:
        """Open a pull request that has a pipeline, and return its number."""
        client = BitbucketHook().get_conn()
        repository = client.repository_path("api")
        definition = "pipelines: {pull-requests: {'**': [{step: {name: Check, script: [make]}}]}}"
        client.request("POST", f"{repository}/src", data={"branch": "feature", "bitbucket-pipelines.yml": definition})
        branches = {"source": {"branch": {"name": "feature"}}, "destination": {"branch": {"name": "main"}}}
        return int(client.post(f"{repository}/pullrequests", {"title": "Check it", **branches})["id"])

    def test_a_pull_request_starts_though_the_budget_allows_only_one_request_at_a_time(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "airflow_provider_bitbucket.client.transport.sender._MOST_SPACING", 0
        )  # a tenth of a second is long here
        number = self.pull_request()
        BitbucketHook().get_conn().budget.learn({"X-RateLimit-Limit": "36000", "X-RateLimit-NearLimit": "true"})
        run = trigger(pull_request=number, wait_for_completion=False)

        assert run.state == "success", run.error
        assert "could not be started yet" not in run.log

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("pull_request", "{{ params.get('nothing') }}", "Exactly one of branch, tag, commit and pull_request"),
            ("pull_request", "feature/x", "pull_request is 'feature/x'; expected a whole number"),
            ("selector", "{{ params.get('nothing') }}", "selector is empty (its template"),
            ("selector", ["custom"], r"selector is ['custom']; expected a mapping"),
        ],
    )
    def test_what_is_no_number_and_no_selector_is_named(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, name: str, value: Any, said: str
    ) -> None:
        run = trigger(**{name: value})

        assert said in str(run.error)
        assert not asked(bitbucket, START)

    @pytest.mark.parametrize("name", ["custom_pipeline", "selector"])
    def test_a_name_that_renders_to_nothing_does_not_run_what_a_push_runs(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, name: str
    ) -> None:
        run = trigger(**{name: "{{ '' }}"}, wait_for_completion=False)

        assert f"{name} is empty" in str(run.error)
        assert not asked(bitbucket, START)


class TestSecuredVariables:
    SECRET = "hunter2-hunter2"

    def rendered(self) -> str:
        from airflow.models.renderedtifields import RenderedTaskInstanceFields
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            newest = select(RenderedTaskInstanceFields).order_by(RenderedTaskInstanceFields.run_id.desc()).limit(1)
            return str(session.scalars(newest).one().rendered_fields)

    def test_their_values_are_masked_where_airflow_shows_the_rendered_task(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_VAR_INNOCENT", self.SECRET)
        run = trigger(
            variables=[
                {"key": "STAGE", "value": "production"},
                {"key": "DEPLOY", "value": "{{ var.value.innocent }}", "secured": True},
            ],
            wait_for_completion=False,
        )

        assert pipeline(bitbucket)["variables"][1] == {"key": "DEPLOY", "value": self.SECRET, "secured": True}
        assert "production" in self.rendered()
        assert self.SECRET not in self.rendered()
        assert self.SECRET not in run.log
        assert self.SECRET not in str(run.xcom)

    def test_one_that_looks_like_a_template_is_masked_too(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_VAR_INNOCENT", "hunter3{{hunter%}3")
        run = trigger(
            variables=[{"key": "DEPLOY", "value": "{{ var.value.innocent }}", "secured": True}], wait_for_completion=False
        )

        assert pipeline(bitbucket)["variables"][0]["value"] == "hunter3{{hunter%}3"
        assert "hunter3" not in self.rendered() + run.log

    def test_a_number_is_masked_too(self, bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
        run = trigger(variables=[{"key": "PIN", "value": 7391846205, "secured": True}], wait_for_completion=False)

        assert pipeline(bitbucket)["variables"] == [{"key": "PIN", "value": "7391846205", "secured": True}]
        assert "PIN" in self.rendered()
        assert "7391846205" not in self.rendered() + run.log

    def test_they_are_masked_in_mapped_tasks_too(
        self, bitbucket: BitbucketEmulator, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_VAR_INNOCENT", f"{self.SECRET}-mapped")
        secured = [{"key": "DEPLOY", "value": "{{ var.value.innocent }}", "secured": True}]
        with DAG("mapped", schedule=None) as dag:
            BitbucketTriggerPipelineOperator.partial(
                task_id="task", repository="api", branch="main", wait_for_completion=False
            ).expand(variables=[secured])

        assert run_dag(dag).state == "success"
        assert pipeline(bitbucket)["variables"][0]["value"] == f"{self.SECRET}-mapped"
        assert "DEPLOY" in self.rendered()
        assert self.SECRET not in self.rendered()
