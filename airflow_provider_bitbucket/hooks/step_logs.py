"""The steps of a pipeline in the log of the task that waits for it."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook

LogSteps = Literal["failed", "all", "none"]

#: Of one step's log; the rest is a click away.
_MOST_BYTES = 1_000_000
_WAITS = ("PENDING", "READY", "NOT_RUN")


class StepLogs:
    """Tells what became of the steps, each change once, and (``all``) what they log, each line once.

    Streaming costs a request for the steps and one for each running step at every look; what was read is not read again
    (``Range``). At the end of a pipeline it is one request, and with ``all`` one for each step whose log is not known yet.

    :param hook: connects; what fails is left for the next time
    :param repository: slug, or ``workspace/slug``
    :param pipeline: uuid or build number
    :param url: web page of the pipeline
    :param log: the task's logger, which masks secrets
    :param mode: ``all``: logs too; ``none``: tell nothing
    """

    def __init__(self, hook: BitbucketHook, repository: str, pipeline: str, url: str, *, log: Any, mode: LogSteps) -> None:
        self._hook = hook
        self._repository = repository
        self._pipeline = pipeline
        self._url = url
        self._log = log
        self._mode = mode
        self._told: dict[str, str] = {}
        self._texts: dict[str, _Text] = {}

    def look(self) -> None:
        """Tell what is new, while the pipeline runs; only with ``all``, because it costs requests at every look."""
        if self._mode == "all":
            self._tell()

    def finish(self) -> None:
        """Tell what is not told yet of a pipeline that is over."""
        if self._mode != "none":
            self._tell()

    def _tell(self) -> None:
        """Log what is new. It is for information only: nothing that is wrong with it decides over the pipeline or the task."""
        try:
            client = self._hook.get_conn()
            steps = client.pipelines.steps(self._repository, self._pipeline)
        except Exception as error:
            self._log.info("The steps could not be read just now: %s", error)
            return
        for step in steps:
            try:
                self._tell_step(client, step)
            except Exception as error:
                self._log.info("A step could not be read just now: %s", error)

    def _tell_step(self, client: BitbucketClient, step: Mapping[str, Any]) -> None:
        from airflow_provider_bitbucket.client.pipeline_state import step_result
        from airflow_provider_bitbucket.client.transport.malformed import text
        from airflow_provider_bitbucket.client.transport.text import one_line

        uuid, result = text(step["uuid"]), one_line(step_result(step))
        name = one_line(str(step.get("name") or uuid))
        over = (step.get("state") or {}).get("name") == "COMPLETED"
        if self._mode == "all" and result not in _WAITS:
            self._tell_log(client, uuid, name, over=over)
        if result != self._told.get(uuid) and result not in _WAITS:
            self._told[uuid] = result
            took = f" after {step['duration_in_seconds']} s" if over and step.get("duration_in_seconds") else ""
            self._log.info("Step %r: %s%s. %s/steps/%s", name, result, took, self._url, uuid)

    def _tell_log(self, client: BitbucketClient, step: str, name: str, *, over: bool) -> None:
        from airflow_provider_bitbucket.client import BitbucketNotFoundError
        from airflow_provider_bitbucket.client.transport.text import lines

        text = self._texts.setdefault(step, _Text())
        if text.complete:
            return
        try:
            part = client.pipelines.log(self._repository, self._pipeline, step, start=text.size, end=_MOST_BYTES - 1)
        except BitbucketNotFoundError:
            part = b""  # it has not started to log
        for line in lines("".join(f"{one}\n" for one in text.add(part, over=over))):
            self._log.info("[%s] %s", name, line)
        if text.complete and text.size >= _MOST_BYTES:
            self._log.info("[%s] ... the rest is at %s/steps/%s", name, self._url, step)


class _Text:
    """A text that arrives in pieces, which may end within a line or a character."""

    def __init__(self) -> None:
        self.size = 0
        self.complete = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def add(self, part: bytes, *, over: bool) -> list[str]:
        """Take in what follows and return the lines that are whole."""
        self.size += len(part)
        self.complete = over or self.size >= _MOST_BYTES
        *lines, self._rest = (self._rest + self._decoder.decode(part, final=self.complete)).split("\n")
        if self.complete and self._rest:
            lines.append(self._rest)
        return [line.rstrip("\r") for line in lines]
