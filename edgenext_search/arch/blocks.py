"""The blocks of a network: stem, downsampling layers, convolutional and SDTA blocks, head, with how many of each.

Costs and times of a network are sums over its blocks, so a block has everything that they depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, Protocol, TypeVar, get_args

from edgenext_search.arch.candidate import STAGES, NormAct

IN_CHANNELS = 3
PATCH = 4  # kernel size and stride of the stem
MOST_REMEMBERED = 1 << 16  # blocks whose values are kept in memory, some 20 MB

Kind = Literal["stem", "downsample", "conv", "sdta", "head"]
KINDS: tuple[Kind, ...] = get_args(Kind)

T = TypeVar("T")


class Layout(Protocol):
    """The fields that decide a network, as those of a :class:`~edgenext_search.arch.candidate.Candidate`."""

    @property
    def widths(self) -> tuple[int, int, int, int]: ...  # noqa: D102 - as in a candidate, and so on
    @property
    def depths(self) -> tuple[int, int, int, int]: ...  # noqa: D102
    @property
    def kernel_sizes(self) -> tuple[int, int, int, int]: ...  # noqa: D102
    @property
    def sdta_splits(self) -> tuple[int, int, int, int]: ...  # noqa: D102
    @property
    def sdta_blocks(self) -> tuple[int, int, int, int]: ...  # noqa: D102
    @property
    def heads(self) -> tuple[int, int, int, int]: ...  # noqa: D102
    @property
    def expand_ratio(self) -> int: ...  # noqa: D102
    @property
    def pos_emb(self) -> tuple[bool, bool, bool, bool]: ...  # noqa: D102
    @property
    def norm_act(self) -> NormAct: ...  # noqa: D102


class Setting(Protocol):
    """What the blocks of a network depend on beside its layout: the fields of a deployment that are read here."""

    @property
    def num_classes(self) -> int: ...  # noqa: D102
    @property
    def img_size(self) -> int: ...  # noqa: D102


class Block(NamedTuple):
    """One block of a network; fields that its kind does not have are 0 or False.

    Attributes:
        kind: ``stem``, ``downsample`` (between two stages), ``conv`` (a convolutional block), ``sdta``, ``head``.
        stage: The stage that it belongs to, from 1; a downsampling layer begins its stage.
        side: Height and width of its input, in pixels.
        width_in: Channels of its input: 3 for the stem, ``width`` for blocks.
        width: Channels of its output; for the head those of its input.
        norm_act: As in a candidate.
        kernel_size: Kernel size of a convolutional block.
        sdta_splits: Channel groups of an SDTA block.
        heads: Attention heads of an SDTA block.
        pos_emb: Whether an SDTA block adds a positional encoding.
        expand_ratio: Expand ratio of a convolutional or SDTA block.
        num_classes: Outputs of the head.
    """

    kind: Kind
    stage: int
    side: int
    width_in: int
    width: int
    norm_act: NormAct = "ln_gelu"
    kernel_size: int = 0
    sdta_splits: int = 0
    heads: int = 0
    pos_emb: bool = False
    expand_ratio: int = 0
    num_classes: int = 0


def walk(layout: Layout, setting: Setting) -> Iterator[tuple[Block, int]]:
    """Yield the blocks of a network in their order, each with how many of it follow each other.

    The blocks of a stage are what a device runs between two changes of resolution: the stem belongs to the first
    stage, a downsampling layer to the stage that it begins, the head to the last.

    Args:
        layout: The network.
        setting: Its number of classes and input size, such as a deployment.
    """
    # tuple.__new__ spares half of the time of Block(...); a search walks through some thousand networks a second.
    new = tuple.__new__
    norm, expand, widths, depths, sdta_blocks = (
        layout.norm_act, layout.expand_ratio, layout.widths, layout.depths, layout.sdta_blocks,
    )  # fmt: skip
    side, width_in = setting.img_size // PATCH, widths[0]
    yield new(Block, ("stem", 1, setting.img_size, IN_CHANNELS, width_in, norm, 0, 0, 0, False, 0, 0)), 1
    for i, width in enumerate(widths):
        if i:
            yield new(Block, ("downsample", i + 1, side, width_in, width, norm, 0, 0, 0, False, 0, 0)), 1
            side //= 2
        sdta = sdta_blocks[i]
        if conv := depths[i] - sdta:
            kernel = layout.kernel_sizes[i]
            yield new(Block, ("conv", i + 1, side, width, width, norm, kernel, 0, 0, False, expand, 0)), conv
        if sdta:
            splits, heads, pos_emb = layout.sdta_splits[i], layout.heads[i], layout.pos_emb[i]
            yield new(Block, ("sdta", i + 1, side, width, width, norm, 0, splits, heads, pos_emb, expand, 0)), sdta
        width_in = width
    yield new(Block, ("head", STAGES, side, width_in, width_in, norm, 0, 0, 0, False, 0, setting.num_classes)), 1


def blocks_of(layout: Layout, setting: Setting) -> dict[Block, int]:
    """The blocks of a network in their order, with how many of each there are; see :func:`walk`."""
    return dict(walk(layout, setting))


class BlockMemo(dict[Block, T]):
    """Values of blocks, computed once each: networks of a search share most of theirs."""

    def __init__(self, compute: Callable[[Block], T]) -> None:
        super().__init__()
        self._compute = compute

    def __missing__(self, block: Block) -> T:
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        value = self[block] = self._compute(block)
        return value
