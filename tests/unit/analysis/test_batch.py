"""Many scans in one call: some broken, some finished; what is shown of all."""

import json
import re
import shutil
from functools import partial

import numpy as np
import pytest

from streamer import open_result
from streamer.analysis.batch import run_batch
from streamer.cli.analyze import command
from streamer.errors import FileFormatError, ScanStopped, SettingsError
from streamer.formats.find_scans import find_scans
from tests.command_line import run_command
from tests.simulated import simulate

QUICK = ("--no-momentum", "--no-manifold", "--levels", "1")


run = partial(run_command, command)


def ten_scans(folder):
    """Ten files of the same small scan with a first pattern of their own; number 3 is empty, number 7 is all NaN."""
    scan = simulate(folder / "made", (6, 9))
    for number in range(10):
        path = folder / f"s{number}_x9_y6.raw"
        shutil.copy(scan.raw, path)
        records = np.memmap(path, "<f4", "r+", shape=(54, 130, 128))
        records[0] *= 1.0 + number
        if number == 7:
            records[:] = np.nan
        records.flush()
    with (folder / "s3_x9_y6.raw").open("rb+") as file:
        file.truncate(0)
    (folder / "notes.txt").write_text("a good night")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    (folder / "made").mkdir()
    ten_scans(folder)
    return folder, run(folder, "--json", *QUICK)


def test_eight_results_two_reports_and_the_exit_code(night):
    folder, done = night
    assert done.return_value == 8
    said = json.loads(done.stdout)
    failed = {one["source"]: one["error"] for one in said["results"] if "error" in one}
    assert sorted(failed) == [str(folder / f"s{number}_x9_y6.raw") for number in (3, 7)]
    assert "is empty" in failed[str(folder / "s3_x9_y6.raw")]
    assert "holds no usable pattern" in failed[str(folder / "s7_x9_y6.raw")]
    assert len(list(folder.glob("*.result.h5"))) == 8
    assert [one["is_new"] for one in said["results"] if "error" not in one] == [True] * 8


def test_the_overview_has_a_map_of_each_and_says_what_failed(night):
    folder, done = night
    page = (folder / "livestem-overview.html").read_text()
    assert json.loads(done.stdout)["overview"] == str(folder / "livestem-overview.html")
    assert page.count('alt="clusters"') == page.count('alt="dark field"') == 8
    assert page.count('class="failed"') == 2
    assert "10 scans, 2 failed" in page
    assert set(re.findall(r'href="(.*?)"', page)) == {path.name for path in folder.glob("*.result.h5")}
    assert "http" not in page


def test_a_second_run_does_nothing(night):
    folder, _ = night
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = run(folder, *QUICK)
    assert again.return_value == 8
    assert "0 analysed, 8 finished before, 2 failed" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_other_settings_get_results_of_their_own(night):
    folder, _ = night
    one = folder / "s0_x9_y6.raw"
    done = run(folder / "s[01]*.raw", "--overview", folder / "seed.html", "--json", "--seed", "5", *QUICK)
    assert done.return_value == 0
    said = json.loads(done.stdout)["results"]
    assert [one["is_new"] for one in said] == [True, True]
    assert said[0]["result"] == str(folder / f"s0_x9_y6.{said[0]['settings_id'][:8]}.result.h5")
    assert open_result(one.with_name("s0_x9_y6.result.h5")).attrs["seed"] == 0
    for path in folder.glob("*.????????.result.h5"):
        path.unlink()


def test_a_name_that_is_taken_by_something_else_is_a_failure_of_that_scan(tmp_path):
    scan = simulate(tmp_path, (3, 5))
    shutil.copy(scan.raw, tmp_path / "a_x5_y3.raw")
    (tmp_path / "a_x5_y3.result.h5").write_text("mine")

    def work(scan, progress):
        raise AssertionError("never begun")

    (tmp_path / "a_x5_y3.0123abcd.result.h5").write_text("mine too")
    (outcome,) = run_batch([tmp_path / "a_x5_y3.raw"], "0123abcdef", work)
    assert outcome.result is None
    assert "exists and is not replaced" in outcome.error


def test_a_defect_stops_one_scan_and_a_cancel_all(tmp_path):
    scan = simulate(tmp_path, (3, 5))

    def broken(scan, progress):
        raise ZeroDivisionError("by nought")

    def cancelled(scan, progress):
        raise ScanStopped("enough")

    outcomes = list(run_batch([scan.raw, scan.raw], "0", broken))
    assert [one.error for one in outcomes] == [
        "The analysis failed: ZeroDivisionError: by nought. The scan is unchanged."
    ] * 2
    with pytest.raises(ScanStopped):
        list(run_batch([scan.raw, scan.raw], "0", cancelled))


def test_what_folders_and_patterns_mean(night, tmp_path):
    folder, _ = night
    scans = [folder / f"s{number}_x9_y6.raw" for number in range(10)]
    assert find_scans((folder,)) == scans
    assert find_scans((folder / "*.raw", scans[0], tmp_path / "gone.raw")) == [*scans, tmp_path / "gone.raw"]
    assert find_scans((folder / "**" / "scan*.raw",)) == [folder / "made" / "scan_x9_y6.raw"]
    (tmp_path / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    assert find_scans((tmp_path,)) == [tmp_path / "broken.h5"]
    with pytest.raises(FileFormatError, match=r"No scan fits .*\*\.tif.* Expected scan files"):
        find_scans((tmp_path / "*.tif",))
    with pytest.raises(SettingsError, match="several scans are given"):
        run(folder, "--out", tmp_path / "a.h5")
