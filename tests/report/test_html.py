"""The page stands alone, in every state a run can be in, and nothing in it runs that we did not write."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from edgenext_search.report.html import write_report

from .builders import HOSTILE, a_summary, a_trial, an_audit, some_trials

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """A page as a reader meets it: headings and text in order, tags, scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self.words, self.open, self.scripts = [], [], [], [], {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tag, attrs = self.open[-1] if self.open else ("", {})
        if tag == "script":
            self.scripts[attrs.get("id", len(self.scripts))] = data
        elif tag != "style":
            self.words.append(data)
            if tag in {"h1", "h2"}:
                self.headings.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture
def render(tmp_path):
    def write(summary, trials):
        path = tmp_path / "report" / "index.html"
        write_report(summary, trials, path)
        assert [entry.name for entry in path.parent.iterdir()] == ["index.html"]
        return Page(path.read_text(encoding="utf-8"))

    return write


def test_sections_come_in_the_order_of_a_readers_questions(render):
    trials = some_trials(24, failed=2)
    page = render(a_summary(trials), trials)
    assert page.headings[1:] == [
        "Winner and baseline",
        "The architecture, stage by stage",
        "Use the winner",
        "Accuracy for the cost",
        "How the study went",
        "Finalists, scored again",
        "Which choices paid",
        "How good the candidates were as a whole",
        "The winner at other sizes",
        "All 24 trials",
        "Conditions and method",
    ]
    assert "beats the baseline" in page.headings[0]
    assert "never used to choose a candidate" in page.text


def test_page_needs_no_network(render):
    trials = some_trials(4)
    page = render(a_summary(trials), trials)
    assert not any(attrs.get("src") for _, attrs in page.tags)
    links = [attrs["href"] for _, attrs in page.tags if attrs.get("href")]
    assert links
    targets = {attrs.get("id") for _, attrs in page.tags}
    assert all(link.startswith("#") and link[1:] in targets for link in links)
    assert any("default-src 'none'" in (attrs.get("content") or "") for tag, attrs in page.tags if tag == "meta")


def test_every_figure_has_its_place_and_its_data(render):
    trials = some_trials(40)
    page = render(a_summary(trials, audit=an_audit(trials)), trials)
    figures = json.loads(page.scripts["data-figures"])
    assert {"fig-params", "fig-madds", "fig-acts", "fig-history", "fig-best", "fig-best-images"} <= set(figures)
    assert {"fig-hypervolume", "fig-edf", "fig-audit", "fig-choice-kernel-size-stage-1"} <= set(figures)
    assert set(figures) == {attrs["id"] for tag, attrs in page.tags if tag == "figure" and "id" in attrs}


def test_ids_are_unique(render):
    trials = some_trials(40)
    page = render(a_summary(trials, audit=an_audit(trials)), trials)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_an_audit_has_a_section_and_a_figure(render):
    trials = some_trials(24)
    page = render(a_summary(trials, audit=an_audit(trials)), trials)
    at = page.headings.index("Can the scores be trusted?")
    assert page.headings[at - 1] == "How good the candidates were as a whole"
    assert "a coin has 50 %" in page.text
    assert "fig-audit" in json.loads(page.scripts["data-figures"])


def test_demonstration_is_said_only_where_it_is_one(render):
    summary = a_summary(some_trials(4))
    assert "A demonstration" in render(summary, some_trials(4)).text
    summary["data"]["demonstration"] = False
    assert "A demonstration" not in render(summary, some_trials(4)).text


def test_an_interrupted_run_says_how_to_go_on(render):
    trials = some_trials(9)
    page = render(a_summary(trials, status="interrupted", run="runs/it's mine"), trials)
    assert "edgenext-search resume 'runs/it'\"'\"'s mine'" in page.text
    assert page.headings[0].startswith("So far, ")


@pytest.mark.parametrize(
    ("trials", "headings"),
    [
        ([], ["All trials", "Conditions and method"]),
        (some_trials(5, failed=5), ["All 5 trials", "Conditions and method"]),
        (
            [a_trial(0, scores=(0.4,))],
            ["Accuracy for the cost", "How the study went", "The only trial", "Conditions and method"],
        ),
    ],
    ids=["nothing", "all failed", "stopped at a rung"],
)
def test_without_a_winner(render, trials, headings):
    summary = a_summary(trials, status="interrupted", winner=None, baseline=None, finalists=[], gain=None)
    page = render(summary, trials)
    assert page.headings[0].startswith("No winner yet")
    assert page.headings[1:] == headings


def test_complete_trials_without_a_winner(render):
    trials = some_trials(6)
    page = render(a_summary(trials, status="interrupted", winner=None, finalists=[], gain=None, model_dir=None), trials)
    assert "before its finalists were scored again" in page.headings[0]


def test_the_baseline_wins(render):
    trials = some_trials(1)
    page = render(a_summary(trials), trials)
    assert page.headings[0].startswith("No candidate beat the baseline")
    assert "The winner, which is the baseline" in page.headings
    assert "→" not in page.text


def test_one_seed_and_no_spread(render):
    trials = some_trials(8)
    summary = a_summary(trials)
    for row in (summary["winner"], summary["baseline"], *summary["finalists"]):
        row["score"].update(std=None, n=1)
    page = render({**summary, "gain": None}, trials)
    assert "not established" in page.text
    assert "no interval" in page.text


def test_a_thousand_trials(render):
    trials = some_trials(1000, failed=9)
    page = render(a_summary(trials), trials)
    assert len(json.loads(page.scripts["data-trials"])["columns"]["number"]) == 1000


def test_hostile_text_stays_text(render):
    trials = [replace(a_trial(0), origin=f"edgenext_{HOSTILE}"), replace(a_trial(1), state="failed", reason=HOSTILE)]
    summary = a_summary(trials, study=HOSTILE, space=HOSTILE, run=f"runs/{HOSTILE}", status="interrupted")
    summary["model_dir"] = f"runs/{HOSTILE}/winners/a"
    summary["data"]["name"] = HOSTILE
    summary["budget"] = {HOSTILE: 3}
    summary["conditions"] = {"device": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    summary["deployment"] = {"num_classes": HOSTILE, "img_size": HOSTILE}
    summary["fidelity"] = {"img_size": HOSTILE, "epochs": HOSTILE}
    page = render(summary, trials)
    assert "img" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert page.text.count(HOSTILE) >= 5
    assert HOSTILE in json.loads(page.scripts["data-trials"])["columns"]["reason"]


def test_the_model_is_loaded_from_the_run_folder(render):
    trials = some_trials(8)
    summary = a_summary(trials)
    fingerprint = summary["winner"]["fingerprint"]
    assert f'timm.create_model("local-dir:winners/{fingerprint}", pretrained=True)' in render(summary, trials).text
    elsewhere = render({**summary, "model_dir": "/models/best"}, trials).text
    assert 'timm.create_model("local-dir:/models/best", pretrained=True)' in elsewhere
    assert "Run it in the run folder" not in elsewhere
