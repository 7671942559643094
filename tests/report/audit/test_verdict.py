"""What an audit says: trust, longer trainings, size, regret."""

import pytest

from edgenext_search.report.audit.verdict import Longer, Trust, audit_sentences, longer, trust

from ..builders import a_summary, an_audit, an_estimate, some_trials

TRIALS = some_trials(24)
AUDIT = an_audit(TRIALS, n=20)


def with_last(audit, **changes):
    """An audit with other values of its last rung."""
    values = audit.to_dict()
    values["series"][1].update(changes)
    return type(audit).model_validate(values)


def with_ceiling(tau, score, headroom, *, pairs=None, right=None, n=10):
    ceiling = {
        "n": n,
        "seeds": 2,
        "tau": an_estimate(tau),
        "score_tau": an_estimate(score),
        "headroom": {"value": tau - score, "low": headroom[0], "high": headroom[1]},
        "share_of_noise_ceiling": score / tau if tau > 0 else None,
        "pairwise_accuracy": pairs or an_estimate((1 + tau) / 2),
        "score_pairwise_accuracy": an_estimate((1 + score) / 2),
    }
    return with_last(AUDIT, noise_ceiling=ceiling, pairwise_accuracy=right or an_estimate(0.75, 0.1), n=12)


def said(audit):
    return " ".join(audit_sentences(a_summary(TRIALS), audit))


UNSURE = {"value": 0.6, "low": 0.45, "high": 0.75}


@pytest.mark.parametrize(
    ("audit", "trusted", "pays"),
    [
        (with_ceiling(0.8, 0.4, (0.1, 0.6)), Trust.BELOW_CEILING, Longer.YES),
        (with_ceiling(0.6, 0.58, (-0.2, 0.2)), Trust.AT_CEILING, Longer.HARDLY),
        (with_ceiling(0.4, 0.4, (-0.2, 0.2)), Trust.AT_CEILING, Longer.NOISE),
        (with_ceiling(0.6, 0.45, (-0.1, 0.3)), Trust.UNSETTLED, Longer.UNSETTLED),
        (with_ceiling(0.6, 0.5, (-0.3, -0.1)), Trust.UNSETTLED, Longer.NO),
        (with_ceiling(-0.2, 0.4, (-0.9, -0.1)), Trust.BETTER_THAN_CHANCE, Longer.NOT_KNOWN),
        (with_ceiling(0.8, 0.4, (0.1, 0.6), n=4), Trust.BETTER_THAN_CHANCE, Longer.NOT_KNOWN),
        (with_ceiling(0.8, 0.4, (0.1, 0.6), right=UNSURE), Trust.NOT_ESTABLISHED, Longer.YES),
        (with_ceiling(0.1, 0.1, (-0.4, 0.3), right=UNSURE, pairs=UNSURE), Trust.NOISY_REFERENCE, Longer.NOISE),
        (
            with_last(AUDIT, pairwise_accuracy={"value": 0.9, "low": None}, tau=an_estimate(0.9)),
            Trust.NOT_ESTABLISHED,
            None,
        ),
        (an_audit(TRIALS, n=5), Trust.TOO_FEW, Longer.NOT_KNOWN),
    ],
)
def test_truth_table(audit, trusted, pays):
    assert trust(audit) is trusted
    assert pays is None or longer(audit) is pays
    assert said(audit)


def test_an_order_without_a_fault_needs_no_interval():
    faultless = with_last(AUDIT, pairwise_accuracy={"value": 1.0, "low": None}, tau={"value": 1.0}, noise_ceiling=None)
    assert trust(faultless) is Trust.BETTER_THAN_CHANCE


def test_the_answer_is_of_the_last_rung_and_the_first_comes_later():
    audit = with_last(AUDIT, pairwise_accuracy={"value": 0.714, "low": 0.6, "high": 0.8})
    first, *_, last = audit_sentences(a_summary(TRIALS), audit)
    n = audit.series[1].n
    assert first == (
        "After 6 epochs, the score orders 71 % of pairs of candidates as 24 epochs do "
        f"(95 % interval 60 % to 80 %, n = {n}; chance is 50 %)."
    )
    assert last.startswith("After 2 epochs, ")


def test_what_ranks_is_named():
    assert "the mean training loss orders" in said(an_audit(TRIALS, n=20, rank_by="train_loss"))


def test_one_seed_has_no_ceiling_and_the_text_says_why():
    text = said(an_audit(TRIALS, seeds=1))
    assert "--seeds 2 measures it" in text
    assert "Longer trainings" not in text


def test_regret_is_that_of_about_as_many_as_there_are_finalists():
    def text(**regret):
        return said(with_last(AUDIT, pairwise_accuracy=an_estimate(0.75), regret=regret))

    assert "The best of the 3 that it ranks highest is 0.8 points of top-1 below" in text(**{"1": 0.03, "3": 0.008})
    assert "The candidate that it ranks highest is 3.1 points of top-1 below" in text(**{"1": 0.031, "3": None})
    assert "is the best of all that were trained long." in text(**{"3": 0.0})
    assert "ranks highest" not in text(**{"1": None})


def test_a_score_that_is_no_better_than_size_is_called_so():
    text = said(with_last(AUDIT, pairwise_accuracy=an_estimate(0.7), params_pairwise_accuracy=an_estimate(0.8)))
    assert "Counting parameters alone orders 80 %: so far the trainings say no more than size does." in text
    assert "Counting parameters alone orders 60 %." in said(
        with_last(AUDIT, pairwise_accuracy=an_estimate(0.7), params_pairwise_accuracy=an_estimate(0.6))
    )


def test_longer_rungs_with_few_candidates_are_named():
    audit = with_last(AUDIT, n=3)
    assert "3 candidates reached 6 epochs: too few to judge by, 8 are needed." in said(audit)
