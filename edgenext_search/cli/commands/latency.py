"""``edgenext-search latency measure`` and ``edgenext-search latency compare``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgenext_search.cli.commands.latency_profile import milliseconds, predict_command, profile_command
from edgenext_search.cli.options import deployment_options, drop_missing, json_option, print_json, print_text
from edgenext_search.files import expanded
from edgenext_search.temporary import temporary_folder

if TYPE_CHECKING:
    from edgenext_search.arch.cost import Deployment
    from edgenext_search.latency.measurement import Conditions, ModelMeasurement, Verdict

EXIT_NOT_PASSED = 1
DEFAULT_REFERENCE = "edgenext_xx_small"
NOTABLE_DRIFT = 0.05  # relative drift from which on a warning is printed
VERDICTS: dict[Verdict, str] = {
    "pass": "pass: below the cap, with 95 % confidence",
    "fail": "fail: above the cap, with 95 % confidence",
    "undecided": "undecided: the cap lies inside the interval; measure longer (--seconds) or on a quiet machine",
}

device_option = click.option(
    "--device",
    default="host",
    show_default=True,
    metavar="DEVICE",
    help="host, ssh://user@board, cmd:./program or adb://serial.",
)


@click.group("latency")
def latency_group() -> None:
    """Measure, compare and predict latency on a device."""


latency_group.add_command(profile_command)
latency_group.add_command(predict_command)


@latency_group.command("measure")
@click.argument("what", metavar="MODEL")
@device_option
@click.option("--max", "cap", metavar="TIME", help="Longest allowed median, such as 12ms; else exit code 1.")
@click.option("--seconds", type=float, help="Upper limit of the time.  [default: 10]")
@click.option("--precision", type=float, help="Relative precision of the median at which to end.  [default: 0.01]")
@click.option(
    "--reference",
    default=DEFAULT_REFERENCE,
    show_default=True,
    metavar="MODEL",
    help="Model to run in turns with it, which shows drift of the machine; none to measure without.",
)
@deployment_options
@json_option
def measure_command(
    *,
    what: str,
    device: str,
    cap: str | None,
    seconds: float | None,
    precision: float | None,
    reference: str,
    num_classes: int | None,
    img_size: int | None,
    as_json: bool,
) -> None:
    """Measure the latency of a model, for one image at a time.

    MODEL is an ONNX file, a model folder, a YAML or JSON file with a candidate's fields, or a published variant.
    """
    from edgenext_search.arch.metrics import METRICS
    from edgenext_search.latency.devices.open import open_device
    from edgenext_search.latency.measurement import MeasureSettings, ModelMeasurement

    cap_us = None if cap is None else METRICS["latency"].parse(cap, name="--max")
    options = drop_missing(seconds=seconds, precision=precision)
    if seconds is not None and seconds < 2 * MeasureSettings().warmup_seconds:
        options["warmup_seconds"] = max(seconds, 0) / 4
    settings = MeasureSettings(**options)
    opened = open_device(device)
    names = [what] if reference == "none" else [what, reference]
    with _onnx_files(names, _deployment(num_classes, img_size)) as files:
        (measured,) = opened.measure(files[:1], reference=files[1] if len(files) > 1 else None, settings=settings)
    result = ModelMeasurement(
        model=what,
        device=opened.name,
        reference=None if reference == "none" else reference,
        cap=cap_us,
        verdict=None if cap_us is None else measured.verdict_at(cap_us),
        **dict(measured),
    )
    if as_json:
        print_json(result.to_dict())
    else:
        _print_measurement(result)
    if result.verdict not in (None, "pass"):
        click.get_current_context().exit(EXIT_NOT_PASSED)


@latency_group.command("compare")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@device_option
@click.option("--seconds", type=float, default=30.0, show_default=True, help="Time of all rounds together.")
@deployment_options
@json_option
def compare_command(
    *, a: str, b: str, device: str, seconds: float, num_classes: int | None, img_size: int | None, as_json: bool
) -> None:
    """Measure whether A is faster than B, in turns.

    A and B are ONNX files, model folders, files with a candidate's fields, or published variants.
    """
    from edgenext_search.latency.compare import ModelComparison, compare, require_seconds
    from edgenext_search.latency.devices.open import open_device

    require_seconds(seconds)
    opened = open_device(device)
    with _onnx_files([a, b], _deployment(num_classes, img_size)) as files, _counting() as count:
        compared = compare(opened, files[0], files[1], seconds=seconds, progress=count)
    result = ModelComparison(a=a, b=b, device=opened.name, **dict(compared))
    if as_json:
        print_json(result.to_dict())
        return
    print_text(f"{a} and {b} on {result.device}{_conditions(result.conditions)}")
    click.echo(f"  medians  {milliseconds(result.a_p50)} and {milliseconds(result.b_p50)}")
    click.echo(
        f"  ratio    {result.ratio:.4f}, 95 % interval {result.low:.4f} to {result.high:.4f}, {result.rounds} rounds"
    )
    sentences = {
        "faster": f"{a} is faster: it takes {1 - result.ratio:.1%} less time than {b}.",
        "slower": f"{a} is slower: it takes {result.ratio - 1:.1%} more time than {b}.",
        "no difference shown": "No difference is shown.",
    }
    print_text(sentences[result.finding], first="  ", indent=2)


def _deployment(num_classes: int | None, img_size: int | None) -> Deployment | None:
    """The deployment of the options; None where neither is given."""
    from edgenext_search.arch.cost import Deployment

    options = drop_missing(num_classes=num_classes, img_size=img_size)
    return Deployment(**options) if options else None


@contextmanager
def _onnx_files(names: list[str], deployment: Deployment | None) -> Iterator[list[Path]]:
    """Find or export the ONNX files of models; exported files are removed at the end."""
    from edgenext_search.models.folder import deployment_of
    from edgenext_search.models.measurable import find_measurable

    wanted = [deployment for _ in names]
    paths = [expanded(name) for name in names]
    of_folders = [own for path in paths if (own := deployment_of(path))]
    if deployment is None and of_folders:  # both models get the same classes and image size
        wanted = [None if path.is_dir() or path.suffix == ".onnx" else of_folders[0] for path in paths]
        click.echo(f"At {of_folders[0]}, the deployment of the model folder.", err=True)
    with temporary_folder() as folder:
        yield [
            find_measurable(name, own, folder / f"{number}.onnx")
            for number, (name, own) in enumerate(zip(names, wanted, strict=True))
        ]


@contextmanager
def _counting() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, in a terminal."""
    import sys

    with click.progressbar(length=1, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def count(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield count


def _print_measurement(result: ModelMeasurement) -> None:
    conditions = result.conditions
    print_text(f"{result.model} on {result.device}{_conditions(conditions)}")
    interval = f"95 % interval {milliseconds(result.low)} to {milliseconds(result.high)}"
    click.echo(f"  median   {milliseconds(result.p50)}, {interval}")
    click.echo(
        f"  others   90 % within {milliseconds(result.p90)}, shortest {milliseconds(result.min)}, {result.n} runs"
    )
    if result.ratio is not None:
        interval = (
            "too few turns for an interval"
            if result.ratio_low is None or result.ratio_high is None
            else f"95 % interval {result.ratio_low:.3f} to {result.ratio_high:.3f}"
        )
        print_text(f"{result.ratio:.3f} times {result.reference}, {interval}", first="  ratio    ", indent=11)
    machine = [
        f"drift {result.drift:+.1%}",
        *([f"load {conditions.load}"] if conditions.load else []),
        *([f"governor {conditions.governor}"] if conditions.governor else []),
        *([f"temperature {conditions.temperature} °C"] if conditions.temperature else []),
    ]
    click.echo(f"  machine  {', '.join(machine)}")
    if abs(result.drift) > NOTABLE_DRIFT:
        text = "The speed of the machine changed during the measurement: measure again when it is quiet."
        print_text(text, first="  ", indent=2)
    if result.cap is not None and result.verdict is not None:
        print_text(f"{milliseconds(result.cap)}: {VERDICTS[result.verdict]}", first="  ", indent=2)


def _conditions(conditions: Conditions) -> str:
    """Threads, runtime and processor in parentheses, where they are known."""
    threads = conditions.threads
    parts = [
        f"{threads} thread{'' if threads == 1 else 's'}" if threads else "",
        " ".join(part for part in (conditions.runtime, conditions.version) if part),
        conditions.cpu or conditions.machine or "",
    ]
    text = ", ".join(part for part in parts if part)
    return f" ({text})" if text else ""
