"""Write the steps of a pipeline to the log of the task that waits for it."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.pipeline_runs.policies import LogSteps

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

#: Limit for the log of one step; a link leads to the rest.
_MAX_BYTES = 1_000_000
_NOT_STARTED = ("PENDING", "READY", "NOT_RUN")


class StepLogs:
    """Log each state change of the steps once and, with ``all``, each line of their logs once.

    Streaming costs one request for the steps and one for each running step at every poll; bytes already read are not read again
    (``Range``). A finished pipeline costs one request, and with ``all`` one for each step whose log is incomplete.

    :param connect: returns a client; a failed request is repeated at the next poll
    :param repository: slug, or ``workspace/slug``
    :param pipeline: uuid or build number
    :param url: web page of the pipeline
    :param log: the task's logger, which masks secrets
    :param mode: ``all``: logs too; ``none``: log nothing
    """

    def __init__(
        self, connect: Callable[[], BitbucketClient], repository: str, pipeline: str, url: str, *, log: Any, mode: LogSteps
    ) -> None:
        self._connect = connect
        self._repository = repository
        self._pipeline = pipeline
        self._url = url
        self._log = log
        self._mode = mode
        self._last_reported: dict[str, str] = {}
        self._texts: dict[str, _Text] = {}

    def poll(self) -> None:
        """Log what is new in a running pipeline; only with ``all``, because each poll costs requests."""
        if self._mode == "all":
            self._report()

    def finish(self) -> None:
        """Log what was not logged yet of a finished pipeline."""
        if self._mode != "none":
            self._report()

    def _report(self) -> None:
        """Log what is new. Errors are logged only: they decide nothing about the pipeline or the task."""
        try:
            client = self._connect()
            steps = client.pipelines.steps(self._repository, self._pipeline)
        except Exception as error:
            self._log.info("Reading the steps failed: %s", error)
            return
        for step in steps:
            try:
                self._report_step(client, step)
            except Exception as error:
                self._log.info("Reading a step failed: %s", error)

    def _report_step(self, client: BitbucketClient, step: Mapping[str, Any]) -> None:
        from airflow_provider_bitbucket.client.pipeline_state import step_result
        from airflow_provider_bitbucket.client.transport.malformed import text
        from airflow_provider_bitbucket.client.transport.text import one_line, web_link

        uuid, result = text(step["uuid"]), one_line(step_result(step))
        name = one_line(str(step.get("name") or uuid))
        is_finished = (step.get("state") or {}).get("name") == "COMPLETED"
        if self._mode == "all" and result not in _NOT_STARTED:
            self._report_log(client, uuid, name, is_finished=is_finished)
        if result != self._last_reported.get(uuid) and result not in _NOT_STARTED:
            self._last_reported[uuid] = result
            took = f" after {step['duration_in_seconds']} s" if is_finished and step.get("duration_in_seconds") else ""
            self._log.info("Step %r: %s%s. %s", name, result, took, web_link(self._url, "steps", uuid))

    def _report_log(self, client: BitbucketClient, step: str, name: str, *, is_finished: bool) -> None:
        from airflow_provider_bitbucket.client import BitbucketNotFoundError
        from airflow_provider_bitbucket.client.transport.text import lines, web_link

        text = self._texts.setdefault(step, _Text())
        if text.complete:
            return
        try:
            part = client.pipelines.log(self._repository, self._pipeline, step, start=text.size, end=_MAX_BYTES - 1)
        except BitbucketNotFoundError:
            part = b""  # the step has not logged anything yet
        for line in lines("".join(f"{line}\n" for line in text.add(part, is_finished=is_finished))):
            self._log.info("[%s] %s", name, line)
        if text.complete and text.size >= _MAX_BYTES:
            self._log.info("[%s] ... the rest is at %s", name, web_link(self._url, "steps", step))


class _Text:
    """A text received in chunks, which may end within a line or a character."""

    def __init__(self) -> None:
        self.size = 0
        self.complete = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def add(self, part: bytes, *, is_finished: bool) -> list[str]:
        """Add the next bytes and return the lines that are complete."""
        self.size += len(part)
        self.complete = is_finished or self.size >= _MAX_BYTES
        *lines, self._rest = (self._rest + self._decoder.decode(part, final=self.complete)).split("\n")
        if self.complete and self._rest:
            lines.append(self._rest)
        return [line.rstrip("\r") for line in lines]
