"""Every specimen by its name."""

from collections.abc import Callable

from simulators.cross_section import cross_section
from simulators.nanoprism import nanoprism
from simulators.specimen import Specimen, film, junction, superlattice
from streamer.errors import SettingsError

SPECIMENS: dict[str, Callable[[tuple[int, int]], Specimen]] = {
    "junction": junction,
    "superlattice": superlattice,
    "nanoprism": nanoprism,
    "cross-section": cross_section,
    "film": film,
}


def make_specimen(name: str, scan_shape: tuple[int, int]) -> Specimen:
    """The specimen of that name.

    Raises
    ------
    SettingsError
        There is none of that name.
    """
    if name not in SPECIMENS:
        raise SettingsError(
            f"Specimen '{name}' is unknown. Expected one of {', '.join(SPECIMENS)}. Choose one of these."
        )
    return SPECIMENS[name](scan_shape)
