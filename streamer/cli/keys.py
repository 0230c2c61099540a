"""``livestem keys``: CURVE keys for an engine that other computers reach."""

import json
from pathlib import Path

import click

DEFAULT_FOLDER = "livestem-keys"


@click.command("keys", short_help="Keys for an engine that other computers reach.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder for the keys; keys that are there are never replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(out: Path, as_json: bool) -> int:
    """Make the keys of an engine, a sender, a viewer and a reader (who watches and changes nothing).

    Each computer gets the files that are printed for it, and gives their folder with --keys.
    """
    from streamer.security.keys import ALLOWED, ENGINE, ROLES, make_keys

    made = make_keys(out)
    files = {ENGINE: [f"{ENGINE}.key", f"{ENGINE}.key_secret", ALLOWED]}
    files |= {role: [f"{ENGINE}.key", f"{role}.key_secret"] for role in ROLES}
    if as_json:
        click.echo(json.dumps({"folder": str(out), "made": [str(path) for path in made], "files": files}))
        return 0
    where = {
        ENGINE: "the engine's computer",
        "sender": "the detector's computer",
        "viewer": "a window that may change things",
        "reader": "a window that only watches",
    }
    click.echo(f"Keys are in {out}. Copy to")
    for name, place in where.items():
        click.echo(f"  {place + ':':<33} {', '.join(files[name])}")
    click.echo("A *.key_secret file is a password: move it over a safe way, and keep its mode 600.")
    return 0
