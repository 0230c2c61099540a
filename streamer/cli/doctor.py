"""``livestem doctor``: whether this computer has what livestem needs, and what to do where it has not."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import click

FRAME_BYTES = 128 * 128 * 4
FIRST_GENERATION_HZ, SECOND_GENERATION_HZ = 538, 10_000
TEST_BYTES = 64 << 20
LEAST_MEMORY_BYTES = 4 << 30
EXIT_MISSING = 5
QT_TIMEOUT_S = 30


class Verdict(StrEnum):
    """How a check went; only ``MISSING`` keeps livestem from working."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One check: its name, how it went, and a sentence."""

    name: str
    verdict: Verdict
    text: str


@click.command("doctor", short_help="Whether this computer has what livestem needs.")
@click.option(
    "--record",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("."),
    show_default=True,
    help="Folder for recordings, whose disk is tried with a file of 64 MiB.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(folder: Path, as_json: bool) -> int:
    """Check packages, compiled kernels, sockets, window, disk and memory; exit code 5 where something is missing."""
    checks: list[Callable[[], Finding]] = [
        check_system,
        check_packages,
        check_kernels,
        check_sockets,
        check_window,
        lambda: check_disk(folder),
        check_machine,
    ]
    findings = [check() for check in checks]
    if as_json:
        click.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            click.echo(f"{finding.verdict:<8} {finding.name:<9} {finding.text}")
    return EXIT_MISSING if any(finding.verdict is Verdict.MISSING for finding in findings) else 0


def check_system() -> Finding:
    """Whether anybody has tried livestem on such a computer."""
    said = f"{platform.system()} {platform.release()}, {platform.machine()}"
    if sys.platform == "linux" and platform.machine() == "x86_64":
        return Finding("system", Verdict.OK, f"{said}.")
    text = f"{said}: livestem has been tried on Linux (x86_64) only. Try it with a simulated scan first."
    return Finding("system", Verdict.WARNING, text)


def check_packages() -> Finding:
    """Installed versions against those that livestem asks for."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    wrong = []
    needed = [Requirement(text) for text in requires("livestem") or ()]
    for requirement in needed:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement} is not installed")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} {found} does not fit {requirement.specifier}")
    if wrong:
        return Finding(
            "packages", Verdict.MISSING, f"{'; '.join(wrong)}. Install livestem again, with its constraints."
        )
    python = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        "packages", Verdict.OK, f"livestem {version('livestem')}, Python {python}, all packages fit."
    )


def check_kernels() -> Finding:
    """Whether compiled kernels can be kept, and whether they are there already."""
    from streamer.kernels.frame_pass import measure_frames

    kept_in = getattr(getattr(measure_frames, "stats", None), "cache_path", None)
    if kept_in is None:
        return Finding("kernels", Verdict.WARNING, _no_cache("numba gives no folder for them"))
    folder = Path(kept_in)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding("kernels", Verdict.WARNING, _no_cache(f"{folder}: {error.strerror}"))
    if any(folder.glob("frame_pass.measure_frames*.nbc")):
        return Finding("kernels", Verdict.OK, f"Compiled and kept in {folder}.")
    return Finding(
        "kernels",
        Verdict.OK,
        f"Not compiled yet: the first start takes some tens of seconds. Kept in {folder}.",
    )


def _no_cache(why: str) -> str:
    return (
        f"Compiled kernels cannot be kept ({why}): every start takes some tens of seconds longer. "
        "Set NUMBA_CACHE_DIR to a folder that can be written."
    )


def check_sockets() -> Finding:
    """A message over loopback, and whether connections can be protected."""
    import zmq

    try:
        with zmq.Context() as context, context.socket(zmq.PULL) as taker, context.socket(zmq.PUSH) as giver:
            for socket in (taker, giver):
                socket.setsockopt(zmq.LINGER, 0)
            port = taker.bind_to_random_port("tcp://127.0.0.1")
            giver.connect(f"tcp://127.0.0.1:{port}")
            giver.send(b"well?")
            arrived = bool(taker.poll(2000))
    except zmq.ZMQError as error:
        return Finding(
            "sockets", Verdict.MISSING, f"ZeroMQ cannot use loopback: {error}. Check the firewall."
        )
    if not arrived:
        return Finding(
            "sockets", Verdict.MISSING, "A message over 127.0.0.1 did not arrive. Check the firewall."
        )
    if not zmq.has("curve"):
        text = "This ZeroMQ has no CURVE: keys cannot be used between computers. Install pyzmq's wheel."
        return Finding("sockets", Verdict.WARNING, text)
    return Finding("sockets", Verdict.OK, f"Loopback works; ZeroMQ {zmq.zmq_version()} with CURVE.")


def check_window() -> Finding:
    """Whether Qt loads, tried in a process of its own, and whether there is a display."""
    done = subprocess.run(
        [sys.executable, "-c", "import PyQt5.QtWidgets as q; q.QApplication([])"],
        capture_output=True,
        text=True,
        timeout=QT_TIMEOUT_S,
        check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        text = f"Qt does not load: {why}. On Debian, `make setup` installs its libraries; the engine works without."
        return Finding("window", Verdict.MISSING, text)
    has_display = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if not has_display:
        text = "Qt loads, but there is no display: pictures and the engine work, the window does not."
        return Finding("window", Verdict.WARNING, text)
    return Finding("window", Verdict.OK, "Qt loads and there is a display.")


def check_disk(folder: Path) -> Finding:
    """Write speed and room of the folder for recordings, against what detectors send."""
    try:
        rate, free = write_rate(folder), shutil.disk_usage(folder).free
    except OSError as error:
        text = f"{folder} cannot be written: {error.strerror}. Choose another folder with --record."
        return Finding("disk", Verdict.MISSING, text)
    minutes = free / (FRAME_BYTES * FIRST_GENERATION_HZ * 60)
    said = f"{rate / 1e6:.0f} MB/s and {free / 1e9:.0f} GB free in {folder.resolve()}"
    room = f"room for {minutes:.0f} minutes of a first-generation EMPAD"
    for name, rate_hz in (("first", FIRST_GENERATION_HZ), ("second", SECOND_GENERATION_HZ)):
        needed = FRAME_BYTES * rate_hz
        if rate < needed:
            text = f"{said}: too slow for a {name}-generation EMPAD, which sends {needed / 1e6:.0f} MB/s; {room}."
            return Finding("disk", Verdict.WARNING, text)
    return Finding("disk", Verdict.OK, f"{said}: fast enough for both generations of EMPAD; {room}.")


def write_rate(folder: Path) -> float:
    """Bytes per second that reach the disk, from one file of 64 MiB, removed again."""
    block = os.urandom(1 << 20)
    with tempfile.TemporaryFile(dir=folder) as file:
        begin = time.perf_counter()
        for _ in range(TEST_BYTES // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return TEST_BYTES / (time.perf_counter() - begin)


def check_machine() -> Finding:
    """Processors and memory."""
    from streamer.cluster.tables import known_memory_bytes

    n_cores, memory = os.cpu_count() or 1, known_memory_bytes()
    said = f"{n_cores} cores" + (f", {memory / (1 << 30):.0f} GiB of memory" if memory else "")
    if n_cores < 2 or (memory and memory < LEAST_MEMORY_BYTES):
        text = (
            f"{said}: a scan of 256 x 256 wants 2 cores and 4 GiB. It will be recorded, and analysed slowly."
        )
        return Finding("machine", Verdict.WARNING, text)
    return Finding("machine", Verdict.OK, f"{said}.")
