"""The coordinator's own copy of the trials: each change is written to the store first, and nothing is read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Cost
from edgenext_search.arch.spaces.parameter import Value
from edgenext_search.search.store.records import Losses, TrialRecord, TrialState
from edgenext_search.search.store.store import StudyStore
from edgenext_search.training.proxy.job import Place, Trained


class Trials:
    """All trials of a study, in the order they were proposed, by the only process that writes.

    Args:
        store: Record of the study.

    Attributes:
        records: The trials.
        values: Their assignments.
        cohorts: Numbers of the trials of each cohort.
    """

    def __init__(self, store: StudyStore) -> None:
        self._store = store
        self.records: list[TrialRecord] = []
        self.values: list[Mapping[str, Value]] = []
        self.cohorts: list[list[int]] = []
        self._first: dict[str, int] = {}  # trial of each candidate, by fingerprint
        for record, values in zip(store.records(), store.values(), strict=True):
            self._append(record, values)

    @property
    def places(self) -> list[Place]:
        """Where the trials were trained last, as far as that is known."""
        return [place for record in self.records for _, place in record.places[-1:]]

    def number_of(self, candidate: Candidate) -> int:
        """Number of the trial in which a candidate is trained."""
        return self._first[candidate.fingerprint]

    def members(self, cohort: int) -> list[TrialRecord]:
        """The trials of a cohort."""
        return [self.records[number] for number in self.cohorts[cohort]]

    def add(
        self, *, cohort: int, origin: str, values: Mapping[str, Value], candidate: Candidate, cost: Cost, seed: int
    ) -> None:
        """Record a proposed trial; one of a known candidate is a duplicate of its first trial."""
        record = TrialRecord(
            number=len(self.records),
            state="open",
            cohort=cohort,
            origin=origin,
            candidate=candidate,
            cost=cost,
            curve=(),
            seconds=0.0,
            seed=seed,
            duplicate_of=self._first.get(candidate.fingerprint),
        )
        self._store.add(
            cohort=cohort,
            origin=origin,
            values=values,
            candidate=candidate,
            cost=cost,
            seed=seed,
            duplicate_of=record.duplicate_of,
        )
        self._append(record, values)

    def report(self, number: int, epoch: int, trained: Trained) -> None:
        """Record the outcome of a rung."""
        losses = Losses(held_out=trained.loss, train=trained.train_loss, recent=trained.recent_loss)
        self._report(number, epoch, trained.score, seconds=trained.seconds, losses=losses, place=trained.place)

    def fail(self, number: int, reason: str | None) -> None:
        """Record why a trial failed; None removes the reason."""
        self._store.fail(number, reason)
        self.records[number] = replace(self.records[number], reason=reason)

    def tell(self, number: int, last: int) -> None:
        """Close a trial of a cohort whose rungs are all decided; a duplicate gets what its first trial has.

        Args:
            number: Number of the trial.
            last: Epoch of the last rung.
        """
        record = self.records[number]
        state: TrialState = "complete" if record.epochs == last else "pruned"
        if record.duplicate_of is not None:
            first = self.records[record.duplicate_of]
            for epoch, score in first.curve[len(record.curve) :]:  # except those recorded before an interruption
                self._report(number, epoch, score, losses=dict(first.losses).get(epoch))
            if first.reason:
                self.fail(number, first.reason)
            state = first.state
        elif record.reason is not None:
            state = "failed"
        self._store.tell(number, state)
        self.records[number] = replace(self.records[number], state=state)

    def _report(
        self,
        number: int,
        epoch: int,
        score: float,
        *,
        seconds: float = 0.0,
        losses: Losses | None,
        place: Place | None = None,
    ) -> None:
        self._store.report(number, epoch=epoch, score=score, seconds=seconds, losses=losses, place=place)
        record = self.records[number]
        self.records[number] = replace(
            record,
            curve=(*record.curve, (epoch, score)),
            seconds=record.seconds + seconds,
            losses=record.losses if losses is None else (*record.losses, (epoch, losses)),
            places=record.places if place is None else (*record.places, (epoch, place)),
        )

    def _append(self, record: TrialRecord, values: Mapping[str, Value]) -> None:
        self.records.append(record)
        self.values.append(values)
        while len(self.cohorts) <= record.cohort:
            self.cohorts.append([])
        self.cohorts[record.cohort].append(record.number)
        self._first.setdefault(record.candidate.fingerprint, record.number)
