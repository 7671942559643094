"""The published networks in plain torch, with the EdgeNeXt repository's names, and checkpoints as it writes them.

Written from the paper and the repository's behaviour, with nothing of timm or of this package in it, so that what is
imported has something to be equal to.
"""

from __future__ import annotations

import argparse
import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {  # widths, depths, heads
    "edgenext_xx_small": ((24, 48, 88, 168), (2, 2, 6, 2), 4),
    "edgenext_x_small": ((32, 64, 100, 192), (3, 3, 9, 3), 4),
    "edgenext_small": ((48, 96, 160, 304), (3, 3, 9, 3), 8),
    "edgenext_base": ((80, 160, 288, 584), (3, 3, 9, 3), 8),
}
VARIANTS = [*SHAPES, *(f"{name}_bn_hs" for name in list(SHAPES)[:3])]
KERNELS = (3, 5, 7, 9)
SPLITS = (2, 2, 3, 4)
FREQUENCIES = 16


def norm(width: int, batch_norm: bool) -> nn.Module:
    return nn.BatchNorm2d(width) if batch_norm else nn.LayerNorm(width, eps=1e-6)


def normed(layer: nn.Module, x: Tensor) -> Tensor:
    """A map [b, c, h, w] with its channels normed."""
    return layer(x) if isinstance(layer, nn.BatchNorm2d) else layer(x.movedim(1, -1)).movedim(-1, 1)


class Block(nn.Module):
    """What both encoders end with: pointwise layers, layer scale, residual."""

    def __init__(self, width: int, batch_norm: bool) -> None:
        super().__init__()
        self.norm = norm(width, batch_norm)
        self.pwconv1 = nn.Linear(width, 4 * width)
        self.pwconv2 = nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.ones(width))
        self.activation = nn.functional.hardswish if batch_norm else nn.functional.gelu

    def finish(self, x: Tensor, y: Tensor) -> Tensor:
        y = normed(self.norm, y).movedim(1, -1)
        y = self.gamma * self.pwconv2(self.activation(self.pwconv1(y)))
        return x + y.movedim(-1, 1)


class ConvEncoder(Block):
    def __init__(self, width: int, kernel: int, batch_norm: bool) -> None:
        super().__init__(width, batch_norm)
        self.dwconv = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width, bias=not batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.finish(x, self.dwconv(x))


class Attention(nn.Module):
    """Cross-covariance attention of tokens [b, n, c]: channels attend to channels."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        b, n, c = tokens.shape
        query, key, value = self.qkv(tokens).view(b, n, 3, self.heads, c // self.heads).unbind(2)
        query, key = query / query.norm(dim=1, keepdim=True), key / key.norm(dim=1, keepdim=True)
        scores = torch.einsum("bnhi,bnhj->bhij", query, key) * self.temperature
        mixed = torch.einsum("bhij,bnhj->bnhi", scores.softmax(-1), value)
        return self.proj(mixed.reshape(b, n, c))


class PositionalEncoding(nn.Module):
    """Sines and cosines of 16 frequencies of the row, then of the column, projected to the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token_projection = nn.Conv2d(4 * FREQUENCIES, width, 1)

    def forward(self, height: int, width: int) -> Tensor:
        def waves(length: int) -> Tensor:
            position = 2 * math.pi * torch.arange(1, length + 1).double() / (length + 1e-6)
            angles = position[:, None] / 10000 ** (torch.arange(FREQUENCIES).double() / FREQUENCIES)
            return torch.stack((angles.sin(), angles.cos()), -1).flatten(1)

        rows = waves(height)[:, None].expand(-1, width, -1)
        columns = waves(width)[None].expand(height, -1, -1)
        features = torch.cat((rows, columns), -1).movedim(-1, 0)[None]
        return self.token_projection(features.to(self.token_projection.weight.dtype))


class SDTAEncoder(Block):
    def __init__(self, width: int, splits: int, heads: int, encode_position: bool, batch_norm: bool) -> None:
        super().__init__(width, batch_norm)
        self.group = math.ceil(width / splits)
        self.convs = nn.ModuleList(
            nn.Conv2d(self.group, self.group, 3, padding=1, groups=self.group) for _ in range(splits - 1)
        )
        self.pos_embd = PositionalEncoding(width) if encode_position else None
        self.norm_xca = norm(width, batch_norm)
        self.gamma_xca = nn.Parameter(torch.ones(width))
        self.xca = Attention(width, heads)
        self.batch_norm = batch_norm

    def forward(self, x: Tensor) -> Tensor:
        parts = list(x.split(self.group, 1))
        for index, conv in enumerate(self.convs):
            parts[index] = conv(parts[index] + parts[index - 1] if index else parts[index])
        y = torch.cat(parts, 1)
        if self.batch_norm:
            y = normed(self.norm_xca, y)
        if self.pos_embd is not None:
            y = y + self.pos_embd(*y.shape[2:])
        seen = y if self.batch_norm else normed(self.norm_xca, y)
        attended = self.gamma_xca * self.xca(seen.flatten(2).transpose(1, 2))
        return self.finish(x, y + attended.transpose(1, 2).reshape(y.shape))


class Reference(nn.Module):
    """A published network by its name."""

    def __init__(self, variant: str, num_classes: int) -> None:
        super().__init__()
        widths, depths, heads = SHAPES[variant.removesuffix("_bn_hs")]
        batch_norm = self.batch_norm = variant.endswith("_bn_hs")
        self.downsample_layers = nn.ModuleList(
            [nn.ModuleList([nn.Conv2d(3, widths[0], 4, stride=4, bias=not batch_norm), norm(widths[0], batch_norm)])]
        )
        for before, width in itertools.pairwise(widths):
            convolution = nn.Conv2d(before, width, 2, stride=2, bias=not batch_norm)
            self.downsample_layers.append(nn.ModuleList([norm(before, batch_norm), convolution]))
        self.stages = nn.ModuleList()
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks: list[nn.Module] = [
                ConvEncoder(width, KERNELS[stage], batch_norm) for _ in range(depth - (stage > 0))
            ]
            if stage:
                blocks.append(SDTAEncoder(width, SPLITS[stage], heads, stage == 1, batch_norm))
            self.stages.append(nn.Sequential(*blocks))
        self.norm = norm(widths[-1], batch_norm)
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        convolution, first_norm = self.downsample_layers[0]
        x = self.stages[0](normed(first_norm, convolution(x)))
        for (before, convolution), stage in zip(list(self.downsample_layers)[1:], list(self.stages)[1:], strict=True):
            x = stage(convolution(normed(before, x)))
        if self.batch_norm:
            return self.head(self.norm(x).mean((2, 3)))
        return self.head(self.norm(x.mean((2, 3))))


def reference(variant: str, *, num_classes: int = 5, seed: int = 0) -> Reference:
    """A published network in evaluation mode, with random weights under which no layer is silent."""
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):  # every weight is drawn below
        network = Reference(variant, num_classes)
    network = network.to_empty(device="cpu").eval()
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(1000)
        elif name.endswith(("running_var", "gamma", "gamma_xca", "temperature")):
            tensor.uniform_(0.05, 1, generator=generator)
        elif tensor.ndim > 1:
            tensor.normal_(std=tensor[0].numel() ** -0.5, generator=generator)
        else:
            tensor.normal_(mean=float(name.endswith("weight")), std=0.2, generator=generator)
    return network


def checkpoint(model: nn.Module, ema: nn.Module | None = None) -> dict[str, Any]:
    """What the repository saves at the end of an epoch."""
    saved = {
        "model": model.state_dict(),
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 6e-3}]},
        "epoch": 299,
        "scaler": {"scale": 65536.0, "growth_factor": 2.0},
        "args": argparse.Namespace(model="edgenext", input_size=256, drop_path=0.1, opt_betas=None, device="cuda"),
    }
    return saved if ema is None else {**saved, "model_ema": ema.state_dict()}
