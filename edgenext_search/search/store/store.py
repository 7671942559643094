"""A study in Optuna's storage: the one record of its trials, written so that a crash loses nothing finished."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, Trial
from optuna.trial import TrialState as State

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Cost
from edgenext_search.errors import UserError
from edgenext_search.latency.measurement import Measurement
from edgenext_search.search.objectives import ACCURACY, costs_in
from edgenext_search.search.sampler.propose import decode, directions, distributions, encode
from edgenext_search.search.store.records import Losses, TrialRecord, TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgenext_search.arch.parameter import Value
    from edgenext_search.arch.space import Space
    from edgenext_search.search.store.records import References, Rescores

_STATES: dict[State, TrialState] = {
    State.COMPLETE: "complete",
    State.PRUNED: "pruned",
    State.FAIL: "failed",
    State.RUNNING: "open",
    State.WAITING: "open",
}


class StudyStore:
    """Reads and writes the trials of one study.

    A trial appears in one transaction with its parameters, candidate and costs. Its score at each rung is an
    intermediate value, its step the epoch; it is told when its cohort is done.

    Args:
        url: Optuna storage URL.
        name: The study's name in the storage.
        space: The search space, which gives the trials' parameters.
        objectives: Of the study, accuracy first; a complete trial's values in this order.
        must_exist: Whether the study has to be there already; else it is made.

    Raises:
        UserError: The storage cannot be opened, or does not hold the study.
    """

    def __init__(
        self,
        url: str,
        name: str,
        space: Space,
        *,
        objectives: Sequence[str] = (ACCURACY,),
        must_exist: bool = False,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._objectives = objectives
        self._told: dict[int, TrialRecord] = {}  # they change no more
        self._values: list[dict[str, Value]] = []  # nor do these
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                if must_exist:
                    self._study = optuna.load_study(storage=url, study_name=name)
                else:
                    self._study = optuna.create_study(
                        storage=url,
                        study_name=name,
                        directions=directions(len(objectives) - 1),
                        load_if_exists=True,
                    )
                    if len(objectives) > 1:
                        self._study.set_metric_names(list(objectives))
        except KeyError as error:
            raise UserError(f"The storage {hide_password(url)} holds no study {name!r}; is it another one?") from error
        except Exception as error:
            reason = hide_password(str(error).splitlines()[0])
            raise UserError(
                f"The storage {hide_password(url)} cannot be opened: {reason}; check its URL, server and driver."
            ) from error

    @property
    def study(self) -> optuna.Study:
        """The study itself, for what only reads."""
        return self._study

    def add(
        self,
        *,
        cohort: int,
        origin: str,
        values: Mapping[str, Value],
        candidate: Candidate,
        cost: Cost,
        seed: int,
        duplicate_of: int | None,
    ) -> None:
        """Record a proposed trial; see :class:`TrialRecord` for the arguments."""
        attributes = {
            "cohort": cohort,
            "origin": origin,
            "candidate": candidate.to_dict(),
            "fingerprint": candidate.fingerprint,
            "cost": cost.to_dict(),
            "seed": seed,
            "duplicate_of": duplicate_of,
        }
        self._study.add_trial(
            optuna.trial.create_trial(
                state=State.RUNNING,
                params=encode(self._space, values),
                distributions=distributions(self._space),
                user_attrs=attributes,
            )
        )

    def report(self, number: int, *, epoch: int, score: float, seconds: float, losses: Losses | None = None) -> None:
        """Record the score of a trial at a rung, what else the rung found, and the time that it took."""
        trial = self._trial(number)
        trial.set_user_attr(f"seconds:{epoch}", seconds)
        if losses is not None:
            trial.set_user_attr(f"losses:{epoch}", {"held_out": losses.held_out, "train": losses.train})
        # What Trial.report does, which refuses studies of several objectives.
        self._study._storage.set_trial_intermediate_value(trial._trial_id, epoch, float(score))

    def fail(self, number: int, reason: str | None) -> None:
        """Record why a trial will not be scored any further; None takes that back."""
        self._trial(number).set_user_attr("reason", reason)

    def tell(self, number: int, state: TrialState) -> None:
        """Close a trial; a complete one gets its last reported score as its value, and the objectives' costs."""
        if state == "complete":
            trial = self._frozen(number)
            scores, cost = trial.intermediate_values, Cost.from_dict(trial.user_attrs["cost"])
            self._study.tell(number, [scores[max(scores)], *costs_in(cost, self._objectives)])
        elif state == "pruned":
            self._study.tell(number, state=State.PRUNED)
        else:
            self._study.tell(number, state=State.FAIL)

    def records(self) -> list[TrialRecord]:
        """All trials in the order they were proposed."""
        return [self._record(trial) for trial in self._study.get_trials(deepcopy=False)]

    def values(self) -> list[dict[str, Value]]:
        """The assignments of all trials in the order they were proposed."""
        trials = self._study.get_trials(deepcopy=False)
        self._values += [decode(self._space, trial.params) for trial in trials[len(self._values) :]]
        return self._values[: len(trials)]

    def rescores(self) -> Rescores:
        """By fingerprint and fresh seed: the score of a finalist, or the reason why there is none."""
        found: Rescores = {}
        for key, value in self._study.user_attrs.items():
            if key.startswith("rescore:"):
                _, fingerprint, seed = key.split(":")
                found[fingerprint, int(seed)] = value
        return found

    def add_rescore(self, fingerprint: str, seed: int, result: float | str) -> None:
        """Record the score of a finalist with a fresh seed, or the reason why there is none."""
        self._study.set_user_attr(f"rescore:{fingerprint}:{seed}", result)

    def latencies(self) -> dict[str, Measurement]:
        """By fingerprint: the latency of a candidate on the study's device."""
        return {
            key.removeprefix("latency:"): Measurement.read(value, where=key)
            for key, value in self._study.user_attrs.items()
            if key.startswith("latency:")
        }

    def add_latency(self, fingerprint: str, measurement: Measurement) -> None:
        """Record the latency of a candidate on the study's device."""
        self._study.set_user_attr(f"latency:{fingerprint}", measurement.to_dict())

    def references(self) -> References:
        """By fingerprint, epochs and seed: the score of a reference training, or the reason why there is none."""
        found: References = {}
        for key, value in self._study.user_attrs.items():
            if key.startswith("reference:") and value is not None:
                _, fingerprint, epochs, seed = key.split(":")
                found[fingerprint, int(epochs), int(seed)] = value
        return found

    def add_reference(self, fingerprint: str, epochs: int, seed: int, result: float | str | None) -> None:
        """Record the score of a candidate's reference training, or the reason why there is none; None takes it back."""
        self._study.set_user_attr(f"reference:{fingerprint}:{epochs}:{seed}", result)

    def fact(self, key: str) -> Any:  # noqa: ANN401 - whatever was set
        """What :meth:`set_fact` recorded, or None."""
        return self._study.user_attrs.get(f"fact:{key}")

    def set_fact(self, key: str, value: object) -> None:
        """Record a fact on the study as a whole, as a value that JSON knows."""
        self._study.set_user_attr(f"fact:{key}", value)

    def _record(self, trial: FrozenTrial) -> TrialRecord:
        if trial.number in self._told:
            return self._told[trial.number]
        record = _record(trial)
        if record.state != "open":
            self._told[record.number] = record
        return record

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _trial(self, number: int) -> Trial:
        return Trial(self._study, self._frozen(number)._trial_id)


def _record(trial: FrozenTrial) -> TrialRecord:
    attributes = trial.user_attrs
    reason: str | None = attributes.get("reason")
    state = _STATES[trial.state]
    curve = tuple(sorted(trial.intermediate_values.items()))
    return TrialRecord(
        number=trial.number,
        state=state,
        cohort=attributes["cohort"],
        origin=attributes["origin"],
        candidate=Candidate.from_dict(attributes["candidate"]),
        cost=Cost.from_dict(attributes["cost"]),
        curve=curve,
        seconds=sum(attributes.get(f"seconds:{epoch}", 0.0) for epoch, _ in curve),
        seed=attributes["seed"],
        losses=tuple((epoch, Losses(**found)) for epoch, _ in curve if (found := attributes.get(f"losses:{epoch}"))),
        reason=reason,
        duplicate_of=attributes["duplicate_of"],
    )


def hide_password(text: str) -> str:
    """A text with the password of every URL in it replaced by ``***``."""
    return re.sub(r"(://[^:/@\s]*):\S*?@(?=[^@\s/?#]*([/?#\s]|$))", r"\1:***@", text)
