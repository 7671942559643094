import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import DeviceError, read_options, with_options
from edgenext_search.latency.devices.open import open_device


@pytest.mark.parametrize("transient", [True, False])
def test_an_error_says_whether_to_try_again_in_other_processes_too(transient):
    error = pickle.loads(pickle.dumps(DeviceError("gone", transient=transient)))  # noqa: S301 - our own
    assert isinstance(error, UserError)
    assert (str(error), error.transient) == ("gone", transient)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        ":",
        "gpu",
        "HOST",
        "tcp://board",
        "ssh",
        "x" * 10_000,
        "ssh://a?key=~nobody-xyz/k",
        "ssh://a?key=%00",
        "cmd:/" + "x" * 5000,
    ],
)
def test_what_is_no_device(text):
    with pytest.raises(UserError) as raised:
        open_device(text)
    assert len(str(raised.value)) < 300


@given(st.dictionaries(st.sampled_from("abc"), st.text(st.characters(exclude_categories=["Cs"]), min_size=1)))
def test_options_there_and_back(options):
    device, _, query = with_options("host", options).partition("?")
    assert device == "host"
    assert read_options("host", query, "abc") == options


def test_options_that_are_none_are_left_out():
    assert with_options("host", {"b": 2, "a": None}) == "host?b=2"
    assert with_options("host", {"a": None}) == "host"
