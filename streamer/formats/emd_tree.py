"""The part of a recording that other programs read: an EMD 1.0 tree around the datacube."""

import uuid

import h5py
import numpy as np

from streamer.model import ScanInfo


def write_emd_root(file: h5py.File, info: ScanInfo) -> None:
    """Groups, attributes, axes and calibration as py4DSTEM, LiberTEM and RosettaSciIO expect them."""
    file.attrs.update(
        emd_group_type="file",
        version_major=1,
        version_minor=0,
        UUID=str(uuid.uuid5(uuid.NAMESPACE_OID, info.scan_id)),
        authoring_program="livestem",
        authoring_user="",
    )
    root = file.create_group("datacube_root")
    root.attrs.update(emd_group_type="root", python_class="Root")
    bundle = root.create_group("metadatabundle")
    bundle.attrs["emd_group_type"] = "metadatabundle"
    step_yx, step_unit, q_size, q_unit = _scales(info)
    _write_calibration(bundle.create_group("calibration"), step_yx[1], step_unit, q_size, q_unit)
    cube = root.create_group("datacube")
    cube.attrs.update(emd_group_type="array", python_class="DataCube")
    scan_axes = [("Rx", step_yx[0], step_unit), ("Ry", step_yx[1], step_unit)]
    axes = [*scan_axes, ("Qx", q_size, q_unit), ("Qy", q_size, q_unit)]
    for number, (name, step, unit) in enumerate(axes):
        axis = cube.create_dataset(f"dim{number}", data=np.array([0.0, step]))
        axis.attrs.update(name=name, units=unit)


def _write_calibration(
    group: h5py.Group, scan_step: float, step_unit: str, q_size: float, q_unit: str
) -> None:
    group.attrs.update(emd_group_type="metadata", python_class="Calibration")
    for name, value in (("Q_pixel_size", q_size), ("R_pixel_size", scan_step)):
        group.create_dataset(name, data=value).attrs["type"] = "number"
    for name, text in (("Q_pixel_units", q_unit), ("R_pixel_units", step_unit), ("_root_treepath", "")):
        group.create_dataset(name, data=np.bytes_(text.encode())).attrs["type"] = "string"
    targets = group.create_group("_target_paths")
    targets.attrs.update(type="list_of_strings", length=1)
    targets.create_dataset("0", data=b"/datacube")


def _scales(info: ScanInfo) -> tuple[tuple[float, float], str, float, str]:
    """Scan step (y, x) and its unit, size of a detector pixel and its unit; pixels where unknown."""
    calibration = info.calibration
    if calibration.scan_step_yx_nm is None:
        step_yx, step_unit = (1.0, 1.0), "pixels"
    else:
        step_yx, step_unit = calibration.scan_step_yx_nm, "nm"
    if calibration.q_per_px_inv_nm is not None:
        return step_yx, step_unit, calibration.q_per_px_inv_nm / 10.0, "A^-1"
    if calibration.angle_per_px_mrad is not None:
        return step_yx, step_unit, calibration.angle_per_px_mrad, "mrad"
    return step_yx, step_unit, 1.0, "pixels"
