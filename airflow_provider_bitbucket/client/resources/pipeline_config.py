"""Whether Pipelines is enabled, and the next build number."""

from __future__ import annotations

from typing import cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.types import PipelinesConfig


class PipelineConfig(Resource):
    """The configuration of Pipelines in a repository."""

    def get(self, repository: str) -> PipelinesConfig:
        """Return the configuration.

        :raises BitbucketNotFoundError: Pipelines was never configured there
        """
        return cast("PipelinesConfig", self._api.get(self._path(repository)))

    def update(self, repository: str, *, enabled: bool) -> PipelinesConfig:
        """Enable or disable Pipelines, and return the configuration."""
        return cast("PipelinesConfig", self._api.put(self._path(repository), {"enabled": enabled}))

    def set_next_build_number(self, repository: str, number: int) -> None:
        """Set the number of the next pipeline.

        :param number: larger than that of the latest pipeline
        :raises BitbucketBadRequestError: it is not larger
        """
        self._api.put(f"{self._path(repository)}/build_number", {"next": number})

    def _path(self, repository: str) -> str:
        return f"{self._api.repository_path(repository)}/pipelines_config"
