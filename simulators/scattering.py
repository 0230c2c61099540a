"""Electron scattering factors, and the electrons themselves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CROMER_MANN = {
    # Z, a1..a4, b1..b4, c
    "P": (15, (6.4345, 4.1791, 1.78, 1.4908), (1.9067, 27.157, 0.526, 68.1645), 1.1149),
    "S": (16, (6.9053, 5.2034, 1.4379, 1.5863), (1.4679, 22.2151, 0.2536, 56.1720), 0.8669),
    "Ga": (31, (15.2354, 6.7006, 4.3591, 2.9623), (3.0669, 0.2412, 10.7805, 61.4135), 1.7189),
    "As": (33, (16.6723, 6.0701, 3.4313, 4.2779), (2.6345, 0.2647, 12.9479, 47.7972), 2.531),
    "Se": (34, (17.0006, 5.8196, 3.9731, 4.3543), (2.4098, 0.2726, 15.2372, 43.8163), 2.8409),
    "Ag": (47, (19.2808, 16.6885, 4.8045, 1.0463), (0.6446, 7.4726, 24.6605, 99.8156), 5.179),
    "In": (49, (19.1624, 18.5596, 4.2948, 2.0396), (0.5476, 6.3776, 25.8499, 92.8029), 4.9391),
    "W": (74, (29.0818, 15.4300, 14.4327, 5.11982), (1.72029, 9.2259, 0.321703, 57.0560), 9.88750),
}


@dataclass(frozen=True)
class Electrons:
    """`voltage_v`; `wavelength_a`; `gamma`, relativistic mass ratio; `adu`, what the EMPAD counts for one."""

    voltage_v: float
    wavelength_a: float
    gamma: float
    adu: float


AT_80KV = Electrons(80e3, 0.041757, 1.15656, 151.0)
AT_300KV = Electrons(300e3, 0.019687, 1.58708, 579.0)


def electron_scattering_factor(element: str, s_per_a: NDArray[np.float64]) -> NDArray[np.float64]:
    """f_e in A at s = g / 2 > 0: Mott-Bethe formula from the X-ray factors of Cromer and Mann.

    International Tables for Crystallography C, table 6.1.1.4.
    """
    z, a, b, c = _CROMER_MANN[element]
    x_ray = c + sum(ai * np.exp(-bi * s_per_a**2) for ai, bi in zip(a, b, strict=True))
    return 0.0239336 * (z - x_ray) / s_per_a**2
