"""Seeded simulation of crashes: coordinator, record and executor, failpoints at every submission, delivery and write.

A seed that fails is replayed by its number: ``pytest -k "test_simulation and 17"``. More of them:
``SIMULATED_SEEDS=10000 pytest tests/search/study/test_simulation.py``.
"""

import functools
import os
import random

import optuna
import pytest
from study_builders import MANY_DUPLICATES, Killed, Lab, a_recipe, score_of

from edgenext_search.execution.executor import Finished, Lost, Progress
from edgenext_search.training.proxy.job import Failed, Trained

SEEDS = int(os.environ.get("SIMULATED_SEEDS", "100"))
CRASHES = 6  # of a study; then it is left alone


def recipe_of(seed):
    return a_recipe(
        space=MANY_DUPLICATES if seed % 3 == 0 else None, trials=9, cohort=3, overlap=seed % 4, finalists=2,
        rungs=(0.25, 0.5, 1.0), rescore_seeds=2, rematch_seeds=1,
    )  # fmt: skip


def outcome_of(job):
    if int(job.candidate.fingerprint, 16) % 5 == 0 and job.until == 4:
        return Failed(reason="bad luck")
    return Trained(score=score_of(job), seconds=0.5)


class World:
    """What outlives the coordinator, and the luck of a seed."""

    def __init__(self, seed):
        self.luck, self.crashes = random.Random(seed), 0
        self.delivered = []  # attempts whose outcome was given to some coordinator

    def failpoint(self, share=0.02):
        if self.crashes < CRASHES and self.luck.random() < share:
            self.crashes += 1
            raise Killed


class Storage(optuna.storages.InMemoryStorage):
    """Dies before any write, and refuses to record anything twice."""

    def __init__(self, world):
        super().__init__()
        self.world = world

    def create_new_trial(self, *args, **others):
        self.world.failpoint()
        return super().create_new_trial(*args, **others)

    def set_trial_user_attr(self, *args, **others):
        self.world.failpoint()
        return super().set_trial_user_attr(*args, **others)

    def set_study_user_attr(self, study_id, key, value):
        self.world.failpoint()
        assert "rescore" not in key or key not in self.get_study_user_attrs(study_id), f"{key} twice"
        return super().set_study_user_attr(study_id, key, value)

    def set_trial_intermediate_value(self, trial_id, step, value):
        self.world.failpoint()
        assert step not in self.get_trial(trial_id).intermediate_values, f"trial {trial_id}, epoch {step} twice"
        return super().set_trial_intermediate_value(trial_id, step, value)

    def set_trial_state_values(self, *args, **others):
        self.world.failpoint()
        return super().set_trial_state_values(*args, **others)


class Engine:
    """Workers that are lost, slow, late and repeat themselves; after a crash some of them go on."""

    def __init__(self, world):
        self.world, self.luck = world, world.luck
        self.running, self.ghosts = [], []
        self.places = 3

    def capacity(self):
        return self.places

    def reattach(self):
        self.running = [job for job in self.running if self.luck.random() < 0.5]
        return list(self.running)

    def submit(self, job):
        self.world.failpoint()
        self.running.append(job)

    def cancel(self, job):
        self.running = [other for other in self.running if other != job]
        self.ghosts.append(job)  # a process that did not hear of it

    def close(self):
        pass

    def events(self, _timeout):
        self.world.failpoint()
        self.places = self.luck.choice([1, 2, 3, 8])
        if self.ghosts and self.luck.random() < 0.2:
            return [Finished(job, Trained(score=0.999, seconds=1.0)) for job in self.ghosts]
        if not self.running:
            return []
        job = self.running.pop(self.luck.randrange(len(self.running)))
        self.ghosts.append(job)
        if self.luck.random() < 0.05 and not job.attempt.startswith("3"):
            return [Lost(job, "preempted")]
        self.world.delivered.append(job)
        return [Progress(job, 0.5), *[Finished(job, outcome_of(job))] * self.luck.choice([1, 1, 2])]


@functools.cache
def undisturbed(kind):
    world = World(0)
    world.crashes = CRASHES
    lab = Lab(recipe_of(kind), Storage(world))
    lab.run(QuietEngine(world))
    return lab.result()


class QuietEngine(Engine):
    """One place where nothing goes wrong."""

    def capacity(self):
        return 1

    def events(self, _timeout):
        job = self.running.pop(0)
        return [Finished(job, outcome_of(job))]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_nothing_is_lost_or_done_twice(seed):
    world = World(seed)
    lab, engine = Lab(recipe_of(seed), Storage(world)), Engine(world)
    for _ in range(CRASHES + 1):
        try:
            lab.run(engine)
            break
        except Killed:
            pass
    assert lab.result() == undisturbed(seed % 12)
    done = [(job.candidate.fingerprint, job.seed, job.until) for job in world.delivered]
    assert len(done) - len(set(done)) <= world.crashes, "at most what was being recorded in a crash is trained again"
