"""CURVE keys as files: made once, read by the engine and by those who connect to it.

A folder made by `livestem keys` holds a pair for the engine and one for each role, and the engine's allow-list:

    engine.key  engine.key_secret  sender.key  sender.key_secret  viewer.key  ...  reader.key  ...
    allowed/senders/*.key  allowed/viewers/*.key  allowed/readers/*.key

The files are ZeroMQ certificates (`zmq.auth`). They are written here and not by `zmq.auth.create_certificates`,
because a secret must not be readable by others even for the moment until its mode is changed.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import zmq
import zmq.auth
from zmq.utils import z85

from streamer.errors import SettingsError

Role = Literal["sender", "viewer", "reader"]
ROLES: tuple[Role, ...] = ("sender", "viewer", "reader")
ENGINE = "engine"
ALLOWED = "allowed"


@dataclass(frozen=True)
class EngineKeys:
    """The engine's pair and the public keys that may connect; all in Z85 text as bytes.

    A key in both ``viewers`` and ``readers`` only reads.
    """

    public_key: bytes
    secret_key: bytes = field(repr=False)
    senders: frozenset[bytes]
    viewers: frozenset[bytes]
    readers: frozenset[bytes]


@dataclass(frozen=True)
class ClientKeys:
    """A client's own pair, and the public key of the engine that it trusts; Z85 text as bytes."""

    engine_key: bytes
    public_key: bytes
    secret_key: bytes = field(repr=False)


def make_keys(folder: Path) -> list[Path]:
    """Make the pairs of engine, sender, viewer and reader, and the allow-list; returns the files made.

    Parameters
    ----------
    folder
        Made where it does not exist, then for the owner alone.

    Raises
    ------
    SettingsError
        A key is there already, or the folder cannot be written; nothing is left of this call then.
    """
    pairs = {name: zmq.curve_keypair() for name in (ENGINE, *ROLES)}
    contents: dict[Path, str] = {}
    for name, (public, secret) in pairs.items():
        contents[folder / f"{name}.key"] = _certificate(public)
        contents[folder / f"{name}.key_secret"] = _certificate(public, secret)
        if name != ENGINE:
            contents[_allow_list(folder, name) / f"{name}.key"] = _certificate(public)
    for path in contents:
        if path.exists():
            raise SettingsError(
                f"{path} exists and is not replaced: whoever uses it would be shut out. "
                "Expected a folder without keys. Choose another with --out. Nothing was changed."
            )
    made: list[Path] = []
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for part in (folder, folder / ALLOWED, *(_allow_list(folder, role) for role in ROLES)):
            part.mkdir(mode=0o700, exist_ok=True)
        for path, text in contents.items():
            _write_new(path, text, made)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise SettingsError(
            f"Keys cannot be written to {folder}: {error.strerror}. Choose another folder with --out. "
            "No key was made."
        ) from None
    return made


def load_engine_keys(folder: Path) -> EngineKeys:
    """The engine's pair and its allow-list.

    Raises
    ------
    SettingsError
        A file is missing, is no key, or is a secret that others can read; or nobody is allowed in.
    """
    public, secret = _load_pair(folder / f"{ENGINE}.key_secret")
    senders, viewers, readers = (_load_allowed(_allow_list(folder, role)) for role in ROLES)
    if not (senders or viewers or readers):
        raise SettingsError(
            f"{folder / ALLOWED} holds no public key, so that nobody could connect. Expected *.key files in its "
            "folders senders, viewers or readers. Copy there the public keys of those who may."
        )
    return EngineKeys(public, secret, senders, viewers, readers)


def load_client_keys(folder: Path, role: Role) -> ClientKeys:
    """The pair of one role, and the engine's public key.

    Raises
    ------
    SettingsError
        A file is missing, is no key, or is a secret that others can read.
    """
    public, secret = _load_pair(folder / f"{role}.key_secret")
    return ClientKeys(_load(folder / f"{ENGINE}.key")[0], public, secret)


def load_viewer_keys(folder: Path) -> ClientKeys:
    """The keys of a viewer where `folder` has them, else those of a reader.

    Raises
    ------
    SettingsError
        As `load_client_keys`.
    """
    has_viewer = (folder / "viewer.key_secret").exists()
    return load_client_keys(folder, "viewer" if has_viewer else "reader")


def _allow_list(folder: Path, role: str) -> Path:
    return folder / ALLOWED / f"{role}s"


def _certificate(public: bytes, secret: bytes | None = None) -> str:
    kind = "secret certificate: keep it to yourself" if secret else "public certificate"
    text = f'# livestem, ZeroMQ CURVE {kind}\n\nmetadata\ncurve\n    public-key = "{public.decode()}"\n'
    return text if secret is None else text + f'    secret-key = "{secret.decode()}"\n'


def _write_new(path: Path, text: str, made: list[Path]) -> None:
    mode = 0o600 if path.suffix == ".key_secret" else 0o644
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    made.append(path)
    with open(handle, "w", encoding="ascii") as file:
        file.write(text)


def _load_pair(path: Path) -> tuple[bytes, bytes]:
    """Public and secret key of a file that only its owner may read."""
    if path.exists() and os.name == "posix" and path.stat().st_mode & 0o077:
        raise SettingsError(
            f"{path} holds a secret key and others on this computer may read it (mode "
            f"{path.stat().st_mode & 0o777:o}). Expected mode 600. Run `chmod 600 {path}`; if somebody may have "
            "read it, make new keys."
        )
    public, secret = _load(path)
    # The text of an error of ZeroMQ or of a comparison is never shown: it could hold the secret.
    if secret is None or not _is_key(secret) or zmq.curve_public(secret) != public:
        raise SettingsError(
            f"{path} does not hold a pair of keys that belong together. Expected a *.key_secret file made by "
            "`livestem keys`. Copy it again from where it was made."
        )
    return public, secret


def _load(path: Path) -> tuple[bytes, bytes | None]:
    if not path.exists():
        raise SettingsError(
            f"{path} does not exist. Expected a key made by `livestem keys`. Copy it from the computer where the "
            "keys were made, or check --keys."
        )
    try:
        public, secret = zmq.auth.load_certificate(path)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}. Check the file and its owner."
        ) from None
    except (ValueError, IndexError):
        public, secret = b"", None
    if not _is_key(public):
        raise SettingsError(
            f"{path} holds no public key. Expected a *.key file made by `livestem keys`. "
            "Copy it again from where it was made."
        )
    return public, secret


def _load_allowed(folder: Path) -> frozenset[bytes]:
    return frozenset(_load(path)[0] for path in sorted(folder.glob("*.key")))


def _is_key(text: bytes) -> bool:
    """Whether this is Z85 text of 32 bytes."""
    try:
        return len(text) == 40 and len(z85.decode(text)) == 32
    except Exception:  # what the decoder raises differs with what is wrong
        return False
