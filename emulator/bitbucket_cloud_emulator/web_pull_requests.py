"""The web page of a pull request: build statuses, reports with annotations, comments and timeline, as a reviewer sees them."""

from __future__ import annotations

import html
import re

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.statuses import statuses_of
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.html import Link, table, web_page
from bitbucket_cloud_emulator.pull_requests.models import Comment, PullRequest
from bitbucket_cloud_emulator.reports.models import Report
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.web import find_page

router = APIRouter()


@router.get("/{workspace}/{repo_slug}/pull-requests/{number}")
@router.get("/{workspace}/{repo_slug}/pull-requests/{number}/_/diff")
async def pull_request(request: Request, workspace: str, repo_slug: str, number: int) -> Response:
    """A pull request."""
    found = find_page(request, workspace, repo_slug)
    one = found.pull_requests.get(number)
    if one is None:
        raise ApiError(404, "Page not found", style="html")
    branches = f"{html.escape(one.source_branch)} &rarr; {html.escape(one.destination_branch)}"
    events = [
        (f"{entry.date:%Y-%m-%d %H:%M}", entry.kind.replace("_", " "), entry.user.display_name if entry.user else "-")
        for entry in one.activity
    ]
    return web_page(
        f"#{one.id} {one.title}",
        f"<p><b>{one.state}</b> &middot; {branches}</p><p>{html.escape(one.description)}</p>"
        f"<h2>Builds</h2>{_statuses(request, found, one)}"
        f"<h2>Reports</h2>{_reports(found, one)}"
        f"<h2>Comments</h2>{_comments(one)}"
        f"<h2>Activity</h2>{table(('date', 'event', 'user'), events)}",
    )


def _statuses(request: Request, repository: Repository, pr: PullRequest) -> str:
    """The build statuses of the newest commit, without those of other branches."""
    shown = [one for one in statuses_of(request, repository, pr.source_hash) if one.refname in (None, "", pr.source_branch)]
    rows = [(one.state, Link(one.url, one.name or one.key), one.description, f"{one.updated_on:%Y-%m-%d %H:%M}") for one in shown]
    return table(("state", "build", "description", "updated"), rows)


def _reports(repository: Repository, pr: PullRequest) -> str:
    """The reports on the newest commit."""
    return "".join(map(_report, repository.reports.get(pr.source_hash, {}).values())) or "<p>None.</p>"


def _report(report: Report) -> str:
    fields = report.fields
    figures = " &middot; ".join(html.escape(f"{one['title']}: {one['value']}") for one in fields.get("data", ()))
    rows = [
        (
            one.fields.get("severity", "-"),
            one.fields["summary"],
            ":".join(str(part) for part in (one.fields.get("path"), one.fields.get("line")) if part) or "-",
        )
        for one in report.annotations.values()
    ]
    return (
        f"<h3>{fields['result']} &middot; {Link(fields['link'], fields['title'])}</h3>"
        f"<p>{html.escape(fields['details'])}</p><p>{figures}</p>{table(('severity', 'finding', 'file'), rows)}"
    )


def _comments(pr: PullRequest) -> str:
    shown = [one for one in pr.comments.values() if not one.deleted and not one.pending]
    return "".join(map(_comment, shown)) or "<p>None.</p>"


def _comment(comment: Comment) -> str:
    author = comment.user.display_name if comment.user else "-"
    place = f" &middot; <code>{html.escape(str(comment.inline.get('path')))}</code>" if comment.inline else ""
    head = f"<p><b>{html.escape(author)}</b> &middot; {comment.updated_on:%Y-%m-%d %H:%M}{place}</p>"
    return f"{head}{_markdown(comment.raw)}"


_FENCE = re.compile(r"^(`{3,})\w*\n(.*?)\n\1$", re.MULTILINE | re.DOTALL)
_INLINE = (
    (re.compile(r"^\[//\]: # .*$", re.MULTILINE), ""),  # a link definition, which Markdown does not show
    (re.compile(r"`([^`\n]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*(.+?)\*\*"), r"<b>\1</b>"),
    (re.compile(r"\[((?:[^\[\]])+)\]\((https?://[^\s)\"]+)\)"), r'<a href="\2">\1</a>'),
)


def _markdown(text: str) -> str:
    """Return the HTML of the Markdown that comments about runs use: blocks of code, code, bold text and links."""
    shown, end = "", 0
    for block in _FENCE.finditer(text):
        shown += f"{_paragraphs(text[end : block.start()])}<pre>{html.escape(block[2])}</pre>"
        end = block.end()
    return shown + _paragraphs(text[end:])


def _paragraphs(text: str) -> str:
    shown = html.escape(text)
    for pattern, replacement in _INLINE:
        shown = pattern.sub(replacement, shown)
    return "".join(f"<p>{part}</p>" for part in shown.split("\n\n") if part.strip())
