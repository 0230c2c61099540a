"""The end state of a recording: two slots, of which the older is always the one that is written."""

from typing import Any

from streamer.formats.positional_file import PositionalFile
from streamer.formats.recording_schema import (
    END_SLOT_BYTES,
    N_END_SLOTS,
    RecordingLayout,
    decode_end_slots,
    encode_end_slot,
)


class EndState:
    """How often an end was written, and what the last one says (empty: none)."""

    def __init__(self, file: PositionalFile, layout: RecordingLayout) -> None:
        self._file, self._offset = file, layout.end_offset
        raw = file.read(N_END_SLOTS * END_SLOT_BYTES, self._offset)
        self._n_written, self.values = decode_end_slots(raw)

    def write(self, values: dict[str, Any]) -> None:
        """Write both slots, one after the other: a kill between them leaves one that is whole."""
        for _ in range(N_END_SLOTS):
            self._write_older(values)

    def take_back(self) -> None:
        """The scan runs again: from now on it has no end."""
        if self.values.get("finish_reason"):
            self._write_older({**self.values, "finish_reason": None})

    def _write_older(self, values: dict[str, Any]) -> None:
        slot = encode_end_slot(values, self._n_written + 1)
        self._file.write(slot, self._offset + self._n_written % N_END_SLOTS * END_SLOT_BYTES)
        self._file.sync()
        self._n_written += 1
        self.values = values
