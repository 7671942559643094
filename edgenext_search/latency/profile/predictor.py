"""The time of a network on a profiled device, from its closed form: no tensors, microseconds to compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgenext_search.arch.blocks import Block, blocks_of
from edgenext_search.arch.candidate import Candidate, NormAct
from edgenext_search.arch.cost import IN_CHANNELS, PATCH, Deployment
from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import CHECKED, DeviceInfo
from edgenext_search.latency.profile.features import depthwise, work_of
from edgenext_search.latency.profile.prediction_error import Accuracy
from edgenext_search.latency.profile.profile import Covered, Profile
from edgenext_search.latency.profile.regression import RUN

Shape = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The predicted time of one network, in microseconds.

    Attributes:
        value: Median of a run, at the speed that the device had while it was profiled.
        low: A measured time lies between ``low`` and ``high`` with 95 %, as it did for the profile's held-out networks.
        high: See ``low``.
        interpolated: Whether some block is none that was measured, nor between widths that were: the interval is then
            not checked.
        notes: Which ones, and why.
    """

    value: float
    low: float
    high: float
    interpolated: bool
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "microseconds": self.value,
            "low": self.low,
            "high": self.high,
            "interpolated": self.interpolated,
            "notes": list(self.notes),
        }


class Predictor:
    """Predicts times from a profile.

    Args:
        profile: The device's.
        deployment: What networks are predicted for; by default the profile's.
        rescale: Allow another deployment than the profile's: every prediction is then marked as interpolated.

    Attributes:
        device: The device's name, as :func:`~edgenext_search.latency.devices.open.open_device` takes it.
        deployment: Classes and image size of what is predicted.
        conditions: What the profile's figures depend on.
        held_out: The profile's check on networks that it had not seen.
        margin: At least 1; nineteen of twenty measured times stay below the prediction times this.

    Raises:
        UserError: The deployment is not the profile's, and ``rescale`` is not set.
    """

    def __init__(self, profile: Profile, *, deployment: Deployment | None = None, rescale: bool = False) -> None:
        self.profile = profile
        self.device = profile.device.name
        self.deployment = deployment or profile.deployment
        self.conditions = profile.conditions
        self.held_out: Accuracy = profile.held_out
        self.margin = profile.held_out.margin
        self.rescaled = self.deployment != profile.deployment
        if self.rescaled and not rescale:
            raise UserError(
                f"The profile of {self.device} was measured for {profile.deployment}, not for {self.deployment}: "
                "measure one for that, or give --rescale for an estimate that is marked as such."
            )
        self._rates = profile.rates
        self._run = profile.rates[RUN][0]
        self._covered = {(own.kind, own.stage, own.norm_act): own for own in profile.covered}
        self._memo: dict[Shape, float] = {}
        side = self.deployment.img_size // PATCH
        self._sides = (side, side // 2, side // 4, side // 8)

    @classmethod
    def load(cls, path: Path, *, deployment: Deployment | None = None, rescale: bool = False) -> Predictor:
        """The predictor of a profile's file; see the class.

        Raises:
            UserError: The file is no profile, or one of another deployment.
        """
        return cls(Profile.load(path), deployment=deployment, rescale=rescale)

    def check_device(self, info: DeviceInfo) -> None:
        """Refuse a device that runs models differently from how the profiled one did.

        Args:
            info: What :meth:`Device.check <edgenext_search.latency.devices.device.Device.check>` says now.

        Raises:
            UserError: Its name, runtime, version, machine or threads are not the profile's.
        """
        profiled = self.profile.device
        for field in CHECKED:
            then, now = getattr(profiled, field), getattr(info, field)
            if then != now:
                raise UserError(
                    f"The profile of {self.device} was measured with {field} {then}, but the device has {field} {now}: "
                    f"profile it again with: edgenext-search latency profile --device {info.name} --out FILE"
                )

    def predict(self, candidate: Candidate) -> Prediction:
        """The time of a network, with an interval.

        Raises:
            UserError: The profile knows nothing like one of its blocks.
        """
        value = self.microseconds(
            candidate.widths,
            candidate.depths,
            candidate.kernel_sizes,
            candidate.sdta_splits,
            candidate.sdta_blocks,
            candidate.heads,
            candidate.pos_emb,
            candidate.expand_ratio,
            candidate.norm_act,
        )
        notes = [note for block in blocks_of(candidate, self.deployment) for note in self._cover(block)]
        if self.rescaled:
            notes.insert(0, f"re-scaled from {self.profile.deployment}")
        return Prediction(
            value=value,
            low=value * self.held_out.low,
            high=value * self.held_out.high,
            interpolated=bool(notes),
            notes=tuple(notes),
        )

    def microseconds(
        self,
        widths: Sequence[int],
        depths: Sequence[int],
        kernel_sizes: Sequence[int],
        sdta_splits: Sequence[int],
        sdta_blocks: Sequence[int],
        heads: Sequence[int],
        pos_emb: Sequence[bool],
        expand_ratio: int,
        norm_act: NormAct,
    ) -> float:
        """The value of :meth:`predict` on bare fields, in some microseconds once its blocks are known.

        It never falls as a width grows.

        Raises:
            UserError: The profile knows nothing like one of the blocks.
        """
        memo = self._memo
        total, width_in = self._run, widths[0]
        key: Shape = (width_in, norm_act)
        total += memo[key] if key in memo else self._stem(key)
        for index, width in enumerate(widths):
            if index:
                key = (index, width_in, width, norm_act)
                total += memo[key] if key in memo else self._downsample(key)
            sdta = sdta_blocks[index]
            if conv := depths[index] - sdta:
                key = (index, width, kernel_sizes[index], expand_ratio, norm_act)
                total += conv * (memo[key] if key in memo else self._conv(key))
            if sdta:
                key = (index, width, sdta_splits[index], heads[index], pos_emb[index], expand_ratio, norm_act)
                total += sdta * (memo[key] if key in memo else self._sdta(key))
            width_in = width
        key = (width_in, norm_act, "head")
        return total + (memo[key] if key in memo else self._head(key))

    def _stem(self, key: Shape) -> float:
        width, norm_act = key
        side = self.deployment.img_size
        block = Block(kind="stem", stage=1, side=side, width_in=IN_CHANNELS, width=width, norm_act=norm_act)
        return self._learn(key, block)

    def _downsample(self, key: Shape) -> float:
        index, width_in, width, norm_act = key
        side = self._sides[index - 1]
        block = Block(kind="downsample", stage=index + 1, side=side, width_in=width_in, width=width, norm_act=norm_act)
        return self._learn(key, block)

    def _conv(self, key: Shape) -> float:
        index, width, kernel_size, expand_ratio, norm_act = key
        block = Block(
            kind="conv",
            stage=index + 1,
            side=self._sides[index],
            width_in=width,
            width=width,
            kernel_size=kernel_size,
            expand_ratio=expand_ratio,
            norm_act=norm_act,
        )
        return self._learn(key, block)

    def _sdta(self, key: Shape) -> float:
        index, width, splits, heads, pos_emb, expand_ratio, norm_act = key
        block = Block(
            kind="sdta",
            stage=index + 1,
            side=self._sides[index],
            width_in=width,
            width=width,
            sdta_splits=splits,
            heads=heads,
            pos_emb=pos_emb,
            expand_ratio=expand_ratio,
            norm_act=norm_act,
        )
        return self._learn(key, block)

    def _head(self, key: Shape) -> float:
        width, norm_act, _ = key
        block = Block(
            kind="head",
            stage=len(self._sides),
            side=self._sides[-1],
            width_in=width,
            width=width,
            norm_act=norm_act,
            num_classes=self.deployment.num_classes,
        )
        return self._learn(key, block)

    def _learn(self, key: Shape, block: Block) -> float:
        """The time of a block, for the memo."""
        self._cover(block)
        value = self._memo[key] = self.block_microseconds(block)
        return value

    def block_microseconds(self, block: Block) -> float:
        """The time of one block; one that the profile does not have is not refused here."""
        kernels = self._kernels(block)
        if block.kernel_size in kernels or not kernels:
            return sum(amount * self._rates[name][block.stage] for name, amount in work_of(block).items())
        below = max(kernel for kernel in kernels if kernel < block.kernel_size)
        above = min(kernel for kernel in kernels if kernel > block.kernel_size)
        share = (block.kernel_size**2 - below**2) / (above**2 - below**2)
        low, high = (self.block_microseconds(replace(block, kernel_size=kernel)) for kernel in (below, above))
        return low + share * (high - low)

    def _kernels(self, block: Block) -> tuple[int, ...]:
        if block.kind != "conv":
            return ()
        own = self._covered[block.kind, block.stage, block.norm_act].options["kernel_size"]
        return tuple(kernel for kernel in own if block.stage in self._rates.get(depthwise(kernel), {}))

    def _cover(self, block: Block) -> list[str]:
        """What keeps a block from being one that was measured; the profile has to know its like."""
        where = f"{block.kind} block of stage {block.stage}" if block.kind in ("conv", "sdta") else block.kind
        covered = self._covered.get((block.kind, block.stage, block.norm_act))
        if covered is None:
            raise UserError(f"The profile of {self.device} has no {where} with {block.norm_act}{self._remedy()}")
        notes = []
        for name in ("width", "width_in"):
            low, high = getattr(covered, name)
            if not low <= getattr(block, name) <= high and not (name == "width_in" and block.kind != "downsample"):
                notes.append(f"{where}: {name} {getattr(block, name)} is outside of the measured {low} to {high}")
        return notes + self._options(block, covered, where)

    def _options(self, block: Block, covered: Covered, where: str) -> list[str]:
        notes = []
        for name, values in covered.options.items():
            value = int(getattr(block, name))
            if value in values:
                continue
            known = ", ".join(map(str, values))
            if not values[0] <= value <= values[-1] and not (name == "pos_emb" and not value):
                raise UserError(
                    f"The profile of {self.device} has the {where} with {name} {known}, but not with {value}"
                    f"{self._remedy()}"
                )
            notes.append(f"{where}: {name} {value} is estimated from {known}")
        return notes

    def _remedy(self) -> str:
        return (
            f": it was measured on the space {self.profile.space.get('name')!r}; "
            "profile a space that has it (latency profile --space FILE)."
        )
