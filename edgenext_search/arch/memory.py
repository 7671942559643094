"""Peak activation memory of one image in closed form: live tensors at the widest point of the network.

The model of memory: operators run one at a time in the network's order, as device runtimes run them; an operator's
inputs and output exist at the same time; a tensor is freed after the last operator that reads it. No operator works in
place, needs scratch space or is fused with another. The positional encoding, a constant of the input size, counts as
weights, and the image is the caller's. Peak SRAM is counted in the same way by MCUNet (arXiv 2007.10319, section 3).
"""

from __future__ import annotations

BYTES_PER_ELEMENT = 4  # float32


def block_peak(width: int, pixels: int, expand_ratio: int, sdta_heads: int) -> int:
    """Elements alive at the widest point of a block on ``u = width * pixels`` elements.

    Either the activation of the inverted bottleneck: the block's input, kept for its residual, and the hidden map
    before and after the activation; or the product of query and key in an SDTA block: the block's input, the base of
    the attention's residual, query, key and value (3u), the normalised query and key, and the product itself, for each
    head a square of ``width / heads``. Stem, downsampling layers and head hold no more than a block of the stage
    at their larger side.

    Args:
        width: Channels.
        pixels: Height times width of the feature map.
        expand_ratio: Hidden width of the inverted bottleneck, as a multiple of the width.
        sdta_heads: Attention heads of an SDTA block; 0 for a convolutional block.
    """
    bottleneck = (1 + 2 * expand_ratio) * width * pixels
    if not sdta_heads:
        return bottleneck
    return max(bottleneck, 7 * width * pixels + width * width // sdta_heads)
