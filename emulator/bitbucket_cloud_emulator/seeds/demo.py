"""Three months of a small company that end at the clock's start: 6 repositories, 14 people and a bot, some 400 pull requests.

People with working hours write, review, merge and release, through the same functions that the API uses. The same seed
and clock give the same bytes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bitbucket_cloud_emulator.commits.graph import add_commit
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.pipelines.definition import FILE_NAME
from bitbucket_cloud_emulator.pipelines.plan import settle_statuses
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.seeds.common import add_workspace, join
from bitbucket_cloud_emulator.seeds.demo_definitions import DEFINITIONS, scripts
from bitbucket_cloud_emulator.seeds.demo_people import hire
from bitbucket_cloud_emulator.seeds.demo_pipelines import RELEASES, Builds, nightlies, open_environments, releases
from bitbucket_cloud_emulator.seeds.demo_pull_requests import hotfixes, pull_request
from bitbucket_cloud_emulator.seeds.demo_timeline import WEEKS, Timeline
from bitbucket_cloud_emulator.users.models import User
from bitbucket_cloud_emulator.workspaces.models import Project, Workspace

#: slug -> name, language, description, how many pull requests.
REPOSITORIES: dict[str, tuple[str, str, str, int]] = {
    "api": ("API", "python", "The API that everything else talks to", 108),
    "web": ("Web", "typescript", "The shop and its back office", 96),
    "mobile": ("Mobile", "dart", "The app for couriers", 60),
    "data-platform": ("Data Platform", "python", "Pipelines and marts", 58),
    "infrastructure": ("Infrastructure", "hcl", "Everything as code", 46),
    "docs": ("Docs", "markdown", "Handbook and guides", 36),
}


def plant(state: State) -> None:
    """Plant the seed; one person leaves the company at the end, and their account is deleted."""
    workspace, people, _ = plant_company(state)
    _leave(state, workspace, people[-1])


def plant_company(state: State) -> tuple[Workspace, list[User], User]:
    """Plant three months without departures; return the workspace, the people and the bot."""
    end = state.clock.start
    first = end - timedelta(weeks=WEEKS)
    people, bot = hire(state, first, end)
    workspace = add_workspace(state, people[0].user)
    join(state, workspace, [one.user for one in people[1:]])
    for slug in REPOSITORIES:
        _create(state, workspace, slug, people[0].user)
    timeline = Timeline(state, workspace, people, bot)
    builds = Builds(timeline)
    open_environments(timeline)
    for slug, (_, _, _, count) in REPOSITORIES.items():
        for began in _beginnings(timeline, count):
            timeline.schedule(began, pull_request(timeline, builds, slug, began))
    for slug in RELEASES:
        timeline.schedule(first, nightlies(timeline, builds, slug))
        timeline.schedule(first, releases(timeline, builds, slug, hotfixes(timeline, builds)))
    timeline.run()
    workspace.repositories["api"].scripts = scripts()
    for repository in workspace.repositories.values():
        settle_statuses(repository, end)
    return workspace, [one.user for one in people], bot


def _create(state: State, workspace: Workspace, slug: str, owner: User) -> Repository:
    name, language, description, _ = REPOSITORIES[slug]
    since = state.clock.start - timedelta(days=700)
    project = workspace.projects.setdefault("ACME", Project("ACME", "Acme", workspace.uuid, since, since))
    repository = Repository(workspace, slug, name, state.uuid(), project, since, since, description, language)
    repository.pipelines_enabled = slug in DEFINITIONS
    workspace.repositories[slug] = repository
    files = {"README.md": f"# {name}\n\n{description}.\n".encode(), ".gitignore": b"build/\n.venv/\n"}
    add_commit(state, repository, author=owner, message="Initial commit", at=since, branch="main", files=files)
    if slug in DEFINITIONS:
        later = since + timedelta(days=1)
        definition = {FILE_NAME: DEFINITIONS[slug]}
        add_commit(state, repository, author=owner, message="Add pipelines", at=later, branch="main", files=definition)
    repository.size = 180_000 + state.random.randrange(40_000_000)
    return repository


def _beginnings(timeline: Timeline, count: int) -> list[datetime]:
    """Instants at which work on pull requests begins: more of it in the middle of the week, none at weekends."""
    found: list[datetime] = []
    while len(found) < count:
        day = timeline.first + timedelta(days=timeline.random.random() * WEEKS * 7)
        if day < timeline.end and timeline.chance((0.8, 1.0, 1.0, 0.9, 0.6, 0.0, 0.0)[day.weekday()]):
            found.append(day.replace(hour=7) + timedelta(seconds=timeline.random.randrange(9 * 3600)))
    return sorted(found)


def _leave(state: State, workspace: Workspace, user: User) -> None:
    """Delete an account: what it did stays, with a null author."""
    del state.users[user.uuid]
    del workspace.members[user.uuid]
    for repository in workspace.repositories.values():
        for commit in repository.commits.values():
            commit.author = None if commit.author is user else commit.author
        for pipeline in repository.pipelines:
            pipeline.creator = None if pipeline.creator is user else pipeline.creator
        for pr in repository.pull_requests.values():
            pr.author = None if pr.author is user else pr.author
            pr.closed_by = None if pr.closed_by is user else pr.closed_by
            pr.reviewers = [one for one in pr.reviewers if one is not user]
            pr.participants.pop(user.uuid, None)
            for comment in pr.comments.values():
                comment.user = None if comment.user is user else comment.user
            for entry in pr.activity:
                entry.user = None if entry.user is user else entry.user
                if "reviewers" in entry.payload:
                    entry.payload["reviewers"] = tuple(one for one in entry.payload["reviewers"] if one is not user)
            for task in pr.tasks.values():
                task.creator = None if task.creator is user else task.creator
                task.resolved_by = None if task.resolved_by is user else task.resolved_by
