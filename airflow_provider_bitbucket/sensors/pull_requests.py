"""Wait for the state of a pull request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_bitbucket.sensors.waiting import BitbucketSensor
from airflow_provider_bitbucket.triggers.pull_requests import FINAL_STATES, BitbucketPullRequestTrigger

STATES = ("OPEN", *FINAL_STATES)


class BitbucketPullRequestSensor(BitbucketSensor):
    """Wait until a pull request is merged, or has another state.

    A state that is final and not waited for fails the sensor for good (``soft_fail``: skips it): Bitbucket can not reopen a
    pull request. Returns ``id``, ``title``, ``state``, ``url``, ``source``, ``destination`` (branches), ``merge_commit``
    (12 characters), ``closed_by`` and ``updated_on``.

    :param pull_request: its number
    :param states: one or several of MERGED, DECLINED, SUPERSEDED, OPEN
    :param sensor: ``repository`` and what all sensors have; see
        :class:`~airflow_provider_bitbucket.sensors.waiting.BitbucketSensor`
    :raises ValueError: a state that does not exist, or none
    """

    template_fields = (*BitbucketSensor.template_fields, "pull_request")
    what = "The pull request did not get there"

    def __init__(self, *, pull_request: str | int, states: str | Iterable[str] = ("MERGED",), **sensor: Any) -> None:
        super().__init__(**sensor)
        self.pull_request = pull_request
        self.states = (states,) if isinstance(states, str) else tuple(states)
        if not self.states or set(self.states) - set(STATES):
            raise ValueError(f"states is {states!r}; expected one or several of {', '.join(STATES)}")

    def trigger(self, **common: Any) -> BitbucketPullRequestTrigger:
        """Return what waits.

        :raises ValueError: the pull request is no number
        """
        number = str(self.pull_request).strip()
        if not number.isdecimal():
            raise ValueError(f"pull_request is {self.pull_request!r}; expected its number")
        return BitbucketPullRequestTrigger(pull_request=int(number), states=self.states, **common)
