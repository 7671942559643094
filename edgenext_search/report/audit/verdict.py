"""What an audit says: how often the search's scores are right, and what that means for the winner and the rungs."""

from __future__ import annotations

from enum import StrEnum

from edgenext_search.report.wording import RANKING_METRICS, epochs_text, finite, points
from edgenext_search.search.ranking.results import AuditResult, AuditSeries, EstimateResult, NoiseCeiling
from edgenext_search.search.results import RunSummary

LEAST = 8  # candidates that any statement takes
NEARLY = 0.9  # of the ceiling: as good as another long training, for a choice
NOISY = 0.75  # share of pairs that long trainings order alike, below which they are called noisy
CHANCE = 0.5
FAULTLESS = 1 - 1e-9  # tau-b of an order without a fault, up to rounding


class Trust(StrEnum):
    """How far the scores of a search can be trusted."""

    TOO_FEW = "too few candidates"
    NOISY_REFERENCE = "noisy reference"
    NOT_ESTABLISHED = "not established"
    BETTER_THAN_CHANCE = "better than chance"
    BELOW_CEILING = "below the noise ceiling"
    AT_CEILING = "at the noise ceiling"
    UNSETTLED = "unsettled"


class Longer(StrEnum):
    """Whether longer trainings in the search would rank candidates better."""

    NOT_KNOWN = "not known"
    YES = "yes"
    NO = "no"
    HARDLY = "hardly"
    NOISE = "noise"
    UNSETTLED = "unsettled"


_TRUST = {
    Trust.NOISY_REFERENCE: (
        "Long trainings do not agree better than chance either, so this audit cannot tell how well the search ranks; "
        "--reference-epochs {more_epochs} or --seeds {more_seeds} would tell more."
    ),
    Trust.NOT_ESTABLISHED: (
        "That is not established to be better than chance, so the search does not show that the winner is better than "
        "other candidates. Fresh seeds compare it with the baseline."
    ),
    Trust.BETTER_THAN_CHANCE: "That is better than chance: the winner is likely to be one of the better candidates.",
    Trust.BELOW_CEILING: (
        "That is better than chance, but not as good as a long training: the winner is likely to be one of the better "
        "candidates, not surely the best."
    ),
    Trust.AT_CEILING: "That is about as good as a long training.",
    Trust.UNSETTLED: (
        "That is better than chance: the winner is likely to be one of the better candidates. Whether a long training "
        "would choose better, {n} candidates do not settle."
    ),
}
_LONGER = {
    Longer.NOT_KNOWN: "",
    Longer.YES: "Longer trainings in the search would rank candidates better.",
    Longer.NO: "Longer trainings in the search would not rank candidates better.",
    Longer.HARDLY: "Longer trainings in the search would hardly rank candidates better.",
    Longer.NOISE: (
        "Longer trainings in the search would hardly rank candidates better; they differ among themselves, so more "
        "held-out images or more seeds would."
    ),
    Longer.UNSETTLED: (
        "Longer trainings in the search may rank candidates better; {n} candidates do not settle it, and --n {more_n} "
        "would tell more."
    ),
}


def rungs(audit: AuditResult) -> list[AuditSeries]:
    """What ranks candidates at each rung, without the costs."""
    return [series for series in audit.series if series.epochs]


def judged_rung(audit: AuditResult) -> AuditSeries | None:
    """The last rung with candidates enough to be judged; None without any."""
    judged = [series for series in rungs(audit) if series.pairwise_accuracy and series.n >= LEAST]
    return judged[-1] if judged else None


def trust(audit: AuditResult) -> Trust:
    """How far the scores can be trusted, by the last rung that can be judged."""
    last = judged_rung(audit)
    if last is None or last.pairwise_accuracy is None:
        return Trust.TOO_FEW
    ceiling = _noise_ceiling(last)
    if not _beats_chance(last, last.pairwise_accuracy):
        noisy = ceiling is not None and (finite(ceiling.pairwise_accuracy.low) or 0.0) <= CHANCE
        return Trust.NOISY_REFERENCE if noisy else Trust.NOT_ESTABLISHED
    if ceiling is None or ceiling.share_of_noise_ceiling is None:
        return Trust.BETTER_THAN_CHANCE
    if (ceiling.headroom.low or 0.0) > 0:
        return Trust.BELOW_CEILING
    return Trust.AT_CEILING if ceiling.share_of_noise_ceiling >= NEARLY else Trust.UNSETTLED


def longer(audit: AuditResult) -> Longer:
    """Whether longer trainings in the search would rank candidates better; known for the last rung alone."""
    last = judged_rung(audit)
    ceiling = _noise_ceiling(last) if last else None
    if ceiling is None or ceiling.share_of_noise_ceiling is None or last is not rungs(audit)[-1]:
        return Longer.NOT_KNOWN
    low, high = finite(ceiling.headroom.low), finite(ceiling.headroom.high)
    if low is not None and low > 0:
        return Longer.YES
    if ceiling.share_of_noise_ceiling >= NEARLY:
        return Longer.NOISE if ceiling.pairwise_accuracy.value < NOISY else Longer.HARDLY
    return Longer.NO if high is not None and high <= 0 else Longer.UNSETTLED


def audit_sentences(summary: RunSummary, audit: AuditResult) -> tuple[str, ...]:
    """What an audit says, the answer first."""
    last = judged_rung(audit)
    if last is None or last.pairwise_accuracy is None:
        few = f"{LEAST} candidates with different scores at one rung are needed, and {audit.n} were trained long"
        return (f"The audit cannot tell whether the scores can be trusted: {few}.",)
    values = {
        "n": last.n,
        "more_n": 2 * audit.asked.n,
        "more_seeds": 2 * audit.asked.seeds,
        "more_epochs": 2 * audit.fidelity.epochs,
    }
    verdict = trust(audit)
    regret = "" if verdict in (Trust.NOISY_REFERENCE, Trust.NOT_ESTABLISHED) else _regret(summary, last)
    others = [series for series in reversed(rungs(audit)) if series is not last]
    said = [
        ("" if audit.status == "complete" else "So far: ") + _rung(audit, last, last.pairwise_accuracy),
        _seeds(audit, last),
        f"{_TRUST[verdict].format(**values)} {regret}".strip(),
        _size(last, last.pairwise_accuracy),
        _LONGER[longer(audit)].format(**values),
        *(
            _rung(audit, series, series.pairwise_accuracy)
            for series in others
            if series.pairwise_accuracy and series.n >= LEAST
        ),
        *(
            f"{series.n} candidates reached {epochs_text(series.epochs)}: too few to judge by, {LEAST} are needed."
            for series in others
            if series.epochs > last.epochs
        ),
    ]
    return tuple(filter(None, said))


def metric_text(audit: AuditResult) -> str:
    """What ranks candidates in the search and is judged here: ``score``, ``mean training loss``."""
    return "score" if audit.fidelity.rank_by == "top1" else RANKING_METRICS[audit.fidelity.rank_by]


def against_text(ceiling: NoiseCeiling) -> str:
    """What the noise ceiling is measured by."""
    others = ceiling.seeds - 1
    return "a long training with another seed" if others == 1 else f"the mean of {others} long trainings"


def _rung(audit: AuditResult, series: AuditSeries, pairs: EstimateResult) -> str:
    low, high = finite(pairs.low), finite(pairs.high)
    interval = "no interval" if low is None or high is None else f"95 % interval {_share(low)} to {_share(high)}"
    return (
        f"After {epochs_text(series.epochs)}, the {metric_text(audit)} orders {_share(pairs.value)} of pairs of "
        f"candidates as {epochs_text(audit.fidelity.epochs)} do ({interval}, n = {series.n}; chance is 50 %)."
    )


def _seeds(audit: AuditResult, last: AuditSeries) -> str:
    if audit.seeds < 2:
        return "With one long training each, the noise of long trainings is not known; --seeds 2 measures it."
    if (ceiling := _noise_ceiling(last)) is None:
        return "Too few candidates have all their long trainings to measure how far those agree."
    return (
        f"{against_text(ceiling).capitalize()} orders {_share(ceiling.pairwise_accuracy.value)} of pairs as a second "
        f"long training does, the search {_share(ceiling.score_pairwise_accuracy.value)}; no score can be expected to "
        "do much better than a long training."
    )


def _noise_ceiling(series: AuditSeries) -> NoiseCeiling | None:
    """The noise ceiling of a series; None if it is of too few candidates."""
    return series.noise_ceiling if series.noise_ceiling and series.noise_ceiling.n >= LEAST else None


def _beats_chance(series: AuditSeries, pairs: EstimateResult) -> bool:
    """By the interval; without one only an order without a fault, of 8 by chance once in 40,320 times."""
    low = finite(pairs.low)
    return low > CHANCE if low is not None else series.tau is not None and series.tau.value >= FAULTLESS


def _regret(summary: RunSummary, last: AuditSeries) -> str:
    """How good the best of the highest ranked is, for about as many as the study has finalists."""
    asked = len(summary.finalists) or 1
    finite_regrets = [(int(k), value) for k, value in last.regret.items() if finite(value) is not None]
    if not finite_regrets:
        return ""
    k, value = min(finite_regrets, key=lambda item: abs(item[0] - asked))
    best = "The candidate that it ranks highest" if k == 1 else f"The best of the {k} that it ranks highest"
    size = points(value, signed=False)
    if size == "0.0":
        return f"{best} is the best of all that were trained long."
    return f"{best} is {size} points of top-1 below the best of all that were trained long."


def _size(last: AuditSeries, pairs: EstimateResult) -> str:
    """Whether the scores are right more often than the size of the networks."""
    counted = {"parameters": last.params_pairwise_accuracy, "multiply-adds": last.madds_pairwise_accuracy}
    shares = {name: estimate.value for name, estimate in counted.items() if estimate}
    if not shares:
        return ""
    name = max(shares, key=lambda name: shares[name])
    more = ": so far the trainings say no more than size does" if shares[name] >= pairs.value else ""
    return f"Counting {name} alone orders {_share(shares[name])}{more}."


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
