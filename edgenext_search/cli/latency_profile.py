"""``edgenext-search latency profile`` and ``edgenext-search latency predict``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgenext_search.cli.options import deployment_options, drop_missing, json_option, print_json, print_text, say

if TYPE_CHECKING:
    from edgenext_search.latency.profile.predictor import Predictor
    from edgenext_search.latency.profile.profile import Profile
    from edgenext_search.latency.profile.profiler import Listener


@click.command("profile")
@click.option(
    "--device", required=True, metavar="DEVICE", help="What is measured: host, ssh://user@board, cmd:./program."
)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The profile's file.")
@click.option(
    "--space", default="edgenext", show_default=True, metavar="NAME|FILE", help="What networks are drawn from."
)
@deployment_options
@click.option("--networks", type=int, help="Whole networks to measure.  [default: 160]")
@click.option("--stages", type=int, help="Single stages to measure.  [default: 60]")
@click.option(
    "--minutes", type=float, help="Begin nothing new after this time, once 24 networks are measured.  [default: 9]"
)
@click.option("--seconds", type=float, help="Longest time for one model.  [default: 1.2]")
@click.option("--seed", type=int, help="What the networks are drawn from.  [default: 0]")
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
    """Measure a device once, so that the time of any network of a space can be predicted.

    A run that was stopped goes on where it was when it is called again.
    """
    from edgenext_search.arch.cost import Deployment
    from edgenext_search.arch.space import Space
    from edgenext_search.latency.devices.open import open_device
    from edgenext_search.latency.profile.profiler import ProfileSettings, measure_profile

    deployment = Deployment(**drop_missing(num_classes=num_classes, img_size=img_size))
    asked = ProfileSettings(**drop_missing(**settings))
    loaded = Space.load(space)
    opened = open_device(device)
    try:
        with _progress() as listener:
            profile = measure_profile(opened, loaded, deployment, out, settings=asked, listener=listener)
    except KeyboardInterrupt:
        say("Stopped. What was measured is kept: the same command goes on.")
        raise
    if as_json:
        print_json({"profile": str(out), **_summary(profile)})
    else:
        _print_profile(out, profile)


@click.command("predict")
@click.argument("what", metavar="CANDIDATE|MODEL_FOLDER|NAME")
@click.option("--profile", "path", required=True, type=click.Path(path_type=Path), help="The device's profile.")
@click.option("--device", metavar="DEVICE", help="Ask this device whether it is still what was profiled.")
@deployment_options
@click.option("--rescale", is_flag=True, help="Allow a deployment that was not profiled: an estimate, marked as such.")
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
    """Predict the time of a network on a profiled device.

    It is a published variant (edgenext_xx_small), a YAML or JSON file with a candidate's fields, or a model folder.
    """
    from dataclasses import replace

    from edgenext_search.latency.profile.predictor import Predictor
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
        print_json(
            {
                "fingerprint": candidate.fingerprint,
                "candidate": candidate.to_dict(),
                "num_classes": deployment.num_classes,
                "img_size": deployment.img_size,
                **prediction.to_dict(),
                "margin": predictor.margin,
                "held_out": predictor.held_out.to_dict(),
                "device": profile.to_dict()["device"],
            }
        )
        return
    click.echo(f"{what}  {candidate.fingerprint}  at {deployment}")
    sure = "not checked" if prediction.interpolated else "95 %"
    print_text(
        f"{_ms(prediction.value)} on {predictor.device} ({_ms(prediction.low)} to {_ms(prediction.high)}, {sure})",
        first="  predicted  ",
        indent=13,
    )
    _print_device(predictor)
    for note in prediction.notes:
        print_text(note, first="  estimate   ", indent=13)


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1000:.3g} ms"


def _print_device(predictor: Predictor) -> None:
    info, held_out = predictor.profile.device, predictor.held_out
    threads = "" if info.threads is None else f", {info.threads} thread{'s' if info.threads > 1 else ''}"
    print_text(
        f"{info.runtime} {info.version} on {info.machine}{threads}; {held_out.n} networks that it had not seen: "
        f"{held_out.within_5:.0%} within 5 %, {held_out.within_10:.0%} within 10 %",
        first="  profile    ",
        indent=13,
    )


def _summary(profile: Profile) -> dict[str, Any]:
    """What ``latency profile --json`` says: the file without its long lists."""
    values = profile.to_dict()
    return {name: values[name] for name in ("device", "conditions", "deployment", "held_out", "seconds", "reference")}


def _print_profile(out: Path, profile: Profile) -> None:
    held_out, (fastest, slowest) = profile.held_out, profile.reference_range
    click.echo(f"{out}: {profile.device.name} at {profile.deployment}, measured in {profile.seconds / 60:.1f} min")
    made, reference = profile.conditions, _ms(profile.reference_us)
    seen = f"{made['networks']} networks and {made['stages']} single stages of the space {profile.space['name']!r}"
    errors = (
        f"networks that it had not seen: {held_out.within_5:.0%} of {held_out.n} within 5 %, {held_out.within_10:.0%} "
        f"within 10 %; mean error {held_out.mean_error:.1%}; rank correlation {held_out.spearman:.4f}"
    )
    margin = f"19 of 20 measured times stay below the prediction x {held_out.margin:.3f}"
    speed = (
        f"times are at the speed at which the reference takes {reference}; in single measurements it took "
        f"{_ms(fastest)} to {_ms(slowest)}"
    )
    for text in (seen, errors, margin, speed):
        print_text(text, first="  ", indent=2)


@contextmanager
def _progress() -> Iterator[Listener]:
    """A bar in a terminal, a line now and then in a pipe."""
    from rich.console import Console
    from rich.progress import Progress, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if console.is_terminal:
        with Progress(
            *Progress.get_default_columns()[:3],
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
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
