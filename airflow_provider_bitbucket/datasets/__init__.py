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

#: Of which no row says when it came or changed: there is nothing to go on from, they can only be read whole.
ONLY_WHOLE = ("branches",)

__all__ = ["DATASETS", "ONLY_WHOLE", "TooManyRowsError"]


class TooManyRowsError(ValueError):
    """There are more rows than were wanted at once."""
