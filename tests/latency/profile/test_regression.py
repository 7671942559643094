import random
from dataclasses import replace

import pytest
from strategies import random_candidate, seeded

from edgenext_search.arch.blocks import blocks_of
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.latency.profile.regression import RUN, Fit, Sample, fit, held_out, model_features

DEPLOYMENT = Deployment(num_classes=10, img_size=128)
TRUE = {"dense": 1e-5, "patch": 2e-5, "activation_ln_gelu": 3e-4, "conv_blocks": 30.0, "sdta_blocks": 80.0, RUN: 200.0}


def works(n, seed):
    rng = seeded(seed)
    found = []
    for _ in range(n):
        values = random_candidate(rng).to_dict() | {"norm_act": "ln_gelu", "kernel_sizes": [3, 5, 3, 5]}
        found.append(model_features(blocks_of(Candidate.from_dict(values), DEPLOYMENT)))
    return found


def true_time(work):
    return sum(amount * TRUE.get(name, 0.0) for (name, _), amount in work.items())


@pytest.fixture(scope="module")
def fitted():
    return fit([Sample(features=work, microseconds=true_time(work)) for work in works(120, 0)])


def test_a_device_that_is_a_sum_of_our_terms_is_predicted_closely(fitted):
    for work in works(40, 1):
        assert fitted.microseconds(work) == pytest.approx(true_time(work), rel=0.02)


def test_no_rate_is_negative(fitted):
    assert all(rate >= 0 for own in fitted.rates.values() for rate in own.values())
    assert fitted.rates[RUN].keys() == {0}


def test_a_few_wild_measurements_do_little_harm(fitted):
    wild = random.Random(0)
    samples = [
        Sample(features=work, microseconds=true_time(work) * (3.0 if wild.random() < 0.05 else 1.0))
        for work in works(120, 0)
    ]
    robust = fit(samples)
    errors = [abs(robust.microseconds(work) / true_time(work) - 1) for work in works(40, 1)]
    assert sum(errors) / len(errors) < 0.02


def test_a_sample_of_little_weight_moves_little():
    base = works(60, 0)
    samples = [Sample(features=work, microseconds=true_time(work)) for work in base]
    doubled = [Sample(features=work, microseconds=2 * true_time(work), weight=0.001) for work in base]
    both = fit([*samples, *doubled])
    assert both.microseconds(base[0]) == pytest.approx(true_time(base[0]), rel=0.03)


def test_a_busy_device_that_slows_some_terms_more_is_told_apart():
    """Half of the measurements beside a reference that takes twice as long, while some terms take thrice as long."""
    base, rng = works(160, 0), random.Random(0)

    def busy_time(work):
        more = sum(amount * TRUE["dense"] for (name, _), amount in work.items() if name == "dense")
        return (2 * true_time(work) + more) / 2  # as a ratio to the reference, which takes twice as long

    busy = [rng.random() < 0.5 for _ in base]
    samples = [
        Sample(features=work, microseconds=busy_time(work), busy=0.5)
        if own
        else Sample(features=work, microseconds=true_time(work))
        for work, own in zip(base, busy, strict=True)
    ]
    found = fit(samples)
    naive = fit([replace(sample, busy=0.0) for sample in samples])
    fresh = works(40, 1)
    errors = [abs(found.microseconds(work) / true_time(work) - 1) for work in fresh]
    naively = [abs(naive.microseconds(work) / true_time(work) - 1) for work in fresh]
    assert sum(errors) < 0.5 * sum(naively)
    assert sum(errors) / len(errors) < 0.03
    work = fresh[0]
    assert found.microseconds(work, busy=0.5) == pytest.approx(busy_time(work), rel=0.1)


def test_a_device_that_was_never_busy_has_nothing_to_tell(fitted):
    assert all(rate == 0 for own in fitted.busy.values() for rate in own.values())


def test_no_time_is_negative_on_a_busy_device():
    fitted = Fit(rates={RUN: {0: 5.0}}, busy={RUN: {0: -20.0}})
    assert fitted.microseconds({(RUN, 0): 1.0}, busy=0.1) == 3.0
    assert fitted.microseconds({(RUN, 0): 1.0}, busy=0.5) == 5.0


def test_a_stage_alone_has_a_run_of_its_own():
    work = works(1, 0)[0]
    assert (RUN, 0) in work
    assert (RUN, 3) in model_features({}, run=3)


def test_held_out_networks_are_predicted_by_fits_that_have_not_seen_them():
    base = works(60, 0)
    samples = [Sample(features=work, microseconds=true_time(work)) for work in base]
    spoilt = Sample(features=base[7], microseconds=1.5 * true_time(base[7]))
    samples[7] = spoilt
    found = held_out(samples, range(60))
    assert list(found) == list(range(60))
    assert found[7] == pytest.approx(true_time(base[7]), rel=0.05)


def test_what_only_one_network_has_cannot_be_held_out():
    samples = [Sample(features=work, microseconds=true_time(work)) for work in works(40, 0)]
    samples[3] = Sample(features={**samples[3].features, ("depthwise11", 2): 1e6}, microseconds=samples[3].microseconds)
    assert set(held_out(samples, range(40))) == set(range(40)) - {3}
