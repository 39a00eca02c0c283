"""Wait for the state of a pull request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_bitbucket.parameters import Templated, names, refused, required_number
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
    pull_request = Templated()
    parameter_kinds = {**BitbucketSensor.parameter_kinds, "pull_request": required_number}
    what = "The pull request did not get there"

    def __init__(self, *, pull_request: str | int, states: str | Iterable[str] = ("MERGED",), **sensor: Any) -> None:
        super().__init__(**sensor)
        self.pull_request = pull_request
        self.states = tuple(names("states", states) or ())
        if not self.states or set(self.states) - set(STATES):
            raise refused("states", states, f"one or several of {', '.join(STATES)}")

    def trigger(self, **common: Any) -> BitbucketPullRequestTrigger:
        """Return what waits."""
        return BitbucketPullRequestTrigger(pull_request=self.pull_request, states=self.states, **common)
