"""The words of the demo: titles, files, review comments, logs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from random import Random


@dataclass(frozen=True)
class Topic:
    """What a pull request is about."""

    title: str
    branch: str
    kind: str  # feature | bugfix | chore | docs | dependencies | hotfix


# repository -> (what is built, where, how it breaks)
_WORK: dict[str, tuple[str, str, str]] = {
    "api": (
        "rate limiting|cursor pagination|idempotency keys|request tracing|bulk import|soft deletes|webhook retries|audit log",
        "invoice export|orders endpoint|customer search|billing service|session store|refund flow|price lists",
        "timeout|N+1 query|wrong status code|lost update|time zone bug|memory leak",
    ),
    "web": (
        "dark mode|keyboard navigation|inline editing|saved filters|skeleton loading|drag and drop|CSV download",
        "order table|checkout|settings page|customer profile|dashboard|invoice view|sign-in form",
        "layout shift|stale cache|broken focus|double submit|flickering tooltip|wrong currency",
    ),
    "mobile": (
        "offline mode|biometric unlock|push notifications|pull to refresh|deep links|haptic feedback",
        "order list|scanner|onboarding|account screen|delivery map",
        "crash on rotation|battery drain|missing translation|slow start|lost draft",
    ),
    "data-platform": (
        "incremental load|schema check|freshness alert|partition pruning|backfill|deduplication",
        "orders mart|events table|revenue model|customer snapshot|inventory feed",
        "late rows|duplicate keys|skewed join|wrong cut-off|failing backfill",
    ),
    "infrastructure": (
        "autoscaling|least-privilege roles|log retention|backup schedule|private endpoints",
        "database cluster|build runners|staging cluster|object storage|message queue",
        "drift|expired certificate|noisy alert|missing quota|slow rollout",
    ),
    "docs": (
        "tutorial|troubleshooting guide|reference|diagram|glossary",
        "deployments|on-call handbook|API authentication|release process|data contracts",
        "broken links|outdated screenshots|wrong example|typos",
    ),
}

_FILES: dict[str, tuple[str, ...]] = {
    "api": ("src/api/{}.py", "src/api/services/{}.py", "tests/test_{}.py", "migrations/{}.sql", "openapi/{}.yaml"),
    "web": ("src/components/{}.tsx", "src/pages/{}.tsx", "src/styles/{}.css", "tests/{}.spec.ts", "src/hooks/{}.ts"),
    "mobile": ("lib/screens/{}.dart", "lib/widgets/{}.dart", "test/{}_test.dart", "ios/{}.plist"),
    "data-platform": ("dags/{}.py", "models/{}.sql", "models/schema/{}.yml", "tests/test_{}.py"),
    "infrastructure": ("terraform/{}.tf", "modules/{}/main.tf", "helm/{}/values.yaml", "scripts/{}.sh"),
    "docs": ("docs/{}.md", "docs/images/{}.svg", "docs/guides/{}.md"),
}

_PACKAGES = "requests|fastapi|sqlalchemy|react|vite|typescript|dbt-core|terraform-aws-modules|pydantic|pytest|eslint|flutter_bloc"

REMARKS = (
    "Could we reuse the existing helper here instead of another loop?",
    "What happens when this is null? The old code path returned early.",
    "Nit: the name says *count* but it holds a list.",
    "This runs once per row. Can it be done in one query?",
    "Please add a test for the empty case.",
    "I would rather raise here than return a default that goes unnoticed.",
    "Is this behind the feature flag? I do not want it on in production yet.",
    "The comment above is out of date now.",
    "Works on my machine with 10k rows; 12 s before, 0.8 s after. Nice!",
    "Should this be configurable, or is one value enough for all teams?",
)
OBJECTIONS = (
    "This breaks clients that do not send the header. We need a default, and a test for it.",
    "The migration locks the table; please do it in two steps.",
    "I do not think we can merge this without error handling around the call.",
    "The test passes without the change, so it does not test it.",
    "Secrets must not be logged, see line 40.",
)
REPLIES = (
    "Good catch, done in the last commit.",
    "Fixed.",
    "Agreed, I moved it to the helper.",
    "I kept it on purpose, see the description. Happy to talk.",
    "Added the test, it failed without the fix.",
)
PRAISE = ("LGTM", "Nice and small, thanks!", "Looks good. One nit, feel free to ignore.", ":+1:")
DECLINED = (
    "We decided to buy this instead.",
    "Not needed any more after the move to the new cluster.",
    "Too big to review. Please split it.",
    "The approach does not scale; let us talk first.",
)
REWORK = ("Address review comments", "Fix the empty case", "Simplify as suggested", "Add missing test", "Rename after review")
COMMITS = ("Add a first version", "Handle errors", "Add tests", "Clean up", "Make the linter happy", "Cover the edge cases")

FAILURES: dict[str, str] = {
    "Test": """============================= test session starts ==============================
collected 214 items
tests/test_orders.py ......................F.......                        [ 14%]
=================================== FAILURES ===================================
    def test_total_includes_tax():
>       assert total(order) == Decimal("119.00")
E       AssertionError: assert Decimal('100.00') == Decimal('119.00')
tests/test_orders.py:87: AssertionError
=========================== short test summary info ============================
FAILED tests/test_orders.py::test_total_includes_tax
========================= 1 failed, 213 passed in 48.31s =======================""",
    "Lint": """src/services/orders.py:41:5: F841 Local variable `result` is assigned to but never used
Found 1 error.""",
    "Build": """npm error code ERESOLVE
npm error ERESOLVE could not resolve dependency tree
make: *** [Makefile:12: build] Error 1""",
    "deploy": """Waiting for deployment rollout to finish: 1 of 3 updated replicas are available...
error: deployment exceeded its progress deadline
Rolling back to the previous revision ... done""",
    "Smoke test": """GET https://status.acme.example/health -> 503
expected 200 within 60 s, got 503 12 times in a row""",
}
FLAKE = """tests/e2e/checkout.spec.ts > pays with a saved card
TimeoutError: locator.click: Timeout 30000ms exceeded.
  waiting for getByRole('button', { name: 'Pay now' })
1 failed, 41 passed (3.4m)"""
MIGRATION = """INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.
INFO  [alembic.runtime.migration] Running upgrade 8f2c1d -> b71e04, add not-null constraint to orders.currency
sqlalchemy.exc.IntegrityError: (psycopg.errors.NotNullViolation) column "currency" of relation "orders" contains null values
[SQL: ALTER TABLE orders ALTER COLUMN currency SET NOT NULL]
make: *** [Makefile:31: migrate] Error 1"""


def topics(repository: str, random: Random) -> list[Topic]:
    """Return what there is to do in a repository, shuffled, each once.

    :param repository: its slug
    :param random: shuffles
    """
    things, places, problems = (words.split("|") for words in _WORK[repository])
    found = [_topic("feature", f"Add {thing} to the {place}") for thing, place in product(things, places)]
    found += [_topic("bugfix", f"Fix {problem} in the {place}") for problem, place in product(problems, places)]
    found += [_topic("chore", f"Refactor the {place}") for place in places]
    found += [_topic("docs", f"Document the {place}") for place in places]
    random.shuffle(found)
    return found


def dependency_topics(random: Random) -> list[Topic]:
    """Return updates of dependencies, as a bot proposes them, shuffled.

    :param random: shuffles and draws versions
    """
    found = []
    for package, major in product(_PACKAGES.split("|"), range(1, 5)):
        version = f"{major}.{random.randint(0, 20)}.{random.randint(0, 9)}"
        found.append(Topic(f"Update {package} to {version}", f"renovate/{package}-{version}", "dependencies"))
    random.shuffle(found)
    return found


def hotfix_topic(number: int) -> Topic:
    """Return what brings production back after a failed deployment.

    :param number: of the pipeline that failed
    """
    return Topic(f"Hotfix: raise the readiness timeout after #{number}", f"hotfix/readiness-{number}", "hotfix")


def files(repository: str, topic: Topic, count: int) -> list[str]:
    """Return paths that a change touches.

    :param repository: its slug
    :param topic: names them
    :param count: how many
    """
    words = topic.branch.rpartition("/")[2].split("-")
    names = ["_".join(words[-2:]), "_".join(words[:2]), words[-1], *(f"{words[-1]}_{number}" for number in range(2, 9))]
    pairs = [pattern.format(name) for name in names for pattern in _FILES[repository]]
    return list(dict.fromkeys(pairs))[:count]


def _topic(kind: str, title: str) -> Topic:
    words = title.lower().replace("the ", "").replace("+", "-").split()
    return Topic(title, f"{kind}/{'-'.join(words)}", kind)
