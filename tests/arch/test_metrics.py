import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import tiny

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.metrics import COST_NAMES, METRICS


def test_the_registry_has_every_cost():
    assert tuple(METRICS) == COST_NAMES
    assert {*cost(tiny(), Deployment()).to_dict(), "latency"} == set(COST_NAMES)
    assert tuple(Budget(**dict.fromkeys(COST_NAMES, 1)).caps) == COST_NAMES


@given(st.integers(1, 10**13))
def test_exact_texts_and_back(value):
    assert all(metric.parse(metric.format_exact(value)) == value for metric in METRICS.values())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_300_000, "1.3M"),
        (1_235_000, "1235k"),
        (260_576_008, "260576008"),
        (1_327_216, "1327216"),
        (1_000_000_000, "1G"),
        (500_000, "500k"),
        (9_999, "9.999k"),
        (10_000, "10k"),
        (1_000_000, "1M"),
        (300, "0.3k"),
    ],
)
def test_counts_are_written_as_people_write_them(value, text):
    assert METRICS["params"].format_exact(value) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("params", 1_290_000, "1.290M"),
        ("madds", 260_576_008, "260.6M"),
        ("acts", 999, "999"),
        ("memory", 2_097_152, "2.097MB"),
        ("footprint", 10, "10B"),
        ("latency", 8_906, "8.91 ms"),
        ("latency", 1_234_000, "1234 ms"),
    ],
)
def test_values_are_rounded_for_people(name, value, text):
    assert METRICS[name].text(value) == text
