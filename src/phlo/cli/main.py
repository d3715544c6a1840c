"""``phlo``: a lazy group of commands.

``COMMANDS`` names where each command lives and its one line of help, so that ``phlo --help`` imports none of them.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import re
import signal
import sys
import threading
import time
from contextlib import ExitStack, suppress
from importlib import import_module
from typing import Any, NoReturn

import click

from phlo import __version__
from phlo.errors import InternalError, PhloError, SystemFailed, WrongArguments, nearest

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("phlo.cli.scaffold:init", "Make a new project."),
    "create-workflow": ("phlo.cli.scaffold:create_workflow", "Add a workflow to this project."),
    "demo": ("phlo.cli.demo:demo", "See the whole way at work on synthetic data."),
    "materialize": ("phlo.cli.run:materialize", "Load and transform assets, check and publish them."),
    "run": ("phlo.cli.run:run", "Materialize everything."),
    "backfill": ("phlo.cli.run:backfill", "Load a range of days."),
    "dev": ("phlo.cli.dev:dev", "Serve Dagster's UI, with schedules and the queue of runs."),
    "test": ("phlo.cli.scaffold:test", "Run the project's tests."),
    "status": ("phlo.cli.status:status", "Show every table on one screen."),
    "logs": ("phlo.cli.logs:logs", "Show what runs said."),
    "metrics": ("phlo.cli.metrics:metrics", "Show what runs amount to."),
    "query": ("phlo.cli.query:query", "Query the lake, read-only, in the project's SQL."),
    "ref": ("phlo.cli.ref:ref", "List, compare, publish and drop refs."),
    "history": ("phlo.cli.ref:history", "Show what was published when."),
    "undo": ("phlo.cli.ref:undo", "Move everything back to before a publish."),
    "catalog": ("phlo.cli.catalog:catalog", "Look at tables and their snapshots."),
    "rejected": ("phlo.cli.rejected:rejected", "Look at the rows that validation refused, and replay them."),
    "alerts": ("phlo.cli.alerts:alerts", "List, test and check the rules of alerts."),
    "maintain": ("phlo.cli.maintain:maintain", "Free what nothing needs, and write small files together."),
    "bundle": ("phlo.cli.bundle:bundle", "Pack the lake into one file that opens elsewhere."),
    "doctor": ("phlo.cli.doctor:doctor", "Check the installation and the project."),
}

IMPORTING = 30_000
"""New objects between two looks for garbage (Python: 700): imports leave none, and looking is 7 % of a query's CPU."""

EXTRACTING = "extract-"
"""How the threads are called in which sources work (``load.threads``)."""

INTERRUPTED = 130
TERMINATED = 143


class Terminated(BaseException):
    """A polite kill: it unwinds like Ctrl-C, so that a run's ref is kept and named."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order a new user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command, or name the nearest ones."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"There is no command `{args[0]}`{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="phlo")
@click.option("--project", metavar="PATH|NAME", help="A project's folder, or the name of an installed project.")
@click.option("--debug", is_flag=True, help="Show tracebacks and the libraries' own logs.")
@click.pass_context
def phlo(ctx: click.Context, project: str | None, debug: bool) -> None:
    """A lakehouse platform as code: load, validate, transform, check and publish, then query."""
    given = {"began": time.monotonic(), "ending": ctx.with_resource(ExitStack()), **(ctx.obj or {})}
    ctx.obj = {**given, "project": project, "debug": debug}
    if not debug:
        _quiet()


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    gc.set_threshold(IMPORTING)
    signal.signal(signal.SIGTERM, _terminate)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr is: what was done is not to fail by its report
    # What Python needed to come here was CPU; when the process began would count a script that became this command.
    began = time.monotonic() - (time.process_time() if arguments is None else 0)
    code = TERMINATED
    # What a command waits for at its end it waits for after everything was said; whoever does not like that stops it.
    with suppress(KeyboardInterrupt, Terminated), ExitStack() as ending:
        code = _called(arguments, {"began": began, "ending": ending})
    if arguments is None and any(each.name.startswith(EXTRACTING) for each in threading.enumerate()):
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """End a process in which a source still works: Python can not clear away what its thread may use.

    DuckDB would tell of each of its objects that is left, in fifty lines.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _called(arguments: list[str] | None, given: dict[str, Any]) -> int:
    """Call the command, say what went wrong, and return the exit code."""
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        code = phlo.main(args=arguments, prog_name="phlo", standalone_mode=False, obj=given)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.Abort:
        code = _say("Aborted.", INTERRUPTED)
    except KeyboardInterrupt:
        code = _say("Interrupted.", INTERRUPTED)
    except Terminated:
        code = _say("Terminated.", TERMINATED)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        code = _tell(_wrong(error))
    except PhloError as error:
        if debug:
            raise
        code = _tell(error)
    except BrokenPipeError:
        # The reader went away (`phlo query … | head`); Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # the last line of defence: said in one sentence, shown whole by --debug
        if debug:
            raise
        code = _tell(_unforeseen(error))
    return code if isinstance(code, int) else 0


def _tell(error: PhloError) -> int:
    hint = f"\nhint: {error.next_step}" if error.next_step else ""
    return _say(f"error[{error.code}]: {error}{hint}", error.exit_code)


def _wrong(error: click.ClickException) -> PhloError:
    context = getattr(error, "ctx", None)
    detail = re.sub(r"'([^']*)'", r"`\1`", error.format_message().rstrip("."))  # as all other sentences quote
    return WrongArguments(detail=detail, command=context.command_path if context else "phlo")


def _unforeseen(error: Exception) -> PhloError:
    if isinstance(error, OSError) and error.errno is not None:
        return SystemFailed(detail=f"{error.strerror}: `{error.filename}`" if error.filename else error.strerror)
    return InternalError(kind=type(error).__name__, detail=error)


def _say(message: str, code: int) -> int:
    click.echo(message, err=True)
    return code


def _terminate(*_: object) -> NoReturn:
    raise Terminated("stopped by SIGTERM")


def _quiet() -> None:
    """Keep the libraries' logs and warnings off the screen."""
    import logging
    import warnings

    os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")  # dlt sets its level again when it starts
    logging.getLogger().addHandler(logging.NullHandler())
    for library in ("pyiceberg", "dlt", "sqlglot", "urllib3"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
