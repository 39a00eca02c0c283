"""A kill stops the pipeline of a task that a person ended, and leaves that of a task that is still to run."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowTaskTimeout, TaskDeferred
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from airflow_provider_bitbucket.exceptions import BitbucketPipelineTimeoutError
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.tries import Record, Tries
from tests.operators.waiting import POLL, START, STOP, asked, pipeline, until
from tests.supervisor import supervisor, task_states

pytestmark = pytest.mark.usefixtures("trigger")  # pauses of milliseconds


@contextmanager
def beside(act: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread while the task runs."""
    with ThreadPoolExecutor() as pool:
        acting = pool.submit(act)
        yield
        acting.result()


@contextmanager
def on_signal(tries: Tries) -> Iterator[Callable[[], None]]:
    """Kill the task as Airflow does, from a signal handler in the main thread; gives what sends the signal and waits for it."""
    handled = threading.Event()

    def handle(*_: object) -> None:
        tries.task.on_kill()
        handled.set()

    def send() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert handled.wait(20)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        yield send
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextmanager
def killed_when_waiting(bitbucket: BitbucketEmulator, tries: Tries) -> Iterator[None]:
    """Kill the task when it waits for its pipeline."""
    with on_signal(tries) as kill:

        def act() -> None:
            until(lambda: asked(bitbucket, POLL) > 0)
            kill()

        with beside(act):
            yield


@contextmanager
def killed_during_the_start(bitbucket: BitbucketEmulator, tries: Tries) -> Iterator[None]:
    """Kill the task while Bitbucket has started the pipeline and not answered yet."""
    bitbucket.fault("late_answer", latency=60, method="POST", path="/pipelines/?$")
    with on_signal(tries) as kill:

        def act() -> None:
            until(lambda: any(fault["struck"] for fault in bitbucket.control("GET", "faults")))
            kill()
            bitbucket.clear_faults()

        with beside(act):
            yield


MOMENTS = pytest.mark.parametrize("moment", [killed_when_waiting, killed_during_the_start], ids=lambda one: one.__name__)


class TestEndedByAPerson:
    @MOMENTS
    @pytest.mark.parametrize("state", ["failed", "success", "skipped", "restarting"])
    def test_the_pipeline_is_stopped_and_a_retry_starts_a_new_one(
        self, bitbucket: BitbucketEmulator, moment: Callable[..., Any], state: str
    ) -> None:
        tries = Tries(Record(), poll_interval=1)
        tries.state = state
        with moment(bitbucket, tries), pytest.raises(AirflowException, match=f"was killed.* as {state}. Bitbucket was"):
            tries.run()
        assert asked(bitbucket, STOP) == 1
        bitbucket.clock(advance=60, speed=1000)
        assert pipeline(bitbucket)["result"] == "STOPPED"
        tries.renew()
        assert tries.run()["build_number"] == 2

    def test_one_that_a_task_would_not_wait_for_is_stopped_too(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(Record(), wait_for_completion=False)
        tries.state = "failed"
        with killed_during_the_start(bitbucket, tries), pytest.raises(AirflowException, match="The task was killed"):
            tries.run()
        bitbucket.clock(advance=60)
        assert pipeline(bitbucket)["result"] == "STOPPED"
        tries.renew()
        assert tries.run()["build_number"] == 2

    def test_a_bitbucket_that_does_not_take_the_stop_at_once_is_asked_again(self, bitbucket: BitbucketEmulator) -> None:
        bitbucket.fault("server_error", count=2, method="POST", path="stopPipeline")
        tries = Tries(Record())
        tries.state = "failed"
        with killed_when_waiting(bitbucket, tries), pytest.raises(AirflowException, match="Bitbucket was asked to stop it"):
            tries.run()
        assert asked(bitbucket, STOP) == 3

    @MOMENTS
    def test_cancel_on_kill_false_leaves_the_pipeline_running(
        self, bitbucket: BitbucketEmulator, moment: Callable[..., Any]
    ) -> None:
        tries = Tries(Record(), cancel_on_kill=False)
        tries.state = "failed"
        with moment(bitbucket, tries), pytest.raises(AirflowException, match=r"was killed\. The pipeline continues"):
            tries.run()
        assert not asked(bitbucket, STOP)

    @pytest.mark.parametrize("cancel", [True, False])
    def test_the_trigger_does_as_the_task(self, bitbucket: BitbucketEmulator, cancel: bool) -> None:
        with pytest.raises(TaskDeferred) as deferred:
            Tries(Record(), deferrable=True, cancel_on_kill=cancel).run()
        assert deferred.value.trigger.serialize()[1]["cancel_on_kill"] is cancel


class TestStillToRun:
    @MOMENTS
    @pytest.mark.parametrize("state", ["running", "up_for_retry", "scheduled", "queued", None])
    def test_the_try_ends_at_once_and_the_next_one_continues_with_the_pipeline(
        self, bitbucket: BitbucketEmulator, moment: Callable[..., Any], state: str | None
    ) -> None:
        tries = Tries(Record(), poll_interval=600)
        tries.state = state
        began = time.monotonic()
        with moment(bitbucket, tries), pytest.raises(AirflowException, match=r"was killed.* The pipeline continues"):
            tries.run()
        assert time.monotonic() - began < 60, "a tenth of the polling interval"
        assert not asked(bitbucket, STOP)
        bitbucket.clock(advance=3600)
        tries.renew()
        assert tries.run()["build_number"] == 1
        assert asked(bitbucket, START) == 1

    def test_a_task_that_would_not_wait_takes_it_in_its_next_try(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(Record(), wait_for_completion=False)
        with killed_during_the_start(bitbucket, tries), pytest.raises(AirflowException, match="The task was killed"):
            tries.run()
        tries.renew()
        assert tries.run()["build_number"] == 1
        assert asked(bitbucket, START) == 1

    def test_a_killed_task_is_not_deferred(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(Record(), deferrable=True)
        with killed_during_the_start(bitbucket, tries), pytest.raises(AirflowException, match="The task was killed"):
            tries.run()
        assert not asked(bitbucket, STOP)

    def test_before_airflow_3_3_no_try_could_continue_so_the_pipeline_is_stopped(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(record=None)
        with killed_when_waiting(bitbucket, tries), pytest.raises(AirflowException, match="Bitbucket was asked to stop it"):
            tries.run()
        assert asked(bitbucket, STOP) == 1

    def test_a_kill_before_the_start_starts_nothing(self, bitbucket: BitbucketEmulator) -> None:
        tries = Tries(Record())
        tries.task.on_kill()
        with pytest.raises(AirflowException, match="killed before its pipeline was started"):
            tries.run()
        assert not asked(bitbucket, START)


class TestTimeouts:
    """A timeout stops the pipeline although a retry remains, but not for a try that a later one has replaced."""

    @pytest.mark.parametrize("replaced", [False, True])
    def test_the_timeout_of_the_operator(self, bitbucket: BitbucketEmulator, replaced: bool) -> None:
        record = Record()
        tries = Tries(record, timeout=1)

        def replace() -> None:
            until(lambda: asked(bitbucket, POLL) > 0)
            record.left = {} if replaced else record.left

        with beside(replace), pytest.raises(BitbucketPipelineTimeoutError):
            tries.run()
        assert asked(bitbucket, STOP) == (0 if replaced else 1)

    @pytest.mark.parametrize("replaced", [False, True])
    def test_the_execution_timeout(self, bitbucket: BitbucketEmulator, replaced: bool) -> None:
        record = Record()
        tries = Tries(record)

        def time_out() -> None:
            until(lambda: asked(bitbucket, POLL) > 0)
            record.left = {} if replaced else record.left
            try:
                raise AirflowTaskTimeout  # as Airflow calls on_kill
            except AirflowTaskTimeout:
                tries.task.on_kill()

        with beside(time_out), pytest.raises(AirflowException, match="The task was killed"):
            tries.run()
        assert asked(bitbucket, STOP) == (0 if replaced else 1)


class TestSupervisor:
    """The signal arrives while the task itself waits for an answer of its supervisor."""

    @pytest.fixture
    def killed(self, bitbucket: BitbucketEmulator) -> Iterator[Tries]:
        """A try that waits for its pipeline, in a thread, and is killed by a real signal to this one."""
        tries = Tries(Record(), poll_interval=600)
        tries.get_task_states = RuntimeTaskInstance.get_task_states  # type: ignore[method-assign]
        before = signal.signal(signal.SIGUSR1, lambda *_: tries.task.on_kill())
        with ThreadPoolExecutor() as pool:
            running = pool.submit(tries.run)
            until(lambda: asked(bitbucket, POLL) > 0)
            yield tries
            with pytest.raises(AirflowException, match="The task was killed"):
                running.result()
        signal.signal(signal.SIGUSR1, before)

    def test_it_gets_its_answer_and_the_kill_is_handled_after_it(self, bitbucket: BitbucketEmulator, killed: Tries) -> None:
        main, interrupted = threading.get_ident(), threading.Event()

        def answer(request: dict[str, Any]) -> dict[str, Any]:
            if request["task_ids"] == ["another"]:
                signal.pthread_kill(main, signal.SIGUSR1)
                interrupted.set()
                return task_states("queued")
            return task_states("failed")

        with supervisor(answer):
            states = RuntimeTaskInstance.get_task_states("tries", task_ids=["another"])
            assert interrupted.is_set()
            assert states == {"run": {"task": "queued"}}
            until(lambda: asked(bitbucket, STOP) == 1)

    def test_one_that_does_not_answer_holds_up_the_kill_for_seconds_only(
        self, bitbucket: BitbucketEmulator, killed: Tries
    ) -> None:
        silent = threading.Event()

        def answer(request: dict[str, Any]) -> dict[str, Any]:
            silent.wait(60)
            return task_states("running")

        with supervisor(answer):
            began = time.monotonic()
            signal.raise_signal(signal.SIGUSR1)
            assert 1 < time.monotonic() - began < 5
            assert not asked(bitbucket, STOP)
            silent.set()
