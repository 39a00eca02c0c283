"""Declarations of the datasets: one module each, with its columns, ``read`` and ``SPEC``.

``read`` yields the records of a repository. A dataset that Bitbucket lists by workspace has ``read_workspace`` as well, or
instead. A new dataset needs one line in :mod:`~airflow_provider_bitbucket.datasets.catalog` and its name below.
"""

from __future__ import annotations

from typing import get_args

from airflow_provider_bitbucket.parameters.choices import DatasetName

#: Names of the datasets, in the order of the docs.
DATASETS: tuple[DatasetName, ...] = get_args(DatasetName)

#: Datasets that cannot be read incrementally, because their rows have no date of creation or change.
ONLY_WHOLE = ("branches",)

__all__ = ["DATASETS", "ONLY_WHOLE", "TooManyRowsError"]


class TooManyRowsError(ValueError):
    """More rows were read than the caller allows."""
