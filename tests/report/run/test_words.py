"""Words about a run that several topics need."""

from edgenext_search.report.run.words import objective_costs, rematch_text, seeds_text

from ..builders import a_finalist, a_summary, a_trial, changed, some_trials

SUMMARY = a_summary(some_trials(8))


def test_seeds():
    assert seeds_text(SUMMARY) == "3 fresh seeds each"
    assert seeds_text(a_summary()) == "not scored again with fresh seeds"
    mixed = [a_finalist(a_trial(number), mean=0.5, n=number) for number in (2, 4)]
    assert seeds_text(a_summary(finalists=mixed)) == "2 to 4 fresh seeds each"
    assert seeds_text(a_summary(finalists=[a_finalist(a_trial(), mean=0.5, n=1)])) == "one fresh seed each"


def test_a_rematch_takes_both():
    one = changed(SUMMARY, SUMMARY.winner, rematch=SUMMARY.winner.score)
    assert rematch_text(one) == ""
    both = changed(one, SUMMARY.baseline, rematch=SUMMARY.baseline.score)
    assert rematch_text(both).startswith("Re-match on further seeds: winner ")


def test_costs_come_in_one_order():
    assert objective_costs(a_summary(objectives=["accuracy", "latency", "params"])) == ["params", "latency"]
    assert objective_costs(SUMMARY) == []
