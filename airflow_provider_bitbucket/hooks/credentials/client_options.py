"""Read the extra fields of a Connection that configure the client: texts from the form, any type from JSON."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError
from airflow_provider_bitbucket.get_provider_info import CONNECTION_TYPE

log = logging.getLogger(__name__)

KNOWN_FIELDS = tuple(CONNECTION_TYPE["conn-fields"])


def read_client_options(where: str, extra: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of :class:`~airflow_provider_bitbucket.client.BitbucketClient` that a connection sets.

    :param where: the connection, for messages
    :param extra: its extra fields
    :return: ``verify``, ``proxies``, ``timeout`` and ``rate_limit``, as far as they are filled in
    :raises BitbucketConfigurationError: names the field that is malformed
    """
    options = {}
    for name, read in _READERS.items():
        value = _from_text(extra.get(name))
        if value is None:
            continue
        try:
            options[name] = read(value)
        except ValueError as error:
            raise BitbucketConfigurationError(f"{where}: {name} {error}.") from None
    return options


def warn_about(where: str, extra: dict[str, Any]) -> None:
    """Log a warning for extra fields that do not exist, and for a connection that does not verify certificates."""
    if unknown := sorted(set(extra) - set(KNOWN_FIELDS)):
        log.warning(
            "%s: unknown extra fields %s are ignored. Known: %s.", where, ", ".join(map(repr, unknown)), ", ".join(KNOWN_FIELDS)
        )
    if _from_text(extra.get("verify")) is False:
        log.warning(
            "%s: verify is false, so that TLS certificates are not verified. Give the path of a CA bundle instead.", where
        )


def proxy_passwords(options: dict[str, Any]) -> list[str]:
    """Return the passwords in the proxies' addresses, as written and as sent, to be masked."""
    written = [password for proxy in options.get("proxies", {}).values() if (password := urlsplit(proxy).password)]
    return [*written, *map(unquote, written)]


def _from_text(value: Any) -> Any:
    """Return a text from the form as JSON value, the text itself if it is not JSON, None if it is blank."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except (ValueError, RecursionError):
        return text or None


def _verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or not Path(value).exists():
        raise ValueError(f"is {value!r}; expected the path of a CA bundle that exists here, true or false")
    return value


def _proxies(value: Any) -> dict[str, str]:
    """Return the mapping of schemes to proxies; no error shows a value, which may contain a password."""
    if not isinstance(value, dict) or not all(isinstance(proxy, str) and _is_proxy(proxy) for proxy in value.values()):
        raise ValueError('is malformed; expected a JSON object such as {"https": "http://proxy.example:3128"}')
    return value


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return (
            bool(parts.hostname)
            and parts.scheme in ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
            and parts.port != 0
        )
    except ValueError:
        return False


def _timeout(value: Any) -> tuple[float, float]:
    both = value if isinstance(value, list) else [value, value]
    if len(both) != 2 or not all(_is_number(each) and 0 < each < math.inf for each in both):
        raise ValueError(f"is {value!r}; expected a number of seconds > 0, or [seconds to connect, seconds to wait for a byte]")
    return float(both[0]), float(both[1])


def _rate_limit(value: Any) -> int:
    if not _is_number(value) or not isinstance(value, int) or value <= 0:
        raise ValueError(f"is {value!r}; expected a whole number of requests an hour > 0")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_READERS: dict[str, Callable[[Any], Any]] = {
    "verify": _verify,
    "proxies": _proxies,
    "timeout": _timeout,
    "rate_limit": _rate_limit,
}
