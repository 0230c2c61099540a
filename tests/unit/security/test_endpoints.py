"""Only real loopback passes without keys."""

import pytest

from streamer.errors import SettingsError
from streamer.security.endpoints import check_endpoint, is_loopback

LOCAL = [
    "tcp://127.0.0.1:9999",
    "tcp://127.0.0.1:*",
    "tcp://127.255.3.9:1",
    "tcp://localhost:1",
    "tcp://[::1]:1",
    "ipc:///tmp/livestem",
    "inproc://livestem",
]
OPEN = [
    "tcp://*:1",
    "tcp://0.0.0.0:1",
    "tcp://[::]:1",
    "tcp://:::1",
    "tcp://eth0:1",
    "tcp://lo:1",
    "tcp://10.0.0.5:1",
    "tcp://127.0.0.1.evil.org:1",
    "tcp://127.evil.org:1",
    "tcp://localhost.evil:1",
    "tcp://localhost:1.evil.org:1",
    "tcp://127.0.0.1:1;10.0.0.5:2",
    "tcp://127.0.0.1:0;0.0.0.0:1",
    "tcp://10.0.0.5:1;127.0.0.1:2",
    "tcp://[::1]:1;*:2",
    "tcp://[::1%eth0]:1",
    "tcp://[::ffff:10.0.0.5]:1",
    "tcp://127.0.0.1@10.0.0.5:1",
    "tcp://127.0.0.1:1\n",
    "tcp://127.0.0.1:1\ntcp://0.0.0.0:1",
    " tcp://127.0.0.1:1",
    "tcp://127.1:1",
    "tcp://0177.0.0.1:1",
    "tcp://127.0.0.256:1",
    "tcp://١٢٧.0.0.1:1",
    "tcp://127.0.0.1",
    "TCP://127.0.0.1:1",
    "udp://127.0.0.1:1",
    "ws://127.0.0.1:1",
    "pgm://127.0.0.1;239.1.1.1:1",
    "127.0.0.1:1",
    "",
]


@pytest.mark.parametrize("endpoint", LOCAL)
def test_loopback_needs_nothing(endpoint):
    assert is_loopback(endpoint)
    check_endpoint(endpoint, has_keys=False, insecure=False)


@pytest.mark.parametrize("endpoint", OPEN)
def test_everything_else_needs_keys_or_a_spoken_word(endpoint):
    assert not is_loopback(endpoint)
    with pytest.raises(SettingsError, match=r"(?s)reachable from other computers.*livestem keys.*--insecure"):
        check_endpoint(endpoint, has_keys=False, insecure=False)
    check_endpoint(endpoint, has_keys=True, insecure=False)
    check_endpoint(endpoint, has_keys=False, insecure=True)
