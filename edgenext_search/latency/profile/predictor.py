"""Prediction of the latency of networks on a profiled device, without building them."""

from __future__ import annotations

from pathlib import Path

from edgenext_search.arch.blocks import Block, BlockMemo, Layout, walk
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import DeviceInfo
from edgenext_search.latency.measurement import Microseconds
from edgenext_search.latency.profile.features import block_features
from edgenext_search.latency.profile.prediction_error import PredictionErrors
from edgenext_search.latency.profile.profile import Coverage, Profile
from edgenext_search.latency.profile.regression import RUN
from edgenext_search.results import Result


class Prediction(Result):
    """The predicted latency of one network, in microseconds, at the speed of the undisturbed device."""

    microseconds: Microseconds
    """Median of a run."""
    low: Microseconds
    """A measured time lies between ``low`` and ``high`` with 95 %, by the errors of the profile's held-out networks."""
    high: Microseconds
    """See ``low``."""
    interpolated: bool
    """Whether a block is outside of what was measured, so that the interval has not been checked."""
    notes: tuple[str, ...] = ()
    """The reason for each such block."""


class CandidatePrediction(Prediction):
    """The result of ``latency predict``."""

    fingerprint: str
    """Fingerprint of the network."""
    candidate: Candidate
    """The network."""
    num_classes: int
    """Number of classes of the deployment."""
    img_size: int
    """Image size of the deployment, in pixels."""
    margin: float
    """Factor of at least 1: 95 % of measured times are below the prediction times ``margin``."""
    held_out: PredictionErrors
    """Errors of the profile's predictions, by cross-validation."""
    device: DeviceInfo
    """The profiled device."""


class Predictor:
    """Predicts latencies from a profile.

    Args:
        profile: The profile of the device.
        deployment: Number of classes and image size to predict for; None for those of the profile.
        rescale: Allow another deployment than the profile's; every prediction is then marked as interpolated.

    Attributes:
        profile: The profile of the device.
        device: Name of the device, as :func:`~edgenext_search.latency.devices.open.open_device` takes it.
        deployment: Number of classes and image size of the predicted networks.
        held_out: Errors of the profile's predictions, by cross-validation.
        margin: Factor of at least 1: 95 % of measured times are below the prediction times ``margin``.

    Raises:
        UserError: The deployment is not the profile's, and ``rescale`` is not set.
    """

    def __init__(self, profile: Profile, *, deployment: Deployment | None = None, rescale: bool = False) -> None:
        self.profile = profile
        self.device = profile.device.name
        self.deployment = deployment or profile.deployment
        self.held_out = profile.held_out
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
        self._memo = BlockMemo(self._checked_microseconds)

    @classmethod
    def load(cls, path: Path, *, deployment: Deployment | None = None, rescale: bool = False) -> Predictor:
        """Read the file of a profile; see the class for the arguments.

        Raises:
            UserError: The file is not a profile, or a profile of another deployment.
        """
        return cls(Profile.load(path), deployment=deployment, rescale=rescale)

    def check_device(self, info: DeviceInfo) -> None:
        """Refuse a device that is not as it was when it was profiled.

        Args:
            info: The result of :meth:`Device.check <edgenext_search.latency.devices.device.Device.check>`.

        Raises:
            UserError: Name, runtime, version, machine or threads differ from the profile's.
        """
        profiled = self.profile.device.to_dict()
        for field, now in info.to_dict().items():
            then = profiled[field]
            if then != now:
                raise UserError(
                    f"The profile of {self.device} was measured with {field} {then}, but the device has {field} {now}: "
                    f"profile it again with: edgenext-search latency profile --device {info.name} --out FILE"
                )

    def predict(self, candidate: Candidate) -> Prediction:
        """Predict the latency of a network, with an interval.

        Raises:
            UserError: The profile does not cover one of its blocks.
        """
        microseconds = self.microseconds(candidate)
        notes = [note for block, _ in walk(candidate, self.deployment) for note in self._uncovered(block)]
        if self.rescaled:
            notes.insert(0, f"re-scaled from {self.profile.deployment}")
        return Prediction(
            microseconds=microseconds,
            low=microseconds * self.held_out.low,
            high=microseconds * self.held_out.high,
            interpolated=bool(notes),
            notes=tuple(notes),
        )

    def microseconds(self, layout: Layout) -> float:
        """The time in microseconds that :meth:`predict` gives, for a candidate or a layout in a projection.

        It takes some microseconds once the blocks are in the memo, and never falls as a width grows.

        Raises:
            UserError: The profile does not cover one of the blocks.
        """
        total = self._run
        for block, n in walk(layout, self.deployment):
            total += n * self._memo[block]
        return total

    def _checked_microseconds(self, block: Block) -> float:
        self._uncovered(block)
        return self.block_microseconds(block)

    def block_microseconds(self, block: Block) -> float:
        """The time of one block, which the profile has to cover."""
        kernels = self._covered[block.kind, block.stage, block.norm_act].options["kernel_size"]
        if block.kind != "conv" or block.kernel_size in kernels:
            return sum(amount * self._rates[name][block.stage] for name, amount in block_features(block).items())
        below = max(kernel for kernel in kernels if kernel < block.kernel_size)
        above = min(kernel for kernel in kernels if kernel > block.kernel_size)
        share = (block.kernel_size**2 - below**2) / (above**2 - below**2)
        low, high = (self.block_microseconds(block._replace(kernel_size=kernel)) for kernel in (below, above))
        return low + share * (high - low)

    def _uncovered(self, block: Block) -> list[str]:
        """The properties of a block that lie outside of what was measured.

        Raises:
            UserError: The profile does not cover blocks of this kind.
        """
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

    def _options(self, block: Block, covered: Coverage, where: str) -> list[str]:
        notes = []
        for name, values in covered.options.items():
            value = int(getattr(block, name))
            if value in values:
                continue
            measured = ", ".join(map(str, values))
            if not min(values) <= value <= max(values) and not (name == "pos_emb" and not value):
                raise UserError(
                    f"The profile of {self.device} has the {where} with {name} {measured}, but not with {value}"
                    f"{self._remedy()}"
                )
            notes.append(f"{where}: {name} {value} is estimated from {measured}")
        return notes

    def _remedy(self) -> str:
        return (
            f": it was measured on the space {self.profile.space.get('name')!r}; "
            "profile a space that has it (latency profile --space FILE)."
        )
