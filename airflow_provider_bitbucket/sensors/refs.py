"""Wait for a branch or tag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airflow_provider_bitbucket.parameters import Templated, name_if_given
from airflow_provider_bitbucket.sensors.base import BitbucketSensor
from airflow_provider_bitbucket.sensors.parameters import hash_of, one_given

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.sensors.base import SensorParameters
    from airflow_provider_bitbucket.triggers.base import WaitParameters
    from airflow_provider_bitbucket.triggers.refs import BitbucketRefTrigger

__all__ = ["BitbucketRefSensor"]


class BitbucketRefSensor(BitbucketSensor):
    """Wait until a branch or tag exists and, if asked, points to a commit or has moved.

    Only the timeout fails it, because a missing one can still be created. Returns ``type`` (branch or tag), ``name``, ``commit``
    (full hash) and ``url``.

    :param branch: name of the branch; exactly one of branch and tag is given
    :param tag: name of the tag
    :param commit: wait until it points to this commit (hash, at least 7 characters of it)
    :param moved_from: wait until it points to another commit than this
    :param sensor: ``repository`` and the parameters of all sensors; see
        :class:`~airflow_provider_bitbucket.sensors.base.BitbucketSensor`
    :raises ValueError: not exactly one of branch and tag, or both of commit and moved_from
    """

    template_fields = (*BitbucketSensor.template_fields, "branch", "tag", "commit", "moved_from")
    branch = Templated()
    tag = Templated()
    commit = Templated()
    moved_from = Templated()
    parameter_kinds = {
        **BitbucketSensor.parameter_kinds,
        "branch": name_if_given,
        "tag": name_if_given,
        "commit": hash_of,
        "moved_from": hash_of,
    }
    unmet = "The branch or tag was not as expected"

    def __init__(
        self,
        *,
        branch: str | None = None,
        tag: str | None = None,
        commit: str | None = None,
        moved_from: str | None = None,
        **sensor: Unpack[SensorParameters],
    ) -> None:
        super().__init__(**sensor)
        one_given(branch=branch, tag=tag)
        if commit is not None and moved_from is not None:
            raise ValueError("commit and moved_from are both given; expected at most one of them")
        self.branch = branch
        self.tag = tag
        self.commit = commit
        self.moved_from = moved_from

    def trigger(self, **common: Unpack[WaitParameters]) -> BitbucketRefTrigger:
        """Return the trigger that waits."""
        from airflow_provider_bitbucket.triggers.refs import BitbucketRefTrigger

        kind: Literal["branch", "tag"] = "branch" if self.branch is not None else "tag"
        _, name = one_given(branch=self.branch, tag=self.tag)
        return BitbucketRefTrigger(kind=kind, name=name, commit=self.commit, moved_from=self.moved_from, **common)
