import dataclasses
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import CHANGES, KERNELS, TINY, candidates, groups, tiny

from edgenext_search.arch.candidate import Candidate, splits_fit
from edgenext_search.arch.published import published_variant
from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml, parse_yaml

GOLDEN_FINGERPRINTS = {
    "edgenext_xx_small": "e827f66062f9",
    "edgenext_x_small": "d535421dda10",
    "edgenext_small": "9a48bee2eaf6",
    "edgenext_base": "40c01dff8fce",
}


@pytest.mark.parametrize(("name", "fingerprint"), GOLDEN_FINGERPRINTS.items())
def test_fingerprints_never_change(name, fingerprint):
    assert published_variant(name).candidate.fingerprint == fingerprint


def test_fingerprints_do_not_depend_on_the_process():
    code = (
        "from edgenext_search.arch.published import published_variants as p;"
        "print(*(v.candidate.fingerprint for v in list(p().values())[:4]))"
    )
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": hash_seed}
        )
        assert done.stdout.split() == list(GOLDEN_FINGERPRINTS.values())


@given(candidates())
def test_survives_dict_json_and_yaml(candidate):
    values = candidate.to_dict()
    for again in (values, json.loads(json.dumps(values)), parse_yaml(dump_yaml(values))):
        read = Candidate.from_dict(again)
        assert read == candidate
        assert hash(read) == hash(candidate)
        assert read.fingerprint == candidate.fingerprint
        assert read.to_dict() == values  # canonical: nothing is left to change


@given(candidates(), st.data())
def test_fields_that_no_block_uses_make_no_difference(candidate, data):
    fields = {name: list(value) if isinstance(value, list) else value for name, value in candidate.to_dict().items()}
    for stage in range(4):
        if candidate.sdta_blocks[stage] == 0:
            fields["heads"][stage] = data.draw(st.integers(-3, 99))
            fields["sdta_splits"][stage] = data.draw(st.integers(-3, 99))
            fields["pos_emb"][stage] = data.draw(st.booleans())
        if candidate.sdta_blocks[stage] == candidate.depths[stage]:
            fields["kernel_sizes"][stage] = data.draw(st.integers(-3, 99))
    same = Candidate(**fields)
    assert same == candidate
    assert hash(same) == hash(candidate)
    assert same.fingerprint == candidate.fingerprint


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_fields_that_a_block_uses_make_a_difference(change):
    assert tiny(**change) != tiny()
    assert tiny(**change).fingerprint != tiny().fingerprint


def test_different_candidates_have_different_fingerprints():
    different = {tiny(kernel_sizes=(a, b, c, 3)) for a in KERNELS for b in KERNELS for c in KERNELS}
    assert len({candidate.fingerprint for candidate in different}) == len(different) == len(KERNELS) ** 3


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        tiny().widths = (8, 8, 8, 8)


@pytest.mark.parametrize(
    ("width", "splits", "fit"),
    [
        # groups of ceil(width / splits) channels  legal
        (8, 1, False),  # no split at all          no: the block always makes at least two groups
        (8, 2, True),  #  4 4
        (9, 2, True),  #  5 4
        (8, 3, True),  #  3 3 2
        (8, 4, True),  #  2 2 2 2
        (8, 5, False),  # 2 2 2 2 and nothing
        (9, 5, True),  #  2 2 2 2 1
        (10, 4, True),  # 3 3 3 1
        (9, 4, False),  # 3 3 3 and nothing
        (12, 5, False),  # 3 3 3 3 and nothing
        (13, 5, True),  # 3 3 3 3 1
        (16, 5, False),  # 4 4 4 4 and nothing
        (88, 3, True),  # 30 30 28
        (168, 4, True),  # 42 42 42 42
        (1, 2, False),
        (2, 2, True),  #  1 1
    ],
)
def test_which_splits_fit(width, splits, fit):
    assert splits_fit(width, splits) is fit


@given(st.integers(1, 400), st.integers(2, 40))
def test_splits_fit_when_every_group_gets_channels(width, splits):
    assert splits_fit(width, splits) == (groups(width, splits) == splits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": (8, 16, 24)}, r"widths must have one item for each of the 4 stages, but got \(8, 16, 24\)"),
        ({"widths": 8}, "widths must have one item for each of the 4 stages, but got 8"),
        ({"widths": "8888"}, "widths must have one item .* but got '8888'"),
        ({"widths": (8, 16, 24.0, 32)}, r"widths must be whole numbers, but got .*24\.0"),
        ({"depths": (1, True, 1, 1)}, "depths must be whole numbers, but got .*True"),
        ({"pos_emb": (0, 1, 0, 0)}, "pos_emb must be true or false, but got"),
        ({"widths": (0, 16, 24, 32)}, r"widths \(stage 1\) must be >= 1, but got 0"),
        ({"depths": (1, 2, 0, 1)}, r"depths \(stage 3\) must be >= 1, but got 0"),
        ({"sdta_blocks": (0, -1, 0, 1)}, r"sdta_blocks \(stage 2\) must be >= 0, but got -1"),
        ({"sdta_blocks": (0, 3, 0, 1)}, "sdta_blocks must be <= depths, but stage 2 has 3 of 2 blocks"),
        ({"kernel_sizes": (3, 5, 4, 9)}, "kernel_sizes must be odd, but stage 3 has 4"),
        ({"kernel_sizes": (-1, 5, 7, 9)}, r"kernel_sizes \(stage 1\) must be >= 1, but got -1"),
        ({"heads": (4, 3, 4, 8)}, "heads must divide the width, but stage 2 has width 16, heads 3"),
        ({"heads": (4, 0, 4, 8)}, r"heads \(stage 2\) must be >= 1, but got 0"),
        ({"sdta_splits": (2, 1, 3, 4)}, r"sdta_splits \(stage 2\) must be >= 2, but got 1"),
        ({"sdta_splits": (2, 5, 3, 4)}, "stage 2 has width 16 and 5 splits; take fewer splits or more width"),
        ({"expand_ratio": 0}, "expand_ratio must be >= 1, but got 0"),
        ({"expand_ratio": 2.5}, r"expand_ratio must be a whole number, but got 2\.5"),
        ({"norm_act": "relu"}, "norm_act must be one of .*ln_gelu.*, but got 'relu'"),
    ],
)
def test_refuses_what_is_not_legal(change, message):
    with pytest.raises(UserError, match=message):
        tiny(**change)


def test_refuses_unknown_and_missing_keys():
    with pytest.raises(UserError, match="no key 'width'; its keys are depths, expand_ratio, heads"):
        Candidate.from_dict({**TINY, "width": 3})
    with pytest.raises(UserError, match="needs the key 'heads', but got depths"):
        Candidate.from_dict({name: value for name, value in TINY.items() if name != "heads"})
    with pytest.raises(UserError, match="but got none"):
        Candidate.from_dict({})


def test_optional_keys_have_the_published_values():
    required = {name: value for name, value in TINY.items() if name not in {"expand_ratio", "pos_emb"}}
    candidate = Candidate.from_dict(required)
    assert (candidate.expand_ratio, candidate.pos_emb, candidate.norm_act) == (
        4,
        (False, True, False, False),
        "ln_gelu",
    )
