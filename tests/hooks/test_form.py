"""The connection form of the Airflow UI, on every supported Airflow."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

from airflow_provider_bitbucket.get_provider_info import get_provider_info
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook


def test_the_form_has_labelled_fields_a_choice_of_auth_types_and_no_json(airflow_home: Any) -> None:
    form = next(hook for hook in HookMetaService.hook_meta_data() if hook.connection_type == "bitbucket")

    assert form.hook_name == "Bitbucket Cloud"
    assert form.hook_class_name == "airflow_provider_bitbucket.hooks.bitbucket.BitbucketHook"
    fields = {name: field["schema"] for name, field in form.extra_fields.items()}
    assert fields["workspace"]["title"] == "Workspace"
    assert fields["auth_type"]["enum"] == ["api_token", "api_token_per_user", "access_token", "oauth_client_credentials", "oauth"]
    assert form.extra_fields["auth_type"]["value"] == "api_token"
    assert form.standard_fields.host.title == "API base URL"
    assert form.standard_fields.host.placeholder == "https://api.bitbucket.org/2.0"
    assert "token" in form.standard_fields.password.title
    assert form.standard_fields.url_schema.hidden
    assert form.standard_fields.port.hidden


def test_airflow_3_1_gets_the_same_form_from_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    def module(name: str, **members: Any) -> None:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        vars(sys.modules[name]).update(members)

    module("flask_babel", lazy_gettext=str)
    module("flask_appbuilder")
    module("flask_appbuilder.fieldwidgets", BS3TextFieldWidget=object)
    module("wtforms", StringField=lambda label, **parts: SimpleNamespace(label=label, **parts))
    module("wtforms.validators", Optional=lambda: "optional", any_of=lambda allowed: allowed)

    widgets = BitbucketHook.get_connection_form_widgets()

    assert {name: widget.label for name, widget in widgets.items()} == {
        "workspace": "Workspace",
        "auth_type": "Authentication",
        "default_user": "Default user",
        "user": "User",
        "scopes": "OAuth scopes",
        "callback_url": "OAuth callback URL",
        "verify": "TLS verification",
        "proxies": "Proxies",
        "timeout": "Timeout",
        "rate_limit": "Rate limit",
    }
    assert widgets["auth_type"].default == "api_token"
    assert widgets["auth_type"].validators[1] == [
        "api_token",
        "api_token_per_user",
        "access_token",
        "oauth_client_credentials",
        "oauth",
    ]
    assert BitbucketHook.get_ui_field_behaviour()["relabeling"]["host"] == "API base URL"
    assert set(BitbucketHook.get_ui_field_behaviour()) == {"hidden_fields", "relabeling", "placeholders"}


def test_everything_the_provider_registers_can_be_imported() -> None:
    info = get_provider_info()
    for kind in ("hooks", "operators", "sensors", "triggers", "bundles"):
        for entry in info[kind]:
            for name in entry["python-modules"]:
                import_module(name)
    for name in info["notifications"]:
        module, _, notifier = name.rpartition(".")
        assert getattr(import_module(module), notifier)
    links = [name.rpartition(".") for name in info["extra-links"]]
    names = [getattr(import_module(module), link)().name for module, _, link in links]
    assert names == ["Bitbucket pipeline", "Bitbucket pull request", "Report"]
