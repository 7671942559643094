"""Search space files that are broken, each in one way, and what their refusal has to say."""

from __future__ import annotations

WHOLE = """\
name: mine
width_multiple: 8
expand_ratio: 4
norm_act: ln_gelu
shared:
  heads: [4, 8]
stages:
  - depth: 2
  - {depth: 2, kernel_size: 3, sdta_blocks: 1, sdta_splits: 2, pos_emb: true}
  - {depth: [2, 6], width_ratio: 2.0}
  - depth: 2
"""
"""A file with nothing wrong; those below are it with one text put in another's place."""


def mended(old: str, new: str) -> str:
    """The whole file with one text put in another's place."""
    assert WHOLE.count(old) == 1, old
    return WHOLE.replace(old, new)


def stage2(fields: str) -> str:
    """The whole file with other fields in stage 2."""
    return mended("depth: 2, kernel_size: 3, sdta_blocks: 1, sdta_splits: 2, pos_emb: true", fields)


# What it is: (the file, how the refusal begins after the path of the file).
BROKEN: dict[str, tuple[str, str]] = {
    # The file as YAML
    "empty": ("", " must hold a mapping of names to values, but holds nothing."),
    "a list": ("- 1\n", " must hold a mapping of names to values, but holds a list."),
    "not YAML": (WHOLE + "x: [1\n", " is not YAML: line 13, column 1: expected ',' or ']'"),
    "tab": (mended("  heads", "\theads"), " is not YAML: line 6, column 1: a tab cannot indent; use spaces."),
    "key twice": (WHOLE + "name: again\n", " is not YAML: line 12, column 1: the key 'name' is given twice"),
    "key twice in a stage": (
        stage2("depth: 2, depth: 3"),
        " is not YAML: line 9, column 16: the key 'depth' is given twice",
    ),
    "huge file": (WHOLE + "# \n" * 400_000, " must be at most 1,000,000 bytes long"),
    "code": (mended("name: mine", "name: !!python/name:os.system"), " is not YAML: line 1, column 7: could not"),
    # Its keys
    "no name": (mended("name: mine\n", ""), ": name: the key is missing."),
    "name with a space": (mended("mine", "my space"), ": name: string should match pattern"),
    "unknown key": (
        mended("expand_ratio", "expansion_ratio"),
        ": expansion_ratio: there is no such key; the closest is",
    ),
    "unknown field": (stage2("depht: 2"), ": stages.2.depht: there is no such key; the closest is depth."),
    "unknown shared field": (mended("heads:", "head:"), ": shared.head: there is no such key; the closest is heads."),
    "unknown end": (stage2("depth: {min: 1, maximum: 2}"), ": stages.2.depth.max: the key is missing."),
    "nothing behind a key": (stage2("depth: 2, heads: "), ": stages.2.heads: the key has no value"),
    "nothing shared": (
        mended("shared:\n  heads: [4, 8]", "shared:"),
        ": shared: must be a mapping of fields, but got None",
    ),
    "no depth": (stage2("kernel_size: 3"), ": stages.2.depth: the field is missing; give it here or under `shared`."),
    "three stages": (
        mended("  - depth: 2\n  - {depth: 2, k", "  - {depth: 2, k"),
        ": stages: must be a list of the fields",
    ),
    "stages no list": (WHOLE.partition("stages:")[0] + "stages: 4\n", ": stages: must be a list of the fields"),
    "stage no mapping": (
        mended("  - {depth: [2, 6], width_ratio: 2.0}", "  - 2"),
        ": stages: stage 3 must be a mapping",
    ),
    "shared and own": (stage2("depth: 2, heads: 4"), ": stages.2.heads: the field stands in `shared` too"),
    "ratio of stage 1": (
        mended("  - depth: 2\n  - {depth: 2, k", "  - {depth: 2, width_ratio: 2.0}\n  - {depth: 2, k"),
        ": stages.1.width_ratio: the first stage is what the others are measured by",
    ),
    # Values
    "no block": (stage2("depth: 0"), ": stages.2.depth: must be >= 1, but got 0."),
    "range from no block": (stage2("depth: {min: 0, max: 2}"), ": stages.2.depth.min: must be >= 1, but got 0."),
    "part of a block": (stage2("depth: 1.5"), ": stages.2.depth: must be a whole number, but got 1.5."),
    "quoted number": (stage2("depth: '3'"), ": stages.2.depth: must be a number, but got '3'; take its quotes away."),
    "truth for a number": (stage2("depth: true"), ": stages.2.depth: must be a number, but got True."),
    "number for truth": (stage2("depth: 2, pos_emb: 1"), ": stages.2.pos_emb: must be true or false, but got 1."),
    "not a number": (stage2("depth: .nan"), ": stages.2.depth: must be finite, but got nan."),
    "infinite": (stage2("depth: 2, width_ratio: .inf"), ": stages.2.width_ratio: must be finite, but got inf."),
    "date": (stage2("depth: 2026-01-01"), ": stages.2.depth: must be a value, a list or a range"),
    "even kernel": (stage2("depth: 2, kernel_size: [3, 4]"), ": stages.2.kernel_size: must be odd, but got 4."),
    "even kernels of a range": (
        stage2("depth: 2, kernel_size: {min: 3, max: 9}"),
        ": stages.2.kernel_size: kernel sizes are odd, but a step of 1 leads to even ones; write step: 2.",
    ),
    "one split": (stage2("depth: 2, sdta_splits: 1"), ": stages.2.sdta_splits: must be >= 2, but got 1."),
    "no head": (mended("[4, 8]", "[0, 4]"), ": shared.heads: must be >= 1, but got 0."),
    "no width": (mended("width_multiple: 8", "width_multiple: 0"), ": width_multiple: must be greater than"),
    "no expansion": (mended("expand_ratio: 4", "expand_ratio: 0"), ": expand_ratio: must be >= 1, but got 0."),
    "unknown norm_act": (mended("ln_gelu", "relu"), ": norm_act: must be one of ln_gelu, bn_hs, but got 'relu'."),
    "range of norm_acts": (mended("ln_gelu", "{min: 1, max: 2}"), ": norm_act: a range is for numbers"),
    "too much attention": (
        stage2("depth: [1, 2], sdta_blocks: {min: 3, max: 4}"),
        ": stages.2.sdta_blocks: must be <= the stage's depth, but it is at least 3 and stage 2 has at most 2 blocks",
    ),
    "ratio that explodes": (mended("2.0", "1e300"), ": stages.3.width_ratio: must be <= 100, but got 1e+300."),
    "ratio of nothing": (mended("2.0", "0"), ": stages.3.width_ratio: must be >= 0.01, but got 0."),
    # Lists and ranges
    "no choice": (stage2("depth: []"), ": stages.2.depth: must be a list of 1 to 1,000 choices, but has 0."),
    "choice twice": (
        stage2("depth: [2, 3, 2]"),
        ": stages.2.depth: each choice must stand once, but 2 stands 2 times.",
    ),
    "list in a stage": (stage2("depth: [[2, 2, 6, 2]]"), ": stages.2.depth: a choice is one value, or under `shared`"),
    "shared list of three": (
        mended("[4, 8]", "[[4, 8, 8]]"),
        ": shared.heads: a choice is one value, or under `shared`",
    ),
    "list without a value": (stage2("depth: [1, ~]"), ": stages.2.depth: must be a value, a list or a range"),
    "ends swapped": (stage2("depth: {min: 3, max: 1}"), ": stages.2.depth: max must be >= min, but got min=3, max=1."),
    "no step": (stage2("depth: {min: 1, max: 3, step: 0}"), ": stages.2.depth: step must be > 0, but got 0."),
    "step back": (stage2("depth: {min: 1, max: 3, step: -1}"), ": stages.2.depth: step must be > 0, but got -1."),
    "half a step": (
        stage2("depth: {min: 1, max: 3, step: 0.5}"),
        ": stages.2.depth: must be a whole number, but got 1.5.",
    ),
    "quoted end": (stage2("depth: {min: '1', max: 3}"), ": stages.2.depth.min: must be a number, but got '1'."),
    "infinite end": (stage2("depth: {min: 1, max: .inf}"), ": stages.2.depth.max: must be a number, but got inf."),
    "huge range": (
        stage2("depth: {min: 1, max: 1000000000}"),
        ": stages.2.depth.max: must be <= 1000, but got 1000000000.",
    ),
    "endless range": (
        stage2(f"depth: {{min: 1, max: 1{'0' * 400}}}"),
        ": stages.2.depth.max: must be <= 1000, but got 1",
    ),
    "tiny steps": (
        stage2("depth: 2, width_ratio: {min: 1, max: 2, step: 1e-9}"),
        ": stages.2.width_ratio: must have at most 1,000 values, but has 1,000,000,001; take a larger step.",
    ),
}
