import pytest
from hypothesis import given
from strategies import budgets

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Cost
from edgenext_search.errors import UserError


@pytest.mark.parametrize(
    ("text", "caps"),
    [
        ("1.3M", {"params": 1_300_000}),
        ("1.3m", {"params": 1_300_000}),
        (" 1.3 M ", {"params": 1_300_000}),
        ("1300k", {"params": 1_300_000}),
        ("1300000", {"params": 1_300_000}),
        ("1_300_000", {"params": 1_300_000}),
        (".5M", {"params": 500_000}),
        ("5.M", {"params": 5_000_000}),
        ("10000", {"params": 10_000}),
        ("1.3G", {"params": 1_300_000_000}),
        ("1.3B", {"params": 1_300_000_000}),
        ("1.0000019M", {"params": 1_000_001}),
        ("0.3k", {"params": 300}),
        ("params=1.3M", {"params": 1_300_000}),
        ("madds=260M", {"madds": 260_000_000}),
        ("params=1.3M,madds=260M", {"params": 1_300_000, "madds": 260_000_000}),
        (" madds = 260M , PARAMS = 1.3M ", {"params": 1_300_000, "madds": 260_000_000}),
        ("acts=3M,madds=0.26G,params=1M", {"params": 1_000_000, "madds": 260_000_000, "acts": 3_000_000}),
        ("memory=2MB", {"memory": 2_000_000}),
        ("memory=1.5 MiB", {"memory": 1_572_864}),
        ("memory=512kb,params=1M", {"params": 1_000_000, "memory": 512_000}),
        ("footprint=8M", {"footprint": 8_000_000}),
        ("footprint=1GiB", {"footprint": 2**30}),
        ("memory=300B", {"memory": 300}),
        ("memory=786432", {"memory": 786_432}),
    ],
)
def test_reads_what_people_type(text, caps):
    assert Budget.parse(text).to_dict() == caps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "number above 0 with k, M, G or B behind it, such as 1.3M, but got params=''"),
        ("small", "number above 0 with k, M, G or B behind it, such as 1.3M, but got params='small'"),
        ("1.3T", "such as 1.3M, but got params='1.3T'"),
        ("1,3M", "such as 1.3M, but got params='1,3M'"),
        ("-1.3M", "such as 1.3M, but got params='-1.3M'"),
        ("1.3e6", "such as 1.3M, but got params='1.3e6'"),
        ("nan", "such as 1.3M, but got params='nan'"),
        ("1.3", "A number without a unit must be at least 10,000, but got params=1.3; did you mean 1.3M?"),
        ("9999", "A number without a unit must be at least 10,000, but got params=9999; did you mean 9999M?"),
        ("0M", "A count is a number above 0 with k, M, G or B behind it, such as 1.3M, but got params='0M'"),
        ("0.9e", "but got params='0.9e'"),
        ("madds=", "such as 1.3M, but got madds=''"),
        ("memory=2", "A number without a unit must be at least 10,000, but got memory=2; did you mean 2MB?"),
        (
            "memory=2X",
            "number above 0 with B, kB, MB, GB, KiB, MiB or GiB behind it, such as 2MB, but got memory='2X'",
        ),
        ("1.3MB", "(for bytes write memory=2MB or footprint=8MiB), but got params='1.3MB'"),
        ("memory=0", "such as 2MB, but got memory='0'"),
        ("memory=0MB", "such as 2MB, but got memory='0MB'"),
        ("ram=2MB", "but got 'ram'; did you mean memory?"),
        ("madds=2MiB", "but got madds='2MiB'"),
        ("madds=fast", "such as 1.3M, but got madds='fast'"),
        (
            "1.3M,madds=260M",
            "several caps must be key=value, as in params=1.3M,madds=260M, but got '1.3M' in '1.3M,madds=260M'",
        ),
        ("params=1.3M,", "several caps must be key=value, as in params=1.3M,madds=260M, but got '' in 'params=1.3M,'"),
        ("params=1M,params=2M", "A budget must cap 'params' once, but got 'params=1M,params=2M'"),
        (
            "flops=260M",
            "The costs are params, madds, acts, memory, footprint, latency, but got 'flops'; did you mean madds?",
        ),
        (
            "MACs=260M",
            "The costs are params, madds, acts, memory, footprint, latency, but got 'macs'; did you mean madds?",
        ),
        ("parameters=1M", "but got 'parameters'; did you mean params?"),
        ("size=1M", "The costs are params, madds, acts, memory, footprint, latency, but got 'size'."),
        ("latency=15", "A latency is a number above 0 with us, ms or s behind it, such as 15ms, but got latency='15'"),
        ("latency=0ms", "such as 15ms, but got latency='0ms'"),
        ("latency=15ms@", "A device must follow the @, such as latency=15ms@host"),
        ("=1M", "The costs are params, madds, acts, memory, footprint, latency, but got ''"),
    ],
)
def test_refuses_what_is_no_budget(text, message):
    with pytest.raises(UserError) as caught:
        Budget.parse(text)
    assert message in str(caught.value)


def test_refuses_to_cap_nothing():
    with pytest.raises(
        UserError,
        match=r"must cap at least one of params, madds, acts, memory, footprint, latency; write --budget 1\.3M",
    ):
        Budget()
    with pytest.raises(UserError, match="A cap must be > 0, but got madds=-5"):
        Budget(params=1000, madds=-5)


@given(budgets())
def test_text_and_back(budget):
    assert Budget.parse(str(budget)) == budget


def test_caps_from_a_study_file():
    assert Budget.from_dict({"params": "1.3M", "madds": 260_000_000}) == Budget(params=1_300_000, madds=260_000_000)
    with pytest.raises(UserError, match=r"at least 10,000, but got params=1\.3; did you mean 1\.3M\?"):
        Budget.from_dict({"params": 1.3})


@pytest.mark.parametrize(
    ("caps", "cost", "usage", "holds"),
    [
        # caps                            params, madds      tightest
        ({"params": 100}, (100, 900), 1.0, True),  # equal to the cap: held
        ({"params": 100}, (101, 900), 1.01, False),
        ({"params": 100}, (50, 900), 0.5, True),  # what is not capped does not count
        ({"params": 100, "madds": 1000}, (50, 900), 0.9, True),
        ({"params": 100, "madds": 1000}, (100, 1001), 1.001, False),  # one of two is enough
        ({"params": 100, "madds": 1000}, (101, 1), 1.01, False),
        ({"params": 100, "madds": 1000}, (100, 1000), 1.0, True),
    ],
)
def test_when_a_budget_holds(caps, cost, usage, holds):
    params, madds = cost
    there = Cost(params=params, madds=madds, acts=10**12, memory=10**12)
    assert Budget(**caps).usage(there) == pytest.approx(usage, abs=1e-12)
    assert Budget(**caps).holds(there) is holds


def test_the_smallest_published_variant_exceeds_1_3m():
    xx_small = Cost(params=1_327_216, madds=260_576_008, acts=0, memory=0)
    assert not Budget.parse("1.3M").holds(xx_small)
    assert Budget.parse("1327216").holds(xx_small)
    assert not Budget.parse("1327215").holds(xx_small)


@pytest.mark.parametrize(
    ("text", "caps", "device", "written"),
    [
        ("latency=15ms", {"latency": 15_000}, "host", "latency=15ms"),
        ("latency=1.5 ms@host", {"latency": 1_500}, "host", "latency=1.5ms"),
        ("params=1.3M,latency=900us@host", {"params": 1_300_000, "latency": 900}, "host", "params=1.3M,latency=0.9ms"),
        (
            "latency=0.2s@ssh://pi@board:22?python=/opt/python3",
            {"latency": 200_000},
            "ssh://pi@board:22?python=/opt/python3",
            "latency=200ms@ssh://pi@board:22?python=/opt/python3",
        ),
    ],
)
def test_a_latency_is_of_a_device(text, caps, device, written):
    budget = Budget.parse(text)
    assert (budget.to_dict(), budget.device, str(budget)) == (caps, device, written)
    assert Budget.parse(str(budget)) == budget


def test_without_a_latency_there_is_no_device():
    assert Budget.parse("1.3M").device is None
