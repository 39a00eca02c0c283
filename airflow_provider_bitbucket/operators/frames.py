"""What operators share whose result is a DataFrame: which repositories and time, and where the frame goes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, XCom

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.credentials.acting_user import CONNECTION_KINDS
from airflow_provider_bitbucket.hooks.rendering import LiteralMappingMixin
from airflow_provider_bitbucket.parameters import Kind, Templated, is_blank, location, names, one_of, timestamp
from airflow_provider_bitbucket.parameters.choices import DatasetName, OnRepositoryError


class BitbucketFrameOperator(LiteralMappingMixin, BaseOperator):
    """Base of operators that return a DataFrame or write it to a Parquet file.

    :param repositories: slugs, or one; None: all repositories of the workspace (templated)
    :param since: start of the interval, ISO 8601 (templated); None, or a template that renders to nothing: from the beginning
    :param until: end of the interval, exclusive (templated); None: until now
    :param bots: nicknames, display names, account ids or uuids of machines that have an account of a person (templated)
    :param output_path: any path of ``ObjectStoragePath``, such as ``s3://bucket/prs.parquet`` (templated); None: the
        DataFrame is the task's XCom, which suits some ten thousand rows
    :param on_repository_error: ``fail``: a repository that cannot be read fails the task and nothing is published; ``skip``: it
        is left out, and named in the log and the result
    :param bitbucket_conn_id: the connection (templated)
    :param workspace: workspace to read in; default: the connection's (templated)
    :param run_as: in whose name, as for :class:`~airflow_provider_bitbucket.hooks.bitbucket.BitbucketHook` (templated)
    """

    template_fields: Sequence[str] = (
        *("repositories", "since", "until", "bots", "output_path"),
        *("bitbucket_conn_id", "workspace", "run_as"),
    )
    output_path = Templated()
    bitbucket_conn_id = Templated()
    run_as = Templated()
    #: The kind of each template field.
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **CONNECTION_KINDS,
        "repositories": names,
        "since": timestamp,
        "until": timestamp,
        "bots": names,
        "output_path": location,
    }
    ui_color = "#deebff"

    def __init__(
        self,
        *,
        repositories: Sequence[str] | str | None = None,
        since: Any = None,
        until: Any = None,
        bots: Collection[str] | str = (),
        output_path: str | None = None,
        on_repository_error: OnRepositoryError = "fail",
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        workspace: str | None = None,
        run_as: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if output_path is not None and is_blank(output_path):
            raise ValueError(f"output_path is {output_path!r}; expected text that is not empty; None returns the DataFrame")
        self.repositories = repositories
        self.since = since
        self.until = until
        self.bots = bots
        self.output_path = output_path
        self.on_repository_error: OnRepositoryError = one_of("on_repository_error", on_repository_error, OnRepositoryError)
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.run_as = run_as

    @cached_property
    def hook(self) -> BitbucketHook:
        """The hook."""
        return BitbucketHook(self.bitbucket_conn_id, self.workspace, self.run_as)

    def check_output(self, **options: Any) -> str:
        """Check before the first request that ``output_path`` may be written, and return it.

        :param options: those of ``hook.files.check``
        :raises ValueError: it may not
        """
        path = "" if self.output_path is None else str(self.output_path)
        self.hook.files.check(path, **options)
        return path

    @property
    def goes_into_the_database(self) -> bool:
        """Whether the result is passed on by Airflow's own XCom.

        A custom backend knows itself what it can carry, and trying it could leave something behind.
        """
        return self.do_xcom_push and XCom.serialize_value.__module__ == "airflow.sdk.bases.xcom"

    def refuse_what_xcom_can_not_carry(self, dataset: DatasetName) -> None:
        """Find out before a request is spent whether this Airflow can pass the DataFrame on, by passing it without rows.

        :param dataset: whose dtypes the DataFrame has
        :raises AirflowFailException: it cannot; says what to do instead
        """
        if not self.goes_into_the_database:
            return
        empty = self.hook.datasets.empty_df(dataset)
        try:
            XCom.serialize_value(empty)
        except Exception as error:
            import pandas as pd

            raise AirflowFailException(
                f"This Airflow cannot pass a DataFrame of pandas {pd.__version__} on by XCom ({type(error).__name__}: {error}). "
                "Give output_path to write Parquet instead, or install pyarrow, and pandas<3 if this is Airflow 3.3.0 or older."
            ) from error
