"""The report of a run, in every state that a run can be in."""

from dataclasses import replace

import pytest

from edgenext_search.report.render.html import write_page
from edgenext_search.report.render.markdown import markdown
from edgenext_search.report.run.document import run_document
from edgenext_search.report.trials.page_data import trials_data
from edgenext_search.report.trials.study import Study

from ..builders import HOSTILE, Parsed, a_latency, a_summary, a_trial, an_audit, some_trials

TRIALS = some_trials(40, failed=2)


def titles(summary, trials):
    return [section.title for section in run_document(summary, trials).sections]


def test_sections_come_in_the_order_of_a_readers_questions():
    assert titles(a_summary(TRIALS, audit=an_audit(TRIALS)), TRIALS) == [
        "Winner and baseline",
        "The architecture, stage by stage",
        "Use the winner",
        "Accuracy for the cost",
        "How the study went",
        "Finalists, scored again",
        "Which choices paid",
        "How good the candidates were as a whole",
        "Can the scores be trusted?",
        "The winner at other sizes",
        "All 40 trials",
        "Conditions and method",
    ]


@pytest.mark.parametrize(
    ("trials", "expected"),
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
def test_without_a_winner(trials, expected):
    summary = a_summary(trials, status="interrupted")
    assert titles(summary, trials) == expected
    assert "|" not in markdown(run_document(summary, trials))


def test_figures_have_stable_identifiers():
    figures = run_document(a_summary(TRIALS, audit=an_audit(TRIALS)), TRIALS).figures()
    assert {"fig-params", "fig-madds", "fig-acts", "fig-history", "fig-best", "fig-best-images"} <= set(figures)
    assert {"fig-hypervolume", "fig-edf", "fig-audit", "fig-choice-kernel-size-stage-1"} <= set(figures)
    assert "fig-latency-accuracy" in run_document(*a_latency(TRIALS)).figures()


def test_notices_are_those_of_the_state():
    def notices(**changes):
        return {notice.title: notice.command for notice in run_document(a_summary(**changes), []).notices}

    assert notices(status="interrupted", run="my run")["This study was interrupted."] == (
        "edgenext-search resume 'my run'"
    )
    assert "This study is still running." in notices(status="running")
    data = {"name": "x", "classes": 2, "train_images": 1, "val_images": 1}
    assert notices(data=data) == {}
    assert list(notices()) == ["A demonstration."]


def test_paths_name_the_folders_of_the_front():
    summary = a_summary(TRIALS)
    other = summary.finalists[1].model_copy(update={"model_dir": "runs/x/winners/other"})
    paths = run_document(summary.model_copy(update={"front": (*summary.front, other)}), TRIALS).paths
    assert paths[:2] == (("model", summary.model_dir), ("", "runs/x/winners/other"))
    assert dict(paths)["run"] == summary.run


def test_hostile_text_stays_text(tmp_path):
    trials = [replace(a_trial(0), origin=f"edgenext_{HOSTILE}"), replace(a_trial(1), state="failed", reason=HOSTILE)]
    summary = a_summary(trials, study=HOSTILE, space=HOSTILE, run=f"runs/{HOSTILE}", model_dir=f"runs/{HOSTILE}/a")
    write_page(run_document(summary, trials), tmp_path / "x.html", trials=trials_data([Study(summary, trials)]))
    page = Parsed((tmp_path / "x.html").read_text())
    assert "img" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert page.text.count(HOSTILE) >= 5
