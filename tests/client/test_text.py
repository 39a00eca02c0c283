"""Text from Bitbucket in logs and errors."""

from __future__ import annotations

from airflow_provider_bitbucket.client.transport.text import web_link


def test_links_have_no_braces_at_which_the_log_page_of_airflow_cuts_them():
    page = "https://bitbucket.org/acme/api/addon/pipelines/home#!/results/1/steps/{2}"
    assert web_link(page) == web_link(web_link(page)) == f"{page[:-3]}%7B2%7D"
    assert web_link("https://bitbucket.org/acme/api/pipelines/results/7", "steps", "{2}").endswith("/results/7/steps/%7B2%7D")
