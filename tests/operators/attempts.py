"""Attempts of a task without a scheduler, killed after a number of requests or with lost answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW

#: Makes what the task needs, and returns its parameters.
Prepare = Callable[[BitbucketClient, BitbucketEmulator], dict[str, Any]]
#: Returns what Bitbucket has in the end.
Effect = Callable[[BitbucketClient], Any]


class Killed(BaseException):
    """The task's process was killed."""


class TaskInstance:
    """The parts of a task instance that operators use; the same in all attempts."""

    dag_id, run_id, task_id, map_index = "attempts", "run", "task", -1

    def __init__(self) -> None:
        self.xcom: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep an XCom."""
        self.xcom[key] = value


def attempt(operator: type[Any], task_instance: TaskInstance | None = None, **parameters: Any) -> Any:
    """Run one attempt of a task, in a new operator as the process of each attempt makes it, and return its XCom."""
    with DAG("attempts", schedule=None) as dag:
        task = operator(task_id="task", **parameters)
    return task.execute({"ti": task_instance or TaskInstance(), "dag": dag, "task": task})


@contextmanager
def killed_after(number: int) -> Iterator[None]:
    """Kill the process when it has received its response with this number; the request has taken effect."""
    responses = itertools.count(1)
    send = requests.adapters.HTTPAdapter.send

    def send_and_die(*args: Any, **kwargs: Any) -> requests.Response:
        response = send(*args, **kwargs)
        if next(responses) == number:
            raise Killed
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.adapters.HTTPAdapter, "send", send_and_die)
        yield


def check_one_effect_despite_kills(
    monkeypatch: pytest.MonkeyPatch, operator: type[Any], prepare: Prepare, effect: Effect
) -> None:
    """Kill the first attempt after each of its requests and compare the effect of a retry with that of one attempt.

    :param operator: class of the task
    :param prepare: makes what the task needs in a new emulator, and returns the task's parameters
    :param effect: returns what Bitbucket has in the end, without ids and times that may differ
    """

    def effect_when_killed_after(number: int) -> tuple[Any, bool]:
        with _emulator(monkeypatch) as (bitbucket, client):
            parameters = prepare(client, bitbucket)
            try:
                with killed_after(number):
                    attempt(operator, **parameters)
                was_killed = False
            except Killed:
                attempt(operator, **parameters)
                was_killed = True
            return effect(client), was_killed

    undisturbed, _ = effect_when_killed_after(0)
    for number in itertools.count(1):
        disturbed, was_killed = effect_when_killed_after(number)
        assert disturbed == undisturbed, f"killed after request {number}"
        if not was_killed:
            assert number > 1, "the task made no request"
            return


def check_one_effect_despite_lost_answers(
    monkeypatch: pytest.MonkeyPatch, operator: type[Any], prepare: Prepare, effect: Effect, *, method: str = "POST", **fault: Any
) -> None:
    """Lose the answer to the first write of the task and compare the effect with that of an undisturbed attempt.

    :param operator: class of the task
    :param prepare: as for :func:`check_one_effect_despite_kills`
    :param effect: likewise
    :param method: method of the write
    :param fault: another fault than ``lost_answer``, as for ``BitbucketEmulator.fault``
    """
    effects = []
    for is_disturbed in (False, True):
        with _emulator(monkeypatch) as (bitbucket, client):
            parameters = prepare(client, bitbucket)
            if is_disturbed:
                bitbucket.fault(**{"kind": "lost_answer", "method": method, **fault})
            attempt(operator, **parameters)
            effects.append(effect(client))
            if is_disturbed:
                assert [one["struck"] for one in bitbucket.control("GET", "faults")] == [1]
    assert effects[1] == effects[0]


@contextmanager
def _emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[BitbucketEmulator, BitbucketClient]]:
    with BitbucketEmulator(seed="empty", speed=0, now=NOW) as bitbucket:
        monkeypatch.setenv("AIRFLOW_CONN_BITBUCKET_DEFAULT", connection_json(bitbucket))
        yield bitbucket, BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)
