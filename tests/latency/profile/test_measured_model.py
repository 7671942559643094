import pytest
from latency_profiles import REFERENCE, measurement

from edgenext_search.errors import UserError
from edgenext_search.latency.profile.measured_model import MeasuredModel
from edgenext_search.latency.profile.measurement_plan import Target

TARGET = Target(what="network", candidate=REFERENCE)


@pytest.mark.parametrize(("slower", "half", "expected"), [(1.0, 0.0, 0), (1.1, 0.0, 1), (1.0, 0.03, 1), (1.1, 0.03, 2)])
def test_disturbance(slower, half, expected):
    entry = MeasuredModel(
        **dict(TARGET), ratio=2.0, ratio_low=2 - 2 * half, ratio_high=2 + 2 * half, p50=1.0, reference_p50=slower, n=9
    )
    assert entry.disturbance(1.0) == pytest.approx(expected)
    assert entry.model_copy(update={"ratio_low": None, "ratio_high": None}).disturbance(1.0) > 1


def test_values_are_rounded_to_six_digits_and_survive_json():
    entry = MeasuredModel.of(TARGET, measurement(TARGET, noise=1.23456789))
    assert entry.ratio == 1.23457
    assert MeasuredModel.read(entry.to_dict(), where="") == entry


def test_a_measurement_without_a_reference_is_refused():
    alone = measurement(TARGET).model_copy(update={"ratio": None})
    with pytest.raises(UserError, match="needs the ratio of each model to the reference"):
        MeasuredModel.of(TARGET, alone)
