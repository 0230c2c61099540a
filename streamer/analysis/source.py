"""The scan as it is analysed, and how another process opens the same."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamer.errors import FileFormatError
from streamer.formats.open_scan import open_scan, opened_with
from streamer.formats.preparation import prepare_scan
from streamer.formats.scan_file import RegionOfScan, ScanFile
from streamer.settings import AnalysisSettings


def as_analysed(scan: ScanFile, settings: AnalysisSettings) -> ScanFile:
    """The scan with its frames prepared, and the region of the settings alone; errors as in `analyze`."""
    scan = prepare_scan(scan, settings.detector)
    return scan if settings.roi is None else RegionOfScan(scan, settings.roi)


@dataclass(frozen=True)
class ScanSource:
    """Where another process finds a scan, and what it must find there.

    Attributes
    ----------
    path
        As the other process sees it too.
    settings
        Of the analysis.
    checksum
        Of the content.
    told
        What `open_scan` has to be told beside the path.
    analysis_id
        No two analyses are of the same source: each looks at the file anew.
    """

    path: Path
    settings: AnalysisSettings
    checksum: str
    told: dict[str, Any] = field(default_factory=dict)
    analysis_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def of(cls, scan: ScanFile, settings: AnalysisSettings) -> "ScanSource":
        """Of an open scan."""
        return cls(scan.path.resolve(), settings, scan.checksum(), opened_with(scan.info.metadata))

    @contextmanager
    def opened(self) -> Iterator[ScanFile]:
        """The scan as it is analysed.

        Raises
        ------
        FileFormatError
            There is no such file here, or another one.
        """
        with open_scan(self.path, **self.told) as scan:
            if scan.checksum() != self.checksum:
                raise FileFormatError(
                    f"{self.path} has the checksum {scan.checksum()}, expected {self.checksum}. It is not the file "
                    "that the analysis was begun with. Give a path under which every worker sees the same file."
                )
            yield as_analysed(scan, self.settings)
