"""``livestem inspect``: what a file holds, in words; and the repair of a recording that has no end."""

import json
from pathlib import Path
from typing import Any

import click

from streamer.cli.scan_options import scan_options, take_told

_CHECK_FRAMES = 64


@click.command("inspect", short_help="What a file holds.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--repair", is_flag=True, help="First close a recording that a kill or a power cut left open.")
@click.option("--check", is_flag=True, help="Read every frame: count those that are not finite.")
@scan_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(file: Path, repair: bool, check: bool, as_json: bool, **chosen: Any) -> int:
    """Shape, calibration, missing frames and counters of a scan, recording or result FILE."""
    if repair:
        from streamer.record.repair import repair_recording

        repair_recording(file)
    facts = _facts(file, check, take_told(chosen))
    if as_json:
        click.echo(json.dumps(facts))
        return 0
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {_text(value)}")
    return 0


def _facts(file: Path, check: bool, told: dict[str, Any]) -> dict[str, Any]:
    from streamer.analysis.result_file import is_result
    from streamer.formats.open_scan import open_scan
    from streamer.formats.recording import RecordingReader

    if file.exists() and not file.is_dir() and is_result(file):
        return _facts_of_result(file)
    with open_scan(file, **told) as scan:
        info, is_recording = scan.info, isinstance(scan, RecordingReader)
        facts: dict[str, Any] = {
            "kind": "recording" if is_recording else info.metadata.get("format", "scan"),
            "file": str(scan.path),
            "scan_shape": list(info.scan_shape),
            "detector_shape": list(info.detector_shape),
            "dtype": info.dtype,
            "frames_missing": int((scan.received == 0).sum()),
            "frames_nonfinite": int((scan.received == 2).sum()) if is_recording else None,
            "dwell_s": info.dwell_s,
            "calibration": info.calibration.to_json(),
            "orientation": info.orientation.to_json(),
            "metadata": info.metadata,
        }
        if check:
            facts["frames_nonfinite"] = _count_nonfinite(scan)
        return facts | _facts_of_recording(scan) if isinstance(scan, RecordingReader) else facts


def _count_nonfinite(scan: Any) -> int:
    """Stored frames with a pixel that is NaN or infinite, by reading all of them."""
    import numpy as np

    from streamer.cli.progress import shown

    if np.dtype(scan.info.dtype).kind != "f":
        return 0
    stored = np.flatnonzero(scan.received)
    room = np.empty((_CHECK_FRAMES, *scan.info.detector_shape), scan.info.dtype)
    n = 0
    with shown(("check",)) as update:
        for first in range(0, len(stored), _CHECK_FRAMES):
            frames = scan.read_positions(stored[first : first + _CHECK_FRAMES], room)
            n += int((~np.isfinite(frames).all(axis=(1, 2))).sum())
            update("check", min(1.0, (first + len(frames)) / len(stored)))
    return n


def _facts_of_recording(recording: Any) -> dict[str, Any]:
    from streamer.formats.recording_schema import NOT_SYNCED

    end = recording.end()
    facts = {
        "scan_id": recording.info.scan_id,
        "order": recording.info.order.value,
        "frames_not_synced": int((recording.marks & NOT_SYNCED > 0).sum()),
        "end": end or "not written: the scan still runs, or the engine was killed (--repair closes the file)",
    }
    return facts | ({"counters": end["counters"]} if end else {})


def _facts_of_result(file: Path) -> dict[str, Any]:
    from streamer.analysis.result_file import open_result

    result = open_result(file)
    names = ("source", "settings_id", "seed", "created", "seconds", "calibration")
    return {
        "kind": "result",
        "file": str(file),
        **{name: result.attrs[name] for name in names},
        "nodes": [f"{node.name}: {node.n_patterns}" for node in result.nodes],
    }


def _text(value: Any) -> str:
    if isinstance(value, dict):
        said = [f"{key} {item}" for key, item in value.items() if item is not None and key != "counters"]
        return ", ".join(said) or "unknown"
    if isinstance(value, list):
        return (
            " x ".join(map(str, value))
            if all(isinstance(item, int) for item in value)
            else "; ".join(map(str, value))
        )
    return "unknown" if value is None else str(value)
