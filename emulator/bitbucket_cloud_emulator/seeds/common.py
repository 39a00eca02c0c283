"""Common parts of all seeds: the workspace ``acme`` and its well-known credentials."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.auth import ALL_SCOPES
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.oauth.models import Consumer
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import Credential, User
from bitbucket_cloud_emulator.workspaces.models import Project, Workspace

#: Scopes of the OAuth consumer, by their legacy names.
CONSUMER_SCOPES = frozenset(
    {
        *("account", "team", "webhook", "pullrequest:write", "pipeline:variable"),
        *("repository:write", "repository:admin", "repository:delete", "project:admin"),
    }
)

#: Callback URL of the OAuth consumer.
CALLBACK_URL = "http://127.0.0.1:8910/callback"

PIPELINES_YAML = b"""image: atlassian/default-image:5
pipelines:
  default:
    - step: {name: Build, script: [make build]}
    - step: {name: Test, script: [make test]}
  custom:
    deploy-staging:
      - step: {name: Build, script: [make build]}
      - step: {name: Deploy to staging, deployment: staging, script: [make deploy]}
    deploy-production:
      - step: {name: Build, script: [make build]}
      - step: {name: Deploy to production, deployment: production, script: [make deploy]}
    nightly:
      - step: {name: Nightly, script: [make nightly]}
    release-with-approval:
      - step: {name: Build, script: [make build]}
      - step: {name: Release, trigger: manual, script: [make release]}
"""


def add_user(state: State, name: str, *, since: datetime, kind: str = "user") -> User:
    """Add an account."""
    uuid = state.uuid()
    account = f"712020:{state.uuid()[1:-1]}"
    user = User(uuid, name, name.lower().replace(" ", "."), account, since, kind)
    state.users[uuid] = user
    return user


def add_workspace(state: State, owner: User) -> Workspace:
    """Add the workspace ``acme`` with its credentials; the API token is the owner's."""
    since = owner.created_on
    workspace = Workspace("acme", "Acme", state.uuid(), since, {owner.uuid: "owner"})
    state.workspaces[workspace.slug] = workspace
    bot = add_user(state, "Acme Access Token", since=since, kind="app_user")
    consumer = add_user(state, "Acme OAuth Consumer", since=since, kind="app_user")
    state.credentials += [
        Credential("api_token", "demo-api-token", owner, ALL_SCOPES, login="demo@example.com"),
        Credential("workspace_access_token", "demo-access-token", bot, ALL_SCOPES, workspace="acme"),
        Credential("repo_access_token", "demo-repository-token", bot, ALL_SCOPES, workspace="acme", repository="api"),
    ]
    state.consumers["demo-key"] = Consumer("demo-key", "demo-secret", consumer, CONSUMER_SCOPES, callback_url=CALLBACK_URL)
    return workspace


def join(state: State, workspace: Workspace, users: Sequence[User]) -> None:
    """Make people members of a workspace; the first two have API tokens of their own, such as ``priya.raman-api-token``."""
    workspace.members |= {user.uuid: "member" for user in users}
    for user in users[:2]:
        # An ASCII e-mail, because many HTTP clients cannot encode anything else in Basic credentials.
        name = unicodedata.normalize("NFKD", user.nickname).encode("ascii", "ignore").decode()
        login = f"{name}@example.com"
        state.credentials.append(Credential("api_token", f"{name}-api-token", user, ALL_SCOPES, login=login))


def add_repository(state: State, workspace: Workspace, slug: str, *, since: datetime, by: User, commits: int = 3) -> Repository:
    """Add a repository with a main branch of a few commits and a ``bitbucket-pipelines.yml``."""
    project = workspace.projects.setdefault("ACME", Project("ACME", "Acme", workspace.uuid, since, since))
    repository = Repository(workspace, slug, slug, state.uuid(), project, since, since)
    files = {"README.md": f"# {slug}\n".encode(), "bitbucket-pipelines.yml": PIPELINES_YAML}
    parents: tuple[str, ...] = ()
    for number in range(commits):
        files = {**files, f"src/module_{number}.py": f"VERSION = {number}\n".encode()}
        message = f"Add module {number}" if number else "Initial commit"
        raw = f"{by.display_name} <{by.nickname}@acme.example>"
        made = Commit(state.hash(), parents, by, raw, since + timedelta(hours=number), message, files)
        repository.commits[made.hash] = made
        repository.branches["main"] = made.hash
        parents = (made.hash,)
    repository.size = sum(map(len, files.values()))
    workspace.repositories[slug] = repository
    return repository
