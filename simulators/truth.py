"""The truth of a simulated scan, and how a clustering is scored against it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from simulators.scattering import AT_80KV, Electrons
from simulators.specimen import Specimen
from streamer.errors import FileFormatError

VERSION = 1
_OPTIONAL = ("flake", "uniaxial_strain", "thickness_a", "film_scale")


@dataclass(frozen=True)
class Truth:
    """What was simulated: maps (scan_y, scan_x[, 2]) and the conditions.

    Attributes
    ----------
    direct_beam_yx
        px on the raw detector.
    attrs
        specimen, seed, dose, drift_px, angle_per_px_mrad, disk_radius_px, edge_sigma_px,
        direct_beam_electrons (per film pattern), version.
    """

    specimen: Specimen
    direct_beam_yx: NDArray[np.float64]
    attrs: dict[str, Any]


def write_truth(path: Path, truth: Truth) -> None:
    """Write the truth as HDF5."""
    specimen = truth.specimen
    with h5py.File(path, "w") as file:
        phase = file.create_dataset("phase", data=specimen.phase)
        phase.attrs["names"] = [f"{value} {name}" for value, name in enumerate(specimen.phase_names)]
        file["rotation_rad"] = specimen.rotation_rad
        file["strain"] = specimen.strain
        file["tilt_yx_rad"] = specimen.tilt_yx_rad
        file["ripple_region"] = specimen.ripple_region
        for name in _OPTIONAL:
            if (values := getattr(specimen, name)) is not None:
                file[name] = values
        file["direct_beam_yx"] = truth.direct_beam_yx
        file.attrs.update({**truth.attrs, "specimen": specimen.name, "version": VERSION})
        file.attrs["electrons"] = json.dumps(asdict(specimen.electrons))


def read_truth(path: Path) -> Truth:
    """Read what `write_truth` wrote.

    Raises
    ------
    FileFormatError
        The file is missing or no truth.
    """
    try:
        with h5py.File(path, "r") as file:
            attrs = dict(file.attrs)
            opened: Any = file  # h5py's items are unions of everything
            maps = {name: opened[name][()] for name in opened}
            names = tuple(name.split(" ", 1)[1] for name in opened["phase"].attrs["names"])
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read as a truth file: {error}. Check the path.") from None
    beam = maps.pop("direct_beam_yx")
    electrons = Electrons(**json.loads(str(attrs["electrons"]))) if "electrons" in attrs else AT_80KV
    specimen = Specimen(name=str(attrs["specimen"]), phase_names=names, electrons=electrons, **maps)
    return Truth(specimen, beam, attrs)


def many_to_one_accuracy(
    labels: NDArray[np.integer],
    truth: NDArray[np.integer],
    where: NDArray[np.bool_] | None = None,
    max_clusters: int | None = None,
) -> float:
    """Share of positions whose cluster's most common truth is theirs.

    Parameters
    ----------
    labels, truth
        Maps of the same shape; a negative label counts as wrong.
    where
        Only these positions are asked.
    max_clusters
        Positions in any but the largest so many clusters count as wrong; None: all clusters count.
    """
    asked = np.ones(labels.shape, np.bool_) if where is None else where
    labels, truth = labels[asked], truth[asked]
    if labels.size == 0:
        return 1.0
    names, counts = np.unique(labels[labels >= 0], return_counts=True)
    names = names[np.argsort(-counts, kind="stable")][:max_clusters]
    right = sum(int(np.unique(truth[labels == name], return_counts=True)[1].max()) for name in names)
    return right / labels.size
