"""Set variables of pipelines, such as rotated secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.operators.base import BitbucketOperator
from airflow_provider_bitbucket.operators.masking import mask_literals, mask_rendered
from airflow_provider_bitbucket.parameters import Kind, Templated, flag, name_if_given, refused, variables

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketSetPipelineVariablesOperator"]


def variables_to_set(parameter: str, value: Any) -> list[dict[str, Any]]:
    """Return pipeline variables in list form, at least one, each with a key and a text value.

    :raises ValueError: as :func:`~airflow_provider_bitbucket.parameters.variables`, or there is none, or a field is unknown or
        missing. Values are not shown
    """
    found = variables(parameter, value)
    if isinstance(found, Mapping):
        found = [{"key": key, "value": one} for key, one in found.items()]
    if not found:
        raise ValueError(f"{parameter} is empty; expected {{'KEY': 'value'}} or a list of variables")
    for one in found:
        if not isinstance(one, Mapping) or not {"key", "value"} <= set(one) <= {"key", "value", "secured"} or not one["key"]:
            fields = sorted(map(str, one)) if isinstance(one, Mapping) else type(one).__name__  # its value may be a secret
            raise ValueError(f"A variable of {parameter} has {fields}; expected key, value and, if given, secured")
    return [dict(one) for one in found]


class BitbucketSetPipelineVariablesOperator(BitbucketOperator):
    """Set variables of the pipelines of a repository, a deployment environment or the whole workspace::

        BitbucketSetPipelineVariablesOperator(
            task_id="rotate",
            repository="api",
            environment="Production",
            variables={"DB_PASSWORD": "{{ conn.warehouse.password }}"},
        )

    **Under retry** each key exists once and has the value of the last attempt, also after a lost answer or a kill at any point.
    A secured value cannot be read back, so it is written each time; other variables that have their value are left. Variables
    that are not named are left as they are. Values of secured variables are masked in the logs and rendered fields of Airflow.

    Costs one or two requests for each variable, more where there are more than 100. Needs the scope ``admin:pipeline:bitbucket``
    (OAuth and access tokens: ``pipeline:variable``) beside the one to read pipelines.

    :param variables: ``{"KEY": "value"}``, or a list of ``{"key": ..., "value": ..., "secured": False}`` (templated)
    :param repository: slug of the repository, or ``workspace/slug``; None: variables of the workspace (templated)
    :param environment: name, slug or uuid of a deployment environment of the repository (templated)
    :param secured: whether variables that do not state it are secured
    :param operator: parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :return: the uuid of each variable by key
    :raises ValueError: a parameter is malformed, there is no such environment, or a secured variable is to be unsecured
    :raises BitbucketError: Bitbucket refused
    """

    template_fields: Sequence[str] = (*BitbucketOperator.template_fields, "variables", "repository", "environment")
    template_fields_renderers: ClassVar[dict[str, str]] = {"variables": "json"}
    repository = Templated()
    environment = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketOperator.parameter_kinds,
        "variables": variables_to_set,
        "repository": name_if_given,
        "environment": name_if_given,
    }

    def __init__(
        self,
        *,
        variables: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        repository: str | None = None,
        environment: str | None = None,
        secured: bool = True,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.secured = flag("secured", secured)
        self.variables = variables
        self.repository = repository
        self.environment = environment

    @property
    def variables(self) -> Any:
        """The variables."""
        return self._variables

    @variables.setter
    def variables(self, value: Any) -> None:
        # Airflow stores the rendered fields before it runs the task: they are masked when it sets them. The first value is kept
        # as it is: it may be a template, or must never become one.
        if hasattr(self, "_variables"):
            self._variables = mask_rendered(value, secured=self.secured)
        else:
            self._variables = value
            mask_literals(value, secured=self.secured)

    def perform(self, context: Context) -> dict[str, str]:
        """Set the variables one after the other and return their uuids."""
        if self.environment is not None and self.repository is None:
            raise refused("repository", None, "the repository of the environment")
        client = self.hook.get_conn()
        environment = self._environment_uuid()
        uuids = {}
        for one in self.variables:
            secured = bool(one.get("secured", self.secured))
            scope: dict[str, Any] = {"environment": environment, "secured": secured}
            found = client.pipeline_variables.ensure(one["key"], one["value"], self.repository, **scope)
            uuids[one["key"]] = str(found.get("uuid"))
            self.log.info("Variable %s is set%s.", one["key"], ", secured" if secured else "")
        return uuids

    def _environment_uuid(self) -> str | None:
        if self.environment is None:
            return None
        environments = self.hook.get_conn().environments
        found = environments.find(self.repository, self.environment)
        if found is None:
            known = ", ".join(str(one.get("name")) for one in environments.list(self.repository)) or "none"
            raise refused("environment", self.environment, f"an environment of {self.repository}, which has: {known}")
        return str(found["uuid"])
