"""``edgenext-search data``: the cache of prepared images."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgenext_search.cli.options import DATA, DATA_HELP, UserPath, json_option, print_json, say
from edgenext_search.errors import UserError
from edgenext_search.texts import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgenext_search.data.cache.inventory import Holding

cache_option = click.option("--cache-dir", type=UserPath(file_okay=False), help="Where prepared images are kept.")


@click.group("data")
def data_group() -> None:
    """Prepare images before a run, and look after the cache of prepared images."""


@data_group.command("prepare")
@click.option("--study", metavar="NAME|FILE", help="Study recipe.  [default: demo; imagenet with --data]")
@click.option("--data", metavar=DATA, help=DATA_HELP)
@click.option("--data-dir", metavar="FOLDER", help="Where a timm dataset lies.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any study key: --set proxy.img_size=96.")
@cache_option
@click.option("--workers", type=click.IntRange(min=1), help="Processes that decode.  [default: the CPU cores]")
@json_option
def prepare_command(
    *,
    study: str | None,
    data: str | None,
    data_dir: str | None,
    settings: tuple[str, ...],
    cache_dir: Path | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Decode and resize the images of a study.

    That is what `run` with the same options would do first.
    """
    from rich.console import Console

    from edgenext_search.data.cache.inventory import PreparedImages
    from edgenext_search.machine import cpu_cores
    from edgenext_search.search.resolver import read_study
    from edgenext_search.search.study.images import open_images, prepare_images

    flags = {"data.source": data, "data.dir": data_dir}
    recipe = read_study(study or ("imagenet" if data else "demo"), flags=flags, settings=settings)
    source = open_images(recipe)
    for note in source.notes:
        say(note)
    with _progress(Console(stderr=True)) as (progress, built):
        prepared = prepare_images(
            source, recipe, cache_dir=cache_dir, workers=workers or cpu_cores(), progress=progress
        )
    result = PreparedImages(
        entry=prepared.fingerprint,
        folder=prepared.folder,
        built=bool(built),
        name=prepared.name,
        classes=len(prepared.classes),
        train_images=len(prepared.train.labels),
        val_images=len(prepared.val.labels),
        image_size=prepared.image_size,
        skipped=tuple(prepared.skipped),
    )
    if as_json:
        print_json(result.to_dict())
        return
    click.echo(
        f"{result.name}: {counted(result.classes, 'class', 'classes')}, {result.train_images} images to "
        f"train on and {result.val_images} held out to score, stored at {result.image_size} px"
    )
    for reason in prepared.skipped:
        click.echo(f"skipped: {reason}")
    click.echo(f"{'Prepared' if built else 'Ready already'} in {prepared.folder}")


@data_group.command("info")
@click.option("--verify", is_flag=True, help="Read every file and compare its checksum.")
@cache_option
@json_option
def info_command(*, verify: bool, cache_dir: Path | None, as_json: bool) -> None:
    """What the cache holds, and whether it is whole.

    Folders that killed processes left behind are listed too.
    """
    from edgenext_search.data import default_cache_dir
    from edgenext_search.data.cache.inventory import inventory

    info = inventory(cache_dir or default_cache_dir(), verify=verify)
    if as_json:
        print_json(info.to_dict())
        return
    if not info.entries and not info.leftovers:
        click.echo(f"{info.cache_dir} holds no prepared images.")
        return
    click.echo(f"{info.cache_dir}: {counted(len(info.entries), 'entry', 'entries')}, {_size(info.bytes)}")
    for holding in info.entries:
        click.echo(_described(holding, verified=verify))
    for left in info.leftovers:
        state = "being built or removed" if left.used else "left by a process that died; the next prepare removes it"
        click.echo(f"{left.folder.name}  {_size(left.bytes)}, {state}")


@data_group.command("clear")
@click.argument("names", nargs=-1, metavar="[ENTRY]...")
@click.option("--all", "everything", is_flag=True, help="Every entry.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cache_option
@json_option
def clear_command(
    *, names: tuple[str, ...], everything: bool, yes: bool, cache_dir: Path | None, as_json: bool
) -> None:
    """Remove entries of the cache that no process uses.

    Removes what killed processes left behind as well. An ENTRY is named as by `data info`, or by its first letters;
    without any, leftovers alone are removed.
    """
    from edgenext_search.data import default_cache_dir
    from edgenext_search.data.cache.cleanup import entries, size_of
    from edgenext_search.data.cache.inventory import choose, clear

    where = (cache_dir or default_cache_dir()).absolute()
    if names and everything:
        raise UserError(f"Give entries or --all, not both, but got {' '.join(names)} and --all.")
    chosen = entries(where) if everything else choose(where, names)
    if chosen and not yes:
        _ask(f"Remove {counted(len(chosen), 'entry', 'entries')}, {_size(sum(map(size_of, chosen)))}, from {where}?")
    cleared = clear(where, chosen)
    if as_json:
        print_json(cleared.to_dict())
    else:
        click.echo(f"Removed {counted(len(cleared.removed), 'entry', 'entries')}; {_size(cleared.bytes_freed)} freed.")
    if cleared.in_use:
        raise UserError(
            f"{', '.join(cleared.in_use)} cannot be removed: a process uses it, or the folder cannot be written. Wait "
            "for the run to end, or stop it first."
        )


@contextlib.contextmanager
def _progress(console: Any) -> Iterator[tuple[Callable[[int, int], None], list[int]]]:  # noqa: ANN401 - rich, lazily
    """A bar on a terminal, or a line for each tenth; the list holds the number of images once any is prepared."""
    built: list[int] = []
    if console.is_terminal:
        from rich.progress import MofNCompleteColumn, Progress

        with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console, transient=True) as bars:
            bar = bars.add_task("Images", total=None, visible=False)

            def move(done: int, total: int) -> None:
                built[:] = [total]
                bars.update(bar, completed=done, total=total, visible=True)

            yield move, built
        return

    def say(done: int, total: int) -> None:
        tenth = 10 * done // total
        if not built or tenth > built[0]:
            built[:] = [tenth]
            console.print(f"{done} of {total} images prepared", markup=False, highlight=False, soft_wrap=True)

    yield say, built


def _ask(question: str) -> None:
    if not _on_terminal():
        raise UserError(f"{question} Say --yes: nobody can be asked here.")
    click.confirm(question, abort=True, err=True)


def _on_terminal() -> bool:
    return sys.stdin.isatty()


def _described(holding: Holding, *, verified: bool) -> str:
    if holding.damage is not None:
        state = f"damaged, or of another version: {holding.damage}; the next run that needs it builds it anew"
    else:
        state = "whole, checksums verified" if verified else "whole"
    used = "in use" if holding.used else f"last used {_time(holding.last_used)}"
    if holding.name is None:
        return f"{holding.entry}  {_size(holding.bytes)}, {used}; {state}"
    classes = counted(holding.classes or 0, "class", "classes")
    return (
        f"{holding.entry}  {holding.name}: {classes}, {holding.train_images} + {holding.val_images} images at "
        f"{holding.image_size} px, {_size(holding.bytes)}\n"
        f"  {'' if holding.created is None else f'created {_time(holding.created)}, '}{used}; {state}"
    )


def _time(text: str | None) -> str:
    """A time in ISO 8601, UTC, to the minute."""
    return "never" if text is None else f"{text[:16].replace('T', ' ')} UTC"


def _size(n_bytes: int) -> str:
    """Bytes for people, in powers of 1000."""
    value, units = float(n_bytes), ["bytes", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" else f"{value:.1f} {units[0]}"
