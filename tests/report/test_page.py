"""The page and the e-mail as files: well-formed, self-contained, the same for the same, and safe with hostile texts."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_bitbucket.report import Report, email, page
from airflow_provider_bitbucket.report.charts import draw
from airflow_provider_bitbucket.report.contents import ROWS
from tests.report.frames import WEB, pipeline, pull_request, report_of, review

VOID = {"meta", "br", "link", "img", "input", "hr"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> $x^2$ {{ 7*7 }} \u202e"


class Reader(HTMLParser):
    """Reads a page as strictly as HTML allows: what is opened is closed, and an id is there once."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"
        ids = self.values("id")
        assert len(ids) == len(set(ids)), "an id is there twice"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(attribute)) is not None]


@pytest.fixture(scope="module")
def full() -> Report:
    """Something of everything, with hostile texts everywhere a user can write one."""
    rows = [pull_request(number, -24.0 * number, None, title=HOSTILE, author=HOSTILE) for number in range(20, 30)]
    rows += [pull_request(number, number - 60.0, number + 1.0, title=HOSTILE, author=HOSTILE) for number in range(10)]
    runs = [pipeline(number, number - 20, "SUCCESSFUL") for number in range(40)]
    return report_of({"pull_requests": rows, "pipelines": runs, "reviews": [review(1, HOSTILE, 1, 2)]}, title=HOSTILE)


@pytest.fixture(scope="module")
def written(full: Report) -> dict[str, str]:
    """Both forms of it."""
    return forms(full)


def forms(report: Report) -> dict[str, str]:
    return {"page": page(report), "email": email(report, "s3://bucket/<report>.html")}


@pytest.mark.parametrize("form", ["page", "email"])
def test_hostile_texts_are_shown_and_do_nothing(written: dict[str, str], form: str):
    text = written[form]
    read = Reader(text)
    assert {tag for tag, _ in read.tags} & {"script", "img", "iframe", "object", "link", "base", "form"} == set()
    assert [name for _, attributes in read.tags for name in attributes if name.startswith("on")] == []
    shown = "".join(read.text).replace("\N{NO-BREAK SPACE}", " ")
    assert shown.count(HOSTILE) >= 2 * ROWS
    assert "<script>" not in text


@pytest.mark.parametrize("form", ["page", "email"])
def test_nothing_is_loaded_and_only_bitbucket_is_linked(written: dict[str, str], form: str):
    text = written[form]
    read = Reader(text)
    links = read.values("href")
    assert links
    assert all(link.startswith((f"{WEB}/", "#")) for link in links)
    assert read.values("src") == []
    for loads in ("@import", "url(h", "url('", 'url("', "data:", "xlink"):
        assert loads not in text
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", text)) - set(links)
    assert addresses == set(), "and none of an SVG's namespaces"


@pytest.mark.parametrize("form", ["page", "email"])
@pytest.mark.parametrize("report", [report_of({}), report_of({}, "acme/api", "acme/web")])
def test_an_empty_repository_has_a_sensible_page(report: Report, form: str):
    shown = " ".join("".join(Reader(forms(report)[form]).text).split())
    for sentence in ("No pull requests were merged.", "No reviews were requested or given.", "too few to compare"):
        assert sentence in shown
    assert "nan" not in shown.lower().split()
    assert "<NA>" not in shown


def test_the_same_numbers_make_the_same_bytes(full: Report, written: dict[str, str]):
    assert forms(full) == written


def test_charts_have_their_numbers_as_text_for_screen_readers(full: Report, written: dict[str, str]):
    read = Reader(written["page"])
    said = [attributes["aria-label"] for _, attributes in read.tags if attributes.get("role") == "img"]
    assert len(said) == sum(not chart.is_empty for chart in full.charts)
    assert "Pipelines that succeed, by week. success rate: 28 Sep 100%, 5 Oct 100%." in said
    assert [attributes.get("aria-hidden") for tag, attributes in read.tags if tag == "svg"] == ["true"] * len(said)


def test_headings_go_down_one_at_a_time_and_headers_say_what_they_head(written: dict[str, str]):
    read = Reader(written["page"])
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert {attributes.get("scope") for tag, attributes in read.tags if tag == "th"} == {"col", "row"}


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_texts_and_charts_have_enough_contrast_in_light_and_dark(written: dict[str, str]):
    """WCAG 2: 4.5 for texts, 3 for what pictures are made of."""
    themes: list[dict[str, Any]] = [
        dict(re.findall(r"--(\w+): (#\w+)", rule)) for rule in re.findall(r":root \{(.*?)\}", written["page"], re.DOTALL)
    ]
    assert len(themes) == 2
    for theme in themes:
        for ground in (theme["card"], theme["ground"]):
            assert all(contrast(theme[name], ground) >= 4.5 for name in ("ink", "muted", "link", "good", "bad"))
        for ground in (theme["card"], theme["shade"]):
            assert all(contrast(theme[name], ground) >= 3 for name in ("c1", "c2", "c3"))


def test_the_email_uses_nothing_that_mail_clients_remove(written: dict[str, str]):
    text = written["email"]
    tags = {tag for tag, _ in Reader(text).tags}
    assert tags & {"style", "svg", "img", "div", "section", "button"} == set()
    assert len(text.encode()) < 102_000, "Gmail cuts there"


def test_the_email_of_two_years_has_the_last_weeks(full: Report):
    weeks = full.tables["weeks"]
    years = replace(weeks, rows=(weeks.rows * 104)[:104])
    long = replace(full, tables={**full.tables, "weeks": years})
    quarter = replace(full, tables={**full.tables, "weeks": replace(weeks, rows=years.rows[-12:])})
    said = "The last 12 of 104. "
    assert said in email(long, "report.html")
    assert len(email(long, "report.html")) == len(email(quarter, "report.html")) + len(said), "Gmail cuts at 102 kB"


def test_many_weeks_do_not_collide_on_the_axis(full: Report):
    chart = replace(full.charts[1], series={"opened": [1] * 104})
    drawn = draw(chart, [f"week {number}" for number in range(104)], 52)
    assert len(re.findall(r">week \d+<", drawn)) <= 5


def test_without_the_extra_it_is_named(full: Report, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r"needs matplotlib, .* pip install 'airflow-provider-bitbucket\[report\]'"):
        page(full)
