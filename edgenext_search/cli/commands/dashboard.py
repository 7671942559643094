"""``edgenext-search dashboard``."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from edgenext_search.cli.options import UserPath


@click.command("dashboard")
@click.argument("run", type=UserPath())
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--open", "opened", is_flag=True, help="Open it in a browser.")
@click.option("--storage", metavar="URL", help="The run's Optuna storage, if it has a password.")
def dashboard_command(*, run: Path, port: int, opened: bool, storage: str | None) -> None:
    """Show a run in optuna-dashboard, on this machine only, also while it is in progress. Ctrl-C ends it."""
    from edgenext_search.search.dashboard import LOOPBACK, dashboard_server
    from edgenext_search.search.store.run_folder import RunFolder

    folder = RunFolder(run)
    store = folder.open_store(folder.recipe(), storage, must_exist=True)
    with dashboard_server(store, port) as server:
        url = f"http://{LOOPBACK}:{server.server_port}/dashboard"
        click.echo(f"{run} is at {url}; Ctrl-C ends it. It only reads: the run goes on as it is.")
        if opened:
            click.launch(url)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
