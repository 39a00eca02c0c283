"""Declarations of the datasets: one module each with its columns, how it is read, and its ``SPEC``.

``read`` yields the records of a repository. Lists that Bitbucket offers for a whole workspace have ``read_workspace`` as well, or
instead. A new dataset is registered by one line in :mod:`~airflow_provider_bitbucket.datasets.catalog` and its name below.
"""

from typing import get_args

from airflow_provider_bitbucket.parameters.choices import DatasetName

#: Names of the datasets, in the order of the docs.
DATASETS: tuple[DatasetName, ...] = get_args(DatasetName)

#: Datasets whose rows have no date of creation or change, so that they cannot be read incrementally.
ONLY_WHOLE = ("branches",)

__all__ = ["DATASETS", "ONLY_WHOLE", "TooManyRowsError"]


class TooManyRowsError(ValueError):
    """The rows exceed the limit of the caller."""
