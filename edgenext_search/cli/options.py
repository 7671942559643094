"""Options that several commands share, and how they print."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgenext_search.files import expanded
from edgenext_search.texts import printable

if TYPE_CHECKING:
    from edgenext_search.arch.candidate import NormAct
    from edgenext_search.search.study.session import Execution

AUTO = 0
EXIT_FAILURE, EXIT_USER_ERROR, EXIT_INTERRUPTED = 1, 2, 130
F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")

DATA = "FOLDER|TABLE|NAME"
DATA_HELP = "Folder of class folders, table of paths and labels, or dataset name of timm."


def deployment_options(function: F) -> F:
    """``--num-classes`` and ``--img-size``."""
    size = click.option("--img-size", type=int, help=f"Input size of the deployed model, in pixels.  {_default(256)}")
    classes = click.option("--num-classes", type=int, help=f"Classes of the deployed model.  {_default(1000)}")
    return classes(size(function))


def _default(value: int) -> str:
    return f"[default: those of the study, run or model folder, or else {value}]"


class UserPath(click.Path):
    """A path, in which ``~`` is the home folder also where no shell has replaced it, as in ``--out=~/run``.

    Args:
        file_okay: Whether it may be a file.
        dir_okay: Whether it may be a folder.
    """

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """See :class:`click.ParamType`."""
        return super().convert(expanded(value) if isinstance(value, str) else value, param, ctx)


class TrialsPerGpu(click.IntRange):
    """A positive number, or :data:`AUTO` for ``auto``."""

    name = "N|auto"

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """See :class:`click.ParamType`."""
        return AUTO if value in ("auto", AUTO) else super().convert(value, param, ctx)


def execution_options(function: F) -> F:
    """Where and how fast a study runs."""
    for option in (
        click.option("--storage", metavar="URL", help="Optuna storage instead of SQLite in the run folder."),
        click.option("--cache-dir", type=UserPath(file_okay=False), help="Where prepared images are kept."),
        click.option("--timeout", metavar="TIME", help="Longest time of one trial's rung, such as 2h."),
        click.option("--threads", type=click.IntRange(min=1), help="CPU threads of each process."),
        click.option(
            "--trials-per-gpu",
            type=TrialsPerGpu(),
            default=1,
            show_default=True,
            metavar="N|auto",
            help="Trials that share a GPU; auto takes as many as its memory holds.",
        ),
        click.option(
            "--gpus-per-trial",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="GPUs (with --device cpu, processes) that train a trial together.",
        ),
        click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
        click.option("--parallel", type=int, help="Trials at once.  [default: the GPUs, or else the CPU cores]"),
    ):
        function = option(function)
    return function


def moved_data_options(function: F) -> F:
    """Where the images of a run are now."""
    for option in (
        click.option("--data-dir", metavar="FOLDER", help="Where the run's timm dataset lies now."),
        click.option("--data", metavar="FOLDER", help="Where the run's images are now, if they have moved."),
    ):
        function = option(function)
    return function


def execution_from(*, cache_dir: Path | None, timeout: str | None, **options: Any) -> Execution:  # noqa: ANN401
    """What :func:`execution_options` were given."""
    from edgenext_search.search.recipe import parse_duration
    from edgenext_search.search.study.session import Execution

    return Execution(
        cache_dir=cache_dir,
        timeout=None if timeout is None else parse_duration(timeout),
        **options,
    )


def print_json(value: Mapping[str, object]) -> None:
    """One object on standard output."""
    click.echo(json.dumps(value, indent=2))


def print_text(text: str, *, first: str = "", indent: int = 0) -> None:
    """A paragraph on standard output, broken between words at the terminal's width.

    Args:
        text: The words.
        first: What stands before the first line.
        indent: Columns that the other lines begin with.
    """
    click.echo(_wrapped(printable(text), first=first, indent=indent))


def print_loading(folder: str | Path, norm_act: NormAct) -> None:
    """The lines of Python that load a model folder, on standard output."""
    if norm_act == "bn_hs":
        click.echo("  import edgenext_search.models.bn_hs")
    click.echo(f"  timm.create_model({json.dumps(f'local-dir:{folder}', ensure_ascii=False)}, pretrained=True)")


def say(text: str) -> None:
    """A sentence on standard error: broken between words in a terminal, on one line in a pipe."""
    text = printable(text)
    click.echo(_wrapped(text) if sys.stderr.isatty() else text, err=True)


def _wrapped(text: str, *, first: str = "", indent: int = 0) -> str:
    lines = textwrap.wrap(
        text,
        width=max(shutil.get_terminal_size().columns, 40),
        initial_indent=first,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def drop_missing(**values: object) -> dict[str, Any]:
    """The values that were given."""
    return {name: value for name, value in values.items() if value is not None}
