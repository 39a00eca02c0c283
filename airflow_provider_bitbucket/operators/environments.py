"""Ensure deployment environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.parameters import Kind, Templated, mapping, one_of, refused

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketEnsureEnvironmentsOperator"]

EnvironmentType = Literal["Test", "Staging", "Production"]


def types_of_environments(parameter: str, value: Any) -> dict[str, str]:
    """Return environments and their types.

    :raises ValueError: there is none, or a type is unknown
    """
    found = mapping(parameter, value)
    if found is None:
        raise refused(parameter, value, "a mapping such as {'Production EU': 'Production'}")
    return {name: one_of(f"{parameter}[{name!r}]", kind, EnvironmentType) for name, kind in found.items()}


class BitbucketEnsureEnvironmentsOperator(BitbucketRepositoryOperator):
    """Ensure that a repository has deployment environments. Others are left as they are.

    **Under retry** each environment exists once, also after a lost answer or a kill at any point. Costs one request for each,
    and another one for each that is created. Needs the scope ``admin:pipeline:bitbucket`` (OAuth and access tokens:
    ``pipeline:variable``) beside the one to read pipelines.

    :param environments: name -> type, ``Test``, ``Staging`` or ``Production`` (templated)
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :return: the uuid of each environment by name
    :raises ValueError: a parameter is malformed, or an environment exists with another type, which the API cannot change
    :raises BitbucketError: Bitbucket refused
    """

    template_fields: Sequence[str] = (*BitbucketRepositoryOperator.template_fields, "environments")
    template_fields_renderers: ClassVar[dict[str, str]] = {"environments": "json"}
    environments = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "environments": types_of_environments,
    }

    def __init__(self, *, environments: Mapping[str, str], **operator: Any) -> None:
        super().__init__(**operator)
        self.environments = environments

    def perform(self, context: Context) -> dict[str, str]:
        """Ensure the environments and return their uuids."""
        ensure = self.hook.get_conn().environments.ensure
        return {name: str(ensure(self.repository, name, kind)["uuid"]) for name, kind in self.environments.items()}
