"""Diffs: a pull request's routes redirect to the repository's, which compare any two commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.diffs import Tree, diff, diffstat, imagined_diff
from bitbucket_cloud_emulator.commits.graph import divergence, parting, resolve
from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.http import API
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.wire import number
from bitbucket_cloud_emulator.pull_requests.merge import collisions
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.pull_requests.target import ONE, REPOSITORY, InRepository, Reading, in_repository
from bitbucket_cloud_emulator.pull_requests.views import diffstat_json, revisions

_DEFAULT_PAGE, _LARGEST_PAGE = 500, 5000

router = APIRouter(prefix=REPOSITORY)

Here = Annotated[InRepository, Depends(in_repository("read:repository"))]


@router.get(f"{ONE}/diff")
@router.get(f"{ONE}/diffstat")
@router.get(f"{ONE}/patch")
@router.get(f"{ONE}/conflicts")
async def of_pull_request(on: Reading) -> Response:
    """Redirect to the repository's diff of a pull request."""
    kind = on.request.url.path.rpartition("/")[2].replace("conflicts", "file-conflicts")
    path = on.repository.full_name
    target = f"{path}/{kind}/{path}:{revisions(on.pr)}?from_pullrequest_id={on.pr.id}&topic=true"
    return Response(status_code=302, headers={"Location": f"{on.base}{API}/repositories/{target}"})


@router.get("/diffstat/{spec:path}")
async def diffstat_between(here: Here, spec: str) -> Response:
    """A row for every changed file."""
    change = _change(here, spec)
    return page(
        here.request,
        change.rows,
        lambda row: diffstat_json(here.repository, row, change.old, change.new, here.base),
        default=_DEFAULT_PAGE,
        maximum=_LARGEST_PAGE,
    )


@router.get("/diff/{spec:path}")
async def diff_between(here: Here, spec: str) -> Response:
    """The change as text; nothing at all between a commit and itself."""
    return _text(_change(here, spec).text())


@router.get("/patch/{spec:path}")
async def patch_between(here: Here, spec: str) -> Response:
    """The change as text, with a header for every commit."""
    change = _change(here, spec)
    headers = "".join(
        f"From {one.hash} Mon Sep 17 00:00:00 2001\nFrom: {one.author_raw}\nDate: {one.date:%a, %d %b %Y %H:%M:%S %z}\n"
        f"Subject: [PATCH] {one.message}\n---\n\n"
        for one in reversed(change.commits)
    )
    return _text(headers + change.text())


@router.get("/file-conflicts/{spec:path}")
async def conflicts_between(here: Here, spec: str) -> Response:
    """The files with merge conflicts; for pull requests only."""
    pr = _pull_request(here)
    if pr is None:
        raise ApiError(404, "Resource not found")
    return page(here.request, collisions(here.repository, pr), lambda path: {"type": "file_conflict", "path": path})


@dataclass(frozen=True)
class _Change:
    """A change from one commit to another, as rows and, where its trees are known, as trees."""

    old: str
    new: str
    before: Tree
    after: Tree
    rows: list[dict[str, Any]]
    commits: list[Commit]

    def text(self) -> str:
        return diff(self.before, self.after) or imagined_diff(self.rows)


def _change(here: InRepository, spec: str) -> _Change:
    """Read a spec: one commit against its parent, ``source..destination``, or a pull request's ``repository:source CR dest``.

    The first of two is the one with the changes, the other way round than in git.
    """
    pr = _pull_request(here)
    own, base, source = _of_pull_request(here, pr) if pr else _between(here, spec)
    before: Tree = base.files if base else {}
    after: Tree = source.files
    if paths := here.request.query_params.getlist("path"):
        before, after = _only(before, paths), _only(after, paths)
    rows = pr.diffstat if pr else diffstat(before, after)
    rows = [row for row in rows if not paths or _below(row["path"], paths)]
    return _Change(base.hash if base else "", source.hash, before, after, rows, own)


def _of_pull_request(here: InRepository, pr: PullRequest) -> tuple[list[Commit], Commit | None, Commit]:
    own = [here.repository.commits[sha] for sha in pr.commits]
    base = parting(here.repository, own)
    if base is None:
        raise ApiError(400, "No common ancestor")
    return own, base, here.repository.commits[pr.source_hash]


def _between(here: InRepository, spec: str) -> tuple[list[Commit], Commit | None, Commit]:
    first, _, second = spec.rpartition(":")[2].replace("\r", "..").partition("..")
    source = resolve(here.repository, first)
    if not second:
        return [source], next((here.repository.commits[sha] for sha in source.parents), None), source
    destination = resolve(here.repository, second)
    apart = divergence(here.repository, source.hash, destination.hash)
    if apart.base is None:
        raise ApiError(400, "No common ancestor")
    return apart.own, destination if here.request.query_params.get("topic") == "false" else apart.base, source


def _pull_request(here: InRepository) -> PullRequest | None:
    wanted = here.request.query_params.get("from_pullrequest_id", "")
    return here.repository.pull_requests.get(number(wanted) or 0)


def _below(path: str, wanted: list[str]) -> bool:
    return any(path == one or path.startswith(f"{one.rstrip('/')}/") for one in wanted)


def _only(tree: Tree, wanted: list[str]) -> Tree:
    return {path: content for path, content in tree.items() if _below(path, wanted)}


def _text(content: str) -> Response:
    return Response(content, headers={"Content-Type": "text/plain"})
