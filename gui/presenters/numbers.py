"""Numbers as people read them: thin-space thousands, units always beside them."""

import math

THIN_SPACE = "\u2009"
NOTHING = "–"


def count(number: int) -> str:
    """``22855`` as "22 855", with a thin space."""
    return f"{number:,}".replace(",", THIN_SPACE)


def figure(value: float) -> str:
    """Three digits that count, without powers of ten where people do not use them: "2 860", "0.042"."""
    rounded = float(f"{value:.3g}")
    return count(round(rounded)) if 1000 <= abs(rounded) < 1e9 else f"{rounded:.3g}"


def percent(share: float) -> str:
    """0.43 as "43 %"; a small share that is not nothing never reads as 0 %."""
    if 0 < share < 0.005:
        return "< 1 %"
    return f"{100 * share:.0f} %"


def duration(seconds: float | None) -> str:
    """Seconds in the unit that suits them: "34 ms", "3.1 s", "16 s", "4 min 05 s", "2 h 10 min"."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 0.9995:
        return f"{1000 * max(seconds, 0.0):.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def data_size(n_bytes: int | None) -> str:
    """Bytes in decimal units: "812 GB"."""
    if n_bytes is None:
        return NOTHING
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB" if size < 999.5 else f"{count(round(size))} TB"


def free_space(n_bytes: int | None) -> str:
    """Room on a disk: "812 GB free"."""
    return NOTHING if n_bytes is None else f"{data_size(n_bytes)} free"


def rate(hz: float) -> str:
    """Patterns per second: "1 183 /s"."""
    return f"{count(round(hz))} /s"


def shape(rows_columns: tuple[int, int]) -> str:
    """(192, 256) as "192 × 256"."""
    return f"{rows_columns[0]} × {rows_columns[1]}"
