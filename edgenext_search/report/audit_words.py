"""What an audit found, in words that need no statistics, and the rows of its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.report.wording import NONE, epochs_text, number_or_none, points

LEAST = 4
NEARLY = 0.9  # of the ceiling: as good as another long training, for a choice
NOISY = 0.75  # pairs that long trainings order alike; below, they differ much among themselves
COIN = 0.5
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


def audit_sentences(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """What the audit of a run says: how often its scores are right, what that means for the winner, and for the rungs.

    Args:
        summary: The run's summary, with an audit.
    """
    audit = summary["audit"]
    last = _last(audit)
    if last is None:
        return (_nothing(audit),)
    rest = [_rung(audit, series) for series in reversed(_rungs(audit)) if series is not last and series["pairs_right"]]
    said = [_answer(audit, last), _seeds(audit, last), _trust(summary, last), _size(last), _longer(audit, last), *rest]
    return tuple(text for text in said if text)


def audit_rows(audit: Mapping[str, Any]) -> list[tuple[tuple[str, str], ...]]:
    """The table: for each of :data:`COLUMNS` a value, and what stands beneath it, such as its interval."""
    rows = [_row(series) for series in [*_rungs(audit), *(s for s in audit["series"] if not s["epochs"])]]
    ceilings = [(series, series["ceiling"]) for series in _rungs(audit) if series["ceiling"]]
    if ceilings:
        series, ceiling = ceilings[0]
        others = audit["seeds"] - 1
        note = "another seed" if others == 1 else f"mean of {others}"
        cells = [("long training", note), (str(series["n"]), "")]
        cells += [_estimate(ceiling["pairs_right"], 100), _estimate(ceiling["tau"])]
        rows.append(tuple(cells + [(NONE, "")] * (len(COLUMNS) - len(cells) - 1) + [("1", "")]))
    return rows


def audit_conditions(summary: Mapping[str, Any]) -> str:
    """Under which conditions the table holds."""
    audit = summary["audit"]
    fidelity, failed = audit["fidelity"], audit["failed"]
    seeds = f"{audit['seeds']} fresh seed{'' if audit['seeds'] == 1 else 's'}"
    text = (
        f"Reference: top-1 after {epochs_text(fidelity['epochs'])} in one learning-rate cycle, {fidelity['img_size']} "
        f"px, {seeds}, {audit['n']} candidates from the whole range of scores. 95 % intervals are bootstraps over "
        "candidates. Cost: images trained, of a reference training’s."  # noqa: RUF001
    )
    if len(_rungs(audit)) > 1:
        text += " Whoever reached a later rung was among the better ones of the rung before, so harder to tell apart."
    if failed:
        text += f" {len(failed)} reference training{' is' if len(failed) == 1 else 's are'} left out that failed."
    return text


def _nothing(audit: Mapping[str, Any]) -> str:
    if audit["n"] < LEAST:
        reason = f"{audit['n']} candidates have a reference, and the order of fewer than {LEAST} says nothing"
    else:
        reason = "no rung has four different candidates whose scores and references differ"
    return f"The audit cannot tell whether the scores can be trusted: {reason}."


def _answer(audit: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    so_far = "" if audit["status"] == "complete" else "So far: "
    return so_far + _rung(audit, last)


def _rung(audit: Mapping[str, Any], series: Mapping[str, Any]) -> str:
    rungs = _rungs(audit)
    who = "two candidates of this study"
    if series is not rungs[0]:
        who = f"two candidates that were trained for {epochs_text(series['epochs'])}"
    share, low, high = _percents(series["pairs_right"])
    interval = "no interval" if low is None else f"95 % interval {low} % to {high} %"
    return (
        f"Of {who}, picked at random, the score after {epochs_text(series['epochs'])} puts the one first that is "
        f"better after {epochs_text(audit['fidelity']['epochs'])} in {share} % of cases ({interval}, "
        f"n = {series['n']}; a coin has 50 %)."
    )


def _seeds(audit: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    if audit["seeds"] < 2:
        return (
            "With one reference training each, it is not known how far two long trainings agree, and so how much "
            "better any score could be; --seeds 2 adds what is missing."
        )
    if (ceiling := last["ceiling"]) is None:
        return "Too few candidates have all their reference trainings to say how far those agree."
    mine, _, _ = _percents(ceiling["score_pairs_right"])
    theirs, _, _ = _percents(ceiling["pairs_right"])
    return f"Held against {_against(audit)}, it is right in {mine} %, and a second long training in {theirs} %."


def _against(audit: Mapping[str, Any]) -> str:
    others = audit["seeds"] - 1
    return "a long training with another seed" if others == 1 else f"the mean of {others} long trainings"


def _trust(summary: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    low = number_or_none(last["pairs_right"]["low"])
    if low is None or low <= COIN:
        return (
            "That is not established to be better than a coin, so these scores do not show that the winner is better "
            "than others of the study."
        )
    ceiling = last["ceiling"]
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
        return f"Counting {name} alone is right in {share} %: so far the trainings say no more than size does."
    return f"Counting {name} alone is right in {share} %."


def _longer(audit: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    ceiling = last["ceiling"]
    if ceiling is None or ceiling["tau_of_ceiling"] is None:
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


def _last(audit: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The series of the last rung of which anything is known."""
    return next((series for series in reversed(_rungs(audit)) if series["pairs_right"]), None)


def _percents(estimate: Mapping[str, Any]) -> Sequence[int | None]:
    return [None if estimate[key] is None else round(100 * estimate[key]) for key in ("value", "low", "high")]


def _row(series: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    epochs, ceiling = series["epochs"], series["ceiling"]
    regrets = [points(series["regret"][k], signed=False) for k in ("1", "3", "5")]
    share = NONE if ceiling is None or ceiling["tau_of_ceiling"] is None else _number(ceiling["tau_of_ceiling"], 2)
    return (
        (f"after {epochs_text(epochs)}" if epochs else f"{_SHORT.get(series['name'], series['name'])} alone", ""),
        (str(series["n"]), ""),
        _estimate(series["pairs_right"], 100),
        _estimate(series["tau"]),
        _estimate(series["spearman"]),
        _estimate(series["partial_tau"]),
        (share, ""),
        ("/".join(regrets), ""),
        (f"{series['cost_ratio']:.2f}", ""),
    )


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
