"""Features of a block: the terms of the linear model of its latency.

The time of a block is a sum over its terms, each an amount times a rate in microseconds. The amounts are what runtimes
spend time on: multiply-adds of matrix products and of convolutions by kernel size, moved elements, read weights,
operator calls. They do not depend on the device; the rates are fitted to measurements (:mod:`.regression`).

No amount falls as the width of a block grows, so with rates >= 0 no wider network is predicted to be faster.
"""

from __future__ import annotations

from edgenext_search.arch.blocks import PATCH, Block

LANES = 16  # channels that a kernel computes at once in one vector: 4, 8 or, with AVX-512, 16 floats
TILE = 64  # output channels that a kernel of a matrix product computes at once, in several vectors


def block_features(block: Block) -> dict[str, float]:
    """The terms of a block by name, each with its amount."""
    width, pixels = block.width, block.side**2
    elements = f"elements_{block.norm_act}"
    if block.kind == "stem":
        pixels = (block.side // PATCH) ** 2
        terms: dict[str, float] = {
            "patch": PATCH * PATCH * block.width_in * padded(width) * pixels,
            elements: width * pixels,
        }
    elif block.kind == "downsample":
        pixels_out = (block.side // 2) ** 2
        terms = {
            "patch": 4 * padded(block.width_in) * padded(width) * pixels_out,
            elements: 2 * block.width_in * pixels + width * pixels_out,
            "weights": 4 * block.width_in * width,
        }
    elif block.kind == "head":
        terms = {"classes": width * block.num_classes, elements: width * pixels}
    elif block.kind == "conv":
        terms = {
            **_bottleneck(block, elements, more_elements=width * pixels),
            "conv_blocks": 1,
            depthwise(block.kernel_size): padded(width) * pixels,
        }
    else:
        terms = _sdta(block, elements)
    return {name: float(amount) for name, amount in terms.items()}


def depthwise(kernel_size: int) -> str:
    """Name of the term of depthwise convolutions of one kernel size; runtimes have special code for some sizes."""
    return f"depthwise{kernel_size}"


def padded(channels: int, group: int = LANES) -> int:
    """The number of channels, rounded up to whole groups that a kernel computes at once."""
    return -(-channels // group) * group


def _bottleneck(block: Block, elements: str, *, more_elements: int = 0) -> dict[str, float]:
    """Norm, linear layers with the activation between them, layer scale and residual.

    The linear layers are the two of the inverted bottleneck, and in an SDTA block also the two of the attention.
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
    """Split convolutions, and cross-covariance attention with a square matrix of ``width / heads`` for each head."""
    pixels, width = block.side**2, block.width
    square, convolutions = width * width, block.sdta_splits - 1
    group = -(-width // block.sdta_splits)
    terms = {
        **_bottleneck(block, elements),
        "sdta_blocks": 1,
        "sdta_elements": width * pixels,
        "splits": convolutions,
        "split_elements": convolutions * group * pixels,
        "split_padded": convolutions * padded(group) * pixels,
        "attention": 2 * square * pixels / block.heads,
        "attention_map": square / block.heads,
    }
    return terms | ({"position": width * pixels} if block.pos_emb else {})
