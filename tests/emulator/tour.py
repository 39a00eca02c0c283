"""Requests to every route of the emulator, with successful and error answers, recorded for the contract test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.refs.models import Tag

API = "/repositories/acme/api"


@dataclass
class Exchange:
    """One request and its answer; ``body`` is None if the answer is not JSON."""

    method: str
    path: str
    query: str
    status: int
    body: Any = field(repr=False)


class Tour:
    """Sends requests as the owner of the workspace and records the answers.

    :param bitbucket: a fresh emulator with the seed ``empty``
    """

    def __init__(self, bitbucket: BitbucketEmulator) -> None:
        self.bitbucket = bitbucket
        self.exchanges: list[Exchange] = []
        self.session = requests.Session()
        self.session.auth = bitbucket.api_token

    def __call__(self, method: str, path: str, expect: int = 200, **options: Any) -> requests.Response:
        """Send a request to a path below ``/2.0`` and check the status."""
        response = self.session.request(method, f"{self.bitbucket.api_url}{path}", allow_redirects=False, timeout=10, **options)
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        sent = urlsplit(response.request.url or "")
        body = response.json() if is_json and response.content else None
        self.exchanges.append(Exchange(method, sent.path, sent.query, response.status_code, body))
        assert response.status_code == expect, f"{method} {path}: {response.status_code} {response.text[:300]}"
        return response

    def value(self, method: str, path: str, expect: int = 200, **options: Any) -> Any:
        """Send a request and return the JSON of its answer."""
        return self(method, path, expect, **options).json()

    def everything(self) -> list[Exchange]:
        """Send all requests and return the exchanges."""
        self.accounts()
        self.repositories()
        self.refs()
        self.commits()
        self.source()
        self.statuses()
        self.reports()
        self.pull_requests()
        self.pipelines()
        self.deployments()
        self.pipeline_settings()
        self.webhooks()
        self.refusals()
        return self.exchanges

    def accounts(self) -> None:
        me = self.value("GET", "/user")
        self("GET", f"/users/{quote(me['uuid'])}")
        self("GET", f"/users/{me['account_id']}")
        self("GET", "/users/unknown", 404)
        self("GET", "/user/workspaces", params={"sort": "workspace.slug"})
        self("GET", "/user/workspaces/acme/permission")
        self("GET", "/workspaces/acme")
        members = self.value("GET", "/workspaces/acme/members", params={"pagelen": 2})
        self("GET", "/workspaces/acme/members", params={"pagelen": 2, "page": 2})
        self("GET", f"/workspaces/acme/members/{quote(members['values'][0]['user']['uuid'])}")
        self("GET", "/workspaces/acme/members/unknown", 404)
        self("GET", "/workspaces/acme/permissions", params={"q": 'permission="owner"'})
        self("GET", "/workspaces/elsewhere", 403)
        for gone in ("/repositories", "/workspaces", "/snippets", f"{API}/issues", f"{API}/issues/1"):
            self("GET", gone, 410)
        for gone in ("/user/permissions/workspaces", "/user/permissions/repositories"):
            self("GET", gone, 410)

    def repositories(self) -> None:
        projects = self.value("GET", "/workspaces/acme/projects")
        self("GET", f"/workspaces/acme/projects/{projects['values'][0]['key']}")
        self("GET", "/workspaces/acme/projects/NONE", 404)
        self("GET", "/repositories/acme", params={"q": 'name ~ "a"', "sort": "-updated_on", "role": "member"})
        self("GET", "/repositories/acme", 400, params={"page": "0"})
        self("GET", API)
        self("GET", "/repositories/acme/nothing", 404)
        made = {"scm": "git", "is_private": True, "project": {"key": projects["values"][0]["key"]}}
        self("POST", "/repositories/acme/fresh", json=made)
        self("POST", "/repositories/acme/fresh", 400, json=made)
        self("POST", "/repositories/acme/No Slug", 400, json=made)
        self("POST", "/repositories/acme/lost", 400, json={**made, "project": {"key": "NONE"}})
        self("GET", "/repositories/acme/fresh/refs/branches")
        self("PUT", "/repositories/acme/fresh", json={"description": "Fresh"})
        self("PUT", "/repositories/acme/fresh", json={"name": "stale"})
        self("GET", "/repositories/acme/fresh", 301)
        self("DELETE", "/repositories/acme/stale", 204)
        self("GET", "/repositories/acme/stale", 404)

        self.forks()
        self.downloads()
        self.projects()
        self.branch_restrictions()
        self.branching_models()

    def forks(self) -> None:
        self("POST", f"{API}/forks", 400, json={"workspace": {"slug": "acme"}})
        self("POST", f"{API}/forks", 400, json={"name": "api-open", "is_private": False})
        self("POST", f"{API}/forks", 201, json={"name": "api-fork", "workspace": {"slug": "acme"}})
        self("GET", f"{API}/forks")
        self("GET", f"{API}/watchers")
        self("DELETE", "/repositories/acme/api-fork", 204)

    def downloads(self) -> None:
        downloads = f"{API}/downloads"
        self("POST", downloads, 406, json={"files": "a.txt"})
        self("POST", downloads, 400, files={"other": ("a.txt", b"a")})
        self("POST", downloads, 201, files={"files": ("a b.txt", b"a")})
        self("GET", downloads)
        self("GET", f"{downloads}/a%20b.txt", 302)
        self("GET", f"{downloads}/none.txt", 404)
        self("DELETE", f"{downloads}/a%20b.txt", 204)
        self("DELETE", f"{downloads}/a%20b.txt", 404)

    def projects(self) -> None:
        projects = "/workspaces/acme/projects"
        self("POST", projects, 201, json={"key": "OPS", "name": "Operations", "is_private": True})
        self("POST", projects, 400, json={"key": "OPS", "name": "Operations"})
        self("PUT", f"{projects}/NEW", 201, json={"name": "New"})
        self("PUT", f"{projects}/NEW", json={"key": "OLD", "description": "Not so new"})
        self("DELETE", f"{projects}/OLD", 204)
        self("DELETE", f"{projects}/ACME", 403)
        account = self.value("GET", "/workspaces/acme/members")["values"][1]["user"]["uuid"]
        reviewer = f"{projects}/OPS/default-reviewers/{quote(account)}"
        self("GET", reviewer, 404)
        self("PUT", reviewer)
        self("GET", reviewer)
        self("GET", f"{projects}/OPS/default-reviewers")
        self("DELETE", reviewer, 204)
        model = f"{projects}/OPS/branching-model"
        self("GET", model)
        self("GET", f"{model}/settings")
        self("PUT", f"{model}/settings", json={"production": {"name": "live", "enabled": True}})
        self("GET", model)

    def branch_restrictions(self) -> None:
        restrictions = f"{API}/branch-restrictions"
        rule = {"kind": "require_approvals_to_merge", "branch_match_kind": "glob", "pattern": "main", "value": 2}
        one = self.value("POST", restrictions, 201, json=rule)["id"]
        self("POST", restrictions, 400, json=rule)
        self("POST", restrictions, 400, json={**rule, "kind": "push"})
        account = self.value("GET", "/user")["uuid"]
        push = {"kind": "push", "branch_match_kind": "branching_model", "branch_type": "production", "pattern": ""}
        self("POST", restrictions, 201, json={**push, "users": [{"type": "user", "uuid": account}], "groups": []})
        self("GET", restrictions, params={"kind": "push"})
        self("GET", f"{restrictions}/{one}")
        self("PUT", f"{restrictions}/{one}", json={**rule, "value": 1})
        self("DELETE", f"{restrictions}/{one}", 204)
        self("GET", f"{restrictions}/{one}", 404)

    def branching_models(self) -> None:
        model = f"{API}/branching-model"
        self("GET", model)
        self("GET", f"{API}/effective-branching-model")
        self("GET", f"{model}/settings")
        self("PUT", f"{model}/settings", 400, json={"development": {"name": "none"}})
        kinds = [{"kind": "feature", "prefix": "feat/"}, {"kind": "hotfix", "enabled": False}]
        self("PUT", f"{model}/settings", json={"production": {"name": "main", "enabled": True}, "branch_types": kinds})
        self("GET", model)
        self("GET", f"{API}/effective-branching-model")
        self("GET", f"{API}/override-settings")
        self("PUT", f"{API}/override-settings", 204, json={"override_settings": {"branching_model": False}})

    def refs(self) -> None:
        head = self.value("GET", f"{API}/refs/branches/main")["target"]["hash"]
        target = {"hash": head}
        for name in ("feature/one", "feature/two", "v10", "v2"):
            self("POST", f"{API}/refs/branches", 201, json={"name": name, "target": target})
        self("POST", f"{API}/refs/branches", 400, json={"name": "v2", "target": target})
        self("GET", f"{API}/refs/branches", params={"q": 'name ~ "v"', "sort": "-name", "pagelen": 1})
        self("GET", f"{API}/refs/branches/feature/one")
        self("GET", f"{API}/refs/branches/feature%2Ftwo")
        self("GET", f"{API}/refs/branches/none", 404)
        self("DELETE", f"{API}/refs/branches/v2", 204)
        self("DELETE", f"{API}/refs/branches/v2", 404)
        self("DELETE", f"{API}/refs/branches/main", 400)
        self("POST", f"{API}/refs/tags", 201, json={"name": "v1.0", "target": target})
        self("POST", f"{API}/refs/tags", 201, json={"name": "v1.1", "target": target, "message": "Release 1.1"})
        self("POST", f"{API}/refs/tags", 400, json={"name": "v1.1", "target": target})
        self("POST", f"{API}/refs/tags", 400, json={"name": "lost", "target": {"hash": "f" * 40}})
        self("POST", f"{API}/refs/branches", 400, json={"name": "no name", "target": target})
        repository = next(self.bitbucket.state.repositories())
        repository.tags["light"] = Tag("light", head)  # git can push tags without a message, the API cannot create them
        self("GET", f"{API}/refs/tags", params={"sort": "-target.date"})
        self("GET", f"{API}/refs/tags/v1.1")
        self("GET", f"{API}/refs/tags/none", 404)
        self("DELETE", f"{API}/refs/tags/v1.0", 204)
        self("DELETE", f"{API}/refs/tags/v1.0", 404)
        self("GET", f"{API}/refs", params={"pagelen": 100})

    def commits(self) -> None:
        commits = self.value("GET", f"{API}/commits", params={"pagelen": 1})
        self("GET", commits["next"].removeprefix(self.bitbucket.api_url))
        self("GET", f"{API}/commits/main", params={"path": "README.md"})
        self("POST", f"{API}/commits", data={"include": ["main"], "exclude": ["v1.1"]})
        self("POST", f"{API}/commits/main", data={"exclude": commits["values"][0]["hash"]})
        self("GET", f"{API}/commits/none", 404)
        self("GET", f"{API}/commit/{commits['values'][0]['hash']}")
        self("GET", f"{API}/commit/{commits['values'][0]['hash'][:12]}")
        self("GET", f"{API}/commit/none", 404)
        self("POST", f"{API}/commit/main/approve")
        self("DELETE", f"{API}/commit/main/approve", 204)
        self("DELETE", f"{API}/commit/main/approve", 404)
        comments = f"{API}/commit/main/comments"
        comment = self.value("POST", comments, 201, json={"content": {"raw": "Why?"}, "inline": {"path": "README.md", "to": 1}})[
            "id"
        ]
        self("POST", comments, 201, json={"content": {"raw": "So."}, "parent": {"id": comment}})
        self("POST", comments, 404, json={"content": {"raw": "So."}, "parent": {"id": 1}})
        self("POST", comments, 400, json={"content": {"raw": ""}})
        self("GET", comments)
        self("GET", f"{comments}/{comment}")
        self("PUT", f"{comments}/{comment}", 201, json={"content": {"raw": "Why not?"}})
        self("DELETE", f"{comments}/{comment}", 204)
        self("GET", f"{comments}/1", 404)

    def source(self) -> None:
        self("GET", f"{API}/src", 302)
        self("GET", f"{API}/src/main/", params={"pagelen": 1})
        self("GET", f"{API}/src/main/README.md")
        self("GET", f"{API}/src/main/README.md", params={"format": "meta"})
        self("GET", f"{API}/src/main/src", params={"format": "meta"})
        self("GET", f"{API}/src/main/", params={"max_depth": 2})
        self("GET", f"{API}/filehistory/main/README.md")
        self("GET", f"{API}/filehistory/main/nothing.txt", 404)
        self("GET", f"{API}/src/main/nothing.txt", 404)
        self("GET", f"{API}/src/none/README.md", 404)
        head = self.value("GET", f"{API}/refs/branches/main")["target"]["hash"]
        self("POST", f"{API}/src", 201, data={"message": "Urlencoded", "branch": "feature/one", "a/b.txt": "text\n"})
        self("POST", f"{API}/src", 201, data={"branch": "feature/one"}, files={"c.bin": ("c.bin", b"\x00\x01")})
        self("POST", f"{API}/src", 201, data={"branch": "feature/one", "files": "a/b.txt"})
        self("POST", f"{API}/src", 400, json={"message": "No form"})
        self("POST", f"{API}/src", 400, data={"branch": "feature/one", "../up.txt": "text"})
        self("POST", f"{API}/src", 409, data={"branch": "feature/one", "parents": head, "d.txt": "late"})
        self("POST", f"{API}/src", 400, data={"branch": "feature/one", "parents": "f" * 40, "d.txt": "lost"})
        spec = f"{API}/diffstat/feature%2Fone..main"
        self("GET", spec, params={"topic": "true"})
        self("GET", f"{API}/diff/feature%2Fone..main")
        self("GET", f"{API}/patch/feature%2Fone..main")
        self("GET", f"{API}/merge-base/v1.1..main")
        self("GET", f"{API}/merge-base/none..main", 404)

    def statuses(self) -> None:
        head = self.value("GET", f"{API}/refs/branches/main")["target"]["hash"]
        build = f"{API}/commit/{head}/statuses/build"
        status = {"key": "ci", "state": "INPROGRESS", "url": "https://ci.example.com/1"}
        self("POST", build, 201, json=status)
        self("POST", build, 200, json={**status, "state": "SUCCESSFUL", "name": "CI", "refname": "main"})
        self("POST", build, 400, json={**status, "key": "k" * 48})
        self("POST", build, 400, json={"key": "ci"})
        self("GET", f"{build}/ci")
        self("GET", f"{build}/none", 404)
        self("PUT", f"{build}/ci", json={**status, "state": "FAILED"})
        self("GET", f"{API}/commit/{head}/statuses", params={"q": 'state = "FAILED"', "sort": "-updated_on", "refname": "main"})

    def reports(self) -> None:
        reports = f"{API}/commit/{self.value('GET', f'{API}/refs/branches/main')['target']['hash']}/reports"
        content = {
            "title": "Orders",
            "details": "Data tests",
            "report_type": "TEST",
            "result": "FAILED",
            "link": "https://airflow.example.com/1",
        }
        figures = [{"title": "Tests", "type": "NUMBER", "value": 4}, {"title": "Time", "type": "DURATION", "value": 4000}]
        self("DELETE", f"{reports}/orders", 404)
        self("PUT", f"{reports}/orders", json=content)
        self("PUT", f"{reports}/orders", json={**content, "data": figures, "reporter": "dbt"})
        self("PUT", f"{reports}/orders", 400, json={"title": "Orders"})
        self("GET", reports)
        self("GET", f"{reports}/orders")
        self("GET", f"{reports}/none", 404)
        annotations = f"{reports}/orders/annotations"
        finding = {"external_id": "1", "annotation_type": "BUG", "summary": "Null id", "path": "README.md", "line": 1}
        self("POST", annotations, json=[finding, {**finding, "external_id": "2", "severity": "HIGH", "result": "FAILED"}])
        self("POST", annotations, 400, json=[finding] * 101)
        self("POST", annotations, 400, json=[finding, finding])
        self("POST", annotations, 400, json=[])
        self("GET", annotations)
        self("GET", f"{annotations}/1")
        self("GET", f"{annotations}/none", 404)
        self("PUT", f"{annotations}/3", json={"annotation_type": "BUG", "summary": "x", "link": "https://airflow.example.com"})
        self("PUT", f"{annotations}/3", 400, json={"annotation_type": "BUG"})
        self("DELETE", f"{annotations}/3", 204)
        self("PUT", f"{reports}/other", json=content)
        self("DELETE", f"{reports}/other", 204)

    def pull_requests(self) -> None:
        pulls = f"{API}/pullrequests"
        new = {"title": "One", "source": {"branch": {"name": "feature/one"}}, "description": "What and why"}
        reviewer = self.value("GET", "/workspaces/acme/members")["values"][1]["user"]["uuid"]
        one = self.value("POST", pulls, 201, json={**new, "reviewers": [{"uuid": reviewer}]})["id"]
        self("POST", f"{API}/src", 201, data={"branch": "feature/two", "e.txt": "e\n"})
        two = self.value("POST", pulls, 201, json={**new, "source": {"branch": {"name": "feature/two"}}, "draft": True})["id"]
        self("POST", pulls, 400, json={**new, "source": {"branch": {"name": "none"}}})
        self("PUT", f"{pulls}/{two}", json={"title": "Two", "draft": False})
        self("GET", pulls, params={"state": ["OPEN", "MERGED"], "pagelen": 1})
        self("GET", pulls, params={"q": 'state = "OPEN" AND title ~ "two"', "sort": "-created_on"})
        self("GET", pulls, params={"fields": "+values.participants,+values.reviewers"})
        self("GET", pulls, 400, params={"pagelen": 100})
        self("GET", pulls, 400, params={"q": "participants.role = 3"})
        self("GET", f"{pulls}/{one}")
        self("GET", f"{pulls}/999", 404)
        self("POST", f"{pulls}/{one}/approve")
        self("DELETE", f"{pulls}/{one}/approve", 204)
        self("POST", f"{pulls}/{one}/request-changes")
        self("DELETE", f"{pulls}/{one}/request-changes", 204)
        self("POST", f"{pulls}/{one}/approve")
        comments = f"{pulls}/{one}/comments"
        comment = self.value("POST", comments, 201, json={"content": {"raw": "Why?"}, "inline": {"path": "c.bin", "to": 1}})["id"]
        reply = self.value("POST", comments, 201, json={"content": {"raw": "So."}, "parent": {"id": comment}})["id"]
        self("POST", comments, 400, json={"content": {"raw": "x"}, "type": "pullrequest_comment"})
        self("GET", f"{comments}/{comment}")
        self("PUT", f"{comments}/{comment}", json={"content": {"raw": "Why not?"}})
        self("POST", f"{comments}/{comment}/resolve")
        self("POST", f"{comments}/{comment}/resolve", 409)
        self("DELETE", f"{comments}/{comment}/resolve", 204)
        self("DELETE", f"{comments}/{reply}", 204)
        self("GET", f"{comments}/999999", 404)
        self("GET", comments, params={"sort": "-created_on"})
        tasks = f"{pulls}/{one}/tasks"
        task = self.value("POST", tasks, 201, json={"content": {"raw": "Do it"}})["id"]
        self("GET", tasks)
        self("GET", f"{tasks}/{task}")
        self("PUT", f"{tasks}/{task}", json={"state": "RESOLVED", "content": {"raw": "Did it"}})
        self("DELETE", f"{tasks}/{task}", 204)
        self("GET", f"{pulls}/{one}/activity", params={"pagelen": 2})
        self("GET", f"{pulls}/activity", params={"pagelen": 50})
        self("GET", f"{pulls}/activity", 400, params={"pagelen": 51})
        self("GET", f"{pulls}/{one}/commits")
        self("GET", f"{pulls}/{one}/statuses")
        self("GET", f"{pulls}/{one}/mergeability/checks")
        for name in ("diff", "diffstat", "patch", "conflicts"):
            moved = self("GET", f"{pulls}/{one}/{name}", 302)
            self("GET", moved.headers["Location"].removeprefix(self.bitbucket.api_url))
        merged = self.value("POST", f"{pulls}/{one}/merge", json={"type": "x", "merge_strategy": "squash", "message": "Done"})
        self("GET", f"{API}/commit/{merged['merge_commit']['hash']}")
        self("POST", f"{pulls}/{one}/merge", 400, json={"type": "x"})
        self("GET", f"{pulls}/{one}/activity", params={"pagelen": 50})
        waiting = self("POST", f"{pulls}/{two}/merge", 202, params={"async": "true"}, json={"type": "x"})
        self("GET", waiting.headers["Location"].removeprefix(self.bitbucket.api_url))
        self("GET", f"{pulls}/{two}/merge/task-status/{'{'}none{'}'}")
        self("POST", f"{API}/src", 201, data={"branch": "feature/three", "f.txt": "f\n"})
        three = self.value("POST", pulls, 201, json={**new, "source": {"branch": {"name": "feature/three"}}})["id"]
        self("POST", f"{pulls}/{three}/decline", json={"message": "Not now"})
        self("GET", f"{pulls}/{three}")
        self("GET", pulls, params={"state": "DECLINED"})
        self("GET", f"{API}/commit/{merged['merge_commit']['hash']}/pullrequests")
        me = quote(self.value("GET", "/user")["uuid"])
        self("GET", f"/workspaces/acme/pullrequests/{me}", params={"state": "MERGED"})
        default = f"{API}/default-reviewers/{quote(reviewer)}"
        self("GET", default, 404)
        self("PUT", default)
        self("GET", default)
        self("GET", f"{API}/default-reviewers")
        self("GET", f"{API}/effective-default-reviewers")
        self("DELETE", default, 204)

    def pipelines(self) -> None:
        runs = f"{API}/pipelines"
        branch = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}
        custom = {**branch, "selector": {"type": "custom", "pattern": "deploy-staging"}}
        self("GET", f"{API}/pipelines_config")
        self("PUT", f"{API}/pipelines_config", json={"enabled": True})
        failing = {
            "name": "Test",
            "seconds": 20,
            "result": "FAILED",
            "log": "boom\n",
            "test_cases": [{"name": "t.test_x", "status": "FAILED", "seconds": 0.1, "reason": "boom"}],
        }
        self.bitbucket.script(
            "api",
            "default",
            steps=[{"name": "Build", "seconds": 20, "log": "made\n" * 50, "caches": ["node", "pip", "maven", "gradle"]}, failing],
        )
        first = self.value(
            "POST", f"{runs}/", 201, json={"target": branch, "variables": [{"key": "A", "value": "b", "secured": True}]}
        )
        self("POST", runs, 201, json={"target": custom})
        self("POST", runs, 400, json={"target": {**branch, "selector": {"type": "custom", "pattern": "none"}}})
        self("POST", runs, 404, json={"target": {**branch, "ref_name": "none"}})
        one = f"{runs}/{quote(first['uuid'])}"
        self("GET", one)
        for _ in range(5):
            self.bitbucket.clock(advance=15)
            self("GET", one)
            steps = self.value("GET", f"{one}/steps")["values"]
        self.bitbucket.clock(advance=600)
        self("GET", f"{runs}/{first['build_number']}")
        self("GET", f"{runs}/999", 404)
        self("GET", runs, params={"sort": "-created_on", "status": ["PASSED", "FAILED"], "pagelen": 1})
        scheduled = next(self.bitbucket.state.repositories()).pipelines[first["build_number"] - 1]
        scheduled.creator = None  # a pipeline that was started by a schedule has no creator
        self("GET", f"{runs}/", params={"target.ref_name": "main"})
        self("GET", runs, 400, params={"sort": "-duration"})
        self("GET", f"{one}/steps")
        step = f"{one}/steps/{quote(steps[1]['uuid'])}"
        self("GET", step)
        self("GET", f"{one}/steps/{quote('{' + '0' * 36 + '}')}", 404)
        self("GET", f"{step}/log", 307)
        self("GET", f"{step}/log", 406, headers={"Accept": "application/json"})
        self("GET", f"{step}/test_reports")
        cases = self.value("GET", f"{step}/test_reports/test_cases")
        self("GET", f"{step}/test_reports/test_cases/{quote(cases['values'][0]['uuid'])}/test_case_reasons")
        self("GET", f"{one}/steps/{quote(steps[0]['uuid'])}/test_reports", 404)
        self("POST", f"{one}/stopPipeline", 400)
        third = self.value("POST", runs, 201, json={"target": custom})
        self("POST", f"{runs}/{quote(third['uuid'])}/stopPipeline", 204)
        self("GET", f"{runs}/{quote(third['uuid'])}")

    def deployments(self) -> None:
        deployments = self.value("GET", f"{API}/deployments")["values"]
        self("GET", f"{API}/deployments/")
        self("GET", f"{API}/deployments/{quote(deployments[0]['uuid'])}")
        self("GET", f"{API}/deployments/{quote('{' + '0' * 36 + '}')}", 404)
        environments = self.value("GET", f"{API}/environments/")["values"]
        self("GET", f"{API}/environments")
        self("GET", f"{API}/environments/{quote(environments[0]['uuid'])}")
        self("GET", f"{API}/environments/{quote('{' + '0' * 36 + '}')}", 404)

    def pipeline_settings(self) -> None:
        """Variables, schedules and caches of pipelines, and environments; one of each is left behind."""
        environments = f"{API}/environments"
        new = {"name": "Production EU", "environment_type": {"name": "Production"}}
        self("POST", environments, 400, json={"name": "Production EU"})
        made = self.value("POST", environments, 201, json=new)
        self("POST", environments, 409, json=new)
        environment = f"{environments}/{quote(made['uuid'])}"
        self("POST", f"{environment}/changes", 202, json={"change": {"name": "Production Europe"}})
        self.variables(f"{API}/pipelines_config/variables")
        self.variables("/workspaces/acme/pipelines-config/variables")
        self.variables(f"{API}/deployments_config/environments/{quote(made['uuid'])}/variables", single=False)
        self("DELETE", environment, 204)
        self("DELETE", environment, 404)
        schedules = f"{API}/pipelines_config/schedules"
        selector = {"type": "custom", "pattern": "nightly"}
        nightly = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main", "selector": selector}
        self("POST", schedules, 400, json={"target": nightly})
        kept = self.value("POST", schedules, 201, json={"target": nightly, "cron_pattern": "0 30 2 * * ? *"})
        other = self.value("POST", schedules, 201, json={"target": nightly, "cron_pattern": "0 30 3 * * ? *", "enabled": False})
        self("GET", schedules)
        self.bitbucket.state.settings.schedules_limit = 2
        self("POST", schedules, 401, json={"target": nightly, "cron_pattern": "0 30 4 * * ? *"})
        one = f"{schedules}/{quote(kept['uuid'])}"
        self("GET", one)
        self("PUT", one, json={"enabled": False})
        self.bitbucket.control("POST", f"schedules/acme/api/{quote(kept['uuid'])}/run", {})
        self("GET", f"{one}/executions")
        self("DELETE", f"{schedules}/{quote(other['uuid'])}", 204)
        self("DELETE", f"{schedules}/{quote(other['uuid'])}", 404)
        caches = f"{API}/pipelines-config/caches"
        node = self.value("GET", caches)["values"][0]
        self("GET", f"{caches}/{quote(node['uuid'])}/content-uri")
        self("DELETE", f"{caches}/{quote(node['uuid'])}", 204)
        self("DELETE", f"{caches}/{quote(node['uuid'])}", 404)
        self("DELETE", caches, 204, params={"name": "pip"})
        self("PUT", f"{API}/pipelines_config/build_number", json={"next": 1000})
        self("PUT", f"{API}/pipelines_config/build_number", 400, json={"next": 1})

    def variables(self, path: str, *, single: bool = True) -> None:
        self("POST", path, 400, json={"key": "1ST", "value": "x"})
        plain = self.value("POST", path, 201, json={"key": "REGION", "value": "eu"})
        secret = self.value("POST", path, 201, json={"key": "TOKEN", "value": "hush", "secured": True})
        self("POST", path, 409, json={"key": "TOKEN", "value": "hush"})
        self("GET", path)
        self("PUT", f"{path}/{quote(secret['uuid'])}", json={"key": "TOKEN", "value": "shh", "secured": True})
        if single:
            self("GET", f"{path}/{quote(secret['uuid'])}")
        self("DELETE", f"{path}/{quote(plain['uuid'])}", 204)
        self("DELETE", f"{path}/{quote(plain['uuid'])}", 404)

    def webhooks(self) -> None:
        self("GET", "/hook_events")
        self("GET", "/hook_events/repository")
        self("GET", "/hook_events/workspace", params={"pagelen": 10})
        self("GET", "/hook_events/team", 404)
        for hooks in (f"{API}/hooks", "/workspaces/acme/hooks"):
            new = {"url": "https://airflow.example.com/bitbucket", "description": "Airflow", "events": ["repo:push"]}
            made = self.value("POST", hooks, 201, json={**new, "secret": "hush"})
            self("POST", hooks, 400, json={**new, "events": []})
            one = f"{hooks}/{quote(made['uuid'])}"
            self("GET", hooks)
            self("GET", one)
            self("PUT", one, json={"events": ["repo:push", "pullrequest:created"], "secret": None})
            self("DELETE", one, 204)
            self("GET", one, 404)

    def refusals(self) -> None:
        """Send requests that are refused for lack of credentials, scopes or quota."""
        self.session.auth = ("demo@example.com", "wrong")
        self("GET", API, 401)
        self.session.auth = None
        self("GET", "/user", 401)
        self("GET", "/user", 401, headers={"Authorization": "Bearer demo-api-token"})
        self("GET", "/user", 403, headers={"Authorization": "Bearer demo-access-token"})
        self.bitbucket.control(
            "POST",
            "credentials",
            {"kind": "api_token", "login": "r@x.org", "secret": "r", "scopes": ["read:repository:bitbucket"]},
        )
        self.session.auth = ("r@x.org", "r")
        self("GET", f"{API}/pullrequests", 403)
        self("GET", f"{API}/pipelines", 403)
        self.session.auth = self.bitbucket.api_token
        self.bitbucket.fault("rate_limit")
        self("GET", API, 429)
        self.bitbucket.fault("server_error", status=555, html=False)
        self("GET", API, 555)
