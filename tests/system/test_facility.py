"""What a facility needs: health, logs that do not grow without bound, a service that ends in order."""

import signal

import pytest

from simulators.faults import Faults
from streamer.cli import log
from streamer.cli.log import teller
from streamer.errors import ScanStopped, SettingsError
from tests.system.stations import Station, assert_recorded, make_scan, send, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def test_health_says_what_monitoring_asks_for(context, tmp_path):
    scan = make_scan()
    with Station(tmp_path / "records", "--log", tmp_path / "logs" / "livestem.log") as station:
        with station.client() as client:
            health = client.health()
            assert (health["ok"], health["why"], health["state"]) == (True, [], "LISTENING")
            assert health["versions"] == {"stream": [1], "control": [1]}
            assert health["endpoints"]["listen"] == station.listen
            assert health["disk_free_bytes"] > 0
            seen = []

            def look(n_acknowledged):
                if n_acknowledged > 50 and not seen:
                    seen.append(client.health())

            send(context, station.listen, scan, look, rate_hz=150)
            assert (seen[0]["state"], seen[0]["scan_id"]) == ("RUNNING", scan.info.scan_id)
            station.wait_end(scan.info.scan_id)
            assert client.health()["n_scans"] == 1
    text = (tmp_path / "logs" / "livestem.log").read_text()
    assert f"Scan {scan.info.scan_id[:8]} ended: COMPLETED." in text


def test_a_lost_sender_shows_in_health(context, tmp_path):
    with Station(tmp_path) as station, station.client() as client:
        with pytest.raises(ScanStopped, match="--fault stop"):
            send(context, station.listen, make_scan(), faults=Faults(stop=0.5))
        wait_for(client, lambda state: state["finish_reason"] == "STREAM_LOST")
        health = client.health()
        assert not health["ok"]
        assert "fell silent" in health["why"][0]


def test_a_service_manager_ends_the_engine_in_the_middle_of_a_scan_and_the_next_one_goes_on(
    context, tmp_path
):
    scan, ended = make_scan(), []
    with Station(tmp_path, "--sync", "kill") as station:

        def restart(n_acknowledged):
            if n_acknowledged > 60 and not ended:
                station.running.process.send_signal(signal.SIGTERM)
                ended.append(station.running.process.wait(20))
                station.start()

        sent = send(context, station.listen, scan, restart, rate_hz=300)
        assert ended == [0]
        assert sent.frames_acknowledged == 192
        assert_recorded(station.wait_end(scan.info.scan_id)["recording"], scan)


def test_the_log_is_cut_into_files_of_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "MAX_LOG_BYTES", 2000)
    monkeypatch.setattr(log, "_say", lambda text: None)
    told = teller(tmp_path / "livestem.log")
    try:
        for number in range(1000):
            told(f"sentence number {number}")
    finally:
        log.close_log()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + log.N_OLD_LOGS
    assert all(file.stat().st_size <= 2000 for file in files)
    assert "sentence number 999" in (tmp_path / "livestem.log").read_text()


def test_a_log_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        teller(tmp_path / "file" / "livestem.log")
