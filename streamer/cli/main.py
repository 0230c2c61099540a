"""The one `livestem` command: knows names and helps, imports a command's module only when it is called."""

import gc
import sys
from importlib import import_module
from importlib.metadata import entry_points, version
from typing import Any

import click

from streamer.errors import LivestemError

GROUP = "livestem.commands"
EXIT_FAILED = 5
EXIT_INTERRUPTED = 130

HELPS = {
    "demo": "Simulated scan -> ZeroMQ -> engine -> analysis -> result, in one go.",
    "monitor": "Engine and dashboard: watch a scan while it is taken.",
    "serve": "The engine alone: receive, record, cluster live, analyse.",
    "view": "Dashboard on a result, a recording or a running engine.",
    "feed": "Send a RAW file, or the files of a folder, while they are being written.",
    "replay": "Send a scan file as the detector would.",
    "simulate": "Write a simulated scan with known truth.",
    "analyze": "Full analysis of a finished scan.",
    "apply": "The clusters of one scan on others, so that colours mean the same.",
    "export": "Figures, tables and a report of a result.",
    "inspect": "What a file holds: shape, calibration, missing frames, counters.",
    "doctor": "Whether this computer has what livestem needs.",
    "keys": "Keys for an engine that other computers reach.",
}
"""Commands in the order of `--help`; the text lives here so that help imports nothing."""


class LazyGroup(click.Group):
    """Commands by entry point, loaded when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of `HELPS`."""
        return list(HELPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command's object, imported now."""
        for entry in entry_points(group=GROUP, name=cmd_name):
            module, _, attribute = entry.value.partition(":")
            return getattr(import_module(module), attribute)
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and one-line helps from the static list."""
        with formatter.section("Commands"):
            formatter.write_dl(list(HELPS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("livestem"), prog_name="livestem")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Watch a 4D-STEM scan while it is taken, and analyse it when it is done."""
    ctx.obj = {"debug": debug}


def main(args: list[str] | None = None) -> None:
    """Run the command line; the process ends with the exit code of the contract."""
    code = run(args)
    # The interpreter would look through all objects of all libraries once more before it ends: 0.2 s.
    gc.freeze()
    sys.exit(code)


def run(args: list[str] | None = None) -> int:
    """Run one command; returns its exit code. One sentence for an error, a traceback only with --debug."""
    debug = "--debug" in (sys.argv[1:] if args is None else args)
    try:
        outcome: Any = cli.main(args=args, prog_name="livestem", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted. What was done is kept.", err=True)
        return EXIT_INTERRUPTED
    except LivestemError as error:
        if debug:
            raise
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        click.echo(
            f"Error: {type(error).__name__}: {error}. This is a defect of livestem; "
            "run `livestem --debug ...` and report what it prints.",
            err=True,
        )
        return EXIT_FAILED


if __name__ == "__main__":
    main()
