"""One model of a sample of many scans: it knows what one of them alone does not."""

import json
from functools import partial

import numpy as np
import pytest

from simulators.specimen import Phase
from simulators.truth import many_to_one_accuracy
from streamer import analyze, open_result, open_scan
from streamer.analysis.applied import load_model, model_of
from streamer.cli.analyze import command
from streamer.errors import FileFormatError, SettingsError
from streamer.export.methods import methods_text
from streamer.formats.scan_series import GAP_ROWS
from streamer.settings import AnalysisSettings
from tests.command_line import run_command
from tests.simulated import simulate

SHAPES = {Phase.WS2: (20, 16), Phase.WSE2: (18, 16)}
"""Of the scan that shows this phase beside the film."""


run = partial(run_command, command)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Two scans, each with the film and one of the two crystals of a junction, and one that is broken."""
    whole = simulate(tmp_path_factory.mktemp("whole"), (24, 32))
    frames, phases = whole.frames, whole.specimen.phase.ravel()
    folder, truth = tmp_path_factory.mktemp("night"), {}
    for phase, (n_y, n_x) in SHAPES.items():
        crystal = np.flatnonzero(phases == phase)[: n_y * n_x // 2]
        film = np.flatnonzero(phases == Phase.FILM)[: n_y * n_x - len(crystal)]
        positions = np.concatenate([film, crystal])
        records = np.zeros((n_y * n_x, 130, 128), "<f4")
        records[:, :128] = frames[positions]
        path = folder / f"{phase.name.lower()}_x{n_x}_y{n_y}.raw"
        records.tofile(path)
        truth[path] = phases[positions].reshape(n_y, n_x)
    (folder / "broken_x9_y6.raw").write_bytes(b"")
    return folder, truth


@pytest.fixture(scope="module")
def done(night):
    return run(night[0], "--together", "--json")


def test_the_model_of_all_labels_each_and_misses_nothing(night, done):
    folder, truth = night
    said = json.loads(done.stdout)
    assert done.return_value == 8
    assert list(said["left_out"]) == [str(folder / "broken_x9_y6.raw")]
    assert "Left out: " in done.stderr
    assert "is empty" in done.stderr
    assert said["scans"] == sorted(path.name for path in truth)
    assert said["result"] == str(folder / "together.result.h5")
    assert open_result(said["result"]).label_maps.shape[1:] == (20 + GAP_ROWS + 18, 16)
    model = load_model(folder / "together.result.h5")
    seen = {}
    for path, phases in truth.items():
        with open_scan(path) as scan:
            applied = analyze(scan, model.settings, model=model)
        assert many_to_one_accuracy(applied.label_maps[-1], phases) >= 0.99
        assert "New structure" not in applied.remark
        film = applied.label_maps[0][phases == Phase.FILM]
        seen[path] = int(np.bincount(film).argmax())
    assert len(set(seen.values())) == 1  # the film has one colour in both


def test_the_model_of_one_does_not_know_what_the_other_shows(night):
    ws2, wse2 = night[1]
    with open_scan(wse2) as scan:
        model = model_of(analyze(scan, AnalysisSettings()))
    with open_scan(ws2) as scan:
        assert "New structure" in analyze(scan, model.settings, model=model).remark


def test_again_does_nothing_and_another_sample_takes_another_name(night, done):
    folder, _ = night
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = run(folder, "--together", "--json")
    assert json.loads(again.stdout)["is_new"] is False
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    quick = ("--levels", "1", "--no-momentum", "--no-manifold")
    small = run(folder, "--together", "--sample", "256", *quick)
    assert "2 scans together; label each: livestem apply" in small.stdout
    others = sorted({path.name for path in folder.iterdir()} - {path.name for path in before})
    assert [name.split(".")[-1] for name in others] == ["h5", "series"]
    assert others[0].startswith("together.")
    assert others[1].startswith("together.")


def test_out_names_result_and_series(night, tmp_path):
    sources = sorted(night[1])
    quick = ("--sample", "128", "--levels", "1", "--no-momentum", "--no-manifold")
    done = run(*sources, "--together", *quick, "--out", tmp_path / "model.result.h5")
    assert done.return_value == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.result.h5", "model.series"]
    assert open_result(tmp_path / "model.result.h5").label_maps.shape[1:] == (4 + GAP_ROWS + 4, 16)
    text = methods_text(open_result(tmp_path / "model.result.h5"))
    assert text.startswith("Of 2 scans 128 positions, on 8 lines in 2 bands of neighbouring lines")
    with pytest.raises(SettingsError, match="exists and is not replaced"):
        run(*sources, "--together", "--sample", "256", "--out", tmp_path / "model.result.h5")
    (tmp_path / "model.result.h5").unlink()
    with open_scan(tmp_path / "model.series") as scan:
        assert [member.path for member in scan.members] == sources


def test_what_contradicts_is_refused(night, tmp_path):
    folder, _ = night
    with pytest.raises(SettingsError, match="Give both, or neither"):
        run(folder, "--sample", "100")
    (tmp_path / "region.toml").write_text("roi = [0, 2, 0, 2]")
    for region in (("--roi", "0:2,0:2"), ("--settings", tmp_path / "region.toml")):
        with pytest.raises(SettingsError, match=r"roi \(--roi\) is of one"):
            run(folder, "--together", *region)
    # As for one scan: what the settings get wrong is theirs.
    with pytest.raises(SettingsError, match="No detector pixel lies between 60 and 10"):
        run(folder, "--together", "--inner", "60", "--outer", "10")
    with pytest.raises(SettingsError, match="--overview is of one"):
        run(folder, "--together", "--overview", tmp_path / "page.html")
    with pytest.raises(FileFormatError, match="None of 1 scans"):
        run(folder / "broken_x9_y6.raw", "--together")
