"""What Airflow's provider discovery reads. Nothing is imported here: discovery runs before Airflow is configured."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the provider's registration: connection type with its form, modules and extra links."""
    package = "airflow_provider_bitbucket"
    return {
        "package-name": "airflow-provider-bitbucket",
        "name": "Bitbucket Cloud",
        "description": "Bitbucket Cloud: pipelines, pull requests and their metrics.",
        "integrations": [
            {
                "integration-name": "Bitbucket Cloud",
                "external-doc-url": "https://developer.atlassian.com/cloud/bitbucket/rest/intro/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": "Bitbucket Cloud", "python-modules": [f"{package}.hooks.bitbucket"]}],
    }
