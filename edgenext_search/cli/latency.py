"""``edgenext-search latency``: time on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from edgenext_search.cli.latency_profile import predict_command, profile_command
from edgenext_search.cli.options import deployment_options, drop_missing, json_option, print_json, print_text

if TYPE_CHECKING:
    from edgenext_search.arch.cost import Deployment
    from edgenext_search.latency.measurement import Measurement

EXIT_NOT_KEPT = 1
DEFAULT_REFERENCE = "edgenext_xx_small"
SHARE_OF_DRIFT = 0.05  # from which on a drift is pointed out

device_option = click.option(
    "--device",
    default="host",
    show_default=True,
    metavar="DEVICE",
    help="host, ssh://user@board, cmd:./program or adb://serial.",
)


@click.group("latency")
def latency_group() -> None:
    """Measure, compare and predict time on a device."""


latency_group.add_command(profile_command)
latency_group.add_command(predict_command)


@latency_group.command("measure")
@click.argument("what", metavar="MODEL")
@device_option
@click.option("--max", "cap", metavar="TIME", help="The longest median allowed, such as 12ms; exit code 1 if not kept.")
@click.option("--seconds", type=float, help="Longest time to measure.  [default: 10]")
@click.option("--precision", type=float, help="End when the median is known to this share.  [default: 0.01]")
@click.option(
    "--reference",
    default=DEFAULT_REFERENCE,
    show_default=True,
    metavar="MODEL",
    help="A model that runs in turns with it, to show drift; none for no such model.",
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
    """Time one model, one image at a time.

    MODEL is an ONNX file, a model folder, a YAML or JSON file with a candidate's fields, or a published variant.
    """
    from edgenext_search.arch.metrics import METRICS
    from edgenext_search.latency.devices.open import open_device
    from edgenext_search.latency.measurement import MeasureSettings

    cap_us = None if cap is None else METRICS["latency"].parse(cap, name="--max")
    given = drop_missing(seconds=seconds, precision=precision)
    if seconds is not None and seconds < 2 * MeasureSettings().warmup_seconds:
        given["warmup_seconds"] = max(seconds, 0) / 4
    settings = MeasureSettings(**given)
    opened = open_device(device)
    names = [what] if reference == "none" else [what, reference]
    with _onnx_files(names, _deployment(num_classes, img_size)) as files:
        (measured,) = opened.measure(files[:1], reference=files[1] if len(files) > 1 else None, settings=settings)
    verdict = None if cap_us is None else measured.verdict(cap_us)
    if as_json:
        print_json(
            {
                "model": what,
                "device": opened.name,
                "reference": None if reference == "none" else reference,
                **measured.to_dict(),
                "cap": cap_us,
                "verdict": verdict,
            }
        )
    else:
        _show(what, opened.name, measured, reference)
        if cap_us is not None:
            print_text(f"{_ms(cap_us)}: {_in_words(verdict)}", first="  ", indent=2)
    if verdict not in (None, "pass"):
        click.get_current_context().exit(EXIT_NOT_KEPT)


@latency_group.command("compare")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@device_option
@click.option("--seconds", type=float, default=30.0, show_default=True, help="Time for all rounds together.")
@deployment_options
@json_option
def compare_command(
    *, a: str, b: str, device: str, seconds: float, num_classes: int | None, img_size: int | None, as_json: bool
) -> None:
    """Whether A is faster than B, timed in turns.

    A and B are ONNX files, model folders, files with a candidate's fields, or published variants.
    """
    from edgenext_search.latency.compare import compare, require_seconds
    from edgenext_search.latency.devices.open import open_device

    require_seconds(seconds)
    opened = open_device(device)
    with _onnx_files([a, b], _deployment(num_classes, img_size)) as files, _counting() as count:
        found = compare(opened, files[0], files[1], seconds=seconds, progress=count)
    if as_json:
        print_json({"a": a, "b": b, "device": opened.name, **found.to_dict()})
        return
    print_text(f"{a} beside {b} on {opened.name}{_conditions(found.conditions)}")
    click.echo(f"  medians  {_ms(found.a_p50)} and {_ms(found.b_p50)}")
    click.echo(
        f"  ratio    {found.ratio:.4f}, 95 % interval {found.low:.4f} to {found.high:.4f}, {found.rounds} rounds"
    )
    change = {
        "faster": f"faster: it takes {1 - found.ratio:.1%} less time than",
        "slower": f"slower: it takes {found.ratio - 1:.1%} more time than",
    }
    words = f"{a} is {change[found.finding]} {b}." if found.finding in change else "No difference is shown."
    print_text(words, first="  ", indent=2)


def _deployment(num_classes: int | None, img_size: int | None) -> Deployment | None:
    """The deployment that was asked for, if one was."""
    from edgenext_search.arch.cost import Deployment

    given = drop_missing(num_classes=num_classes, img_size=img_size)
    return Deployment(**given) if given else None


@contextmanager
def _onnx_files(names: list[str], deployment: Deployment | None) -> Iterator[list[Any]]:
    """The ONNX files of what was named, as long as they are needed."""
    import tempfile
    from pathlib import Path

    from edgenext_search.models.folder import deployment_of
    from edgenext_search.models.measurable import find_measurable

    wanted = [deployment for _ in names]
    paths = [Path(name).expanduser() for name in names]
    known = [own for path in paths if (own := deployment_of(path))]
    if deployment is None and known:  # what runs in turns has the same classes and image size
        wanted = [None if path.is_dir() or path.suffix == ".onnx" else known[0] for path in paths]
        click.echo(f"At {known[0]}, as the model folder says.", err=True)
    with tempfile.TemporaryDirectory(prefix="edgenext-search-") as folder:
        yield [
            find_measurable(name, own, Path(folder) / f"{number}.onnx")
            for number, (name, own) in enumerate(zip(names, wanted, strict=True))
        ]


@contextmanager
def _counting() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, in a terminal."""
    import sys

    with click.progressbar(length=1, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def count(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield count


def _show(what: str, device: str, measured: Measurement, reference: str) -> None:
    print_text(f"{what} on {device}{_conditions(measured.conditions)}")
    click.echo(f"  median   {_ms(measured.p50)}, 95 % interval {_ms(measured.low)} to {_ms(measured.high)}")
    click.echo(f"  others   90 % within {_ms(measured.p90)}, shortest {_ms(measured.min)}, {measured.n} runs")
    if measured.ratio is not None:
        interval = (
            "too few turns for an interval"
            if measured.ratio_low is None or measured.ratio_high is None
            else f"95 % interval {measured.ratio_low:.3f} to {measured.ratio_high:.3f}"
        )
        print_text(f"{measured.ratio:.3f} times {reference}, {interval}", first="  ratio    ", indent=11)
    state = {"load": "load {}", "governor": "governor {}", "temperature": "{} °C"}
    known = [text.format(measured.conditions[key]) for key, text in state.items() if measured.conditions.get(key)]
    click.echo(f"  machine  {', '.join([f'drift {measured.drift:+.1%}', *known])}")
    if abs(measured.drift) > SHARE_OF_DRIFT:
        words = "The machine's speed changed meanwhile: measure again when it is quiet."
        print_text(words, first="  ", indent=2)


def _conditions(conditions: dict[str, Any]) -> str:
    threads = conditions.get("threads")
    words = [
        *([f"{threads} thread{'' if threads == 1 else 's'}"] if threads else []),
        " ".join(str(conditions[key]) for key in ("runtime", "version") if key in conditions),
        str(conditions.get("cpu") or conditions.get("machine") or ""),
    ]
    known = ", ".join(word for word in words if word)
    return f" ({known})" if known else ""


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1e3:.4g} ms"


def _in_words(verdict: str | None) -> str:
    return {
        "pass": "pass: it keeps the cap, with 95 % confidence",
        "fail": "fail: it exceeds the cap, with 95 % confidence",
        "undecided": "undecided: the interval has the cap inside; measure longer (--seconds) or on a quiet machine",
    }[str(verdict)]
