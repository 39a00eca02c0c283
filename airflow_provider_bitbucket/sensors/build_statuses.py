"""Wait for the build statuses of a commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.parameters import Templated, name_if_given, names_if_given
from airflow_provider_bitbucket.sensors.base import BitbucketSensor
from airflow_provider_bitbucket.sensors.parameters import hash_of, one_given

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.sensors.base import SensorParameters
    from airflow_provider_bitbucket.triggers.base import WaitParameters
    from airflow_provider_bitbucket.triggers.build_statuses import BitbucketBuildStatusTrigger

__all__ = ["BitbucketBuildStatusSensor"]


class BitbucketBuildStatusSensor(BitbucketSensor):
    """Wait until the build statuses of a commit are successful, set by Pipelines, Jenkins, Sonar or any other tool.

    FAILED or STOPPED fails the sensor without retries (``soft_fail``: skips it). Without any status it continues to wait; a
    missing commit or branch ends it. Returns ``commit``, ``branch``, ``url`` and ``statuses``, a list of ``key``, ``name``,
    ``state`` and ``url``.

    :param commit: hash of the commit, at least 7 characters of it; exactly one of commit and branch is given
    :param branch: the head of this branch, read at each poll
    :param keys: keys of the statuses that count, each of which is required; default: all, at least one. Name them where builds
        report one after the other: else the first one's success ends the wait
    :param sensor: ``repository`` and the parameters of all sensors; see
        :class:`~airflow_provider_bitbucket.sensors.base.BitbucketSensor`
    :raises ValueError: not exactly one of commit and branch
    """

    template_fields = (*BitbucketSensor.template_fields, "commit", "branch", "keys")
    commit = Templated()
    branch = Templated()
    keys = Templated()
    parameter_kinds = {**BitbucketSensor.parameter_kinds, "commit": hash_of, "branch": name_if_given, "keys": names_if_given}
    unmet = "The builds had not finished"

    def __init__(
        self,
        *,
        commit: str | None = None,
        branch: str | None = None,
        keys: str | Iterable[str] | None = None,
        **sensor: Unpack[SensorParameters],
    ) -> None:
        super().__init__(**sensor)
        one_given(commit=commit, branch=branch)
        self.commit = commit
        self.branch = branch
        self.keys = keys

    def trigger(self, **common: Unpack[WaitParameters]) -> BitbucketBuildStatusTrigger:
        """Return the trigger that waits."""
        from airflow_provider_bitbucket.triggers.build_statuses import BitbucketBuildStatusTrigger

        one_given(commit=self.commit, branch=self.branch)
        return BitbucketBuildStatusTrigger(commit=self.commit, branch=self.branch, keys=self.keys, **common)
