"""Key files: who can read them, what is refused, and that a secret is never shown."""

import os
import shutil
import stat

import pytest
import zmq

from streamer.errors import SettingsError
from streamer.security.keys import load_client_keys, load_engine_keys, load_viewer_keys, make_keys

posix = pytest.mark.skipif(os.name != "posix", reason="file modes")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_secrets_and_the_folder_are_the_owners_alone(folder):
    secrets = sorted(folder.glob("*.key_secret"))
    assert [path.stem for path in secrets] == ["engine", "reader", "sender", "viewer"]
    assert {mode(path) for path in secrets} == {0o600}
    assert mode(folder) == 0o700


@posix
def test_a_secret_is_never_readable_by_others_not_even_while_it_is_written(tmp_path, monkeypatch):
    seen = []
    real_open = os.open

    def watched(path, flags, given=0o777, **more):
        handle = real_open(path, flags, given, **more)
        if str(path).endswith(".key_secret"):
            seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        return handle

    monkeypatch.setattr(os, "open", watched)
    before = os.umask(0)
    try:
        make_keys(tmp_path / "keys")
    finally:
        os.umask(before)
    assert seen == [0o600] * 4


def test_the_allow_list_holds_public_keys_only_each_in_its_place(folder):
    found = sorted(str(path.relative_to(folder)) for path in folder.glob("allowed/*/*"))
    assert found == ["allowed/readers/reader.key", "allowed/senders/sender.key", "allowed/viewers/viewer.key"]
    assert not any("secret-key" in (folder / path).read_text() for path in found)


def test_engine_and_clients_know_each_other(engine_keys, client_keys):
    for role, allowed in (
        ("sender", engine_keys.senders),
        ("viewer", engine_keys.viewers),
        ("reader", engine_keys.readers),
    ):
        keys = client_keys[role]
        assert allowed == {keys.public_key}
        assert keys.engine_key == engine_keys.public_key
        assert zmq.curve_public(keys.secret_key) == keys.public_key


def test_a_further_public_key_is_allowed_and_a_removed_one_is_not(folder, tmp_path):
    make_keys(tmp_path / "other")
    shutil.copy(tmp_path / "other/viewer.key", folder / "allowed/viewers/second.key")
    (folder / "allowed/readers/reader.key").unlink()
    keys = load_engine_keys(folder)
    assert len(keys.viewers) == 2
    assert keys.readers == frozenset()


def test_existing_keys_are_never_replaced(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "allowed/readers/reader.key").unlink()  # what is left of a set is enough to refuse
    with pytest.raises(SettingsError, match=r"exists and is not replaced.*--out.*Nothing was changed"):
        make_keys(folder)
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after.items() < before.items()


def test_nothing_is_left_of_keys_that_cannot_be_written(tmp_path, monkeypatch):
    real_open = os.open

    def full(path, *more):
        if str(path).endswith("viewer.key_secret"):
            raise OSError(28, "No space left on device")
        return real_open(path, *more)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(SettingsError, match=r"No space left on device.*No key was made"):
        make_keys(tmp_path / "keys")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@posix
@pytest.mark.parametrize("given", [0o644, 0o640, 0o604, 0o620])
def test_a_secret_that_others_may_read_is_refused(folder, given):
    for name, load in (("engine", load_engine_keys), ("viewer", load_viewer_keys)):
        path = folder / f"{name}.key_secret"
        path.chmod(given)
        with pytest.raises(SettingsError, match=f"mode {given:o}.*chmod 600 {path}"):
            load(folder)


def test_missing_files_are_named(folder):
    (folder / "sender.key_secret").unlink()
    with pytest.raises(SettingsError, match=r"sender\.key_secret does not exist"):
        load_client_keys(folder, "sender")
    (folder / "engine.key").unlink()
    with pytest.raises(SettingsError, match=r"engine\.key does not exist"):
        load_client_keys(folder, "viewer")
    with pytest.raises(SettingsError, match=r"engine\.key_secret does not exist"):
        load_engine_keys(folder / "nowhere")


def test_an_engine_that_allows_nobody_is_refused(folder):
    shutil.rmtree(folder / "allowed")
    with pytest.raises(SettingsError, match=r"holds no public key.*nobody could connect"):
        load_engine_keys(folder)


def test_a_client_needs_two_files_and_a_viewer_is_a_reader_without_its_key(folder, client_keys, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    shutil.copy(folder / "engine.key", there)
    shutil.copy(folder / "reader.key_secret", there)
    assert load_viewer_keys(there) == client_keys["reader"]
    assert load_viewer_keys(folder) == client_keys["viewer"]


@pytest.mark.parametrize(
    "content", ["", "public-key\n", 'public-key = "short"\n', f'public-key = "{"~" * 40}"\n', "\x00" * 100]
)
def test_files_that_are_no_keys_are_refused_by_name(folder, content):
    (folder / "engine.key").write_text(content)
    with pytest.raises(SettingsError, match=r"engine\.key holds no public key"):
        load_client_keys(folder, "viewer")
    (folder / "allowed/senders/x.key").write_text(content)
    with pytest.raises(SettingsError, match=r"x\.key holds no public key"):
        load_engine_keys(folder)


def test_a_secret_is_in_no_repr_and_in_no_error(folder, engine_keys, client_keys):
    secret = engine_keys.secret_key.decode()
    assert secret not in repr(engine_keys)
    assert client_keys["viewer"].secret_key.decode() not in repr(client_keys["viewer"])
    path = folder / "engine.key_secret"
    path.write_text(path.read_text().replace(secret, secret[::-1]))
    with pytest.raises(SettingsError, match="does not hold a pair") as caught:
        load_engine_keys(folder)
    assert secret[::-1] not in str(caught.value)
    assert caught.value.__cause__ is None
