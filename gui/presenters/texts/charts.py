"""Panes that are curves: rings, elbow, stream; and the log."""

from typing import Any

from gui.presenters.numbers import count, percent
from gui.presenters.texts.nodes import node_label
from streamer.model import ClusterNode

STREAM_TITLE = "Stream, last two minutes"
AXIS_RADIUS = "radius (px)"
AXIS_STD = "rotational STD"
AXIS_K = "clusters K"
AXIS_INERTIA = "inertia / largest"
AXIS_RATE = "patterns / s"
AXIS_LAG = "lag (s)"
RINGS_EMPTY = "No radial profile yet."
ELBOW_EMPTY = "No elbow curve for this cluster yet."
STREAM_EMPTY = "No stream in the last two minutes."
LOG_EMPTY = "Nothing to report."


def rings_note(in_force: dict[str, Any]) -> str:
    """Ring, threshold and number of features in one line."""
    inner, outer = in_force.get("inner_px"), in_force.get("outer_px")
    parts = [] if inner is None or outer is None else [f"ring {inner:.3g}–{outer:.3g} px"]
    if in_force.get("threshold") is not None:
        parts.append(f"threshold {percent(in_force['threshold'])}")
    if in_force.get("n_features") is not None:
        parts.append(f"{count(int(in_force['n_features']))} feature pixels")
    return " · ".join(parts)


def elbow_title(node: ClusterNode) -> str:
    """Whose children the curve is about."""
    return "Split of the whole scan" if node.level == 0 else f"Split of cluster {node_label(node)}"


def elbow_note(node: ClusterNode) -> str:
    """Such as "K = 3 (auto 3), averaged over ± 0.85 positions"."""
    parts = [f"K = {node.k} (auto {node.k_auto})"]
    if node.averaging:
        parts.append(f"averaged over ± {node.averaging:.2g} positions")
    return ", ".join(parts)


THRESHOLD_REFUSED = "The threshold lies between 0 and 100 %."
BACK_TO_AUTO = "↺ auto"
BACK_TO_AUTO_TIP = "Give ring and threshold back to the automatic choice (Ctrl+R)"
SHOW_MASK = "Mask"
SHOW_MASK_TIP = "Paint the feature pixels over the pattern"
INNER, OUTER, THRESHOLD = "inner", "outer", "threshold"
LOCK_K, UNLOCK_K = "Lock K", "Unlock K"
LOCK_K_TIP = "Keep K of this branch in every analysis to come"


def ring_too_thin(inner_px: float, outer_px: float, least_px: float) -> str:
    """Why a ring was refused."""
    return (
        f"A ring from {inner_px:.3g} to {outer_px:.3g} px is too thin: at least {least_px:.3g} px are needed."
    )


def ring_outside(largest_px: float) -> str:
    """Why a ring was refused."""
    return f"The ring has to stay on the detector: between 0 and {largest_px:.3g} px."


def ring_label(auto: dict[str, Any], ring: tuple[float, float], *, is_manual: bool) -> str:
    """Such as "auto 22–56, now 20–46"."""
    inner, outer = auto.get("inner_px"), auto.get("outer_px")
    if inner is None or outer is None or not is_manual:
        return f"ring {ring[0]:.3g}–{ring[1]:.3g} px (auto)"
    return f"ring: auto {inner:.3g}–{outer:.3g}, now {ring[0]:.3g}–{ring[1]:.3g} px"


def threshold_label(auto: dict[str, Any], threshold: float, *, is_manual: bool) -> str:
    """Such as "threshold: auto 30 %, now 34 %"."""
    automatic = auto.get("threshold")
    if automatic is None or not is_manual:
        return f"threshold {percent(threshold)} (auto)"
    return f"threshold: auto {percent(automatic)}, now {percent(threshold)}"


def mask_effect(n_features: int, n_pixels: int, changed_share: float | None, n_sample: int) -> str:
    """Such as "kept 2 140 of 16 384 px · would change 3 % of labels (1 024 patterns looked at)"."""
    kept_now = kept_pixels(n_features, n_pixels)
    if changed_share is None:
        return kept_now
    if not n_sample:
        return f"{kept_now} · changes nothing"
    return (
        f"{kept_now} · would change {percent(changed_share)} of labels ({count(n_sample)} patterns looked at)"
    )


def kept_pixels(n_features: int, n_pixels: int) -> str:
    """Such as "kept 2 140 of 16 384 px"."""
    return f"kept {count(n_features)} of {count(n_pixels)} px"


def k_label(node: ClusterNode, wanted: int | None, *, is_locked: bool) -> str:
    """Such as "K = 3 (auto 3), wanted 4, locked"."""
    parts = [elbow_note(node)]
    if wanted is not None and wanted != node.k:
        parts.append(f"wanted {wanted}")
    if is_locked:
        parts.append("locked")
    return ", ".join(parts)


def k_preview_title(node_name: str, k: int) -> str:
    """Title of a small map."""
    return f"{node_name}: K = {k}"
