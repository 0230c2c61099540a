"""``livestem demo``: the main job in one go, every station a process of its own.

simulate -> engine <- replay -> recording -> analysis -> result -> picture, then a comparison with the truth,
which lies in a folder that no other process is told of.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from streamer.errors import LivestemError

RATE_HZ = 1100
READY_TIMEOUT_S = 120.0
ANALYSIS_TIMEOUT_S = 600.0
POLL_S = 0.2
GOOD_PHASES = 0.99


@dataclass(frozen=True)
class Folders:
    """Where a run puts things; the truth apart from what engine and sender see."""

    scan: Path
    truth: Path
    recordings: Path
    picture: Path

    @classmethod
    def under(cls, out: Path) -> "Folders":
        """Folders of a run that begins now: every run has its own, nothing is replaced."""
        run = out / datetime.now().strftime("%Y%m%d-%H%M%S")
        return cls(run / "scan", run / "truth", run / "recordings", run / "window.png")


@click.command("demo", short_help="The main job on a simulated scan.")
@click.option(
    "--size", default="96", show_default=True, metavar="N[xM]", help="Scan positions: rows x columns."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Folder; every run makes its own in it.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the simulated scan.")
@click.option("--headless", is_flag=True, help="No window, even where there is a display.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(size: str, out: Path, seed: int, headless: bool, as_json: bool) -> int:
    """Simulated junction scan -> ZeroMQ -> engine -> analysis -> result; says what was found against the truth."""
    folders = Folders.under(out)
    begin = time.perf_counter()
    simulated = _simulate(size, seed, folders)
    _say(f"Simulated {simulated['n_patterns']} patterns in {simulated['seconds']} s: {simulated['raw']}")
    with _Engine(folders.recordings) as engine:
        window = None if headless or not has_display() else _open_window(engine.endpoints["publish"])
        sent = _run_json(
            "replay", simulated["raw"], "--to", engine.endpoints["listen"], "--rate", str(RATE_HZ)
        )
        _say(f"Sent {sent['frames_sent']} frames in {sent['seconds']:.1f} s, all acknowledged.")
        state = engine.wait_for_result()
        _run("view", state["result"], "--snapshot", str(folders.picture))
        summary = _compare(simulated, sent, state, folders, time.perf_counter() - begin)
        _report(summary, as_json)
        if window is not None:
            _say("The window stays open; close it to end the demo.")
            window.wait()
    all_stored = summary["frames_stored"] == summary["frames_sent"]
    return 0 if all_stored and summary["phases_right"] >= GOOD_PHASES else LivestemError.exit_code


def has_display() -> bool:
    """Whether a window can be shown here."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


class _Engine:
    """The engine's process, and a client that watches it."""

    def __init__(self, recordings: Path) -> None:
        free = "tcp://127.0.0.1:*"
        arguments = (
            "serve",
            "--listen",
            free,
            "--publish",
            free,
            "--control",
            free,
            "--record",
            str(recordings),
        )
        self._process = subprocess.Popen(
            [*_livestem(*arguments, "--json", "--until-stdin-closes")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            raise LivestemError(
                f"The engine ended with code {self._process.wait()} before it was ready. See above."
            )
        self.endpoints: dict[str, str] = json.loads(line)

    def __enter__(self) -> "_Engine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def wait_for_result(self) -> dict[str, Any]:
        """The engine's state once the final result is there."""
        from streamer.client import EngineClient

        deadline = time.monotonic() + ANALYSIS_TIMEOUT_S
        said = ""
        with EngineClient(self.endpoints["publish"], self.endpoints["control"]) as client:
            while time.monotonic() < deadline:
                state = client.state(timeout_s=30)
                if state["shows"] == "final":
                    return state
                failed = [p["text"] for p in state["problems"] if p["code"].startswith("analysis_")]
                if failed:
                    raise LivestemError(failed[0])
                progress = state["progress"]
                if progress and progress["name"] != said:
                    said = progress["name"]
                    _say(f"Analysing: step {progress['step']} of {progress['n_steps']}, {said}")
                time.sleep(POLL_S)
        raise LivestemError(f"No result within {ANALYSIS_TIMEOUT_S:g} s. The recording is kept.")


def _simulate(size: str, seed: int, folders: Folders) -> dict[str, Any]:
    return _run_json(
        *("simulate", "junction", "--size", size, "--seed", str(seed)),
        *("--out", str(folders.scan), "--truth-out", str(folders.truth)),
    )


def _open_window(publish: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(_livestem("view", publish))


def _livestem(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "streamer.cli.main", *arguments]


def _run(*arguments: str) -> bytes:
    """Run a command to its end; its progress goes to our stderr, its results come back."""
    done = subprocess.run(_livestem(*arguments), stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise LivestemError(
            f"`livestem {arguments[0]}` ended with code {done.returncode}. See its message above."
        )
    return done.stdout


def _run_json(*arguments: str) -> dict[str, Any]:
    return json.loads(_run(*arguments, "--json"))


def _compare(
    simulated: dict[str, Any], sent: dict[str, Any], state: dict[str, Any], folders: Folders, seconds: float
) -> dict[str, Any]:
    """What was found, against the truth."""
    from simulators.specimen import Phase
    from simulators.truth import many_to_one_accuracy, read_truth
    from streamer.analysis.result_file import open_result
    from streamer.formats.recording import RecordingReader

    truth = read_truth(Path(simulated["truth"])).specimen
    result = open_result(state["result"])
    labels = result.label_maps[-1]
    with RecordingReader(Path(state["recording"])) as recording:
        live = recording.live_label_maps()
    per_level: dict[str, int] = {}
    for node in result.nodes[1:]:
        per_level[f"level {node.level}"] = per_level.get(f"level {node.level}", 0) + 1
    rotates = (truth.rotation_rad > 0).astype(int)
    return {
        "frames_sent": sent["frames_sent"],
        "frames_stored": state["counters"]["frames_stored"],
        "clusters": per_level,
        "phases_right": many_to_one_accuracy(labels, truth.phase),
        "phases_right_live": many_to_one_accuracy(live[-1], truth.phase),
        "rotation_sign_right": many_to_one_accuracy(labels, rotates, truth.phase == Phase.WS2),
        "ripple_regions_right": many_to_one_accuracy(labels, truth.ripple_region, truth.phase == Phase.WSE2),
        "seconds": {"stream": round(sent["seconds"], 1), **state["seconds"], "everything": round(seconds, 1)},
        "recording": state["recording"],
        "result": state["result"],
        "picture": str(folders.picture),
        "truth": simulated["truth"],
    }


def _report(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(summary))
        return
    clusters = ", ".join(f"{level}: {count}" for level, count in summary["clusters"].items())
    click.echo(f"Frames     {summary['frames_sent']} sent, {summary['frames_stored']} stored")
    click.echo(f"Clusters   {clusters}")
    click.echo(
        f"Phases     {summary['phases_right']:.2%} of positions right (live, at the last frame: "
        f"{summary['phases_right_live']:.2%})"
    )
    click.echo(
        f"Inside     rotation sign in WS2 {summary['rotation_sign_right']:.1%}, "
        f"ripple regions in WSe2 {summary['ripple_regions_right']:.1%}"
    )
    click.echo("Seconds    " + ", ".join(f"{name} {value:.1f}" for name, value in summary["seconds"].items()))
    for name in ("recording", "result", "picture"):
        click.echo(f"{name.capitalize():<10} {summary[name]}")


def _say(text: str) -> None:
    click.echo(text, err=True)
