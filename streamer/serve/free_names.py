"""Names of result files that nobody has: nothing that is there is ever replaced."""

import itertools
from pathlib import Path


def free_result_name(path: Path, kind: str = "", taken: frozenset[Path] = frozenset()) -> Path:
    """``<stem>.result.h5``, ``<stem>.<kind>.result.h5``, or the first with -2, -3 ... that is free."""
    stem = path.name.removesuffix(".h5").removesuffix(".result").removesuffix(".raw")
    middle = f".{kind}" if kind else ""
    names = (f"{stem}{middle}{'' if n == 1 else f'-{n}'}.result.h5" for n in itertools.count(1))
    paths = (path.with_name(name) for name in names)
    return next(candidate for candidate in paths if not candidate.exists() and candidate not in taken)
