"""Scan files as other programs write them, small, into a folder of the test's."""

import h5py
import numpy as np


def write_dectris(folder, frames, per_file=12, mask=None, scan=None, n_written=None):
    """A master, and its data files with bitshuffle and lz4, as many as `n_written`."""
    import hdf5plugin

    names = []
    for number, start in enumerate(range(0, len(frames), per_file), 1):
        names.append(f"s_data_{number:06d}.h5")
        if n_written is not None and number > n_written:
            continue
        part = frames[start : start + per_file]
        with h5py.File(folder / names[-1], "w") as file:
            file.create_dataset(
                "entry/data/data",
                data=part,
                chunks=(1, *part.shape[1:]),
                **hdf5plugin.Bitshuffle(cname="lz4"),
            )
    with h5py.File(folder / "s_master.h5", "w") as file:
        for number, name in enumerate(names, 1):
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "entry/data/data")
        detector = file.create_group("entry/instrument/detector")
        detector["frame_time"] = 0.001
        specific = detector.create_group("detectorSpecific")
        specific["ntrigger"], specific["nimages"] = scan or (len(frames), 1)
        if mask is not None:
            specific["pixel_mask"] = mask.astype(np.uint32)
    return folder / "s_master.h5"


def write_mib(path, frames, per_line):
    """Merlin's frames, upside down as they come; a pause between lines."""
    det_y, det_x = frames.shape[1:]
    with path.open("wb") as file:
        for index, frame in enumerate(frames):
            time = f"{index + index // per_line * 3:09d}"
            head = (
                f"MQ1,{index + 1:06d},00384,01,{det_x:04d},{det_y:04d},U16,   1x1,01,2026-11-26 10:00:00.0,0.001,0,0,0,"
                f"120,0,0,3RX,2026-11-26T10:00:00.{time}Z,1000000ns,12,"
            )
            file.write(head.encode().ljust(384, b"\0"))
            file.write(frame[::-1].astype(">u2").tobytes())
    return path


def write_hspy(path, data):
    """HyperSpy's file of a diffraction signal, by RosettaSciIO's own writer."""
    from rsciio.hspy import file_writer

    scales = [("y", 3.0, "nm"), ("x", 2.0, "nm"), ("ky", 0.02, "1/Å"), ("kx", 0.02, "1/Å")]
    axes = [
        {
            "_type": "UniformDataAxis", "name": name, "scale": scale, "offset": 0.0, "units": unit,
            "size": size, "navigate": number < 2, "is_binned": False,
        }
        for number, ((name, scale, unit), size) in enumerate(zip(scales, data.shape, strict=True))
    ]  # fmt: skip
    metadata = {
        "General": {"title": "scan"},
        "Signal": {"signal_type": ""},
        "Acquisition_instrument": {"TEM": {"beam_energy": 200.0, "camera_length": 300.0}},
    }
    empty = ("original_metadata", "learning_results", "tmp_parameters", "models")
    signal = {"data": data, "axes": axes, "metadata": metadata, **{name: {} for name in empty}}
    signal["attributes"] = {"_lazy": False, "ragged": False}
    signal["package_info"] = {"package": "hyperspy", "package_version": "2.5.0"}
    file_writer(str(path), signal)
    return path
