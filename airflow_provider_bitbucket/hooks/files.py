"""Files that tasks write: ``hook.files``, see :class:`Files`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.parameters import required_location

if TYPE_CHECKING:
    import pandas as pd
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_bitbucket.extraction.extraction import Extraction

__all__ = ["Files"]


class Files:
    """Write datasets, frames and texts to any path of Airflow's ``ObjectStoragePath``, such as ``s3://bucket/prs.parquet``.

    A file appears, or replaces the earlier one, when it is complete.

    :param context: the hook, to which Airflow's lineage attributes what is written
    """

    def __init__(self, context: object) -> None:
        self._context = context

    def check(
        self,
        path: str,
        *,
        output_format: str | None = "Parquet",
        partition_dataset: str | None = None,
        may_replace: bool = True,
    ) -> ObjectStoragePath:
        """Return a path if it may be written; costs no request to Bitbucket.

        :param path: any path of Airflow's ``ObjectStoragePath``
        :param output_format: ``Parquet`` or ``HTML``; the suffix of another format is refused; None: any suffix
        :param partition_dataset: the dataset of which a folder of files is written; None: one file is written
        :param may_replace: whether the file, or the files of an earlier run, may be replaced
        :raises ValueError: it is a folder, or a folder with files that no earlier run has written; or this Airflow has no file
            system for it
        """
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        from airflow_provider_bitbucket.extraction.dataset import Dataset
        from airflow_provider_bitbucket.sinks import outputs

        path = required_location("path", path)
        outputs.check_path(path, output_format)
        try:
            target = ObjectStoragePath(path)
            target.fs  # noqa: B018 - found, or made, by its URL and connection
        except (ImportError, ValueError) as error:
            raise ValueError(
                f"Output path {str(path)!r} has no file system in this Airflow: {error}. Install Airflow's provider for it, "
                "such as apache-airflow-providers-amazon for s3://, with the packages that it needs"
            ) from error
        if partition_dataset:
            outputs.check_partitions(Dataset(partition_dataset))
            outputs.check_folder(target, partition_dataset, may_replace=may_replace)
        else:
            outputs.check_file(target, may_replace=may_replace)
        return target

    def write_dataset(self, extraction: Extraction, path: str, *, partitioned: bool = False) -> dict[str, Any]:
        """Read a dataset and write it to Parquet.

        ::

            hook.files.write_dataset(hook.datasets.read("pull_requests"), "s3://bucket/prs.parquet")

        :param extraction: what ``hook.datasets.read`` returned
        :param path: path of the file
        :param partitioned: write a folder of files by repository and month in place of one file
        :return: ``path``, ``dataset``, ``rows``, ``columns`` (their names), ``repositories`` (the cost of each), ``skipped`` and
            ``incomplete`` (records of which something could not be read, 100 at most)
        :raises ValueError: as for :meth:`check`; nothing was read
        :raises BitbucketError: a repository cannot be read; nothing was written
        """
        from airflow_provider_bitbucket.hooks.lineage import report_file
        from airflow_provider_bitbucket.sinks.parquet import write_parquet

        dataset = extraction.dataset
        target = self.check(path, partition_dataset=dataset.name if partitioned else None)
        rows = write_parquet(dataset, extraction, target, partitioned=partitioned)
        report_file(self._context, target)
        return {"path": path, "dataset": dataset.name, "rows": rows, "columns": dataset.schema.names, **extraction.summary()}

    def write_frame(self, frame: pd.DataFrame, path: str) -> None:
        """Write a DataFrame to a Parquet file.

        :param path: path of the file
        :raises ValueError: as for :meth:`check`
        """
        from airflow_provider_bitbucket.hooks.lineage import report_file
        from airflow_provider_bitbucket.sinks.parquet import write_frame

        target = self.check(path)
        write_frame(frame, target)
        report_file(self._context, target)

    def write_text(self, text: str, path: str) -> None:
        """Write a text to a file.

        :param path: path of the file
        :raises ValueError: as for :meth:`check`
        """
        from airflow_provider_bitbucket.hooks.lineage import report_file
        from airflow_provider_bitbucket.sinks.parquet import write_text

        target = self.check(path, output_format=None)
        write_text(text, target)
        report_file(self._context, target)
