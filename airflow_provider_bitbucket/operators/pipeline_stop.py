"""Stop a Bitbucket pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.exceptions import BitbucketPipelineNotStoppedError
from airflow_provider_bitbucket.hooks.pipelines import named_pipeline
from airflow_provider_bitbucket.links import BitbucketPipelineLink, push_pipeline
from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.parameters import Kind, Templated, seconds
from airflow_provider_bitbucket.pipeline_runs.policies import StopPolicy

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketStopPipelineOperator"]


class BitbucketStopPipelineOperator(BitbucketRepositoryOperator):
    """Stop a pipeline and wait until it has finished. A pipeline that has already finished is no failure.

    Return value: the same small dictionary about the pipeline as that of the operator that starts one.

    :param pipeline: uuid or build number
    :param timeout: seconds to wait until it has finished. Bitbucket takes some to stop one.
    :param operator: ``repository`` and the connection, as for
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketRepositoryOperator`
    """

    template_fields = (*BitbucketRepositoryOperator.template_fields, "pipeline")
    pipeline = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {**BitbucketRepositoryOperator.parameter_kinds, "pipeline": named_pipeline}
    operator_extra_links = (BitbucketPipelineLink(),)
    stop_policy: ClassVar[StopPolicy] = StopPolicy()

    def __init__(self, *, pipeline: int | str, timeout: float = 120, **operator: Any) -> None:
        super().__init__(**operator)
        self.pipeline = pipeline
        self.timeout = seconds("timeout", timeout)

    def perform(self, context: Context) -> dict[str, Any]:
        """Stop the pipeline.

        :return: what is worth knowing about the pipeline, JSON-native
        :raises ValueError: no pipeline is named
        :raises BitbucketPipelineNotStoppedError: it has not finished after ``timeout``, or is paused, which prevents it
        :raises BitbucketError: Bitbucket refused
        """
        from airflow_provider_bitbucket.pipeline_runs.stop import follow_stop, why_not_stopped

        client, name, pipeline = self.hook.get_conn(), self.hook.full_name(self.repository), self.pipeline
        is_requested = client.pipelines.stop(name, pipeline)
        policy = replace(self.stop_policy, wait_seconds=self.timeout)
        outcome = follow_stop(client, name, pipeline, policy) if is_requested else None
        outcome = outcome or client.pipelines.outcome(name, pipeline)
        push_pipeline(context, outcome)
        if not outcome.is_terminal:
            raise BitbucketPipelineNotStoppedError(f"Bitbucket was asked to stop it. {why_not_stopped(outcome)}")
        self.log.info("%s %s", outcome.reason if is_requested else f"It had already finished. {outcome.reason}", outcome.url)
        return outcome.summary()
