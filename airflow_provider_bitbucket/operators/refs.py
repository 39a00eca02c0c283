"""Create and delete branches and tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.parameters import Kind, Templated, name, required_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = [
    "BitbucketCreateBranchOperator",
    "BitbucketCreateTagOperator",
    "BitbucketDeleteBranchOperator",
    "BitbucketDeleteTagOperator",
]


class BitbucketCreateBranchOperator(BitbucketRepositoryOperator):
    """Create a branch.

    **Under retry** there is one branch, wherever an attempt is killed and whichever response is lost. A branch that exists is
    left as it is, whatever its head: it may have moved since an earlier attempt created it.

    XCom: ``name``, ``commit`` (full hash of its head) and ``url``. Costs one request if it exists, else up to five.

    :param branch: name, without ``refs/heads/`` (templated)
    :param target: branch, tag or hash that it starts at (templated)
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketNotFoundError: there is no such target
    :raises BitbucketBadRequestError: the name is malformed
    """

    template_fields: Sequence[str] = (*BitbucketRepositoryOperator.template_fields, "branch", "target")
    branch = Templated()
    target = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "branch": required_name,
        "target": required_name,
    }

    def __init__(self, *, branch: str, target: str, **operator: Any) -> None:
        super().__init__(**operator)
        self.branch = branch
        self.target = target

    def perform(self, context: Context) -> dict[str, Any]:
        """Create the branch unless it exists."""
        from airflow_provider_bitbucket.changes.refs import ensure_branch

        return _summary(ensure_branch(self.hook.get_conn(), self.repository, self.branch, self.target))


class BitbucketCreateTagOperator(BitbucketRepositoryOperator):
    """Create an annotated tag.

    **Under retry** there is one tag, wherever an attempt is killed and whichever response is lost. A tag that exists on the same
    commit is left as it is; one on another commit fails the task without retries, because tags do not move.

    XCom: ``name``, ``commit`` (full hash) and ``url``. Costs two to six requests.

    :param tag: name, without ``refs/tags/`` (templated)
    :param target: branch, tag or hash of the commit (templated); to get the same commit in every attempt give a hash, such as
        the ``commit`` that another task returned
    :param message: default: Bitbucket writes one (templated)
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketRefExistsError: the tag exists on another commit
    :raises BitbucketNotFoundError: there is no such target
    :raises BitbucketBadRequestError: the name is malformed
    """

    template_fields: Sequence[str] = (*BitbucketRepositoryOperator.template_fields, "tag", "target", "message")
    tag = Templated()
    target = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "tag": required_name,
        "target": required_name,
        "message": name,
    }

    def __init__(self, *, tag: str, target: str, message: str | None = None, **operator: Any) -> None:
        super().__init__(**operator)
        self.tag = tag
        self.target = target
        self.message = message

    def perform(self, context: Context) -> dict[str, Any]:
        """Create the tag unless it exists."""
        from airflow_provider_bitbucket.changes.refs import ensure_tag

        return _summary(ensure_tag(self.hook.get_conn(), self.repository, self.tag, self.target, self.message))


class BitbucketDeleteBranchOperator(BitbucketRepositoryOperator):
    """Delete a branch.

    **Under retry** the result is the same as after one attempt: a branch that does not exist is no error.

    XCom: whether this attempt deleted it. Costs one request, two if it does not exist.

    :param branch: name (templated)
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketBadRequestError: it is the main branch
    :raises BitbucketNotFoundError: the repository does not exist
    """

    template_fields: Sequence[str] = (*BitbucketRepositoryOperator.template_fields, "branch")
    branch = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {**BitbucketRepositoryOperator.parameter_kinds, "branch": required_name}

    def __init__(self, *, branch: str, **operator: Any) -> None:
        super().__init__(**operator)
        self.branch = branch

    def perform(self, context: Context) -> bool:
        """Delete the branch if it exists."""
        from airflow_provider_bitbucket.changes.refs import delete_branch

        return delete_branch(self.hook.get_conn(), self.repository, self.branch)


class BitbucketDeleteTagOperator(BitbucketRepositoryOperator):
    """Delete a tag.

    **Under retry** the result is the same as after one attempt: a tag that does not exist is no error.

    XCom: whether this attempt deleted it. Costs one request, two if it does not exist.

    :param tag: name (templated)
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketNotFoundError: the repository does not exist
    """

    template_fields: Sequence[str] = (*BitbucketRepositoryOperator.template_fields, "tag")
    tag = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {**BitbucketRepositoryOperator.parameter_kinds, "tag": required_name}

    def __init__(self, *, tag: str, **operator: Any) -> None:
        super().__init__(**operator)
        self.tag = tag

    def perform(self, context: Context) -> bool:
        """Delete the tag if it exists."""
        from airflow_provider_bitbucket.changes.refs import delete_tag

        return delete_tag(self.hook.get_conn(), self.repository, self.tag)


def _summary(ref: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": ref.get("name"),
        "commit": (ref.get("target") or {}).get("hash"),
        "url": ((ref.get("links") or {}).get("html") or {}).get("href"),
    }
