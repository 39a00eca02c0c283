"""Name the custom pipelines that exist where the requested one does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.exceptions import BitbucketMissingPipelineError

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.pipeline_runs.target import PipelineTarget

FILE_NAME = "bitbucket-pipelines.yml"


def missing_pipeline(
    client: BitbucketClient, repository: str, target: PipelineTarget, definition: str | None, error: Exception
) -> BitbucketMissingPipelineError | None:
    """Return the error for a custom pipeline that does not exist, None if a start was refused for another reason.

    Costs one or two requests, for the repository's definition.

    :param repository: slug, or ``workspace/slug``
    :param definition: YAML that was sent with the request; None: the repository's is read
    :param error: the refusal
    """
    from airflow_provider_bitbucket.client import BitbucketError
    from airflow_provider_bitbucket.client.resources.pipeline_requests import SELECTOR_NOT_FOUND

    selector = target.request.get("selector") or {}
    if not isinstance(error, BitbucketError) or error.key != SELECTOR_NOT_FOUND or selector.get("type") != "custom":
        return None
    if definition is None:
        ref = target.commit or target.branch or target.tag
        try:
            definition = client.source.read(repository, FILE_NAME, ref).decode() if ref else ""
        except (BitbucketError, UnicodeDecodeError):
            definition = ""
    names = custom_pipelines(definition)
    known = f" Custom pipelines there: {', '.join(names)}." if names else ""
    return BitbucketMissingPipelineError(f"{error.message}{known} ({error.status} {error.key})")


def custom_pipelines(definition: str) -> list[str]:
    """Return the names under ``custom:`` of a ``bitbucket-pipelines.yml``, none if it cannot be read."""
    import yaml

    try:
        document = yaml.safe_load(definition)
    except (yaml.YAMLError, RecursionError):
        return []
    for name in ("pipelines", "custom"):
        document = document.get(name) if isinstance(document, Mapping) else None
    return sorted(map(str, document)) if isinstance(document, Mapping) else []
