"""Comments on commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.bodies import CommentBody, EditedComment
from bitbucket_cloud_emulator.commits.graph import resolve
from bitbucket_cloud_emulator.commits.models import Comment, Commit
from bitbucket_cloud_emulator.core.bodies import read_body
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.core.wire import iso_main, number, rendered
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.users.models import Credential
from bitbucket_cloud_emulator.users.views import account_json

router = APIRouter(prefix=f"{API}/repositories/{{workspace}}/{{repo_slug}}/commit/{{commit}}/comments")


@dataclass(frozen=True)
class _OnCommit:
    """A request about the comments on a commit."""

    request: Request
    state: State
    credential: Credential
    repository: Repository
    commit: Commit

    def shown(self, comment: Comment) -> dict[str, Any]:
        return _comment_json(self.repository, self.commit, comment, origin(self.request))

    def comment(self, comment_id: str) -> Comment:
        found = self.commit.comments.get(number(comment_id) or 0)
        if found is None:
            raise ApiError(404, f"Comment {comment_id} not found")
        return found


async def _on_commit(
    request: Request,
    workspace: str,
    repo_slug: str,
    commit: str,
    credential: Annotated[Credential, Depends(requires("read:repository"))],
) -> _OnCommit:
    repository = find_repository(request, workspace, repo_slug)
    return _OnCommit(request, current_state(request), credential, repository, resolve(repository, commit))


Here = Annotated[_OnCommit, Depends(_on_commit)]


@router.get("")
async def comments(here: Here) -> Response:
    """The comments on a commit, oldest first."""
    return page(here.request, [*here.commit.comments.values()], here.shown, q_fields=None, sort_fields=None)


@router.post("")
async def add_comment(here: Here) -> Response:
    """Comment on a commit."""
    body, now = await read_body(here.request, CommentBody), here.state.clock.now()
    if body.parent is not None and body.parent.id not in here.commit.comments:
        raise ApiError(404, f"Comment {body.parent.id} not found")
    made = Comment(
        _FIRST_COMMENT + here.state.number("commit comment"),
        here.credential.user,
        body.content.raw,
        now,
        now,
        parent=body.parent.id if body.parent else None,
        inline=body.inline.record() if body.inline else None,
    )
    here.commit.comments[made.id] = made
    shown = here.shown(made)
    return json_response(shown, 201, {"Location": shown["links"]["self"]["href"]})


@router.get("/{comment_id}")
async def comment(here: Here, comment_id: str) -> Response:
    """A comment."""
    return json_response(here.shown(here.comment(comment_id)))


@router.put("/{comment_id}")
async def edit_comment(here: Here, comment_id: str) -> Response:
    """Change the text of a comment; answered with 201, as documented."""
    body, found = await read_body(here.request, EditedComment), here.comment(comment_id)
    found.raw, found.updated_on = body.content.raw, here.state.clock.now()
    shown = here.shown(found)
    return json_response(shown, 201, {"Location": shown["links"]["self"]["href"]})


@router.delete("/{comment_id}")
async def delete_comment(here: Here, comment_id: str) -> Response:
    """Delete a comment: it stays in lists, empty."""
    found = here.comment(comment_id)
    found.deleted, found.raw, found.updated_on = True, "", here.state.clock.now()
    return Response(status_code=204, media_type="text/html")


#: Ids of comments are numbers of their own service.
_FIRST_COMMENT = 15_300_000


def _comment_json(repository: Repository, commit: Commit, comment: Comment, base: str) -> dict[str, Any]:
    api = f"{base}{API}/repositories/{repository.full_name}/commit/{commit.hash}"
    shown: dict[str, Any] = {
        "id": comment.id,
        "created_on": iso_main(comment.created_on),
        "updated_on": iso_main(comment.updated_on),
        "content": rendered(comment.raw),
        "user": account_json(comment.user, base),
        "deleted": comment.deleted,
        "type": "commit_comment",
        "links": {
            "self": {"href": f"{api}/comments/{comment.id}"},
            "html": {"href": f"{base}/{repository.full_name}/commits/{commit.hash}#comment-{comment.id}"},
        },
        "commit": {"type": "commit", "hash": commit.hash, "links": {"self": {"href": api}}},
    }
    if comment.inline is not None:
        shown["inline"] = comment.inline
    if comment.parent is not None:
        parent = f"{api}/comments/{comment.parent}"
        shown["parent"] = {"id": comment.parent, "type": "commit_comment", "links": {"self": {"href": parent}}}
    return shown
