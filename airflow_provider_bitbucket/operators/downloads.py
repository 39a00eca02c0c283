"""Upload files to the downloads of a repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.operators.files import read_source
from airflow_provider_bitbucket.parameters import Kind, required_files

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketUploadDownloadOperator"]


class BitbucketUploadDownloadOperator(BitbucketRepositoryOperator):
    """Upload files to the downloads of a repository, where people find them on its page "Downloads".

    **Under retry** the result is the same as after one attempt: a file of the same name is replaced.

    The files are held in memory. Workspaces of the free plan have no downloads. XCom: file name -> address of the download.
    Costs one request.

    :param files: file name -> content, as for :class:`~airflow_provider_bitbucket.operators.files.BitbucketFilesOperator`
        (templated)
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises ValueError: a name is malformed, or there is no file
    :raises OSError: a path cannot be read
    :raises BitbucketError: Bitbucket refused
    """

    template_fields: Sequence[str] = (*BitbucketRepositoryOperator.template_fields, "files")
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {**BitbucketRepositoryOperator.parameter_kinds, "files": required_files}

    def __init__(self, *, files: Mapping[str, Any], **operator: Any) -> None:
        super().__init__(**operator)
        self.files = files

    def perform(self, context: Context) -> dict[str, str]:
        """Upload the files."""
        client = self.hook.get_conn()
        client.downloads.upload(self.repository, {name: read_source(source) for name, source in self.files.items()})
        page = f"{client.web_url}/{client.full_name(self.repository)}/downloads"
        return {name: f"{page}/{quote(name)}" for name in self.files}
