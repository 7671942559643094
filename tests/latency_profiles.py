"""A made-up device whose times are known, and its profile."""

import json
import random
from functools import cache

from edgenext_search.arch.cost import Deployment, block_counts
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.spaces.space import Space
from edgenext_search.latency.devices.device import DeviceError, DeviceInfo
from edgenext_search.latency.measurement import Conditions, Measurement
from edgenext_search.latency.profile.measured_model import MeasuredModel
from edgenext_search.latency.profile.measurement_plan import Target, make_plan
from edgenext_search.latency.profile.profile import ProfileConditions, make_profile

INFO = DeviceInfo(name="host", runtime="onnxruntime", version="1.2.3", machine="made up", threads=1)
DEPLOYMENT = Deployment()
REFERENCE = published_variant("edgenext_xx_small").candidate
NETWORKS, STAGES = 60, 24


def true_microseconds(target, deployment=DEPLOYMENT):
    """A time that is no sum of our terms: multiply-adds, activations, and memory that is read twice when wide."""
    total = 100.0
    for block, number in target.blocks(deployment).items():
        params, madds, acts, _ = block_counts(block)
        total += number * (20 + madds / 30_000 + acts / 2_000 + params / 5_000 * (2 if block.width > 200 else 1))
    return total


def measurement(target, noise=1.0, speed=1.0, deployment=DEPLOYMENT):
    """What measuring a target beside the reference gives."""
    reference = speed * true_microseconds(Target(what="network", candidate=REFERENCE), deployment)
    time = speed * noise * true_microseconds(target, deployment)
    ratio = time / reference
    return Measurement(
        p50=time,
        p90=1.1 * time,
        min=0.9 * time,
        low=0.99 * time,
        high=1.01 * time,
        n=30,
        ratio=ratio,
        ratio_low=0.99 * ratio,
        ratio_high=1.01 * ratio,
        reference_p50=reference,
        conditions=Conditions(load=0.5),
    )


class MadeUpDevice:
    """A device that reads what :func:`write_target` wrote, and fails when it is told to."""

    name = "host"

    def __init__(self, *, info=INFO, fail_at=None, busy_until=0, wild=0.0):
        """``wild`` is the share by which times are off before the ``busy_until``-th measurement, at half the speed."""
        self.info = info
        self.fail_at = fail_at
        self.busy_until = busy_until
        self.wild = wild
        self.measured = 0

    def check(self):
        return self.info

    def measure(self, models, *, reference=None, settings=None, progress=None):
        found = []
        for path in models:
            if self.fail_at is not None and self.measured >= self.fail_at:
                raise DeviceError("the board is gone.", transient=True)
            self.measured += reference is not None
            target = Target.model_validate_json(path.read_text("utf-8"))
            rng = random.Random(target.candidate.fingerprint)
            noise, speed = rng.uniform(0.99, 1.01), rng.uniform(0.98, 1.06)
            if self.measured <= self.busy_until:
                noise, speed = noise * rng.choice([1 - self.wild, 1 + self.wild]), 2 * speed
            found.append(measurement(target, noise=noise, speed=speed))
            if progress:
                progress(len(found), len(models))
        return found


def write_target(target, deployment, path):
    """In place of an export."""
    path.write_text(json.dumps(target.to_dict()), "utf-8")


def export_nothing(patch):
    """Models are files for :class:`MadeUpDevice`."""
    patch.setattr("edgenext_search.latency.profile.profiler._export", write_target)
    patch.setattr(
        "edgenext_search.models.measurable.export_for_measuring",
        lambda candidate, deployment, path: write_target(Target(what="network", candidate=candidate), deployment, path),
    )


def profile_of(measured, *, device=INFO, space=None, deployment=DEPLOYMENT):
    """The profile of targets and their measurements."""
    return make_profile(
        [MeasuredModel.of(target, found) for target, found in measured],
        device=device,
        conditions=ProfileConditions(networks=NETWORKS, stages=STAGES),
        space=(space or Space.load("edgenext")).to_dict(),
        deployment=deployment,
        reference=REFERENCE,
        seconds=60.0,
    )


@cache
def made_profile(space="edgenext", deployment=DEPLOYMENT):
    """The profile of the made-up device."""
    rng = random.Random(0)
    plan = make_plan(Space.load(space), deployment, networks=NETWORKS, stages=STAGES, seed=0)
    measured = [(target, measurement(target, noise=rng.uniform(0.99, 1.01), deployment=deployment)) for target in plan]
    return profile_of(measured, space=Space.load(space), deployment=deployment)
