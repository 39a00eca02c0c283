"""One task, one pipeline: lost answers, retries and pressing the button twice, run by a real Airflow against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketAmbiguousError, BitbucketClient, BitbucketPermissionError
from airflow_provider_bitbucket.exceptions import (
    BitbucketAmbiguousStartError,
    BitbucketPipelineFailedError,
    BitbucketPipelineTimeoutError,
)
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator
from airflow_provider_bitbucket.pipeline_runs.policies import SearchPolicy
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.tries import Record, Tries
from tests.operators.waiting import LIST, START, STOP, Trigger, asked, both_modes, pipeline, time_passes_with_polls, until


def count() -> int:
    """How many pipelines there are."""
    return len([*BitbucketHook().get_conn().pipelines.list("api")])


def start_another(**what: Any) -> None:
    """Start a pipeline in the same name as the task."""
    BitbucketHook().get_conn().pipelines.trigger("api", **{"branch": "main", **what})


@pytest.mark.usefixtures("trigger")
class TestLostAnswer:
    @both_modes
    def test_a_pipeline_whose_answer_was_lost_is_found_and_waited_for(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool
    ) -> None:
        bitbucket.clock(speed=20)
        bitbucket.fault("lost_answer", method="POST")
        run = trigger(deferrable=deferrable)

        assert run.state == "success", run.error
        assert run.value["build_number"] == 1
        assert asked(bitbucket, START) == count() == 1

    @pytest.mark.parametrize("fault", ["reset", "server_error"])
    def test_a_start_that_never_reached_bitbucket_is_started_again(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, fault: str
    ) -> None:
        bitbucket.fault(fault, method="POST")
        run = trigger(wait_for_completion=False)

        assert run.state == "success", run.error
        assert (asked(bitbucket, START), count()) == (2, 1)

    def test_a_429_for_the_start_is_waited_out_and_nothing_is_started_twice(self, bitbucket: BitbucketEmulator) -> None:
        bitbucket.settings(retry_after="seconds")
        bitbucket.clock(speed=1)
        tries = Tries(Record(), wait_for_completion=False)
        bitbucket.fault("rate_limit", method="POST", seconds=5, count=1)

        assert tries.run()["build_number"] == 1
        assert (asked(bitbucket, START), count()) == (2, 1)

    def test_an_outage_while_a_lost_start_is_looked_for_is_waited_out(
        self, bitbucket: BitbucketEmulator, trigger: Trigger
    ) -> None:
        bitbucket.clock(speed=20)
        bitbucket.fault("lost_answer", method="POST")
        bitbucket.fault("server_error", method="GET", path="/pipelines/?$", after=1, count=9)  # the client gives up after 8
        run = trigger(wait_for_completion=False)

        assert run.state == "success", run.error
        assert asked(bitbucket, START) == count() == 1

    def test_starts_that_always_break_off_fail_the_task_with_nothing_started(
        self, bitbucket: BitbucketEmulator, trigger: Trigger
    ) -> None:
        bitbucket.fault("reset", count=None, method="POST")
        run = trigger(wait_for_completion=False)

        assert isinstance(run.error, BitbucketAmbiguousError)
        assert (asked(bitbucket, START), count()) == (2, 0)

    @pytest.mark.parametrize(
        ("other", "own"),
        [
            ({"custom_pipeline": "nightly"}, {}),
            ({}, {"custom_pipeline": "nightly"}),
            ({"custom_pipeline": "nightly"}, {"custom_pipeline": "deploy-staging"}),
        ],
    )
    def test_pipelines_of_other_selectors_are_not_mistaken_for_it(
        self, bitbucket: BitbucketEmulator, other: dict[str, str], own: dict[str, str]
    ) -> None:
        bitbucket.script("api", "*", steps=[{"name": "Wait", "seconds": 600}], parsing_seconds=0)
        record = Record()
        tries = Tries(record, wait_for_completion=False, **own)
        tries.run()
        entry = record.left["bitbucket_pipeline"]
        uuid = entry.pop("uuid")
        record.left["bitbucket_pipeline"] = {**entry, "attempt": {"newest": 0, "at": bitbucket.clock().isoformat()}}
        start_another(**other)
        bitbucket.clock(advance=30)

        assert tries.run()["uuid"] == uuid
        assert count() == 2

    def test_more_than_one_that_fits_fails_with_their_list_and_is_not_retried(
        self, bitbucket: BitbucketEmulator, trigger: Trigger
    ) -> None:
        tries = self.two_that_fit(bitbucket)
        with pytest.raises(BitbucketAmbiguousStartError) as raised:
            tries.run()

        for number in (1, 2):
            assert f"{bitbucket.url}/acme/api/pipelines/results/{number} of 2026-11-02T08:00" in str(raised.value)
        assert count() == 2

    def test_the_newest_that_fits_is_taken_when_that_is_asked_for(self, bitbucket: BitbucketEmulator) -> None:
        tries = self.two_that_fit(bitbucket, on_ambiguous="adopt_newest")

        assert tries.run()["build_number"] == 2
        assert count() == 2

    def test_one_that_was_started_much_later_is_hardly_the_own_one(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(self.interrupted(bitbucket), wait_for_completion=False)
        bitbucket.clock(advance=300)
        start_another()
        with pytest.raises(BitbucketAmbiguousStartError, match="results/1 of 2026-11-02T08:05"):
            tries.run()

    def test_what_a_push_started_is_not_mistaken_for_it(self, bitbucket: BitbucketEmulator) -> None:
        record = self.interrupted(bitbucket)
        client = BitbucketHook().get_conn()
        client.request("POST", f"{client.repository_path('api')}/src", data={"branch": "main", "README.md": "pushed"})
        assert count() == 1, "the push has started one"
        tries = Tries(record, wait_for_completion=False)

        assert tries.run()["build_number"] == 2

    def test_a_siblings_pipeline_is_not_mistaken_for_it_though_it_is_told_while_this_looks(
        self, bitbucket: BitbucketEmulator
    ) -> None:
        tries = Tries(self.interrupted(bitbucket), wait_for_completion=False)
        tries.task.search_policy = SearchPolicy(pause_seconds=1)
        start_another()
        with ThreadPoolExecutor() as pool:
            running = pool.submit(tries.run)
            until(lambda: asked(bitbucket, LIST) > 1)
            tries.of_siblings.append(pipeline(bitbucket)["uuid"])
            assert running.result()["build_number"] == 2

    def test_a_start_that_was_lost_is_still_looked_for_when_the_next_one_is_refused(self, bitbucket: BitbucketEmulator) -> None:
        record = Record()
        tries = Tries(record, wait_for_completion=False)
        bitbucket.fault("server_error", method="POST")
        bitbucket.fault("server_error", method="POST", status=403)
        with pytest.raises(BitbucketPermissionError):
            tries.run()
        start_another()  # it shows up late

        assert tries.run()["build_number"] == 1
        assert count() == 1

    def interrupted(self, bitbucket: BitbucketEmulator) -> Record:
        """What a try leaves that was killed during its start."""
        target = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}
        attempt = {"newest": 0, "at": bitbucket.clock().isoformat()}
        asked_for = {"repository": "acme/api", "target": target}
        return Record(bitbucket_pipeline={"max_tries": 2, "retries": 2, "cleared": 0, "asked": asked_for, "attempt": attempt})

    def two_that_fit(self, bitbucket: BitbucketEmulator, **parameters: Any) -> Tries:
        start_another()
        start_another()
        return Tries(self.interrupted(bitbucket), wait_for_completion=False, **parameters)


@pytest.mark.usefixtures("bitbucket", "trigger")
class TestRetries:
    def test_a_retry_after_a_failed_pipeline_starts_a_new_one(self, bitbucket: BitbucketEmulator) -> None:
        bitbucket.script("api", "*", steps=[{"name": "Build", "seconds": 5}], outcomes=[{"result": "FAILED"}, {}])
        bitbucket.clock(speed=1000)
        tries = Tries(Record())
        with pytest.raises(BitbucketPipelineFailedError):
            tries.run()

        assert tries.run()["build_number"] == count() == 2

    def test_a_retry_goes_on_with_the_pipeline_that_was_not_over_in_time(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(Record(), timeout=0.1, stop_on_timeout=False)
        with pytest.raises(BitbucketPipelineTimeoutError, match="The pipeline continues"):
            tries.run()
        assert not asked(bitbucket, STOP)
        tries.task.timeout = 60
        bitbucket.clock(speed=1000)

        assert tries.run()["build_number"] == 1
        assert count() == 1

    def test_a_retry_after_a_successful_pipeline_starts_none(self, bitbucket: BitbucketEmulator) -> None:
        bitbucket.clock(speed=1000)
        tries = Tries(Record())
        first = tries.run()

        assert tries.run() == first  # the worker died before it could tell
        assert count() == 1

    def test_a_cleared_task_starts_a_new_one_though_retries_were_lowered_meanwhile(self, bitbucket: BitbucketEmulator) -> None:
        bitbucket.clock(speed=1000)
        tries = Tries(Record())
        tries.run()
        tries.clear(retries=1)  # 1 try used + 1 = 2, which max_tries was before

        assert tries.run()["build_number"] == 2

    def test_a_cleared_task_starts_a_new_one(self, bitbucket: BitbucketEmulator) -> None:
        bitbucket.clock(speed=1000)
        tries = Tries(Record())
        tries.run()
        tries.clear()

        assert tries.run()["build_number"] == 2

    def test_another_target_after_rendering_is_another_pipeline(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(Record(), wait_for_completion=False)
        tries.run()
        tries.task.branch, tries.task.custom_pipeline = "main", "nightly"

        assert tries.run()["build_number"] == 2

    def test_a_start_that_bitbucket_refused_leaves_nothing_to_look_for(self, bitbucket: BitbucketEmulator) -> None:
        record = Record()
        tries = Tries(record, branch="mian")
        with pytest.raises(Exception, match="mian"):
            tries.run()

        assert not record.left


@pytest.mark.usefixtures("trigger")
class TestRetriesBeforeAirflow33:
    """Where no try can leave word to the next."""

    def test_a_retry_goes_on_with_the_only_one_that_is_running(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(max_active_runs=1, wait_for_completion=False)
        tries.run()

        with time_passes_with_polls(bitbucket, 3):
            assert tries.run()["build_number"] == 1
        assert count() == 1

    def test_a_retry_does_not_take_what_may_be_another_runs(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(max_active_runs=16, wait_for_completion=False)
        tries.run()
        with pytest.raises(
            BitbucketAmbiguousStartError, match=r"of an earlier attempt created one of these pipelines:\n.*results/1"
        ):
            tries.run()

    def test_a_retry_after_a_failed_pipeline_starts_a_new_one(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(wait_for_completion=False)
        tries.run()
        bitbucket.control("POST", "pipelines/acme/api/1/finish", {"result": "FAILED"})

        assert tries.run()["build_number"] == 2

    def test_a_retry_does_not_take_a_pipeline_of_another_selector_that_is_still_being_parsed(
        self, bitbucket: BitbucketEmulator
    ) -> None:
        tries = Tries(max_active_runs=1, custom_pipeline="deploy-staging", wait_for_completion=False)
        tries.number = 1  # the worker of the first try died before it started anything
        start_another(custom_pipeline="nightly")
        with time_passes_with_polls(bitbucket, 3):
            assert tries.run()["build_number"] == 2

    def test_one_whose_selector_never_shows_is_not_taken_for_certain(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(max_active_runs=1, wait_for_completion=False)
        tries.number = 1
        start_another(custom_pipeline="nightly")
        with pytest.raises(BitbucketAmbiguousStartError, match="results/1"):  # time stands still
            tries.run()

    def test_what_a_push_started_is_not_taken_where_the_account_is_not_known(
        self, bitbucket: BitbucketEmulator, connect: Callable[..., None]
    ) -> None:
        connect(connection_json(bitbucket, "access_token"))
        client = BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)
        client.request("POST", f"{client.repository_path('api')}/src", data={"branch": "main", "README.md": "pushed"})
        bitbucket.clock(advance=20)
        tries = Tries(max_active_runs=1, wait_for_completion=False)
        tries.number = 1

        assert tries.run()["build_number"] == 2

    def test_a_retry_that_may_reuse_what_is_running_does_so(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(reuse_running=True, wait_for_completion=False)
        tries.run()
        with time_passes_with_polls(bitbucket, 3):
            assert tries.run()["build_number"] == 1
        assert count() == 1

    def test_a_cleared_task_does_not_look_back(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(wait_for_completion=False)
        tries.run()
        tries.clear()

        assert tries.run()["build_number"] == 2


class TestReuse:
    def test_a_running_pipeline_of_the_same_target_is_used_and_never_stopped(
        self, bitbucket: BitbucketEmulator, trigger: Trigger
    ) -> None:
        start_another()
        with time_passes_with_polls(bitbucket, 3):
            run = trigger(reuse_running=True, timeout=0.1, poll_interval=10)

        assert "The pipeline continues." in str(run.error)
        assert run.xcom["build_number"] == count() == 1
        assert not asked(bitbucket, STOP)

    def test_one_that_is_over_or_another_is_not_used(self, bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
        start_another()
        bitbucket.control("POST", "pipelines/acme/api/1/finish", {"result": "SUCCESSFUL"})
        start_another(custom_pipeline="nightly")  # which is not shown before it is parsed
        with time_passes_with_polls(bitbucket, 3):
            run = trigger(reuse_running=True, wait_for_completion=False)

        assert run.value["build_number"] == 3
        assert pipeline(bitbucket, 3)["result"] is None

    def test_one_that_never_shows_what_it_runs_is_not_used(self, bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
        start_another(custom_pipeline="nightly")
        run = trigger(reuse_running=True, wait_for_completion=False)  # time stands still

        assert run.value["build_number"] == 2


@pytest.mark.parametrize("name", ["on_paused", "on_ambiguous"])
def test_policies_are_words(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 'no'; expected one of"):
        BitbucketTriggerPipelineOperator(task_id="t", repository="api", branch="main", **{name: "no"})  # type: ignore[arg-type]  # wrong on purpose
