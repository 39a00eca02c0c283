"""Commit files without a clone, and propose them as a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.links import BitbucketPullRequestLink, push_pull_request
from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.operators.pull_requests import reviewers_of
from airflow_provider_bitbucket.parameters import (
    FileSource,
    Kind,
    Templated,
    files,
    flag,
    name,
    name_if_given,
    names,
    required_name,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.changes.files import Change

__all__ = ["BitbucketCommitFilesOperator", "BitbucketFilesOperator", "BitbucketProposeChangeOperator"]


class BitbucketFilesOperator(BitbucketRepositoryOperator):
    """Change files of a repository; the base of operators that do.

    :param files: path in the repository -> content (templated): text (stored as UTF-8), bytes, a path object to read from
        (``pathlib.Path``, ``ObjectStoragePath``), or a mapping with ``path`` (such as ``s3://bucket/key``) or ``text`` and, for
        an executable file, ``executable``. Text of the DAG file is rendered, what another task returned is not
    :param delete: paths of files to delete (templated); one that does not exist is no error
    :param message: message of the commit (templated)
    :param author: ``Name <e-mail>``; default: the owner of the credentials (templated)
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    """

    template_fields: Sequence[str] = (*BitbucketRepositoryOperator.template_fields, "files", "delete", "message", "author")
    message = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "files": files,
        "delete": names,
        "message": required_name,
        "author": name,
    }

    def __init__(
        self,
        *,
        message: str,
        files: Mapping[str, Any] | None = None,
        delete: Sequence[str] | None = None,
        author: str | None = None,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.message = message
        self.files = files
        self.delete = delete
        self.author = author

    def render_template(self, content: Any, *arguments: Any, **keywords: Any) -> Any:
        """Render a template as Airflow does, and keep the line break at its end, which Jinja drops."""
        rendered = super().render_template(content, *arguments, **keywords)
        keeps = isinstance(content, str) and content.endswith("\n") and isinstance(rendered, str) and rendered is not content
        return f"{rendered}\n" if keeps else rendered

    def change(self) -> Change:
        """Return the change with the contents of the files, read where they are paths.

        :raises ValueError: a path in the repository is malformed, or there is no file
        """
        from airflow_provider_bitbucket.changes.files import Change

        sources: Mapping[str, FileSource] = self.files or {}
        contents = {path: read_source(source) for path, source in sources.items()}
        executable = {path for path, source in sources.items() if source.executable}
        return Change.of(contents, self.delete or (), executable)


class BitbucketCommitFilesOperator(BitbucketFilesOperator):
    """Write and delete files of a branch in one commit, without a clone.

    **Under retry** there is one commit, wherever an attempt is killed and whichever response is lost: the files are compared
    with the branch first, nothing is committed if nothing differs, and the commit names its parent, so that a lost race is
    followed by another comparison with the new head. Files that are not named stay as they are.

    Costs two or three requests, and one or two for each file.

    XCom: ``commit`` (full hash; if an earlier attempt or something else has already made the change, that of the branch head),
    ``branch`` (None if the branch was not created because nothing differed), ``changed`` (paths that this attempt changed) and
    ``url`` of the commit.

    :param branch: branch that the commit goes to; default: the repository's main branch (templated)
    :param create_branch: create the branch if it does not exist
    :param base: branch, tag or hash that a new branch starts at; default: the main branch (templated)
    :param operator: ``files``, ``delete``, ``message`` and ``author`` as for :class:`BitbucketFilesOperator`, ``repository``,
        and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises ValueError: a path is malformed, or there is no file
    :raises BitbucketNotFoundError: the branch does not exist and ``create_branch`` is not set
    :raises BitbucketError: Bitbucket refused, or the branch moved during every attempt
    """

    template_fields: Sequence[str] = (*BitbucketFilesOperator.template_fields, "branch", "base")
    branch = Templated()
    base = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketFilesOperator.parameter_kinds,
        "branch": name_if_given,
        "base": name_if_given,
    }

    def __init__(
        self, *, branch: str | None = None, create_branch: bool = False, base: str | None = None, **operator: Any
    ) -> None:
        super().__init__(**operator)
        self.branch = branch
        self.create_branch = flag("create_branch", create_branch)
        self.base = base

    def perform(self, context: Context) -> dict[str, Any]:
        """Commit what differs."""
        from airflow_provider_bitbucket.changes.files import commit_files

        client = self.hook.get_conn()
        committed = commit_files(
            client,
            self.repository,
            self.change(),
            message=self.message,
            branch=self.branch,
            base=self.base,
            author=self.author,
            create_branch=self.create_branch,
        )
        url = f"{client.web_url}/{client.full_name(self.repository)}/commits/{committed.commit}"
        return {"commit": committed.commit, "branch": committed.branch, "changed": committed.changed, "url": url}


class BitbucketProposeChangeOperator(BitbucketFilesOperator):
    """Commit files to a branch and open a pull request for it, in one task.

    **Under retry** there is one commit and one pull request, wherever an attempt is killed and whichever response is lost; a
    second run of the same task updates the open pull request. If the destination has all files as they are to be, for example
    after the merge, nothing is created and ``pull_request`` is None.

    Use a branch of its own for each change, such as ``config/{{ ds }}``: a branch that exists gets the commit on top.

    Costs the requests of :class:`BitbucketCommitFilesOperator` and
    :class:`~airflow_provider_bitbucket.operators.pull_requests.BitbucketCreatePullRequestOperator`, and one or two more for each
    file.

    XCom: ``pull_request_url``, and as return value ``commit``, ``branch``, ``changed`` and ``pull_request`` (the summary that
    :class:`~airflow_provider_bitbucket.operators.pull_requests.BitbucketCreatePullRequestOperator` returns, or None).

    :param branch: branch for the change, created at the head of the destination if it does not exist (templated)
    :param destination: branch that is to get the change; default: the repository's main branch (templated)
    :param title: title of the pull request; default: the first line of ``message`` (templated)
    :param description: description of the pull request in Markdown (templated)
    :param reviewers: as for :class:`~airflow_provider_bitbucket.operators.pull_requests.BitbucketCreatePullRequestOperator`
        (templated)
    :param draft: open it as a draft
    :param close_source_branch: delete the branch after the merge
    :param operator: ``files``, ``delete``, ``message`` and ``author`` as for :class:`BitbucketFilesOperator`, ``repository``,
        and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises ValueError: a parameter is malformed, there is no file, or a reviewer is no member of the workspace
    :raises BitbucketError: Bitbucket refused, or the branch moved during every attempt
    """

    template_fields: Sequence[str] = (
        *BitbucketFilesOperator.template_fields,
        *("branch", "destination", "title", "description", "reviewers"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"description": "md"}
    operator_extra_links = (BitbucketPullRequestLink(),)
    branch = Templated()
    destination = Templated()
    title = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketFilesOperator.parameter_kinds,
        "branch": required_name,
        "destination": name_if_given,
        "title": name_if_given,
        "description": name,
        "reviewers": reviewers_of,
    }

    def __init__(
        self,
        *,
        branch: str,
        destination: str | None = None,
        title: str | None = None,
        description: str | None = None,
        reviewers: str | Sequence[str] | None = None,
        draft: bool = False,
        close_source_branch: bool = True,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.branch = branch
        self.destination = destination
        self.title = title
        self.description = description
        self.reviewers = reviewers
        self.draft = flag("draft", draft)
        self.close_source_branch = flag("close_source_branch", close_source_branch)

    def perform(self, context: Context) -> dict[str, Any]:
        """Commit, and open or update the pull request."""
        from airflow_provider_bitbucket.changes.files import propose_change
        from airflow_provider_bitbucket.changes.pull_requests import summary

        fields: Any = {
            "title": self.title or self.message.splitlines()[0],
            "destination": self.destination,
            "description": self.description,
            "reviewers": self.reviewers,
            "draft": self.draft,
            "close_source_branch": self.close_source_branch,
        }
        committed, pull_request = propose_change(
            self.hook.get_conn(),
            self.repository,
            self.change(),
            branch=self.branch,
            message=self.message,
            author=self.author,
            **{key: value for key, value in fields.items() if value is not None},
        )
        shown = push_pull_request(context, summary(pull_request)) if pull_request else None
        return {"commit": committed.commit, "branch": committed.branch, "changed": committed.changed, "pull_request": shown}


def read_source(source: FileSource) -> bytes:
    """Return the content of a file.

    :raises OSError: its path cannot be read
    """
    if source.content is not None:
        return source.content
    if isinstance(source.path, str):
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        return bytes(ObjectStoragePath(source.path).read_bytes())
    return bytes(source.path.read_bytes())
