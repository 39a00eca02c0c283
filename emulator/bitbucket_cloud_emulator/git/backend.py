"""Git's own server program, run once for each request."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from email.parser import BytesParser


def http_backend(
    directory: str, path: str, method: str, query: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """Run ``git http-backend`` on a repository and return status, headers and content of its response.

    :param directory: the git directory
    :param path: path of the request below the repository
    :param headers: ``Content-Type``, ``Content-Encoding`` and ``Git-Protocol`` of the request; empty if it has none
    :raises RuntimeError: git failed, with its message
    """
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_PROJECT_ROOT": directory,
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_COUNT": "1",  # git refuses a directory of another user, as in a container with a mounted one
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "PATH_INFO": f"/{path}",
        "REQUEST_METHOD": method,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": headers["Content-Type"],
        "HTTP_CONTENT_ENCODING": headers["Content-Encoding"],
        "GIT_PROTOCOL": headers["Git-Protocol"],
    }
    command = ["git", "http-backend"]
    done = subprocess.run(command, input=body, env=environment, capture_output=True, check=False)  # noqa: S603 - fixed words
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    if done.returncode or not head:
        raise RuntimeError(f"git http-backend failed: {done.stderr.decode(errors='replace').strip()}")
    answered = dict(BytesParser().parsebytes(head + b"\r\n\r\n").items())
    return int(answered.pop("Status", "200").split()[0]), answered, content
