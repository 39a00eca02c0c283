"""Base of operators that read repositories in an interval and return or write a DataFrame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, XCom

from airflow_provider_bitbucket.operators.base import BitbucketOperator
from airflow_provider_bitbucket.parameters import Kind, Templated, is_blank, location, names, one_of, timestamp
from airflow_provider_bitbucket.parameters.choices import DatasetName, OnRepositoryError


class BitbucketFrameOperator(BitbucketOperator):
    """Read repositories in an interval, and return a DataFrame or write it to a Parquet file; the base of operators.

    :param repositories: slugs, or one; None: all repositories of the workspace (templated)
    :param since: start of the interval, ISO 8601 (templated); None, or a template that renders to nothing: from the beginning
    :param until: end of the interval, exclusive (templated); None: until now
    :param bots: nicknames, display names, account ids or uuids of bots that use an ordinary user account (templated)
    :param output_path: any path of ``ObjectStoragePath``, such as ``s3://bucket/prs.parquet`` (templated); None: the
        DataFrame is the task's XCom, for up to some ten thousand rows
    :param on_repository_error: ``fail``: a repository that cannot be read fails the task and nothing is published; ``skip``: it
        is left out, and named in the log and the result
    :param operator: ``bitbucket_conn_id``, ``workspace``, ``run_as`` and the other parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    """

    template_fields: Sequence[str] = (
        *("repositories", "since", "until", "bots", "output_path"),
        *BitbucketOperator.template_fields,
    )
    output_path = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketOperator.parameter_kinds,
        "repositories": names,
        "since": timestamp,
        "until": timestamp,
        "bots": names,
        "output_path": location,
    }

    def __init__(
        self,
        *,
        repositories: Sequence[str] | str | None = None,
        since: Any = None,
        until: Any = None,
        bots: Collection[str] | str = (),
        output_path: str | None = None,
        on_repository_error: OnRepositoryError = "fail",
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        if output_path is not None and is_blank(output_path):
            raise ValueError(f"output_path is {output_path!r}; expected text that is not empty; None returns the DataFrame")
        self.repositories = repositories
        self.since = since
        self.until = until
        self.bots = bots
        self.output_path = output_path
        self.on_repository_error: OnRepositoryError = one_of("on_repository_error", on_repository_error, OnRepositoryError)

    def check_output(self, **options: Any) -> str:
        """Check before the first request that ``output_path`` may be written, and return it.

        :param options: those of ``hook.files.check``
        :raises ValueError: it may not
        """
        path = "" if self.output_path is None else str(self.output_path)
        self.hook.files.check(path, **options)
        return path

    @property
    def uses_default_xcom(self) -> bool:
        """Whether Airflow's own XCom backend stores the result.

        A custom backend has its own limits, and trying it could leave objects behind.
        """
        return self.do_xcom_push and XCom.serialize_value.__module__ == "airflow.sdk.bases.xcom"

    def require_xcom_support(self, dataset: DatasetName) -> None:
        """Check before the first request that XCom can carry the DataFrame, by serializing one without rows.

        :param dataset: dataset with the dtypes of the DataFrame
        :raises AirflowFailException: it cannot; names the alternatives
        """
        if not self.uses_default_xcom:
            return
        empty = self.hook.datasets.empty_df(dataset)
        try:
            XCom.serialize_value(empty)
        except Exception as error:
            import pandas as pd

            raise AirflowFailException(
                f"XCom of this Airflow cannot carry a DataFrame of pandas {pd.__version__} ({type(error).__name__}: {error}). "
                "Set output_path to write Parquet, or install pyarrow, and pandas<3 for Airflow 3.3.0 or older."
            ) from error
