"""Declarations of the datasets: one module each with its columns, how it is read, and its ``SPEC``.

``read`` yields the records of a repository. Lists that Bitbucket offers for a whole workspace have ``read_workspace`` as well, or
instead. A new dataset is registered by one line in :mod:`~airflow_provider_bitbucket.datasets.catalog` and its name below.
"""

#: Names of the datasets. They are here, and not in the catalog, because DAG files need them and must not import the modules.
DATASETS = (
    "pull_requests",
    "pull_request_activity",
    "pull_request_commits",
    "diffstats",
    "commits",
    "branches",
    "repositories",
    "members",
    "environments",
    "deployments",
    "reviews",
    "comments",
    "pipelines",
    "pipeline_steps",
    "test_reports",
    "build_statuses",
)

#: Datasets whose rows have no date of creation or change, so that they cannot be read incrementally.
ONLY_WHOLE = ("branches",)

__all__ = ["DATASETS", "ONLY_WHOLE", "TooManyRowsError"]


class TooManyRowsError(ValueError):
    """The rows exceed the limit of the caller."""
