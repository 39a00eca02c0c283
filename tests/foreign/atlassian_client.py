"""Use atlassian-python-api on a repository as a script of a user does, and print the results as JSON."""

from __future__ import annotations

import json
import sys

from atlassian.bitbucket import Cloud

url, login, token = sys.argv[1:]
workspace = Cloud(url=url, username=login, password=token).workspaces.get("acme")
repository = workspace.repositories.get("api")
repository.branches.create("topic", repository.branches.get("main").hash)
page = {"branch": (None, "topic"), "docs/page.md": ("page.md", "# Page\n")}
repository.post("src", files=page, headers={"Accept": "*/*"})

pull = repository.pullrequests.create("Add a page", "topic", "main")
pull.comment("Why?")
pull.add_task("Explain it")
pull.approve()
before = {
    "workspace": workspace.name,
    "members": [each.user["nickname"] for each in workspace.members.each()],
    "projects": [each.key for each in workspace.projects.each()],
    "repositories": [each.slug for each in workspace.repositories.each()],
    "open": [each.title for each in repository.pullrequests.each()],
    "comments": [each.raw for each in pull.comments()],
    "tasks": [each.description for each in pull.tasks()],
    "changed": [each.new.path for each in pull.diffstat()],
    "commits": [each.message for each in pull.commits],
}

pull.merge(merge_strategy="squash")
commit = repository.commits.get("HEAD")
commit.add_build("ci", url="https://ci.example.com/1", state="SUCCESSFUL")
commit.approve()
pipeline = repository.pipelines.trigger(branch="main", pattern="nightly")
after = {
    "merged": repository.pullrequests.get(pull.id).is_merged,
    "participants": [each.has_approved for each in repository.commits.get("HEAD").participants()],
    "build": commit.get_build("ci").key,
    "file": repository.get_source_file("HEAD", "docs/page.md").decode(),
    "pipelines": [each.build_number for each in repository.pipelines.each(sort="-created_on")],
    "started": pipeline.build_number,
    "steps": [each.uuid for each in pipeline.steps()],
    "environments": [each.name for each in repository.deployment_environments.each()],
    "hooks": list(repository.hooks.each()),
}
print(json.dumps({**before, **after}))
