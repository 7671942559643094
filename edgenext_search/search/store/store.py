"""A study in Optuna's storage: the one record of its trials, written so that a crash loses nothing finished."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as State

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Cost
from edgenext_search.errors import DataError, FailureKind, HostError, UserError
from edgenext_search.failures import classify
from edgenext_search.files import expanded
from edgenext_search.latency.measurement import Measurement
from edgenext_search.search.objectives import ACCURACY, costs_in
from edgenext_search.search.sampler.propose import decode, directions, distributions, encode
from edgenext_search.search.store.records import Losses, StudyFacts, TrialRecord, TrialState
from edgenext_search.texts import hide_password
from edgenext_search.training.proxy.job import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna.storages import BaseStorage

    from edgenext_search.arch.spaces.parameter import Value
    from edgenext_search.arch.spaces.space import Space
    from edgenext_search.search.store.records import References, Rescores

P = ParamSpec("P")
T = TypeVar("T")
SQLITE = "sqlite:"
LOCK_PATIENCE = 120.0  # seconds to wait for another program that has locked the file of the record
_STATES: dict[State, TrialState] = {
    State.COMPLETE: "complete",
    State.PRUNED: "pruned",
    State.FAIL: "failed",
    State.RUNNING: "open",
    State.WAITING: "open",
}


def _reads(method: Callable[Concatenate[StudyStore, P], T]) -> Callable[Concatenate[StudyStore, P], T]:
    """What a method reads may be damaged in any way: whatever is not the host's failure is said to be the record's."""

    @functools.wraps(method)
    def read(self: StudyStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            if (failure := classify(error)).kind is not FailureKind.OURS:
                raise
            raise DataError(
                f"The record of the study in {self.shown} is damaged ({failure.message}); restore it from a copy, or "
                "begin a new run."
            ) from error

    return read


class StudyStore:
    """The record of one study in an Optuna storage.

    Ownership of open trials:
        One coordinator at a time writes, and holds the run folder's lock meanwhile. Others may read at any time, and
        see trials whole. Nothing marks a trial as abandoned: an open trial stays open, whoever died, until a
        coordinator finishes it from what is recorded.

    Data persistence:
        A trial appears in one transaction with its parameters, candidate and costs. Its score at each rung is an
        intermediate value whose step is the epoch, written when the training of the rung is done. What a method has
        written is in the storage when it returns.

    Consistency:
        Trials are numbered from 0 in the order of :meth:`add`, and are told in the order of their numbers, a cohort at
        once. A told trial changes no more, so its record is read once and then kept in memory. All else is read from
        the storage at each call.

    Storage format:
        Keys and values are those of version 0.1.0, so studies of all versions open. Unknown keys are ignored.

    Args:
        where: The storage: an Optuna storage URL, the path of an SQLite file, or a storage.
        name: Name of the study in the storage.
        space: Search space, which defines the parameters of the trials.
        objectives: Objectives of the study, accuracy first; the values of a complete trial are in this order.
        must_exist: Whether the study must be in the storage already; otherwise it is created where it is missing.

    Attributes:
        shown: The storage, without a password, for messages.

    Raises:
        UserError: The storage cannot be opened, or does not hold the study.
        DataError: From the methods that read: what the storage holds is damaged.
        HostError: The file of the storage is locked by another program, or its disk is full or fails.
    """

    def __init__(
        self,
        where: str | Path | BaseStorage,
        name: str,
        space: Space,
        *,
        objectives: Sequence[str] = (ACCURACY,),
        must_exist: bool = False,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.shown = shown = hide_password(str(where))
        self._space = space
        self._objectives = objectives
        self._told: dict[int, TrialRecord] = {}
        self._values: list[dict[str, Value]] = []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                if must_exist and isinstance(where, Path):
                    _require_tables(where)
                self.storage = _open_storage(where)
                if must_exist:
                    self._study = optuna.load_study(storage=self.storage, study_name=name)
                else:
                    self._study = optuna.create_study(
                        storage=self.storage,
                        study_name=name,
                        directions=directions(len(objectives) - 1),
                        load_if_exists=True,
                    )
                    if len(objectives) > 1:
                        self._study.set_metric_names(list(objectives))
        except UserError:
            raise
        except KeyError as error:
            raise UserError(f"The storage {shown} holds no study {name!r}; is it another one?") from error
        except Exception as error:
            failure = classify(error)
            if failure.kind is FailureKind.HOST and (isinstance(where, Path) or shown.startswith(SQLITE)):
                raise HostError(f"The storage {shown} cannot be opened: {failure.message}") from error
            reason = hide_password(str(error).splitlines()[0])
            raise UserError(
                f"The storage {shown} cannot be opened: {reason}; check its URL, server and driver."
            ) from error

        self.study_id = self.storage.get_study_id_from_name(name)

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

    def report(
        self,
        number: int,
        *,
        epoch: int,
        score: float,
        seconds: float,
        losses: Losses | None = None,
        place: Place | None = None,
    ) -> None:
        """Record the score of a trial at a rung, its losses, and the rung's training time and place."""
        trial_id = self._trial_id(number)
        self.storage.set_trial_user_attr(trial_id, f"seconds:{epoch}", seconds)
        if losses is not None:
            values = {"held_out": losses.held_out, "train": losses.train, "recent": losses.recent}
            self.storage.set_trial_user_attr(trial_id, f"losses:{epoch}", values)
        if place is not None:
            self.storage.set_trial_user_attr(trial_id, f"place:{epoch}", asdict(place))
        # As Trial.report does, which refuses studies with several objectives.
        self.storage.set_trial_intermediate_value(trial_id, epoch, float(score))

    def fail(self, number: int, reason: str | None) -> None:
        """Record why a trial failed; None removes the reason."""
        self.storage.set_trial_user_attr(self._trial_id(number), "reason", reason)

    def tell(self, number: int, state: TrialState) -> None:
        """Close a trial; the values of a complete one are its last score and the costs among the objectives."""
        if state == "complete":
            trial = self.storage.get_trial(self._trial_id(number))
            scores, cost = trial.intermediate_values, Cost.from_dict(trial.user_attrs["cost"])
            self._study.tell(number, [scores[max(scores)], *costs_in(cost, self._objectives)])
        elif state == "pruned":
            self._study.tell(number, state=State.PRUNED)
        else:
            self._study.tell(number, state=State.FAIL)

    @_reads
    def records(self) -> list[TrialRecord]:
        """All trials in the order they were proposed."""
        return [self._record(trial) for trial in self._study.get_trials(deepcopy=False)]

    @_reads
    def values(self) -> list[dict[str, Value]]:
        """The assignments of all trials in the order they were proposed."""
        trials = self._study.get_trials(deepcopy=False)
        self._values += [decode(self._space, trial.params) for trial in trials[len(self._values) :]]
        return self._values[: len(trials)]

    @_reads
    def rescores(self, *, early: bool = False) -> Rescores:
        """Score of each finalist by fingerprint and fresh seed, or the reason of its failure.

        Args:
            early: Those of likely finalists that were trained before it was known whether they are asked for.
        """
        scores: Rescores = {}
        kind = _kind_of_rescore(early)
        for key, value in self._study.user_attrs.items():
            if key.startswith(kind):
                _, fingerprint, seed = key.split(":")
                scores[fingerprint, int(seed)] = value
        return scores

    def add_rescore(self, fingerprint: str, seed: int, result: float | str, *, early: bool = False) -> None:
        """Record the score of a finalist with a fresh seed, or the reason of its failure; see :meth:`rescores`."""
        self._study.set_user_attr(f"{_kind_of_rescore(early)}{fingerprint}:{seed}", result)

    @_reads
    def latencies(self) -> dict[str, Measurement]:
        """Measured latency on the study's device, by fingerprint."""
        return {
            key.removeprefix("latency:"): Measurement.read(value, where=key)
            for key, value in self._study.user_attrs.items()
            if key.startswith("latency:")
        }

    def add_latency(self, fingerprint: str, measurement: Measurement) -> None:
        """Record the latency of a candidate on the study's device."""
        self._study.set_user_attr(f"latency:{fingerprint}", measurement.to_dict())

    @_reads
    def references(self) -> References:
        """Score of each long training by fingerprint, epochs and seed, or the reason of its failure."""
        scores: References = {}
        for key, value in self._study.user_attrs.items():
            if key.startswith("reference:") and value is not None:
                _, fingerprint, epochs, seed = key.split(":")
                scores[fingerprint, int(epochs), int(seed)] = value
        return scores

    def add_reference(self, fingerprint: str, epochs: int, seed: int, result: float | str | None) -> None:
        """Record the score of a long training, or the reason of its failure; None removes it."""
        self._study.set_user_attr(f"reference:{fingerprint}:{epochs}:{seed}", result)

    @_reads
    def facts(self) -> StudyFacts:
        """Facts about the study as a whole."""
        attributes = self._study.user_attrs
        recorded = {name: attributes.get(f"fact:{name}") for name in StudyFacts.model_fields}
        return StudyFacts.model_validate({name: value for name, value in recorded.items() if value is not None})

    def record_facts(self, facts: StudyFacts) -> None:
        """Record those facts that are set; the others stay as they are."""
        for name, value in facts.model_dump(mode="json", include=facts.model_fields_set).items():
            self._study.set_user_attr(f"fact:{name}", value)

    def _record(self, trial: FrozenTrial) -> TrialRecord:
        if trial.number in self._told:
            return self._told[trial.number]
        record = _record(trial)
        if record.state != "open":
            self._told[record.number] = record
        return record

    def _trial_id(self, number: int) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self.study_id, number)


def _kind_of_rescore(early: bool) -> str:
    return "early-rescore:" if early else "rescore:"


def _open_storage(where: str | Path | BaseStorage) -> BaseStorage:
    """The storage; one in a file waits for other programs that lock it."""
    if isinstance(where, Path):
        path = where.absolute()  # beside the URL, in which signs of a path would have a meaning

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(path, timeout=LOCK_PATIENCE, check_same_thread=False)

        where = optuna.storages.RDBStorage(f"{SQLITE}///study.db", engine_kwargs={"creator": connect})
    elif isinstance(where, str):
        if where.startswith(f"{SQLITE}///~"):
            return _open_storage(expanded(where.removeprefix(f"{SQLITE}///")))
        where = where.replace("{", "{{").replace("}", "}}")  # Optuna takes it for a template
        if where.startswith(SQLITE):
            where = optuna.storages.RDBStorage(where, engine_kwargs={"connect_args": {"timeout": LOCK_PATIENCE}})
    return optuna.storages.get_storage(where)


def _require_tables(file: Path) -> None:
    """Refuse a file that holds no record: Optuna would make one in it, also for somebody who only reads."""
    with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'studies'").fetchone():
            raise DataError(f"{file} holds no record of a study; restore it from a copy, or begin a new run.")


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
        losses=tuple((epoch, Losses(**values)) for epoch, _ in curve if (values := attributes.get(f"losses:{epoch}"))),
        places=tuple((epoch, Place(**values)) for epoch, _ in curve if (values := attributes.get(f"place:{epoch}"))),
        reason=reason,
        duplicate_of=attributes["duplicate_of"],
    )
