"""What a block makes a device do, in a handful of terms that its time is linear in.

A block's time is the sum over its terms of (microseconds per unit of the term) times (units of the term). Terms are the
things that runtimes spend time on: multiply-adds of matrix products and of convolutions by kernel, elements that are
moved, weights that are read, operators that are called. The microseconds are fitted to measurements; no term says what
a device is like.

Every term grows with a block's width or stays equal, so with microseconds >= 0 no wider network is predicted faster.
"""

from __future__ import annotations

from edgenext_search.arch.blocks import Block
from edgenext_search.arch.cost import PATCH

LANES = 16  # kernels work on groups of channels as wide as a vector: 4, 8 or, with AVX-512, 16 floats
TILE = 64  # output channels that kernels of matrix products compute at once: some vectors side by side

Work = dict[str, float]


def work_of(block: Block) -> Work:
    """The terms of a block by name, each with its amount."""
    width, pixels = block.width, block.side**2
    elements = f"elements_{block.norm_act}"
    if block.kind == "stem":
        pixels = (block.side // PATCH) ** 2
        work: dict[str, float] = {
            "patch": PATCH * PATCH * block.width_in * padded(width) * pixels,
            elements: width * pixels,
        }
    elif block.kind == "downsample":
        pixels_out = (block.side // 2) ** 2
        work = {
            "patch": 4 * padded(block.width_in) * padded(width) * pixels_out,
            elements: 2 * block.width_in * pixels + width * pixels_out,
            "weights": 4 * block.width_in * width,
        }
    elif block.kind == "head":
        work = {"classes": width * block.num_classes, elements: width * pixels}
    elif block.kind == "conv":
        work = {
            **_bottleneck(block, elements, more_elements=width * pixels),
            "conv_blocks": 1,
            depthwise(block.kernel_size): padded(width) * pixels,
        }
    else:
        work = _sdta(block, elements)
    return {name: float(amount) for name, amount in work.items()}


def depthwise(kernel_size: int) -> str:
    """The term of depthwise convolutions of one kernel size: runtimes have code of its own for some of them."""
    return f"depthwise{kernel_size}"


def padded(channels: int, group: int = LANES) -> int:
    """Channels as kernels see them that work on a whole group at once."""
    return -(-channels // group) * group


def _bottleneck(block: Block, elements: str, *, more_elements: int = 0) -> dict[str, float]:
    """Norm, linear layers with the activation between them, layer scale, residual; and what comes before them.

    The linear layers are those of the inverted bottleneck, and in an SDTA block the two of the attention.
    """
    pixels, width, hidden = block.side**2, block.width, block.width * block.expand_ratio
    layers = [(width, hidden), (hidden, width)]
    if block.kind == "sdta":
        layers += [(width, 3 * width), (width, width)]
    return {
        f"activation_{block.norm_act}": hidden * pixels,
        "dense": sum(inputs * outputs for inputs, outputs in layers) * pixels,
        "dense_lanes": sum(inputs * padded(outputs) for inputs, outputs in layers) * pixels,
        "dense_tiles": sum(inputs * padded(outputs, TILE) for inputs, outputs in layers) * pixels,
        "weights": sum(inputs * outputs for inputs, outputs in layers),
        "pixels": pixels,
        elements: width * pixels + more_elements,
    }


def _sdta(block: Block, elements: str) -> dict[str, float]:
    """Split convolutions, and cross-covariance attention on a square of ``width / heads`` for each head."""
    pixels, width = block.side**2, block.width
    square, convolutions = width * width, block.sdta_splits - 1
    group = -(-width // block.sdta_splits)
    work = {
        **_bottleneck(block, elements),
        "sdta_blocks": 1,
        "sdta_elements": width * pixels,
        "splits": convolutions,
        "split_elements": convolutions * group * pixels,
        "split_padded": convolutions * padded(group) * pixels,
        "attention": 2 * square * pixels / block.heads,
        "attention_map": square / block.heads,
    }
    return work | ({"position": width * pixels} if block.pos_emb else {})
