import pytest

from streamer.security.keys import load_client_keys, load_engine_keys, make_keys


@pytest.fixture
def folder(tmp_path):
    """Keys as `livestem keys` makes them."""
    make_keys(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def engine_keys(folder):
    return load_engine_keys(folder)


@pytest.fixture
def client_keys(folder):
    """Keys of a role by name; "stranger" has a good pair that nobody knows, "misled" another engine's key."""
    make_keys(folder.parent / "elsewhere")
    stranger = load_client_keys(folder.parent / "elsewhere", "viewer")
    known = {role: load_client_keys(folder, role) for role in ("sender", "viewer", "reader")}
    engine = known["viewer"].engine_key
    return known | {
        "stranger": type(stranger)(engine, stranger.public_key, stranger.secret_key),
        "misled": type(stranger)(stranger.engine_key, known["viewer"].public_key, known["viewer"].secret_key),
        "keyless": None,
    }
