"""Known differences between the live API and its published specification, each with a reason.

Any other difference is a defect of the emulator. The contract test fails on an entry that no longer occurs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """A tolerated difference.

    :param problem: regular expression of the whole line that :meth:`tests.openapi.OpenApi.problems` returns
    :param reason: how the live API is known to behave
    :param where: regular expression searched in ``METHOD template status`` (``request`` in place of status for requests)
    """

    problem: str
    reason: str
    where: str = ""


_UNMARKED = "the specification marks no property as nullable; recorded responses have null here"
_SERVICE = "the errors of the Pipelines service have no 'type'"

DEVIATIONS: tuple[Deviation, ...] = (
    # Properties of recorded responses that closed lists of properties do not have.
    Deviation(r"(.*/)?(summary|content|rendered/\w+): has 'type', which is not documented", "texts carry type 'rendered'"),
    Deviation(r"(.*/)?(destination|source|merge)(/|_)commit: has '(links|type)', which is not documented", "recorded 2026-10"),
    Deviation(r"(.*/)?source/branch: has 'links', which is not documented", "recorded 2026-10"),
    Deviation(
        r"(.*/)?links: has '(mergeability_checks|request-changes|statuses)', which is not documented",
        "recorded 2026-10",
        "/pullrequests",
    ),
    Deviation(
        r"(values/\*)?: has '\w+', which is not documented",
        "the schema joins closed lists of properties with allOf, so that each forbids the others' properties",
        where="/tasks",
    ),
    Deviation(
        r"error: has 'fields', which is not documented", "named by the specification's own text about errors, not in its schema"
    ),
    Deviation(r"error/detail: .*", "scope errors have an object there", where=" 403$"),
    Deviation(
        r"(values/\*/)?links: has '(branches|tags|source)', which is not documented", "recorded 2026-10", where="/repositories/"
    ),
    Deviation(r"(.*/)?links: has 'self', which is not documented", "projects have it in recordings of 2026", where="/projects"),
    Deviation(r"(.*/)?project/links: has 'self', which is not documented", "recorded 2026-10", where="/repositories/"),
    Deviation(
        r": has '(attributes|commit|escaped_path|links|mimetype|path|type)', which is not documented",
        "format=meta answers one entry; only the list is documented",
        where="/src/",
    ),
    Deviation(r"(.*/)?clone/\*/href: .* is not a 'uri'", "the address for SSH is git's, not a URI"),
    # Null.
    Deviation(r"(.*/)?(parent|mainbranch): null", _UNMARKED, where="/repositories/"),
    Deviation(r"(.*/)?(message|date|tagger): null", f"{_UNMARKED}: a lightweight tag", where="/refs"),
    Deviation(r"(.*/)?refname: null", _UNMARKED, where="/statuses"),
    Deviation(r"(.*/)?(closed_by|merge_commit): null", f"{_UNMARKED}: not closed, or declined", where="/pullrequests"),
    Deviation(r"(.*/)?(participated_on|state): null", f"{_UNMARKED}: a reviewer without a review", where="/pullrequests"),
    Deviation(r"(.*/)?(inline/from|inline/to|resolution): null", _UNMARKED, where="/comments|/activity"),
    Deviation(r"(.*/)?resolved_(by|on): null", _UNMARKED, where="/tasks"),
    Deviation(r"(.*/)?(old|new): null", f"{_UNMARKED}: a file that was added or removed", where="/diffstat"),
    Deviation(r"(.*/)?(author|user|creator): null", f"{_UNMARKED}: a deleted account, or a pipeline of a schedule"),
    Deviation(r"(development|production)/name: null", f"{_UNMARKED}: the main branch", where="/branching-model/settings"),
    Deviation(
        r"values/\*/attributes: \[.*\] is not .*",
        "a list of attributes, as the operation's text says and as seen on the live API, 2026-05",
        where="/filehistory/",
    ),
    Deviation(
        r"(repository|workspace): has 'links', which is not documented",
        "the example and recordings nest it",
        where="/hook_events",
    ),
    # The Pipelines service.
    Deviation(r": 'type' is a required property", _SERVICE, where=r"/(pipelines|deployments|environments).* 4\d\d$"),
    Deviation(
        r"(source/repository|reviewers/\*|parent|comment)?: 'type' is a required property",
        "recorded writes leave it out, and a comment with it is refused",
        where="/pullrequests.* request$",
    ),
    Deviation(
        r"(\*|parent)?: 'type' is a required property",
        "clients leave it out, as the documented examples do",
        where="/commit/.* request$",
    ),
    Deviation(r": 'type' is a required property", "its errors have no envelope", where=r"/reports.* 4\d\d$"),
    Deviation(
        r"(values/\*/)?data/\*/value: .* is not of type 'object'",
        "the text lists booleans, numbers and texts",
        where="/reports",
    ),
    Deviation(
        r"(variables/\*)?: 'type' is a required property", "the documented examples leave it out", where="/pipelines request$"
    ),
    Deviation(
        r"(.*/)?(\w+/?(\*)?)?: 'type' is a required property",
        "the documented examples leave it out",
        where=r"/(\{repo_slug\}|forks|projects(/\{project_key\})?|branch-restrictions(/\{id\})?|settings|refs/tags) request$",
    ),
    Deviation(
        r": 'type' is a required property",
        "every known client leaves it out of these requests",
        where="/(environments|variables|schedules/{schedule_uuid}|pipelines_config|build_number|hooks|hooks/{uid}|"
        "variables/{variable_uuid}) request$",
    ),
    Deviation(
        r"(values/\*/)?environment: 'type' is a required property", "lists and records have the uuid only", where="/deployments"
    ),
)

#: (operation, undocumented status) -> (status whose documentation applies or "" for a response without JSON, reason)
STATUS_DEVIATIONS: dict[tuple[str, int], tuple[str, str]] = {
    ("POST /repositories/{workspace}/{repo_slug}/commit/{commit}/statuses/build", 200): (
        "201",
        "200 when the key existed and was overwritten: the operation's text says so, its list of answers does not",
    ),
    ("GET /repositories/{workspace}/{repo_slug}", 301): ("", "a renamed repository redirects"),
    ("GET /repositories/{workspace}/{repo_slug}/src", 302): (
        "",
        "the operation's text says that it redirects to the main branch",
    ),
    ("GET /repositories/{workspace}/{repo_slug}/pipelines/{pipeline_uuid}/steps/{step_uuid}/log", 406): (
        "",
        "seen on the live API, 2026-10, for Accept: application/json",
    ),
}

#: Routes of the live API that the specification does not contain, with the reason why the emulator serves them.
UNDOCUMENTED_ROUTES: dict[str, str] = {
    "GET /snippets": "removed with CHANGE-2770; answers 410",
    "GET /repositories/{workspace}/{repo_slug}/issues": "removed with CHANGE-3071; answers 410",
    "GET /repositories/{workspace}/{repo_slug}/issues/{rest}": "the same",
    "GET /repositories/{workspace}/{repo_slug}/pullrequests/{pull_request_id}/mergeability/checks": "linked since 2026-10",
    "GET /repositories/{workspace}/{repo_slug}/file-conflicts/{spec}": "where /pullrequests/{id}/conflicts redirects to",
}

_COMMIT_RANGE = {"include", "exclude", "path"}
#: Parameters that the description of an operation or links of Bitbucket contain, but not its list of parameters.
PARAMETERS_IN_TEXT: dict[str, set[str]] = {
    "POST /repositories/{workspace}/{repo_slug}/pipelines": {  # on-demand pipelines: the body is YAML
        *("target.type", "target.ref_type", "target.ref_name", "variables[0].key", "variables[0].value"),
    },
    "GET /repositories/{workspace}/{repo_slug}/commits": _COMMIT_RANGE,
    "GET /repositories/{workspace}/{repo_slug}/commits/{revision}": _COMMIT_RANGE,
    "POST /repositories/{workspace}/{repo_slug}/commits": _COMMIT_RANGE,
    "POST /repositories/{workspace}/{repo_slug}/commits/{revision}": _COMMIT_RANGE,
    # In links of pull requests and in the redirects of their diffs.
    "GET /repositories/{workspace}/{repo_slug}/diff/{spec}": {"from_pullrequest_id"},
    "GET /repositories/{workspace}/{repo_slug}/diffstat/{spec}": {"from_pullrequest_id"},
    "GET /repositories/{workspace}/{repo_slug}/patch/{spec}": {"from_pullrequest_id", "topic"},
}
