"""Wait for a branch or tag."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitbucket.parameters import Templated, name_if_given
from airflow_provider_bitbucket.sensors.parameters import hash_of, one_given
from airflow_provider_bitbucket.sensors.waiting import BitbucketSensor
from airflow_provider_bitbucket.triggers.refs import BitbucketRefTrigger


class BitbucketRefSensor(BitbucketSensor):
    """Wait until a branch or tag exists and, if asked, points to a commit or has moved.

    Nothing but the timeout fails it: what is not there can still come. Returns ``type`` (branch or tag), ``name``, ``commit``
    (full hash) and ``url``.

    :param branch: name of the branch; exactly one of branch and tag is given
    :param tag: name of the tag
    :param commit: wait until it points to this commit (hash, of which 7 characters are enough)
    :param moved_from: wait until it points to another commit than this
    :param sensor: ``repository`` and what all sensors have; see
        :class:`~airflow_provider_bitbucket.sensors.waiting.BitbucketSensor`
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
    what = "The branch or tag did not come to that"

    def __init__(
        self,
        *,
        branch: str | None = None,
        tag: str | None = None,
        commit: str | None = None,
        moved_from: str | None = None,
        **sensor: Any,
    ) -> None:
        super().__init__(**sensor)
        one_given(branch=branch, tag=tag)
        if commit is not None and moved_from is not None:
            raise ValueError("commit and moved_from are both given; expected at most one of them")
        self.branch = branch
        self.tag = tag
        self.commit = commit
        self.moved_from = moved_from

    def trigger(self, **common: Any) -> BitbucketRefTrigger:
        """Return what waits."""
        kind, name = one_given(branch=self.branch, tag=self.tag)
        return BitbucketRefTrigger(
            kind=kind,
            name=name,
            commit=self.commit,
            moved_from=self.moved_from,
            **common,
        )
