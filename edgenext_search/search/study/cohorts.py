"""The cohorts of a search: proposed, trained rung by rung and told as soon as the schedule allows."""

from __future__ import annotations

from collections.abc import Callable, Collection

from edgenext_search.arch.cost import cost
from edgenext_search.arch.projection import Projection
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.study.cohort.desk import Desk
from edgenext_search.search.study.cohort.proposals import proposals
from edgenext_search.search.study.cohort.schedule import Stage, known_to, may_propose, stage_of
from edgenext_search.search.study.cohort.trials import Trials
from edgenext_search.search.study.expectation import expectations_of
from edgenext_search.search.study.finalists import choose_finalists
from edgenext_search.training.proxy.job import Outcome, Trained, TrainJob

SPARE = 4  # weights kept for each finalist: later trials may change which candidates become finalists


class Cohorts:
    """The cohorts of a study, from its record to the next job.

    Args:
        recipe: Resolved study.
        projection: Projection of assignments to candidates within the budget.
        trials: Trials, as far as they are recorded.
        desk: Where trainings are ordered.
        late: Whether the time for proposals is over.
        on_told: Called after a cohort is told.
    """

    def __init__(
        self,
        recipe: ResolvedRecipe,
        projection: Projection,
        trials: Trials,
        desk: Desk,
        *,
        late: Callable[[], bool],
        on_told: Callable[[], None],
    ) -> None:
        self._recipe = recipe
        self._projection = projection
        self._trials = trials
        self._desk = desk
        self._late = late
        self._on_told = on_told
        self._rungs = recipe.proxy.rung_epochs
        self._stages: list[Stage] = []  # of the cohorts that were begun in this session or before
        self._waiting: list[set[int]] = []  # of each: trials whose outcome at the rung is to come
        self._decided: set[int] = set()  # cohorts whose rung is decided, and that have not gone on yet
        self._told = 0
        self._kept: set[int] = set()  # told trials whose weights were not removed

    @property
    def told(self) -> int:
        """Number of cohorts that are told."""
        return self._told

    @property
    def all_proposed(self) -> bool:
        """Whether no further cohort will be proposed."""
        return len(self._trials.records) >= self._recipe.search.trials or self._late()

    def advance(self) -> bool:
        """Tell, propose and order whatever can be; whether any trial is open."""
        for cohort in sorted(self._decided):
            self._go_on(cohort)
        self._decided.clear()
        self._tell()
        while self._begin_next():
            self._tell()
        return self._told < len(self._stages)

    def record(self, job: TrainJob, outcome: Outcome) -> None:
        """Record the outcome of a trial at a rung."""
        number = self._trials.number_of(job.candidate)
        if isinstance(outcome, Trained):
            self._trials.report(number, job.until, outcome)
        else:
            self._trials.fail(number, outcome.reason)
        cohort = self._trials.records[number].cohort
        self._waiting[cohort].discard(number)
        if not self._waiting[cohort]:
            self._decided.add(cohort)

    def _begin_next(self) -> bool:
        """Begin the next cohort if all is there that it may know; whether that was so."""
        search, cohort = self._recipe.search, len(self._stages)
        if cohort >= len(self._trials.cohorts):  # else it was recorded, in whole or in part, before an interruption
            if self.all_proposed:
                return False
            if not may_propose(cohort, self._stages, overlap=self._recipe.overlap, rungs=len(self._rungs)):
                return False
        if cohort + 1 >= len(self._trials.cohorts):
            self._propose(cohort)
        self._stages.append(Stage(0))
        self._waiting.append(set())
        members = self._trials.members(cohort)
        if any(trial.state == "open" for trial in members):
            self._desk.listener.cohort_started(members, search.trials)
        self._go_on(cohort)
        return True

    def _propose(self, cohort: int) -> None:
        """Record the cohort's trials that are not recorded yet; after an interruption they are the same ones."""
        search, trials = self._recipe.search, self._trials
        known = known_to(cohort, trials.records, overlap=self._recipe.overlap, rungs=self._rungs)
        members = trials.records[len(known) :]
        size = min(search.cohort, search.trials - len(known))
        if len(members) >= size or any(trial.state != "open" for trial in members):
            return  # trials that were added to the study after it was decided belong to the next cohort
        values = trials.values[: len(known)]
        starts = proposals(self._recipe, self._projection, cohort, size, known=known, values=values)
        for origin, assignment, candidate in starts[len(members) :]:
            trials.add(
                cohort=cohort,
                origin=origin,
                values=assignment,
                candidate=candidate,
                cost=cost(candidate, self._projection.deployment),
                seed=search.seed,
            )

    def _go_on(self, cohort: int) -> None:
        """Find out how far a cohort has come, and order what is to be trained next, longest first."""
        search, members = self._recipe.search, self._trials.members(cohort)
        if all(trial.state != "open" for trial in members):
            self._stages[cohort] = Stage(len(self._rungs))
            return
        stage = stage_of(members, self._rungs, rank_by=search.rank_by, objectives=search.objectives)
        self._stages[cohort], self._waiting[cohort] = stage, set(stage.waiting)
        if stage.waiting:
            since, until = (0, *self._rungs)[stage.rung : stage.rung + 2]
            waiting = [trial for trial in members if trial.number in stage.waiting]
            self._desk.order(
                f"Cohort {cohort}, rung {stage.rung + 1} of {len(self._rungs)}",
                [
                    self._desk.job(trial.candidate, seed=trial.seed, until=until, label=f"trial {trial.number}")
                    for trial in sorted(waiting, key=lambda trial: -trial.cost.madds)
                ],
                since=since,
                urgency=(cohort,),
            )

    def _tell(self) -> None:
        """Close the trials of the cohorts that are decided, in the order of their numbers."""
        while self._told < len(self._stages) and self._stages[self._told].rung == len(self._rungs):
            open_trials = [trial.number for trial in self._trials.members(self._told) if trial.state == "open"]
            for number in open_trials:
                self._trials.tell(number, self._rungs[-1])
            self._told += 1
            if open_trials:
                self._clean(open_trials)
                self._on_told()

    def _clean(self, told: Collection[int]) -> None:
        """Remove the files of trials that were told just now, except for the weights of possible finalists."""
        search, end = self._recipe.search, self._trials.cohorts[self._told - 1][-1] + 1
        records = self._trials.records[:end]
        if not self._kept:
            told = range(end)  # also what an earlier session has left
        among = {number for number in told if records[number].duplicate_of is None} | self._kept
        expected = expectations_of(self._recipe, records, self._trials.values[:end])
        possible = choose_finalists(
            [records[number] for number in sorted(among)], SPARE * search.finalists, expected, search.objectives
        )
        for number in among:
            job = self._desk.job(records[number].candidate, seed=records[number].seed, until=self._rungs[-1])
            job.state_file.unlink(missing_ok=True)
            if records[number] not in possible:
                job.weights_file.unlink(missing_ok=True)
        self._kept = {trial.number for trial in possible}
