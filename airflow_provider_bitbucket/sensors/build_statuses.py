"""Wait for the build statuses of a commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_bitbucket.parameters import Templated, name_if_given, names_if_given
from airflow_provider_bitbucket.sensors.parameters import hash_of, one_given
from airflow_provider_bitbucket.sensors.waiting import BitbucketSensor
from airflow_provider_bitbucket.triggers.build_statuses import BitbucketBuildStatusTrigger


class BitbucketBuildStatusSensor(BitbucketSensor):
    """Wait until the build statuses of a commit are successful, whoever set them: Pipelines, Jenkins, Sonar, ...

    FAILED or STOPPED fails the sensor for good (``soft_fail``: skips it). Without any status it goes on waiting; a commit or
    branch that does not exist ends it. Returns ``commit``, ``branch``, ``url`` and ``statuses``, a list of ``key``, ``name``,
    ``state`` and ``url``.

    :param commit: hash of the commit, of which 7 characters are enough; exactly one of commit and branch is given
    :param branch: the head of this branch, as it is at each look
    :param keys: keys of the statuses that count, each of which has to come; default: all that there are, at least one. Name
        them where builds report one after the other: else the first one's success ends the wait
    :param sensor: ``repository`` and what all sensors have; see
        :class:`~airflow_provider_bitbucket.sensors.waiting.BitbucketSensor`
    :raises ValueError: not exactly one of commit and branch
    """

    template_fields = (*BitbucketSensor.template_fields, "commit", "branch", "keys")
    commit = Templated()
    branch = Templated()
    keys = Templated()
    parameter_kinds = {**BitbucketSensor.parameter_kinds, "commit": hash_of, "branch": name_if_given, "keys": names_if_given}
    what = "The builds were not done"

    def __init__(
        self,
        *,
        commit: str | None = None,
        branch: str | None = None,
        keys: str | Iterable[str] | None = None,
        **sensor: Any,
    ) -> None:
        super().__init__(**sensor)
        one_given(commit=commit, branch=branch)
        self.commit = commit
        self.branch = branch
        self.keys = keys

    def trigger(self, **common: Any) -> BitbucketBuildStatusTrigger:
        """Return what waits."""
        kind, name = one_given(commit=self.commit, branch=self.branch)
        return BitbucketBuildStatusTrigger(keys=self.keys, **{kind: name}, **common)
