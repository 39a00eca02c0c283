"""One module per dataset with all there is to know about it: ``SCHEMA``, ``read`` and ``to_frame``.

``read`` takes a repository. What Bitbucket lists for a workspace at once has ``read_workspace``, beside ``read`` or in its place.
"""

#: Names of the datasets; each is a module of this package, imported when it is used: they need pandas, this name does not.
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

__all__ = ["DATASETS", "TooManyRowsError"]


class TooManyRowsError(ValueError):
    """There are more rows than were wanted at once."""
