"""What an audit found, in words that need no statistics, and the rows of its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.report.wording import NONE, epochs_text, listed, number_or_none, points

LEAST = 8  # candidates that any sentence of trust takes
NEARLY = 0.9  # of the ceiling: as good as another long training, for a choice
NOISY = 0.75  # pairs that long trainings order alike; below, they differ much among themselves
COIN = 0.5
FAULTLESS = 1 - 1e-9  # tau-b, but for rounding
COLUMNS = (
    "Score",
    "n",
    "Pairs right, %",
    "Kendall’s tau-b",  # noqa: RUF001
    "Spearman",
    "tau-b, size taken out",
    "Share of ceiling",
    "Regret of top 1/3/5, points",
    "Cost",
)
_COSTS = {"params": "parameters", "madds": "multiply-adds"}
_SHORT = {"params": "params", "madds": "MAdds"}
_READINGS = {"combined": "combined score", "loss": "held-out loss", "train_loss": "mean training loss"}


def audit_sentences(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """What the audit of a run says: how often its scores are right, what that means for the winner, and for the rungs.

    Args:
        summary: The run's summary, with an audit.
    """
    audit = summary["audit"]
    judged = [series for series in _rungs(audit) if series["pairs_right"] and series["n"] >= LEAST]
    if not judged:
        return (_nothing(audit),)
    *rest, last = judged
    said = [_answer(audit, last), _seeds(audit, last), _trust(summary, last), _size(last), _longer(audit, last)]
    return tuple(text for text in [*said, *(_rung(audit, series) for series in reversed(rest))] if text)


def reading_text(audit: Mapping[str, Any]) -> str | None:
    """What ranks candidates in the search and is judged here: ``mean training loss``; None where it is top-1."""
    return _READINGS.get(audit["fidelity"]["rank_by"])


def seeds_text(audit: Mapping[str, Any]) -> str:
    """How many reference trainings the candidates have: ``2 fresh seeds``, ``2 to 3 fresh seeds``."""
    counts = sorted({len(row["scores"]) for row in audit["candidates"]}) or [0]
    ends = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    return f"{ends} fresh seed{'' if counts[-1] == 1 else 's'}"


def audit_rows(audit: Mapping[str, Any]) -> list[tuple[tuple[str, str], ...]]:
    """The table: for each of :data:`COLUMNS` a value, and what stands beneath it, such as its interval."""
    rows = [_row(audit, series) for series in [*_rungs(audit), *(s for s in audit["series"] if not s["epochs"])]]
    ceilings = [series["ceiling"] for series in _rungs(audit) if series["ceiling"]]
    if ceilings:
        ceiling = ceilings[0]
        others = ceiling["seeds"] - 1
        note = "vs another seed" if others == 1 else f"vs mean of {others}"
        cells = [("long training", note), (str(ceiling["n"]), "")]
        cells += [_estimate(ceiling["pairs_right"], 100), _estimate(ceiling["tau"])]
        rows.append(tuple(cells + [(NONE, "")] * (len(COLUMNS) - len(cells) - 1) + [("1", "")]))
    return rows


def audit_conditions(summary: Mapping[str, Any]) -> str:
    """Under which conditions the table holds."""
    audit = summary["audit"]
    fidelity, failed = audit["fidelity"], audit["failed"]
    text = (
        f"Reference: top-1 after {epochs_text(fidelity['epochs'])} in one learning-rate cycle, {fidelity['img_size']} "
        f"px, {seeds_text(audit)}, {audit['n']} candidates from the whole range of scores. 95 % intervals are "
        "bootstraps over candidates. Cost: images trained, of a reference training’s."  # noqa: RUF001
    )
    if reading := reading_text(audit):
        text += f" The search ranks by the {reading}, brought to the scale of top-1: that is what is judged."
    if len(_rungs(audit)) > 1:
        text += " Whoever reached a later rung was among the better ones of the rung before, so harder to tell apart."
    if failed:
        text += f" {len(failed)} reference training{' is' if len(failed) == 1 else 's are'} left out that failed."
    return text


def _nothing(audit: Mapping[str, Any]) -> str:
    if audit["n"] < LEAST:
        reason = f"{audit['n']} candidates have a reference, and the order of fewer than {LEAST} says too little"
    else:
        reason = f"no rung has {LEAST} candidates whose scores and references differ"
    return f"The audit cannot tell whether the scores can be trusted: {reason}."


def _too_few(audit: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    """Which longer rungs are not judged, as an end to the sentence that says of which rung the answer is."""
    few = [s for s in _rungs(audit) if s["epochs"] > last["epochs"] and s["n"] < LEAST]
    if not few:
        return ""
    counts = listed([f"{series['n']} for {epochs_text(series['epochs'])}" for series in few])
    more = f"; --n {2 * audit['asked']['n']} would train more of those" if audit["n"] >= audit["asked"]["n"] else ""
    why = f"{counts}; {LEAST} are needed"
    return f" Too few of the sample were trained longer in the search to judge by that ({why}){more}."


def _answer(audit: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    so_far = "" if audit["status"] == "complete" else "So far: "
    return so_far + _rung(audit, last) + _too_few(audit, last)


def _rung(audit: Mapping[str, Any], series: Mapping[str, Any]) -> str:
    rungs = _rungs(audit)
    who = "two candidates of this study"
    if series is not rungs[0]:
        who = f"two candidates that were trained for {epochs_text(series['epochs'])}"
    share, low, high = _percents(series["pairs_right"])
    interval = "no interval" if low is None else f"95 % interval {low} % to {high} %"
    what = f"{reading_text(audit) or 'score'} after {epochs_text(series['epochs'])}"
    return (
        f"Of {who}, picked at random, the one that the {what} prefers is also the better one "
        f"after {epochs_text(audit['fidelity']['epochs'])} in {share} % of cases ({interval}, "
        f"n = {series['n']}; a coin has 50 %)."
    )


def _seeds(audit: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    if audit["seeds"] < 2:
        return (
            "With one reference training each, it is not known how far two long trainings agree, and so how much "
            "better any score could be; --seeds 2 adds what is missing."
        )
    if (ceiling := _ceiling(last)) is None:
        return "Too few candidates have all their reference trainings to say how far those agree."
    mine, _, _ = _percents(ceiling["score_pairs_right"])
    theirs, _, _ = _percents(ceiling["pairs_right"])
    return (
        f"{_against(ceiling).capitalize()} agrees with a second long training in {theirs} % of pairs, and with the "
        f"search's score in {mine} %; no score can be expected to do much better than a long training."
    )


def _ceiling(series: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The ceiling beside a series; None where it is of too few candidates to speak of."""
    ceiling: Mapping[str, Any] | None = series["ceiling"]
    return ceiling if ceiling and ceiling["n"] >= LEAST else None


def _against(ceiling: Mapping[str, Any]) -> str:
    others = ceiling["seeds"] - 1
    return "a long training with another seed" if others == 1 else f"the mean of {others} long trainings"


def _trust(summary: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    ceiling = _ceiling(last)
    if not _beats_a_coin(last) and ceiling and (number_or_none(ceiling["pairs_right"]["low"]) or 0.0) <= COIN:
        epochs, seeds = summary["audit"]["fidelity"]["epochs"], summary["audit"]["asked"]["seeds"]
        return (
            "Not even the long trainings are shown to agree better than a coin, so this audit cannot tell how well the "
            f"search ranks: its reference is too short or too noisy. --reference-epochs {2 * epochs} or --seeds "
            f"{2 * seeds} would tell more."
        )
    if not _beats_a_coin(last):
        return (
            "That is not established to be better than a coin, so the search does not show that the winner is better "
            "than others that it tried. How it compares with the baseline is another question, which fresh seeds "
            "answer at the top of the report."
        )
    if ceiling is None or ceiling["tau_of_ceiling"] is None:
        text = "That is better than a coin: the winner is likely to be one of the better candidates."
    elif (ceiling["room"]["low"] or 0.0) > 0:
        text = (
            "That is better than a coin, but not as good as a long training: the winner is likely to be one of the "
            "better candidates, not surely the best."
        )
    elif ceiling["tau_of_ceiling"] >= NEARLY:
        text = "That is about as good as a long training: the winner can be trusted as far as seeds let any choice be."
    else:
        text = (
            "That is better than a coin: the winner is likely to be one of the better candidates; whether a long "
            f"training would choose better, {last['n']} candidates do not settle."
        )
    return f"{text} {_regret(summary, last)}".strip()


def _beats_a_coin(series: Mapping[str, Any]) -> bool:
    """By the interval; without one only an order without a fault, of 8 by chance once in 40,320 times."""
    low, tau = number_or_none(series["pairs_right"]["low"]), series["tau"]
    return low > COIN if low is not None else tau is not None and tau["value"] >= FAULTLESS


def _regret(summary: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    asked = len(summary.get("finalists") or []) or 1
    known = [(int(k), value) for k, value in last["regret"].items() if number_or_none(value) is not None]
    if not known:
        return ""
    k, value = min(known, key=lambda item: abs(item[0] - asked))
    best = "The one that it ranks highest" if k == 1 else f"The best of the {k} that it ranks highest"
    if points(value, signed=False) == "0.0":
        return f"{best} is the best of all that were trained long."
    return f"{best} is {points(value, signed=False)} points of top-1 below the best of all that were trained long."


def _size(last: Mapping[str, Any]) -> str:
    counted = {name: last.get(f"{key}_pairs_right") for key, name in _COSTS.items()}
    shares = {name: estimate["value"] for name, estimate in counted.items() if estimate}
    if not shares:
        return ""
    name = max(shares, key=lambda name: shares[name])
    share = round(100 * shares[name])
    if shares[name] >= last["pairs_right"]["value"]:
        low = number_or_none((counted[name] or {}).get("low"))
        unsure = " (not established to be better than a coin either)" if low is not None and low <= COIN else ""
        return f"Counting {name} alone is right in {share} %{unsure}: so far the trainings say no more than size does."
    return f"Counting {name} alone is right in {share} %."


def _longer(audit: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    ceiling = _ceiling(last)
    if ceiling is None or ceiling["tau_of_ceiling"] is None or last is not _rungs(audit)[-1]:
        return ""
    low, high = (number_or_none(ceiling["room"][end]) for end in ("low", "high"))
    if low is not None and low > 0:
        return "Longer trainings in the search would pay: they rank candidates better, beyond what chance explains."
    if ceiling["tau_of_ceiling"] >= NEARLY:
        text = "Longer trainings in the search would hardly pay"
        if ceiling["pairs_right"]["value"] < NOISY:
            return f"{text}; long ones differ among themselves, so more held-out images or more seeds would."
        return f"{text}."
    if high is not None and high <= 0:
        return "Longer trainings in the search would not pay."
    return (
        f"Longer trainings in the search may pay; {last['n']} candidates do not settle it, and "
        f"--n {2 * audit['asked']['n']} would tell more."
    )


def _rungs(audit: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [series for series in audit["series"] if series["epochs"]]


def _percents(estimate: Mapping[str, Any]) -> Sequence[int | None]:
    return [None if estimate[key] is None else round(100 * estimate[key]) for key in ("value", "low", "high")]


def _row(audit: Mapping[str, Any], series: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    ceiling = series["ceiling"]
    regrets = [points(series["regret"][k], signed=False) for k in ("1", "3", "5")]
    share = NONE if ceiling is None or ceiling["tau_of_ceiling"] is None else _number(ceiling["tau_of_ceiling"], 2)
    return (
        _name(audit, series),
        (str(series["n"]), ""),
        _estimate(series["pairs_right"], 100),
        _estimate(series["tau"]),
        _estimate(series["spearman"]),
        _estimate(series["partial_tau"]),
        (share, ""),
        ("/".join(regrets), ""),
        (f"{series['cost_ratio']:.2f}", ""),
    )


def _name(audit: Mapping[str, Any], series: Mapping[str, Any]) -> tuple[str, str]:
    if series["epochs"]:
        return f"after {epochs_text(series['epochs'])}", (reading_text(audit) or "").removeprefix("mean ")
    return f"{_SHORT.get(series['name'], series['name'])} alone", ""


def _estimate(estimate: Mapping[str, Any] | None, scale: float = 1.0) -> tuple[str, str]:
    if estimate is None:
        return NONE, ""
    digits = 2 if scale == 1 else 0
    value, low, high = (
        NONE if number_or_none(estimate[key]) is None else _number(scale * estimate[key], digits)
        for key in ("value", "low", "high")
    )
    return value, "" if low == NONE else f"{low} to {high}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")  # noqa: RUF001 - it aligns with figures
