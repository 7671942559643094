"""``edgenext-search latency profile`` and ``edgenext-search latency predict``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgenext_search.cli.failures import resumable
from edgenext_search.cli.options import UserPath, deployment_options, drop_missing, json_option, print_json, print_text

if TYPE_CHECKING:
    from edgenext_search.latency.devices.device import Progress
    from edgenext_search.latency.profile.predictor import Predictor
    from edgenext_search.latency.profile.profile import Profile


@click.command("profile")
@click.option(
    "--device",
    required=True,
    metavar="DEVICE",
    help="Device to measure: host, ssh://user@board, cmd:./program or adb://serial.",
)
@click.option("--out", required=True, type=UserPath(dir_okay=False), help="File of the profile.")
@click.option(
    "--space", default="edgenext", show_default=True, metavar="NAME|FILE", help="Search space of the measured networks."
)
@deployment_options
@click.option("--networks", type=int, help="Number of whole networks.  [default: 160]")
@click.option("--stages", type=int, help="Number of single stages.  [default: 60]")
@click.option("--minutes", type=float, help="Time limit, once 24 networks are measured.  [default: 9]")
@click.option("--seconds", type=float, help="Upper limit of the time for one model.  [default: 1.2]")
@click.option("--seed", type=int, help="Seed of the drawn networks and stages.  [default: 0]")
@json_option
def profile_command(
    *,
    device: str,
    out: Path,
    space: str,
    num_classes: int | None,
    img_size: int | None,
    as_json: bool,
    **settings: Any,  # noqa: ANN401 - ProfileSettings
) -> None:
    """Measure a device once, to predict the latency of every network of a space.

    The same command continues an interrupted run.
    """
    from edgenext_search.arch.cost import Deployment
    from edgenext_search.arch.spaces.space import Space
    from edgenext_search.latency.devices.open import open_device
    from edgenext_search.latency.profile.profile import ProfileResult
    from edgenext_search.latency.profile.profiler import ProfileSettings, measure_profile

    deployment = Deployment(**drop_missing(num_classes=num_classes, img_size=img_size))
    amount = ProfileSettings(**drop_missing(**settings))
    loaded = Space.load(space)
    opened = open_device(device)
    with resumable(None), _progress() as progress:
        profile = measure_profile(opened, loaded, deployment, out, settings=amount, progress=progress)
    if as_json:
        print_json(ProfileResult.of(profile, out).to_dict())
    else:
        _print_profile(out, profile)


@click.command("predict")
@click.argument("what", metavar="CANDIDATE|MODEL_FOLDER|NAME")
@click.option("--profile", "path", required=True, type=UserPath(), help="Profile of the device.")
@click.option("--device", metavar="DEVICE", help="Check that this device is still as it was profiled.")
@deployment_options
@click.option(
    "--rescale", is_flag=True, help="Allow another deployment than the profile's; the result is marked as an estimate."
)
@json_option
def predict_command(
    *,
    what: str,
    path: Path,
    device: str | None,
    num_classes: int | None,
    img_size: int | None,
    rescale: bool,
    as_json: bool,
) -> None:
    """Predict the latency of a network on a profiled device.

    The network is a published variant (edgenext_xx_small), a YAML or JSON file with a candidate's fields, or a model
    folder.
    """
    from dataclasses import replace

    from edgenext_search.latency.profile.predictor import CandidatePrediction, Predictor
    from edgenext_search.latency.profile.profile import Profile
    from edgenext_search.models.find import find_candidate
    from edgenext_search.models.folder import deployment_of

    profile = Profile.load(path)
    own = deployment_of(what) or profile.deployment
    deployment = replace(own, **drop_missing(num_classes=num_classes, img_size=img_size))
    predictor = Predictor(profile, deployment=deployment, rescale=rescale)
    candidate = find_candidate(what)
    if device is not None:
        from edgenext_search.latency.devices.open import open_device

        predictor.check_device(open_device(device).check())
    prediction = predictor.predict(candidate)
    if as_json:
        result = CandidatePrediction(
            fingerprint=candidate.fingerprint,
            candidate=candidate,
            num_classes=deployment.num_classes,
            img_size=deployment.img_size,
            margin=predictor.margin,
            held_out=predictor.held_out,
            device=profile.device,
            **dict(prediction),
        )
        print_json(result.to_dict())
        return
    click.echo(f"{what}  {candidate.fingerprint}  at {deployment}")
    confidence = "not checked" if prediction.interpolated else "95 %"
    interval = f"{milliseconds(prediction.low)} to {milliseconds(prediction.high)}, {confidence}"
    print_text(
        f"{milliseconds(prediction.microseconds)} on {predictor.device} ({interval})",
        first="  predicted  ",
        indent=13,
    )
    _print_device(predictor)
    for note in prediction.notes:
        print_text(note, first="  estimate   ", indent=13)


def milliseconds(microseconds: float) -> str:
    """A time with its unit, to four digits."""
    return f"{microseconds / 1000:.4g} ms"


def _print_device(predictor: Predictor) -> None:
    info, held_out = predictor.profile.device, predictor.held_out
    threads = "" if info.threads is None else f", {info.threads} thread{'s' if info.threads > 1 else ''}"
    print_text(
        f"{info.runtime} {info.version} on {info.machine}{threads}; {held_out.n} held-out networks: "
        f"{held_out.within_5:.0%} within 5 %, {held_out.within_10:.0%} within 10 %",
        first="  profile    ",
        indent=13,
    )


def _print_profile(out: Path, profile: Profile) -> None:
    held_out, conditions = profile.held_out, profile.conditions
    fastest, slowest = map(milliseconds, profile.reference.range)
    click.echo(f"{out}: {profile.device.name} at {profile.deployment}, measured in {profile.seconds / 60:.1f} min")
    texts = (
        f"{conditions.networks} networks and {conditions.stages} single stages of the space {profile.space['name']!r}",
        (
            f"held-out networks: {held_out.within_5:.0%} of {held_out.n} within 5 %, {held_out.within_10:.0%} within "
            f"10 %; mean error {held_out.mean_error:.1%}; rank correlation {held_out.spearman:.4f}"
        ),
        f"95 % of measured times are below the prediction times {held_out.margin:.3f}",
        (
            f"times are at the speed at which the reference takes {milliseconds(profile.reference.microseconds)}; "
            f"during the measurements it took {fastest} to {slowest}"
        ),
    )
    for text in texts:
        print_text(text, first="  ", indent=2)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress bar in a terminal; in a pipe a line for every tenth."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with progress.Progress(
            *progress.Progress.get_default_columns()[:3],
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        ) as bars:
            task = bars.add_task("Measuring", total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)
        return
    said = -1

    def line(done: int, total: int) -> None:
        nonlocal said
        if (tenth := 10 * done // max(total, 1)) > said:
            said = tenth
            console.print(f"{done} of {total} models measured", markup=False, highlight=False)

    yield line
