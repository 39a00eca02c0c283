"""Call any operation of Bitbucket's API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_bitbucket.operators.base import BitbucketOperator
from airflow_provider_bitbucket.parameters import (
    Kind,
    Templated,
    flag,
    is_blank,
    literal,
    mapping,
    one_of,
    refused,
    required_name,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketApiOperator"]

Method = Literal["GET", "POST", "PUT", "DELETE"]


def api_path(parameter: str, value: Any) -> str:
    """Return a path of the API.

    :raises ValueError: it is not given, or does not begin with a slash
    """
    found = required_name(parameter, value)
    if not found.startswith("/") or "?" in found or "#" in found:
        raise refused(parameter, value, "a path such as /repositories/{workspace}/api/hooks, without a query")
    return found


def query_parameters(parameter: str, value: Any) -> dict[str, Any] | None:
    """Return query parameters: text, numbers, booleans, or lists of them; None if they are left out.

    :raises ValueError: the value is of another type
    """
    if value is None:
        return None
    found = literal(parameter, value)
    if not isinstance(found, Mapping):
        raise refused(parameter, value, "a mapping such as {'q': 'name ~ \"api\"'}")
    for one in (item for each in found.values() for item in (each if isinstance(each, list | tuple) else [each])):
        if not isinstance(one, str | int | float):
            raise refused(f"A value of {parameter}", one, "text, a number, or a list of them")
    return {str(name): str(one).lower() if isinstance(one, bool) else one for name, one in found.items()}


def json_body(parameter: str, value: Any) -> Any:
    """Return a body that is sent as JSON, a mapping or a list, which may arrive as text; None if it is left out.

    :raises ValueError: the value is of another type, or contains what JSON has not
    """
    if value is None:
        return None
    found = None if is_blank(value) else literal(parameter, value)
    if not isinstance(found, Mapping | list | tuple):
        raise refused(parameter, value, "a mapping or list, which is sent as JSON")
    try:
        json.dumps(found, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{parameter} cannot be sent as JSON: {error}") from None
    return found


class BitbucketApiOperator(BitbucketOperator):
    """Call any operation of Bitbucket's API, also one that no other operator covers::

        BitbucketApiOperator(
            task_id="forks",
            path="/repositories/{workspace}/{repo_slug}/forks",
            path_parameters={"repo_slug": "api"},
            paginate=True,
            response_filter=lambda forks: [fork["full_name"] for fork in forks],
        )

    Transient errors are retried within the task, as by every operator; a POST only where it surely had no effect, or with
    ``retry_post``. **Under retry**, GET, PUT and DELETE may be sent several times. A POST is sent once: where its answer is lost,
    the task fails and Airflow does not retry it. Only a killed task, which cannot know, sends its POST again in its next attempt.

    :param path: path below the base URL, as in Atlassian's documentation: names in braces are replaced (templated)
    :param path_parameters: their values, which are quoted; ``workspace`` is the connection's unless it is given (templated)
    :param method: HTTP method
    :param query: query parameters (templated)
    :param body: sent as JSON (templated)
    :param headers: further headers; ``{"Accept": "*/*"}`` where the response is no JSON, such as a diff (templated)
    :param paginate: return the values of all pages of a list
    :param response_filter: called with the response, or with the list of values; its result is the task's
    :param retry_post: sending this POST twice does the same as once, so it may be sent again when its answer was lost
    :param operator: parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :return: the JSON of the response, its text where it is no JSON, None where it is empty; of a list, all its values
    :raises ValueError: a parameter is malformed
    :raises BitbucketLostAnswerError: the answer to a POST was lost: it may have taken effect. Not retried
    :raises BitbucketError: Bitbucket refused
    """

    template_fields: Sequence[str] = (
        *BitbucketOperator.template_fields,
        *("path", "path_parameters", "query", "body", "headers"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(("path_parameters", "query", "body", "headers"), "json")
    path = Templated()
    path_parameters = Templated()
    query = Templated()
    body = Templated()
    headers = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketOperator.parameter_kinds,
        "path": api_path,
        "path_parameters": mapping,
        "query": query_parameters,
        "body": json_body,
        "headers": mapping,
    }

    def __init__(
        self,
        *,
        path: str,
        path_parameters: Mapping[str, Any] | None = None,
        method: Method = "GET",
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        paginate: bool = False,
        response_filter: Callable[[Any], Any] | None = None,
        retry_post: bool = False,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.path = path
        self.path_parameters = path_parameters
        self.method: Method = one_of("method", method, Method)
        self.query = query
        self.body = body
        self.headers = headers
        self.paginate = flag("paginate", paginate)
        self.response_filter = response_filter
        self.retry_post = flag("retry_post", retry_post)
        if self.paginate and (self.method != "GET" or headers):
            raise ValueError(
                f"paginate is True with method {method} and headers {headers!r}; only a GET without headers has pages"
            )

    def perform(self, context: Context) -> Any:
        """Send the request and return the response, filtered."""
        from airflow_provider_bitbucket.changes.any_operation import call, complete_path

        client = self.hook.get_conn()
        path = complete_path(client, self.path, self.path_parameters or {})
        if self.paginate:
            response: Any = [*client.paginate(path, self.query)]
        else:
            options = {"query": self.query, "body": self.body, "headers": self.headers, "retry_post": self.retry_post}
            response = call(client, self.method, path, **options)
        return response if self.response_filter is None else self.response_filter(response)
