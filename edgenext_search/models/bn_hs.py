"""EdgeNeXt with BatchNorm and HardSwish, which timm does not have; registered with timm as ``edgenext_bn_hs``.

Structure, as in the EdgeNeXt repository: stem and downsampling convolutions without bias, BatchNorm where the main
networks have LayerNorm, depthwise convolutions without bias, split convolutions of SDTA blocks with bias, and a final
BatchNorm on the feature map, before the global pool. In an SDTA block the batch-normed tensor, with its positional
encoding, is itself the base of the attention's residual.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.edgenext import ConvBlock, EdgeNeXt, SplitTransposeBlock
from torch import nn

BATCH_NORM_EPS = 1e-5


class BatchNormConvBlock(ConvBlock):
    """Depthwise convolution without bias, BatchNorm, inverted bottleneck with HardSwish, layer scale, residual."""

    def __init__(self, dim: int, **kwargs: Any) -> None:  # noqa: ANN401 - those of ConvBlock
        super().__init__(dim, conv_bias=False, norm_layer=nn.BatchNorm2d, act_layer=nn.Hardswish, **kwargs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, dim, h, w] to the same."""
        y = self.norm(self.conv_dw(x)).permute(0, 2, 3, 1)
        y = (self.gamma * self.mlp(y)).permute(0, 3, 1, 2)
        return torch.add(x, self.drop_path(y))


class BatchNormSplitTransposeBlock(SplitTransposeBlock):
    """The SDTA block with BatchNorm: its batch-normed tensor is the base of the attention's residual."""

    def __init__(self, dim: int, **kwargs: Any) -> None:  # noqa: ANN401 - those of SplitTransposeBlock
        super().__init__(dim, norm_layer=nn.BatchNorm2d, act_layer=nn.Hardswish, **kwargs)
        self.norm = _batch_norm(dim)  # timm gives it the LayerNorm's eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, dim, h, w] to the same."""
        groups = x.chunk(len(self.convs) + 1, dim=1)
        parts: list[torch.Tensor] = []
        for index, conv in enumerate(self.convs):
            parts.append(conv(groups[index] if index == 0 else parts[-1] + groups[index]))
        y = self.norm_xca(torch.cat([*parts, groups[-1]], dim=1))
        if self.pos_embd is not None:
            y = y + self.pos_embd((y.shape[0], *y.shape[2:]))
        tokens = y.flatten(2).transpose(1, 2)
        y = y + self.drop_path(self.gamma_xca * self.xca(tokens)).transpose(1, 2).reshape(y.shape)
        y = (self.gamma * self.mlp(self.norm(y).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        return torch.add(x, self.drop_path(y))


class BatchNormEdgeNeXt(EdgeNeXt):
    """timm's EdgeNeXt with its norms, activations and biases replaced; all arguments are those of timm's class."""

    def __init__(
        self,
        *,
        in_chans: int = 3,
        dims: Sequence[int] = (24, 48, 88, 168),
        depths: Sequence[int] = (2, 2, 6, 2),
        global_block_counts: Sequence[int] = (0, 1, 1, 1),
        kernel_sizes: Sequence[int] = (3, 5, 7, 9),
        heads: Sequence[int] = (4, 4, 4, 4),
        d2_scales: Sequence[int] = (2, 2, 3, 4),
        use_pos_emb: Sequence[bool] = (False, True, False, False),
        ls_init_value: float = 1e-6,
        expand_ratio: float = 4,
        drop_path_rate: float = 0.0,
        **kwargs: Any,  # noqa: ANN401 - those of EdgeNeXt
    ) -> None:
        super().__init__(
            in_chans=in_chans,
            dims=tuple(dims),
            depths=(1, 1, 1, 1),  # placeholders for the blocks below
            global_block_counts=(0, 0, 0, 0),
            head_norm_first=True,
            **kwargs,
        )
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths)).tolist())
        self.stem = nn.Sequential(
            nn.Conv2d(in_chans, dims[0], kernel_size=4, stride=4, bias=False), _batch_norm(dims[0])
        )
        for index, stage in enumerate(self.stages):
            dim = dims[index]
            if index:
                before = dims[index - 1]
                stage.downsample = nn.Sequential(
                    _batch_norm(before), nn.Conv2d(before, dim, kernel_size=2, stride=2, bias=False)
                )
            common = {"expand_ratio": expand_ratio, "ls_init_value": ls_init_value}
            convs = depths[index] - global_block_counts[index]
            blocks: list[nn.Module] = [
                BatchNormConvBlock(dim, kernel_size=kernel_sizes[index], drop_path=next(rates), **common)
                for _ in range(convs)
            ]
            blocks += [
                BatchNormSplitTransposeBlock(
                    dim,
                    num_scales=d2_scales[index],
                    num_heads=heads[index],
                    use_pos_emb=use_pos_emb[index],
                    drop_path=next(rates),
                    **common,
                )
                for _ in range(global_block_counts[index])
            ]
            stage.blocks = nn.Sequential(*blocks)
        self.norm_pre = _batch_norm(dims[-1])  # type: ignore[assignment]  # timm declares its own norm here
        self.apply(_initialise)


def _batch_norm(dim: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(dim, eps=BATCH_NORM_EPS)


def _initialise(module: nn.Module) -> None:
    """As timm initialises the main networks."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _create(variant: str, *, pretrained: bool, **kwargs: Any) -> nn.Module:  # noqa: ANN401 - those of the class
    model: nn.Module = build_model_with_cfg(
        BatchNormEdgeNeXt,
        variant,
        pretrained,
        feature_cfg={"out_indices": (0, 1, 2, 3), "flatten_sequential": True},
        **kwargs,
    )
    return model


_CONFIG = {
    "num_classes": 1000,
    "input_size": (3, 256, 256),
    "pool_size": (8, 8),
    "crop_pct": 0.9,
    "interpolation": "bicubic",
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "first_conv": "stem.0",
    "classifier": "head.fc",
}
_SMALL = {"depths": (3, 3, 9, 3), "heads": (8, 8, 8, 8)}

default_cfgs = generate_default_cfgs(
    dict.fromkeys(("edgenext_xx_small_bn_hs", "edgenext_x_small_bn_hs", "edgenext_small_bn_hs"), _CONFIG)
)


@register_model
def edgenext_xx_small_bn_hs(*, pretrained: bool = False, **kwargs: Any) -> nn.Module:  # noqa: ANN401
    """1.33M parameters, 259.5M multiply-adds at 256x256 pixels."""
    return _create("edgenext_xx_small_bn_hs", pretrained=pretrained, **kwargs)


@register_model
def edgenext_x_small_bn_hs(*, pretrained: bool = False, **kwargs: Any) -> nn.Module:  # noqa: ANN401
    """2.34M parameters, 535.8M multiply-adds at 256x256 pixels."""
    args = {"dims": (32, 64, 100, 192), "depths": (3, 3, 9, 3)}
    return _create("edgenext_x_small_bn_hs", pretrained=pretrained, **{**args, **kwargs})


@register_model
def edgenext_small_bn_hs(*, pretrained: bool = False, **kwargs: Any) -> nn.Module:  # noqa: ANN401
    """5.58M parameters, 1257.3M multiply-adds at 256x256 pixels."""
    return _create("edgenext_small_bn_hs", pretrained=pretrained, **{**_SMALL, "dims": (48, 96, 160, 304), **kwargs})
