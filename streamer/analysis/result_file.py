"""The result file (``*.result.h5``): schema, writer, reader. The contract of docs/architecture.md, "Result".

Needs h5py and numpy alone, so that the window and the simulators can read results.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from streamer.errors import RecordingError, ResultError, SettingsError
from streamer.model import ClusterNode

SCHEMA_VERSION = 1
_STRING = h5py.string_dtype("utf-8")
_NODE_DTYPE = np.dtype(
    [
        ("id", np.int32),
        ("parent", np.int32),
        ("level", np.int32),
        ("name", _STRING),
        ("title", _STRING),
        ("colour", _STRING),
        ("hidden", np.bool_),
        ("n_patterns", np.int64),
        ("inertia", np.float64),
        ("k", np.int32),
        ("k_auto", np.int32),
        ("radius", np.float64),
        ("averaging", np.float64),
    ]
)


@dataclass(frozen=True)
class AnalysisResult:
    """Everything that an analysis found; arrays by their path in the file, without the leading slash.

    Attributes
    ----------
    path
        The file, None before it is written.
    attrs
        The root's attributes: livestem_version, schema_version, source, source_checksum, scan_id, settings,
        settings_id, seed, created, seconds, calibration, orientation (dicts where the file holds JSON).
    arrays
        For example ``hierarchy/labels`` (levels, scan_y, scan_x) int32; see the contract for all of them.
    array_attrs
        Attributes of groups and datasets, by path.
    nodes, momentum_nodes
        The trees, root first.
    """

    attrs: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    nodes: tuple[ClusterNode, ...]
    momentum_nodes: tuple[ClusterNode, ...] = ()
    array_attrs: dict[str, dict[str, Any]] = field(default_factory=dict)
    path: Path | None = None

    @property
    def label_maps(self) -> NDArray[np.int32]:
        """(levels, scan_y, scan_x) int32: node id of each scan position at each level; -1 not visited."""
        return self.arrays["hierarchy/labels"]

    @property
    def cluster_patterns(self) -> NDArray[np.float32]:
        """(nodes, det_y, det_x) float32: mean aligned pattern of each node."""
        return self.arrays["hierarchy/patterns"]

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds per stage."""
        return self.attrs["seconds"]

    @property
    def clusters_per_level(self) -> dict[int, int]:
        """Number of nodes by level, without the root."""
        levels = [node.level for node in self.nodes[1:]]
        return {level: levels.count(level) for level in sorted(set(levels))}

    @property
    def remark(self) -> str:
        """What the operator should know, from every stage; "" where there is nothing."""
        groups = ("alignment", "model", "manifold")
        remarks = (self.array_attrs.get(group, {}).get("remark") for group in groups)
        return " ".join(filter(None, remarks))


def write_result(result: AnalysisResult, path: Path) -> Path:
    """Write a result to ``<path>.part`` and rename it; an existing file is never replaced.

    Raises
    ------
    SettingsError
        `path` exists.
    RecordingError
        The disk refused.
    """
    refuse_existing(path)
    part = path.with_name(path.name + ".part")
    try:
        with h5py.File(part, "w", libver=("earliest", "v108")) as file:
            _write(result, file)
            file.flush()
        with part.open("rb+") as handle:
            os.fsync(handle.fileno())
        refuse_existing(path)
        part.replace(path)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        raise RecordingError(
            f"The result {path} could not be written: {error}. Free some space or choose another folder with --out. "
            "The source is unchanged; run the analysis again."
        ) from error
    return path


def refuse_existing(path: Path) -> None:
    """Raise SettingsError where a file of that name exists, before any work is done."""
    if path.exists():
        raise SettingsError(
            f"{path} exists and is not replaced. Choose another name with --out, or move it away."
        )


def open_result(path: str | Path) -> AnalysisResult:
    """Read a result file.

    Raises
    ------
    ResultError
        Missing, no result, or written by a newer version.
    """
    path = Path(path)
    if not path.exists():
        raise ResultError(f"{path} does not exist. Expected a result file (*.result.h5). Check the path.")
    try:
        with h5py.File(path, "r", locking=False) as file:
            version = int(file.attrs.get("schema_version", 0))
            if "hierarchy" not in file or version < 1:
                raise ResultError(
                    f"{path} is no livestem result. Expected a group /hierarchy. Open a *.result.h5 file."
                )
            if version > SCHEMA_VERSION:
                raise ResultError(
                    f"{path} has schema version {version}, this livestem reads up to {SCHEMA_VERSION}. Update livestem."
                )
            return _read(file, path)
    except OSError as error:
        raise ResultError(f"{path} cannot be read as HDF5: {error}. Check the file.") from None


def is_result(path: Path) -> bool:
    """Whether the file is a livestem result."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return "hierarchy" in file and "schema_version" in file.attrs
    except (OSError, RuntimeError, KeyError, ValueError):
        return False


def same_result(path: Path, settings_id: str, source_checksum: str) -> bool:
    """Whether a file is a whole result of these settings and this source; its arrays are not read."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            of_settings = file.attrs.get("settings_id") == settings_id
            return of_settings and file.attrs.get("source_checksum") == source_checksum
    except (OSError, RuntimeError):
        return False


def _write(result: AnalysisResult, file: h5py.File) -> None:
    for name, value in result.attrs.items():
        file.attrs[name] = json.dumps(value) if isinstance(value, dict | list) else value
    for name, values in result.arrays.items():
        file.create_dataset(name, data=values)
    for where, nodes in (("hierarchy/nodes", result.nodes), ("momentum/nodes", result.momentum_nodes)):
        if nodes:
            rows = [tuple(node.to_json()[name] for name in _NODE_DTYPE.names or ()) for node in nodes]
            file.create_dataset(where, data=np.array(rows, dtype=_NODE_DTYPE))
    for where, attrs in result.array_attrs.items():
        target = file.require_group(where) if where not in file else file[where]
        for name, value in attrs.items():
            target.attrs[name] = json.dumps(value) if isinstance(value, dict | list) else value


def _read(file: h5py.File, path: Path) -> AnalysisResult:
    arrays: dict[str, NDArray[Any]] = {}
    array_attrs: dict[str, dict[str, Any]] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if item.attrs:
            array_attrs[name] = {key: _plain(value) for key, value in item.attrs.items()}
        if isinstance(item, h5py.Dataset) and not name.endswith("/nodes"):
            arrays[name] = item[()]

    file.visititems(visit)
    return AnalysisResult(
        attrs={key: _plain(value) for key, value in file.attrs.items()},
        arrays=arrays,
        nodes=_read_nodes(file, "hierarchy/nodes"),
        momentum_nodes=_read_nodes(file, "momentum/nodes"),
        array_attrs=array_attrs,
        path=path,
    )


def _plain(value: Any) -> Any:
    """Attribute as a plain value; JSON objects and lists are decoded."""
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str) and value.startswith(("{", "[")):
        return json.loads(value)
    return value.item() if isinstance(value, np.generic) else value


def _read_nodes(file: h5py.File, where: str) -> tuple[ClusterNode, ...]:
    if where not in file:
        return ()
    rows: Any = file[where]  # h5py's items are unions of everything
    return tuple(
        ClusterNode.from_json({name: _plain_field(row[name]) for name in row.dtype.names or ()})
        for row in rows[()]
    )


def _plain_field(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value
