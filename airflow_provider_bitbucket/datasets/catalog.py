"""All datasets by name. Importing this module imports every dataset; :data:`~.datasets.DATASETS` has the names alone."""

from __future__ import annotations

from airflow_provider_bitbucket.datasets import (
    branches,
    build_statuses,
    comments,
    commits,
    deployments,
    diffstats,
    environments,
    members,
    pipeline_steps,
    pipelines,
    pull_request_activity,
    pull_request_commits,
    pull_requests,
    repositories,
    reviews,
    test_reports,
)
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

#: In the order of the docs.
SPECS = (
    pull_requests.SPEC,
    pull_request_activity.SPEC,
    pull_request_commits.SPEC,
    diffstats.SPEC,
    commits.SPEC,
    branches.SPEC,
    repositories.SPEC,
    members.SPEC,
    environments.SPEC,
    deployments.SPEC,
    reviews.SPEC,
    comments.SPEC,
    pipelines.SPEC,
    pipeline_steps.SPEC,
    test_reports.SPEC,
    build_statuses.SPEC,
)
_BY_NAME = {spec.name: spec for spec in SPECS}


def dataset_spec(name: str) -> DatasetSpec:
    """Return the declaration of a dataset.

    :param name: one of :data:`~airflow_provider_bitbucket.datasets.DATASETS`
    :raises ValueError: the name is unknown
    """
    if name not in _BY_NAME:
        raise ValueError(f"There is no dataset {name!r}; expected one of {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
