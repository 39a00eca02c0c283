"""Wait for the state of a pull request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, get_args

from airflow_provider_bitbucket.parameters import Templated, names, refused, required_number
from airflow_provider_bitbucket.sensors.base import BitbucketSensor

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.sensors.base import SensorParameters
    from airflow_provider_bitbucket.triggers.base import WaitParameters
    from airflow_provider_bitbucket.triggers.pull_requests import BitbucketPullRequestTrigger

__all__ = ["BitbucketPullRequestSensor"]

PullRequestState = Literal["OPEN", "MERGED", "DECLINED", "SUPERSEDED"]
STATES: tuple[str, ...] = get_args(PullRequestState)


class BitbucketPullRequestSensor(BitbucketSensor):
    """Wait until a pull request is merged, or has another state.

    A final state that is not among ``states`` fails the sensor without retries (``soft_fail``: skips it), because Bitbucket
    cannot reopen a pull request. Returns ``id``, ``title``, ``state``, ``url``, ``source``, ``destination`` (branches),
    ``merge_commit`` (12 characters), ``closed_by`` and ``updated_on``.

    :param pull_request: its number
    :param states: one or several of MERGED, DECLINED, SUPERSEDED, OPEN
    :param sensor: ``repository`` and the parameters of all sensors; see
        :class:`~airflow_provider_bitbucket.sensors.base.BitbucketSensor`
    :raises ValueError: a state that does not exist, or none
    """

    template_fields = (*BitbucketSensor.template_fields, "pull_request")
    pull_request = Templated()
    parameter_kinds = {**BitbucketSensor.parameter_kinds, "pull_request": required_number}
    unmet = "The pull request was not as expected"

    def __init__(
        self,
        *,
        pull_request: str | int,
        states: PullRequestState | Iterable[PullRequestState] = ("MERGED",),
        **sensor: Unpack[SensorParameters],
    ) -> None:
        super().__init__(**sensor)
        self.pull_request = pull_request
        self.states = tuple(names("states", states) or ())
        if not self.states or set(self.states) - set(STATES):
            raise refused("states", states, f"one or several of {', '.join(STATES)}")

    def trigger(self, **common: Unpack[WaitParameters]) -> BitbucketPullRequestTrigger:
        """Return the trigger that waits."""
        from airflow_provider_bitbucket.triggers.pull_requests import BitbucketPullRequestTrigger

        return BitbucketPullRequestTrigger(pull_request=int(self.pull_request), states=self.states, **common)
