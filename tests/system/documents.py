"""The commands and fragments that README.md and docs/ show, in the order in which they are read."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("index", "tutorial", "results", "install", "microscope")),
)
OTHERS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
DOCUMENTS = tuple(dict.fromkeys((*PAGES, *OTHERS)))
BLOCK = re.compile(r"(?:<!-- elsewhere: (?P<why>[^>]+) -->\n)?```sh\n(?P<text>.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A line of a block of shell commands; `elsewhere`: why it cannot be run here."""

    text: str
    document: str
    elsewhere: str | None


def commands() -> list[Command]:
    """Every one once: what a later page repeats has been run."""
    found = {}
    for document in DOCUMENTS:
        for block in BLOCK.finditer((ROOT / document).read_text()):
            for line in block["text"].replace("\\\n", " ").splitlines():
                text = line.split(" #")[0].strip().removeprefix(".venv/bin/")
                if text:
                    found.setdefault(text, Command(text, document, block["why"]))
    return list(found.values())


def fragments(document: str) -> list[str]:
    """Python of a document."""
    return re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
