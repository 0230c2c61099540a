"""Small simulated scans for tests: non-square, in memory or as files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulators.detector import Exposure, PatternMaker, write_raw, write_xml
from simulators.specimen import Specimen
from simulators.specimens import make_specimen


@dataclass(frozen=True)
class SimulatedScan:
    """A RAW file with its XML, and what is true of it."""

    raw: Path
    xml: Path
    maker: PatternMaker

    @property
    def specimen(self) -> Specimen:
        return self.maker.specimen

    @property
    def frames(self) -> np.ndarray:
        """All frames (n, 128, 128)."""
        return self.maker.frames(0, self.maker.n_positions)


def simulate(
    folder: Path, scan_shape=(24, 32), specimen="junction", dose=60000.0, drift=3.0, seed=0
) -> SimulatedScan:
    maker = PatternMaker(make_specimen(specimen, scan_shape), Exposure(dose, drift, seed))
    raw = folder / f"scan_x{scan_shape[1]}_y{scan_shape[0]}.raw"
    write_raw(maker, raw)
    write_xml(folder / "acquisition_1.xml", raw.name, scan_shape, maker.specimen.electrons.voltage_v)
    return SimulatedScan(raw, folder / "acquisition_1.xml", maker)
