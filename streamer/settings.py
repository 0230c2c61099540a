"""Settings as typed objects: TOML in, unknown keys refused, ``None`` means "found from the data".

`AnalysisSettings` holds everything that changes a label; its hash, `settings_id`, stands in every
snapshot and result, so that a map always says with what it was computed.
"""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from streamer.errors import SettingsError

Model = TypeVar("Model", bound=BaseModel)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class DetectorSettings(_Settings):
    """How frames are read, and scales that somebody measured: what stands here wins over the file and the stream."""

    flip_ud: bool | None = None
    """Whether frames are turned upside down; None: as the file says. Before `flip_lr`, that before `transpose`."""
    flip_lr: bool | None = None
    """Whether left and right of the frames are exchanged; None: as the file says."""
    transpose: bool | None = None
    """Whether rows and columns of the frames are exchanged; None: as the file says."""
    scan_rotation_rad: Annotated[float, Field(ge=-7, le=7)] | None = None
    """Rotation of the scan's axes against the detector, rad; kept and exported, nothing is resampled."""
    voltage_v: Annotated[float, Field(ge=1, le=1e8)] | None = None
    """Acceleration voltage, V."""
    camera_length_m: Annotated[float, Field(ge=1e-4, le=1e3)] | None = None
    """Camera length, m; the nominal angle follows it, one that is given here does not."""
    angle_per_px_mrad: Annotated[float, Field(ge=1e-9, le=3142)] | None = None
    """Angle of a detector pixel as measured, mrad."""
    scan_step_yx_nm: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None = None
    """Distance of scan positions, y and x, nm."""
    g2_calibration: str | None = None
    """Folder or file with the calibration of an EMPAD-G2, whose words are decoded with it; None: not decoded."""
    g2_dark: str | None = None
    """RAW file of dark frames of the same EMPAD-G2; None: looked for in the folder of the calibration."""
    g2_swap_parity: bool | None = None
    """Whether even and odd frames of an EMPAD-G2 change places; None: what fits the darks."""


class AlignmentSettings(_Settings):
    """How the direct beam is found and every pattern centred."""

    disk_radius_px: Annotated[float, Field(gt=1)] | None = None
    """Radius of the direct-beam disk in detector pixels; None: from the mean pattern."""
    max_iterations: Annotated[int, Field(ge=1, le=50)] = 12
    """Most centre-of-mass steps per pattern."""
    centre_yx: tuple[float, float] | None = None
    """Where the direct beam is looked for, y and x in detector pixels; None: the brightest spot."""
    follow: bool | None = None
    """Whether every pattern is centred by its own direct beam (False: one centre for all, as behind a beam
    stop); None: if a direct beam is found."""


class MaskSettings(_Settings):
    """Which detector pixels are features."""

    inner_px: Annotated[float, Field(ge=0)] | None = None
    """Inner radius of the ring, inclusive; None: past the direct beam."""
    outer_px: Annotated[float, Field(gt=0)] | None = None
    """Outer radius of the ring, exclusive; None: before the noise and the zero padding."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the ring's largest STD above which a pixel is a feature; None: 0.30. The strongest are kept
    where the rule would keep more than `max_features` pixels."""
    rule: Literal["auto", "std", "spots", "excess"] = "auto"
    """How feature pixels are chosen: "std", the published share of the largest STD; "spots", pixels where the
    mean pattern stands above its local background, and those of "excess"; "excess", that share of the STD
    beyond shot noise; "auto": "std" where the dose is high enough for it, else the others in this order."""
    weighting: Literal["auto", "none", "noise"] = "auto"
    """What features are multiplied by: "none", intensities as they are, as published; "noise", each divided by its
    shot noise (the root of its mean); "auto": "noise" where the published rule was not used."""
    max_features: Annotated[int, Field(ge=8)] = 1500
    """Cap on the number of feature pixels: those with the largest STD are kept."""
    border_px: Annotated[int, Field(ge=0)] = 2
    """Outer detector pixels left out (bad on every known EMPAD)."""


class ClusterSettings(_Settings):
    """The divisive hierarchy."""

    levels: Annotated[int, Field(ge=1, le=6)] = 3
    """Number of levels below the root."""
    k: dict[str, Annotated[int, Field(ge=1, le=32)]] = {}
    """Number of children by node name ("all", "2", "2.1"): wins over the automatic choice."""
    k_max: Annotated[int, Field(ge=1, le=32)] = 8
    """Most children that the automatic choice considers."""
    min_patterns: Annotated[int, Field(ge=4)] = 64
    """A node with fewer patterns is not split."""
    mask_per_node: bool = False
    """Whether a node is split by those feature pixels alone whose STD within the node exceeds `mask.threshold` of
    the largest there."""
    neighbours: Literal["auto", "off"] = "auto"
    """Whether a node's patterns are averaged with their neighbours of the same node before they are divided:
    "auto", as wide as lowers the error that shot noise leaves; K is chosen before, on the patterns as they are."""


class MomentumSettings(_Settings):
    """Clustering of detector pixels by their real-space images."""

    enabled: bool = True
    """Whether momentum-space clustering is computed."""
    levels: Annotated[int, Field(ge=1, le=4)] = 2
    """Number of levels below the root."""
    k_max: Annotated[int, Field(ge=1, le=32)] = 8
    """Most children that the automatic choice considers."""
    n_bins: Annotated[int, Field(ge=16)] = 1024
    """Length of the binned real-space image of a detector pixel."""
    exact: bool = False
    """Whether real-space images have every scan position instead of `n_bins` patches: one pass more over the file,
    and memory that grows with the scan."""
    exact_gib: Annotated[float, Field(gt=0)] = 4.0
    """Most memory that exact images may take; an analysis that needs more is refused."""


class ManifoldSettings(_Settings):
    """Feature vectors as points in three dimensions, for display."""

    method: Literal["none", "pca", "umap"] = "pca"
    """"pca": three principal components, at once; "umap": needs the extra `manifold`, some seconds."""
    nodes: Annotated[tuple[str, ...], Field(min_length=1)] = ("all",)
    """Names of the nodes; "all" is the root."""
    n_neighbours: Annotated[int, Field(ge=2, le=200)] = 15
    """Of UMAP."""
    min_dist: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Of UMAP."""
    max_points: Annotated[int, Field(ge=256)] = 8192
    """Most patterns that UMAP arranges; the others are placed between their nearest neighbours among these."""
    seeded: bool = True
    """Whether UMAP gives the same points again; without it, it uses all processors."""


class LatticeSettings(_Settings):
    """The lattice of every pattern, from its Bragg disks."""

    enabled: bool = True
    """Whether lattice constant, rotation and strain are measured."""
    min_contrast: Annotated[float, Field(gt=0)] = 0.2
    """How far, in shares of the local background, a node's mean pattern must rise where a Bragg disk is."""
    neighbours: Literal["auto", "off"] = "auto"
    """Whether rotation and strain are averaged with those of neighbours of the same cluster: "auto", as wide as lowers
    the error that shot noise leaves. What every pattern says alone is kept beside."""


class SplitEdit(_Settings):
    """A node divided anew: its branch is dropped and made again, down to `cluster.levels`."""

    edit: Literal["split"]
    node: str
    """Name of the node ("all", "2", "2.1")."""
    k: Annotated[int, Field(ge=1, le=32)] | None = None
    """Number of its children, 1: a leaf; None: the automatic choice, which re-runs the branch."""


class MergeEdit(_Settings):
    """Siblings made one leaf, under the name of the first."""

    edit: Literal["merge"]
    nodes: Annotated[tuple[str, ...], Field(min_length=2)]
    """Names of the nodes, children of one parent."""


class RenameEdit(_Settings):
    """A title for people, beside the name that says where a node stands."""

    edit: Literal["rename"]
    node: str
    """Name of the node."""
    title: Annotated[str, Field(max_length=60)]
    """Its title; "" takes it away."""


class HideEdit(_Settings):
    """Branches left out of what is shown, or shown again; the patterns keep their labels."""

    edit: Literal["hide"]
    nodes: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the nodes, none of them the root."""
    hidden: bool = True
    """False: shown again."""


class MoveEdit(_Settings):
    """A branch given to another parent."""

    edit: Literal["move"]
    node: str
    """Name of the node that moves."""
    onto: str
    """Name of the node that takes it: a leaf takes its patterns in, another node gets it as its last child."""


TreeEdit = Annotated[SplitEdit | MergeEdit | RenameEdit | HideEdit | MoveEdit, Field(discriminator="edit")]
_TREE_EDIT: TypeAdapter[TreeEdit] = TypeAdapter(TreeEdit)


class VirtualDetector(_Settings):
    """An aperture placed by hand, on Bragg disks for instance: its image is in the result as ``/virtual/<name>``."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    """Small letters, digits and underscores."""
    spots_yx: tuple[tuple[float, float], ...] = ()
    """Centres of its disks in px, from the direct beam."""
    radius_px: Annotated[float, Field(gt=0)] | None = None
    """Of every disk."""
    conjugate: bool = False
    """Whether the disks opposite, through the direct beam, belong to it."""
    mask: str | None = None
    """Instead of disks: a file (.npy) with a weight for every pixel of the aligned pattern, such as
    ``livestem export --to apertures`` writes. In a settings file, from that file's folder."""

    @model_validator(mode="after")
    def _disks_or_mask(self) -> Self:
        has_disks = bool(self.spots_yx) and self.radius_px is not None
        has_some = bool(self.spots_yx) or self.radius_px is not None or self.conjugate
        if (has_some and self.mask is not None) or (self.mask is None and not has_disks):
            raise ValueError("expected either spots_yx with radius_px, or mask alone")
        return self


class AnalysisSettings(_Settings):
    """Everything that changes a label."""

    detector: DetectorSettings = DetectorSettings()
    alignment: AlignmentSettings = AlignmentSettings()
    mask: MaskSettings = MaskSettings()
    cluster: ClusterSettings = ClusterSettings()
    momentum: MomentumSettings = MomentumSettings()
    lattice: LatticeSettings = LatticeSettings()
    manifold: ManifoldSettings = ManifoldSettings()
    virtual: tuple[VirtualDetector, ...] = ()
    """Apertures beside bright field and annular dark field."""
    edits: tuple[TreeEdit, ...] = ()
    """Changes of the hierarchy by hand, in the order they were made."""
    roi: tuple[int, int, int, int] | None = None
    """Region of the scan, as first row, row after the last, first column, column after the last; None: all of it."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of every random choice: same input, settings and seed give the same labels."""

    @field_validator("virtual")
    @classmethod
    def _names_are_free(cls, detectors: tuple[VirtualDetector, ...]) -> tuple[VirtualDetector, ...]:
        taken = {"bright_field", "annular_dark_field"}
        for detector in detectors:
            if detector.name in taken or detector.name.endswith("_mask"):
                raise ValueError(
                    f"the name '{detector.name}' is taken; choose another for each virtual detector"
                )
            taken.add(detector.name)
        return detectors

    @property
    def settings_id(self) -> str:
        """Hash of all values, 16 hexadecimal digits."""
        return settings_id(self.model_dump(mode="json"))


def settings_id(values: dict[str, Any]) -> str:
    """Hash of JSON values, independent of the order of keys."""
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def validated(model: type[Model], values: Any) -> Model:
    """Plain values as settings of that type.

    Raises
    ------
    SettingsError
        With one sentence that names the key, its value and what was expected.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def analysis_settings(values: dict[str, Any]) -> AnalysisSettings:
    """Validate plain values; SettingsError as in `validated`."""
    return validated(AnalysisSettings, values)


def with_detector(settings: AnalysisSettings, values: dict[str, Any]) -> AnalysisSettings:
    """The settings with other values of the detector; SettingsError as in `analysis_settings`."""
    changed = settings.model_dump()
    changed["detector"] |= values
    return analysis_settings(changed)


def tree_edit(values: dict[str, Any]) -> TreeEdit:
    """Validate one edit; SettingsError as in `analysis_settings`."""
    try:
        return _TREE_EDIT.validate_python(values)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def virtual_detector(values: dict[str, Any]) -> VirtualDetector:
    """Validate one virtual detector; SettingsError as in `analysis_settings`."""
    try:
        return VirtualDetector.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def load_settings(path: Path) -> AnalysisSettings:
    """Read analysis settings from a TOML file.

    Raises
    ------
    SettingsError
        The file cannot be read, is no TOML, or holds an unknown key or a wrong value.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"Settings file {path} cannot be read: {error.strerror}. Check the path."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"Settings file {path} is not valid TOML: {error}. Correct it and start again."
        ) from None
    settings = analysis_settings(values)
    virtual = tuple(
        detector.model_copy(update={"mask": str(path.parent.resolve() / detector.mask)})
        if detector.mask is not None
        else detector
        for detector in settings.virtual
    )
    return settings.model_copy(update={"virtual": virtual})


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"Setting '{key}' is unknown. Check its spelling against the settings' documentation."
    return f"Setting '{key}' has the value {first['input']!r}: {first['msg'].lower()}. Correct it and start again."
