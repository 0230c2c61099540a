"""How different two colours look: CIEDE2000, also to eyes that lack a kind of cone.

Sharma, Wu and Dalal 2005 for the difference; Machado, Oliveira and Fernandes 2009, severity 1, for the sight.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SIGHTS: dict[str, NDArray[np.float64]] = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
"""What linear light becomes, for each kind of sight."""
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def smallest_difference(colours: Sequence[ArrayLike]) -> float:
    """The smallest CIEDE2000 of any two of these sRGB colours (bytes), for any sight; inf for fewer than two."""
    smallest = float("inf")
    for sight in SIGHTS:
        seen = [lab(as_seen(colour, sight)) for colour in colours]
        smallest = min([smallest, *(ciede2000(*pair) for pair in combinations(seen, 2))])
    return smallest


def linear(rgb: ArrayLike) -> NDArray[np.float64]:
    """Bytes of sRGB (..., 3) to linear light."""
    encoded = np.asarray(rgb, float) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def as_seen(rgb: ArrayLike, sight: str) -> NDArray[np.float64]:
    """Linear light (..., 3) that a normal eye would have to see for the same impression."""
    return np.clip(linear(rgb) @ SIGHTS[sight].T, 0, 1)


def lab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB, D65, of linear light (..., 3)."""
    ratio = light @ _TO_XYZ.T / _WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )


def ciede2000(first: ArrayLike, second: ArrayLike) -> float:
    """Difference of two CIELAB colours."""
    (l1, a1, b1), (l2, a2, b2) = np.asarray(first, float), np.asarray(second, float)
    mean_c = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    dh = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    mean_h = h1 + h2 if c1 * c2 == 0 else (h1 + dh / 2) % 360
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh) / 2)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    turn = 30 * np.exp(-(((mean_h - 275) / 25) ** 2))
    r = -np.sin(np.radians(2 * turn)) * 2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    parts = dl / s_l, dc / s_c, dh / s_h
    return float(np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2 + r * parts[1] * parts[2]))


def contrast(first: ArrayLike, second: ArrayLike) -> float:
    """Contrast of two sRGB colours as WCAG 2 has it, 1..21."""
    lighter, darker = sorted((float(linear(rgb) @ _TO_XYZ[1]) for rgb in (first, second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
