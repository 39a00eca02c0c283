"""The registration that Airflow's provider discovery reads. It imports nothing: discovery runs before Airflow is configured.

The connection form is defined here and nowhere else: Airflow 3.2 and newer read it from here, and the form methods of
:class:`~airflow_provider_bitbucket.hooks.bitbucket.BitbucketHook`, which Airflow 3.1 calls, are made from it.
"""

from __future__ import annotations

from typing import Any

PACKAGE = "airflow_provider_bitbucket"
INTEGRATION = "Bitbucket Cloud"
#: Modules that have a sensor and its trigger.
WAITS = ("build_statuses", "deployments", "pipelines", "pull_requests", "refs")

CONNECTION_TYPE: dict[str, Any] = {
    "connection-type": "bitbucket",
    "hook-class-name": f"{PACKAGE}.hooks.bitbucket.BitbucketHook",
    "hook-name": INTEGRATION,
    "conn-fields": {
        "workspace": {
            "label": "Workspace",
            "schema": {"type": ["string", "null"]},
            "description": "The first part of the address of your repositories: bitbucket.org/<workspace>/<repository>.",
        },
        "auth_type": {
            "label": "Authentication",
            "schema": {
                "type": ["string", "null"],
                "default": "api_token",
                "enum": ["api_token", "api_token_per_user", "access_token", "oauth_client_credentials", "oauth"],
            },
            "description": (
                "api_token: one Atlassian e-mail and API token for all users. api_token_per_user: a connection "
                "<this id>__<user> for each user. access_token: of a repository, project or workspace. "
                "oauth_client_credentials: key and secret of a private OAuth consumer. oauth: the same, and each user logs in "
                "with: airflow bitbucket login."
            ),
        },
        "default_user": {
            "label": "Default user",
            "schema": {"type": ["string", "null"]},
            "description": ("api_token_per_user and oauth: acting user of runs that no user triggered, by name in Airflow."),
        },
        "user": {
            "label": "User",
            "schema": {"type": ["string", "null"]},
            "description": "Only in a connection <id>__<user> of api_token_per_user: its user, by name in Airflow.",
        },
        "scopes": {
            "label": "OAuth scopes",
            "schema": {"type": ["string", "null"]},
            "description": "oauth: scopes to request, such as 'pipeline:write pullrequest'; empty: all scopes of the consumer.",
        },
        "callback_url": {
            "label": "OAuth callback URL",
            "schema": {"type": ["string", "null"]},
            "description": "oauth: address to which Bitbucket sends the browser after a login; empty: http://127.0.0.1:8910/callback.",
        },
        "verify": {
            "label": "TLS verification",
            "schema": {"type": ["string", "null"]},
            "description": "Path of a CA bundle on the workers; false: certificates are not verified (insecure).",
        },
        "proxies": {
            "label": "Proxies",
            "schema": {"type": ["string", "null"]},
            "description": 'JSON, such as {"https": "http://proxy.example:3128"}; empty: those of the environment.',
        },
        "timeout": {
            "label": "Timeout",
            "schema": {"type": ["string", "null"]},
            "description": "Seconds, or [seconds to connect, seconds to wait for a byte]; empty: [10, 60].",
        },
        "rate_limit": {
            "label": "Rate limit",
            "schema": {"type": ["string", "null"]},
            "description": "Requests an hour that these credentials may send; empty: Bitbucket's own limit.",
        },
    },
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "port", "extra"],
        "relabeling": {
            "host": "API base URL",
            "login": "Atlassian e-mail, or consumer key",
            "password": "API token, access token, or consumer secret",
        },
        "placeholders": {
            "host": "https://api.bitbucket.org/2.0",
            "login": "you@example.com (leave empty for an access token)",
            "workspace": "acme",
        },
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's registration: connection type with its form, modules and extra links."""

    def modules(*names: str) -> list[dict[str, Any]]:
        return [{"integration-name": INTEGRATION, "python-modules": [f"{PACKAGE}.{name}" for name in names]}]

    return {
        "package-name": "airflow-provider-bitbucket",
        "name": INTEGRATION,
        "description": "Bitbucket Cloud: pipelines, pull requests and their metrics.",
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://developer.atlassian.com/cloud/bitbucket/rest/intro/",
                "tags": ["service"],
            }
        ],
        "connection-types": [CONNECTION_TYPE],
        "hooks": modules("hooks.bitbucket"),
        "operators": modules(
            "operators.api",
            "operators.approval",
            "operators.build_statuses",
            "operators.code_insights",
            "operators.downloads",
            "operators.environments",
            "operators.extract",
            "operators.files",
            "operators.metrics",
            "operators.pipeline_schedules",
            "operators.pipeline_stop",
            "operators.pipeline_variables",
            "operators.pipelines",
            "operators.pull_request_comments",
            "operators.pull_requests",
            "operators.refs",
            "operators.report",
            "operators.repositories",
            "operators.repository_changes",
            "operators.sql",
            "operators.webhooks",
        ),
        "sensors": modules(*(f"sensors.{name}" for name in WAITS)),
        "triggers": modules(*(f"triggers.{name}" for name in (*WAITS, "reviews"))),
        "bundles": modules("bundles.bitbucket"),
        "notifications": [
            f"{PACKAGE}.notifications.build_statuses.BitbucketBuildStatusNotifier",
            f"{PACKAGE}.notifications.pull_requests.BitbucketPullRequestCommentNotifier",
        ],
        "cli": [f"{PACKAGE}.cli.definition.get_bitbucket_cli_commands"],
        "asset-uris": [
            {
                "schemes": ["bitbucket"],
                "handler": f"{PACKAGE}.hooks.lineage.sanitize_uri",
                "factory": f"{PACKAGE}.hooks.lineage.create_asset",
                "to_openlineage_converter": f"{PACKAGE}.hooks.lineage.convert_asset_to_openlineage",
            }
        ],
        "extra-links": [
            f"{PACKAGE}.links.BitbucketPipelineLink",
            f"{PACKAGE}.links.BitbucketPullRequestLink",
            f"{PACKAGE}.links.BitbucketReportLink",
        ],
    }
