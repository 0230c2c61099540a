"""EMPAD-G2: a RAW file of 128 x 128 words (uint32) without header or footer, and the XML beside it.

Told from the first generation by bit 30 of every word; the XML says float32 even of words (empad notes, 2.1).
Decoding them is `streamer.formats.preparation`'s.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import SettingsError
from streamer.formats.empad import count_empty, count_records, cut_short, describe, metadata_beside
from streamer.formats.empad_shape import decide_shape
from streamer.formats.empad_xml import EmpadMetadata
from streamer.formats.preparation import G2_ENCODING
from streamer.formats.record_scan import RecordLayout, RecordScan

FRAME_BYTES = 128 * 128 * 4
_N_SAMPLES, _SAMPLE_WORDS = 16, 4096


class EmpadG2Raw(RecordScan):
    """A scan of EMPAD-G2 words; see `streamer.formats.scan_file.ScanFile`.

    Frames of flyback are left out where the file's size says that it holds them: as many at the left of a line as
    `flyback_left` or else the XML's LeftTrim says, and the others at its right. No file that shows the side is
    known: all real ones were exported without flyback.

    Parameters
    ----------
    path
        The RAW file.
    metadata
        Of the XML that named it; None: looked for beside it.
    flyback_left
        Frames of flyback at the left of each line; None: the XML's LeftTrim.

    Raises
    ------
    FileFormatError
        Missing file, or less than a line; name, XML and size that disagree.
    """

    def __init__(
        self, path: Path, metadata: EmpadMetadata | None = None, flyback_left: int | None = None
    ) -> None:
        n_records, rest = count_records(path, FRAME_BYTES, "an EMPAD-G2 RAW file")
        metadata = metadata or metadata_beside(path)
        flyback = metadata.flyback if metadata else 0
        scan_shape, has_flyback = decide_shape(path, metadata, n_records, flyback)
        info = describe(path, metadata, scan_shape, "EMPAD-G2 RAW", "uint32")
        info = cut_short(path, info, n_records, rest, FRAME_BYTES)
        n_left = metadata.left_trim if metadata and flyback_left is None else flyback_left or 0
        if flyback_left is not None and (not has_flyback or flyback_left > flyback):
            raise SettingsError(
                f"{path} holds {flyback if has_flyback else 0} frames of flyback a line, not {flyback_left} at its "
                "left. Leave --flyback-left away, or give a smaller number."
            )
        first = min(n_left, flyback) if has_flyback else 0
        per_line = scan_shape[1] + flyback if has_flyback else scan_shape[1]
        # Parity counts all frames of the detector, also after a replay, which sends none of flyback.
        extra: dict[str, Any] = {"encoding": G2_ENCODING, "g2_frames": [first, per_line]}
        if has_flyback:
            extra["flyback"] = (
                f"{first} frames at the left of a line and {flyback - first} at its right are left out"
            )
        info = replace(info, metadata=info.metadata | extra)
        layout = RecordLayout(FRAME_BYTES, n_records, first, per_line)
        super().__init__(path, info, layout, count_empty(path, n_records, FRAME_BYTES))


def holds_words(path: Path) -> bool:
    """Whether a RAW file holds EMPAD-G2 words, by a sample spread over it.

    Bit 30 is set in every word; as float32, a count of the first generation has it from 2 ADU on, so that most
    samples must also lie below 4, as words with few charge removals do.
    """
    n_words = path.stat().st_size // 4
    starts = np.unique(np.linspace(0, max(0, n_words - _SAMPLE_WORDS), _N_SAMPLES).astype(np.int64))
    with path.open("rb") as file:
        raw = []
        for start in starts.tolist():
            file.seek(4 * start)
            raw.append(file.read(4 * _SAMPLE_WORDS))
    words = np.frombuffer(b"".join(raw)[: sum(map(len, raw)) // 4 * 4], "<u4")
    words = words[words != 0]  # room that was made and never written
    if not words.size or not (words & np.uint32(0x40000000)).all():
        return False
    removals = (words >> np.uint32(14)) & np.uint32(0xFFFF)
    return bool((removals < 512).mean() > 0.9)
