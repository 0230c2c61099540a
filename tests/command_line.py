"""A command of livestem in this process; what it raises is raised."""

import click
from click.testing import CliRunner, Result


def run_command(command: click.Command, *arguments: object) -> Result:
    done = CliRunner().invoke(command, [str(item) for item in arguments], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done
