"""Progress on stderr: a bar on a terminal, a line per tenth where it is not one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
