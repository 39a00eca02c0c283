"""Logs of steps: their text, the part that is written at a point in time, and ranges by ``Range``."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.wire import braces
from bitbucket_cloud_emulator.pipelines.plan import PipelineView, StepView
from bitbucket_cloud_emulator.repositories.models import Repository

STORAGE = "/_storage"
_SIGNING_KEY = b"what only the storage of the emulator knows"


def log_bytes(repository: Repository, pipeline: PipelineView, view: StepView, now: datetime) -> bytes | None:
    """Return the log of a step as far as it is written, None when it has none (yet).

    :param repository: whose
    :param pipeline: the pipeline at that time
    :param view: the step at that time
    :param now: the time
    """
    if view.started_on is None or (view.completed_on is not None and view.completed_on == view.started_on):
        return None
    lines = _lines(repository, pipeline, view)
    if view.completed_on is None:
        share = (now - view.started_on).total_seconds() / max(view.step.seconds, 0.001)
        lines = lines[: 1 + int(share * len(lines))]
    return "".join(f"{line}\n" for line in lines).encode()


def storage_url(request: Request, *parts: str, kind: str = "log") -> str:
    """Return a pre-signed address in the storage, which is another host than the API's.

    :param request: the call of the API; its ``127.0.0.1`` becomes ``localhost`` and the other way round
    :param parts: identify the file: of a log the uuids of repository, pipeline and step
    :param kind: ``log`` or ``download``
    """
    hosts = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
    url, here = request.url, str(request.url.hostname)
    path = "/".join((STORAGE, *(braces(part) for part in parts), kind))
    query = urlencode(
        {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": "ASIAEMULATOR/us-east-1/s3/aws4_request",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": signature(*parts),
        }
    )
    return f"{url.scheme}://{url.netloc.replace(here, hosts.get(here, here))}{path}?{query}"


def signature(*parts: str) -> str:
    """Return what proves that an address was given out by the API."""
    return hmac.new(_SIGNING_KEY, "/".join(parts).encode(), hashlib.sha256).hexdigest()


def log_response(request: Request, content: bytes) -> Response:
    """Answer with a log or the part of it that was asked for: 200, 206, or 416 past the end.

    :param request: with ``Range`` (``bytes=a-b``, ``a-``, ``-n``)
    :param content: the whole log
    """
    headers = {"Accept-Ranges": "bytes"}
    wanted = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("Range", ""))
    if wanted is None or wanted[0] == "bytes=-":
        return Response(content, 200, headers, "application/octet-stream")
    size = len(content)
    start = int(wanted[1]) if wanted[1] else max(size - int(wanted[2]), 0)
    end = min(int(wanted[2]), size - 1) if wanted[1] and wanted[2] else size - 1
    if start >= size or end < start:
        raise ApiError(
            416,
            "Requested range not satisfiable",
            detail=f"The log is {size} bytes long.",
            style="pipelines",
            headers={"Content-Range": f"bytes */{size}"},
        )
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return Response(content[start : end + 1], 206, headers, "application/octet-stream")


def _lines(repository: Repository, pipeline: PipelineView, view: StepView) -> list[str]:
    target, step = pipeline.pipeline.target, view.step
    commit = target["commit"]["hash"]
    ref = target.get("ref_name") or target.get("source") or commit
    found = repository.commits.get(commit)
    lines = [
        f"Runtime: cloud | image: {step.image}",
        "+ umask 000",
        f'+ git clone --branch="{ref}" --depth 50 https://bitbucket.org/$BITBUCKET_REPO_FULL_NAME.git $BUILD_DIR',
        "Cloning into '/opt/atlassian/pipelines/agent/build'...",
        f"+ git reset --hard {commit}",
        f"HEAD is now at {commit[:7]} {found.message.splitlines()[0] if found and found.message else ''}".rstrip(),
        *(f"+ {line}" for line in step.script),
        *step.log.splitlines(),
    ]
    if step.test_cases:
        failed = sum(case["status"] in ("FAILED", "ERROR") for case in step.test_cases)
        lines.append(f"{len(step.test_cases)} tests found, {failed} failed. Processing test reports ...")
    if view.result is None:
        return lines
    return [*lines, "Build teardown", f"Step result: {view.result}"]
