"""Every value that can be set by hand, set while a real scan runs: followed live, recorded, and in the result."""

import json
import subprocess
from pathlib import Path

import pytest

from streamer import open_result
from streamer.client import EngineClient
from streamer.errors import LivestemError
from streamer.formats.side_settings import side_path
from tests.system.commands import engine, environment, livestem, run_json

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
SPOT = {"spots_yx": [[0.0, 24.0]], "radius_px": 4.0, "conjugate": True}


def wait(client, condition):
    """The first published state for which something holds."""
    while not condition(state := client.wait_state(30)):
        pass
    return state


def in_force(state):
    return state["settings"]["in_force"]


def test_values_set_during_a_scan_are_followed_and_recorded(tmp_path):
    raw = run_json("simulate", "junction", "--size", "28x36", "--out", tmp_path / "scan")["raw"]
    with engine(tmp_path / "recordings") as running:
        ends = running.endpoints
        replay = livestem("replay", raw, "--to", running.listen, "--rate", "120")
        sender = subprocess.Popen(
            replay, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
        )
        with sender, EngineClient(ends["publish"], ends["control"]) as client:
            began = wait(client, lambda state: in_force(state).get("k"))
            auto = began["settings"]["auto"]
            with pytest.raises(LivestemError, match="when the scan has ended"):
                client.split("1", 2)
            inner, outer = auto["inner_px"] + 3, auto["outer_px"] - 4
            wanted = {"inner_px": inner, "outer_px": outer, "threshold": 0.45}
            wanted["disk_radius_px"] = auto["disk_radius_px"] + 1.0
            client.set("ring", [inner, outer])
            client.set("threshold", 0.45)
            client.set("disk", wanted["disk_radius_px"])
            client.set("K", {"all": 2})
            wait(
                client,
                lambda s: wanted.items() <= in_force(s).items() and in_force(s)["k"]["all"] == 2,
            )
            client.set("virtual", {"spot": SPOT})
            assert client.preview_mask(inner=inner + 2).header["n_sample"] > 0
            for name in ("disk", "threshold"):
                client.release(name)
            wait(client, lambda s: in_force(s)["disk_radius_px"] == s["settings"]["auto"]["disk_radius_px"])
            state = wait(client, lambda s: in_force(s)["threshold"] == s["settings"]["auto"]["threshold"])
            assert state["state"] == "RUNNING", "all of it was followed while the scan ran"
            records = {record["parameter"]: record for record in state["overrides"]}
            assert set(records) == {"inner_px", "outer_px", "k all", "virtual spot"}
            assert records["inner_px"]["automatic"] == pytest.approx(auto["inner_px"], abs=3)
            done = wait(client, lambda s: s["shows"] == "final")
            assert sender.wait(30) == 0
            result = open_result(done["result"])
            assert result.array_attrs["mask"]["inner_px"] == inner
            assert result.attrs["settings"]["cluster"]["k"] == {"all": 2}
            assert "virtual/spot" in result.arrays
            assert {record["parameter"] for record in result.attrs["overrides"]} == set(records)
            beside = json.loads(side_path(Path(done["recording"])).read_text())
            assert {record["parameter"] for record in beside["overrides"]} == set(records)
            assert done["stale"] == []

            # The same engine now takes changes of its result, and goes on to the next analysis.
            client.split("1", 2)
            assert client.state()["edits"]["undo_text"] == "split 1 into 2"
            client.release("K")
            assert client.state()["stale"] == ["hierarchy", "patterns", "manifold"]
            client.analyze((2, 20, 4, 30))
            region = wait(client, lambda s: s["result"] != done["result"])
            assert region["result"].endswith(".region.result.h5")
            assert open_result(region["result"]).attrs["settings"]["roi"] == [2, 20, 4, 30]
            client.undo()
            labels = client.get(["label_maps"])["label_maps"].values
            assert (labels >= 0).all(), "the whole scan is back, with its split"
            assert any(node["name"] == "1.2" for node in client.state()["tree"])
