"""``livestem inspect``: what a file holds, in words."""

import json
from pathlib import Path
from typing import Any

import click


@click.command("inspect", short_help="What a file holds.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(file: Path, as_json: bool) -> int:
    """Shape, calibration, missing frames and counters of a scan, recording or result FILE."""
    facts = _facts(file)
    if as_json:
        click.echo(json.dumps(facts))
        return 0
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {_text(value)}")
    return 0


def _facts(file: Path) -> dict[str, Any]:
    from streamer.analysis.result_file import is_result, open_result
    from streamer.formats.open_scan import open_scan
    from streamer.formats.recording import RecordingReader

    if file.exists() and not file.is_dir() and is_result(file):
        result = open_result(file)
        names = ("source", "settings_id", "seed", "created", "seconds", "calibration")
        clusters = [f"{node.name}: {node.n_patterns}" for node in result.nodes]
        return {
            "kind": "result",
            "file": str(file),
            **{name: result.attrs[name] for name in names},
            "nodes": clusters,
        }
    with open_scan(file) as scan:
        info = scan.info
        missing = int((scan.received == 0).sum())
        facts: dict[str, Any] = {
            "kind": "recording" if isinstance(scan, RecordingReader) else "EMPAD RAW",
            "file": str(scan.path),
            "scan_shape": list(info.scan_shape),
            "detector_shape": list(info.detector_shape),
            "dtype": info.dtype,
            "frames_missing": missing,
            "frames_nonfinite": int((scan.received == 2).sum()),
            "dwell_s": info.dwell_s,
            "calibration": info.calibration.to_json(),
        }
        if isinstance(scan, RecordingReader):
            end = scan.end()
            facts["scan_id"] = info.scan_id
            facts["end"] = end if end else "not written: the engine was killed, or the scan still runs"
    return facts


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item is not None) or "unknown"
    if isinstance(value, list):
        return (
            " x ".join(map(str, value))
            if all(isinstance(item, int) for item in value)
            else "; ".join(map(str, value))
        )
    return "unknown" if value is None else str(value)
