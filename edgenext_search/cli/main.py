"""The command group, and what becomes of errors."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import click

from edgenext_search.cli.commands.audit import audit_command
from edgenext_search.cli.commands.cost import cost_command
from edgenext_search.cli.commands.dashboard import dashboard_command
from edgenext_search.cli.commands.data import data_group
from edgenext_search.cli.commands.doctor import doctor_command
from edgenext_search.cli.commands.evaluate import evaluate_command
from edgenext_search.cli.commands.export import export_command
from edgenext_search.cli.commands.import_ import import_command
from edgenext_search.cli.commands.latency import latency_group
from edgenext_search.cli.commands.report import report_command
from edgenext_search.cli.commands.run import resume_command, run_command
from edgenext_search.cli.commands.scale import scale_group
from edgenext_search.cli.commands.space import space_group
from edgenext_search.cli.commands.train import train_command
from edgenext_search.cli.environment import quiet_libraries
from edgenext_search.cli.failures import explain, stopped_by_signals
from edgenext_search.cli.options import EXIT_INTERRUPTED
from edgenext_search.cli.streams import steady_streams
from edgenext_search.errors import UserError
from edgenext_search.version import __version__

HELP = """Find the best EdgeNeXt for your budget.

\b
edgenext-search run --budget 1.3M                    a demonstration, in minutes
edgenext-search run --budget 1.3M --data FOLDER      on your own images
"""


class CommandGroup(click.Group):
    """A group whose commands end with one clear message when something is wrong."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's
        """Run as a program, with streams that end no work."""
        steady_streams()
        quiet_libraries()
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # where no command is called, as by --help
            sys.exit(explain(error))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; ``--debug`` lets its exceptions through."""
        try:
            _require_working_directory()
            with stopped_by_signals():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe has gone
        except KeyboardInterrupt:
            sys.exit(EXIT_INTERRUPTED)
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            sys.exit(explain(error))


def _require_working_directory() -> None:
    try:
        Path.cwd()
    except OSError as error:
        text = f"The working directory cannot be used ({error.strerror}); change to another by `cd`."
        raise UserError(text) from error


@click.group(
    cls=CommandGroup, help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="edgenext-search")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def main(*, debug: bool) -> None:
    """Find the best EdgeNeXt for your budget."""
    if not debug:
        warnings.filterwarnings("ignore", message=".*torch.jit.script.*", category=FutureWarning)
        # of multiprocessing, which replaces the helper process that it has lost
        warnings.filterwarnings("ignore", message="resource_tracker: process died", category=UserWarning)


for command in (
    run_command,
    resume_command,
    train_command,
    evaluate_command,
    export_command,
    report_command,
    dashboard_command,
    audit_command,
    cost_command,
    space_group,
    scale_group,
    data_group,
    latency_group,
    import_command,
    doctor_command,
):
    main.add_command(command)
