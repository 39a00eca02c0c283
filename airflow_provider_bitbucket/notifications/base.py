"""The base of notifiers."""

from __future__ import annotations

import copy
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.notifier import BaseNotifier

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.credentials.acting_user import CONNECTION_KINDS, triggered_by
from airflow_provider_bitbucket.hooks.runs import Run
from airflow_provider_bitbucket.parameters import Kind, Templated, normalize, required_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.client import BitbucketClient

#: Seconds to connect, and to wait for the next byte: a callback runs in the task's process or in the DAG processor, which waits.
_TIMEOUT = (5.0, 10.0)


class BitbucketNotifier(BaseNotifier):
    """Report to a repository in a callback; the base of notifiers.

    A notifier never fails a DAG: whatever prevents the report, a template that cannot be rendered included, is an error in the
    log. It does not delay one for long either: a request is retried for at most 30 seconds, and no request waits for the
    request budget.

    One object may serve any number of callbacks and runs. Deadline alerts run it in the triggerer, without blocking it.

    :param repository: slug of the repository, or ``workspace/slug`` (templated)
    :param bitbucket_conn_id: connection of type ``bitbucket`` (templated)
    :param workspace: slug of the workspace; default: the connection's (templated)
    :param run_as: the acting user, where the connection has credentials for each user; default: the user who triggered the DAG
        run, else the connection's default user (templated)
    :param context: set by Airflow for deadline alerts
    """

    template_fields: Sequence[str] = ("repository", "bitbucket_conn_id", "workspace", "run_as")
    repository = Templated()
    bitbucket_conn_id = Templated()
    run_as = Templated()
    #: The kind of each template field.
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {"repository": required_name, **CONNECTION_KINDS}

    def __init__(
        self,
        *,
        repository: str,
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        workspace: str | None = None,
        run_as: str | None = None,
        context: Context | None = None,
    ) -> None:
        super().__init__(context=context)
        self.repository = repository
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.run_as = run_as

    def report(self, client: BitbucketClient, run: Run) -> None:
        """Send the report, with normalized parameters.

        :param client: with the connection's credentials
        :param run: what the callback is about
        """
        raise NotImplementedError(f"{type(self).__name__} has to implement report()")

    def notify(self, context: Context) -> None:
        """Report, with rendered parameters.

        :raises ValueError: names the first parameter that is malformed; no request has been made then
        """
        normalize(self, self.parameter_kinds)
        run = Run.of(context)
        with triggered_by(run.user):
            client = BitbucketHook(self.bitbucket_conn_id, self.workspace, self.run_as, timeout=_TIMEOUT).get_conn("brief")
            self.report(client, run)

    async def async_notify(self, context: Context) -> None:
        """Report from the triggerer: requests run in a thread."""
        from asgiref.sync import sync_to_async

        await sync_to_async(self.notify, thread_sensitive=False)(context)

    def __call__(self, *args: Any) -> None:
        """Render the parameters for a callback and report. Errors are logged."""
        # Rendering replaces the templates, and the DAG processor uses one object for the callbacks of several runs.
        notifier, context = copy.copy(self), args[0]
        try:
            notifier._render_parameters(context)
            notifier.notify(context)
        except Exception as error:  # whatever it is: a callback must not fail a run
            notifier._log_failure(error)

    def __await__(self) -> Generator[Any, None, None]:
        """Render the parameters for a deadline alert and report. Errors are logged."""
        return self._notify_of_deadline().__await__()

    async def _notify_of_deadline(self) -> None:
        try:
            self._render_parameters(self.context)
            await self.async_notify(self.context)
        except Exception as error:  # likewise
            self._log_failure(error)

    def _render_parameters(self, context: Context) -> None:
        # The DAG of a callback may be the scheduler's copy, which has no environment of templates.
        has_environment = hasattr(context.get("dag"), "get_template_env")
        self.render_template_fields(context, None if has_environment else self.get_template_env())

    def _log_failure(self, error: Exception) -> None:
        self.log.error("%s could not report to Bitbucket: %s: %s", type(self).__name__, type(error).__name__, error)
