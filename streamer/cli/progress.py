"""Progress on stderr: a bar on a terminal, a line per tenth where it is not one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Update = Callable[[str, float], None]
"""Name of the step, share done (0..1)."""


@contextmanager
def shown(steps: tuple[str, ...]) -> Iterator[Update]:
    """Show the progress of steps by name."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (TextColumn("{task.description:<10}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        tasks = {name: bars.add_task(name, total=1.0, start=False) for name in steps}

        def update(name: str, fraction: float) -> None:
            bars.start_task(tasks[name])
            bars.update(tasks[name], completed=fraction)

        yield update


def _lines(console: Console) -> Update:
    said: dict[str, int] = {}

    def update(name: str, fraction: float) -> None:
        tenth = int(fraction * 4) * 25
        if said.get(name, -1) < tenth:
            said[name] = tenth
            console.print(f"{name}: {tenth} %", highlight=False)

    return update


@contextmanager
def scan_by_scan(
    steps: tuple[str, ...], n_scans: int
) -> Iterator[tuple[Callable[[int, Path], Update], Callable[[str], None]]]:
    """Show a queue of scans: what is called as one begins, and with the line that says how it ended.

    Lines go to stderr; a terminal has a bar for the scan in hand and one for all of them.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        whole = bars.add_task(f"{n_scans} scans", total=n_scans)
        one = bars.add_task("", total=len(steps), visible=False)
        n_done = 0

        def begins(number: int, source: Path) -> Update:
            bars.reset(one, description=source.name, completed=0, visible=True)

            def update(name: str, fraction: float) -> None:
                bars.update(one, completed=steps.index(name) + fraction, description=f"{source.name} {name}")

            return update

        def told(line: str) -> None:
            nonlocal n_done
            n_done += 1
            bars.update(one, visible=False)
            bars.update(whole, completed=n_done)
            console.print(f"[{n_done}/{n_scans}] {line}", highlight=False, markup=False, soft_wrap=True)

        yield begins, told
