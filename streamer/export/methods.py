"""What a paper says of an analysis, and a script that repeats it."""

import pprint
from pathlib import Path

import numpy as np

from streamer.analysis.result_file import AnalysisResult
from streamer.errors import SettingsError
from streamer.formats.open_scan import opened_with

_SCRIPT = '''\
"""Repeats the analysis of {name} and says whether every label comes out the same.

Made by livestem {version}: settings {settings_id}, seed {seed}. Run it where livestem is installed:

    python {script} [SOURCE]

SOURCE: the scan, where it lies elsewhere by now. The result is written beside this script.
"""

import sys
from pathlib import Path

import numpy as np

from streamer import analyze, open_result, open_scan
from streamer.analysis.result_file import write_result
from streamer.settings import analysis_settings

SOURCE = {source!r}
TOLD = {told!r}
CHECKSUM = {checksum!r}
BEFORE = {before!r}
SETTINGS = {settings}

with open_scan(sys.argv[1] if len(sys.argv) > 1 else SOURCE, **TOLD) as scan:
    if scan.checksum() != CHECKSUM:
        sys.exit(f"{{scan.path}} is not the scan that was analysed: its checksum is another. Give the right file.")
    result = analyze(scan, analysis_settings(SETTINGS))
print("written:", write_result(result, Path(__file__).with_suffix(".result.h5")))
print("clusters:", ", ".join(node.name for node in result.nodes[1:]) or "none, one homogeneous region")
if Path(BEFORE).exists():
    is_same = np.array_equal(result.label_maps, open_result(BEFORE).label_maps)
    print("every label as before:", "yes" if is_same else "NO")
    sys.exit(0 if is_same else 1)
'''


def reproduce_script(result: AnalysisResult, script: str) -> str:
    """A Python program that repeats the analysis; `script` is the name of its file.

    Raises
    ------
    SettingsError
        The labels are those of another result's clusters.
    """
    if "model" in result.array_attrs:
        raise SettingsError(
            f"The clusters are those of {result.array_attrs['model']['result']}: no analysis of this scan alone gives "
            "them. Expected an analysed result. `livestem apply` with that result repeats the labels."
        )
    attrs = result.attrs
    before = result.path.resolve() if result.path else Path("none")
    return _SCRIPT.format(
        name=before.name,
        version=attrs["livestem_version"],
        settings_id=attrs["settings_id"],
        seed=attrs["seed"],
        script=script,
        source=str(Path(attrs["source"]).absolute() if Path(attrs["source"]).exists() else attrs["source"]),
        told=opened_with(attrs["scan"]["metadata"]),
        checksum=str(attrs["source_checksum"]),
        before=str(before),
        settings=pprint.pformat(attrs["settings"], width=100, sort_dicts=False),
    )


def methods_text(result: AnalysisResult) -> str:
    """The paragraph for a paper's methods, with the numbers of this result."""
    attrs, alignment, mask = result.attrs, result.array_attrs["alignment"], result.array_attrs["mask"]
    rules = {
        "std": f"whose standard deviation over the scan exceeds {100 * mask['threshold']:.0f} % of the largest",
        "spots": "that lie in Bragg disks of the mean pattern or vary beyond shot noise",
        "excess": "that vary beyond shot noise",
        "brightest": "that are brightest, since none varied beyond shot noise",
    }
    n_levels = max(node.level for node in result.nodes)
    counts = [sum(node.level == level for node in result.nodes) for level in range(1, n_levels + 1)]
    sentences = [
        f"{_what(result)} analysed with livestem {attrs['livestem_version']} (settings {attrs['settings_id']}, seed "
        f"{attrs['seed']}).",
        "Every pattern was aligned by the centre of mass of its direct beam, iterated on the disk, and resampled once; "
        f"the residual had a standard deviation of {alignment['std_px']:.4f} px and a mean error of "
        f"{alignment['mean_error_px']:.4f} px.",
        f"Features were the aligned intensities of the {mask['n_features']} detector pixels between "
        f"{mask['inner_px']:.1f} and {mask['outer_px']:.1f} px from the direct beam "
        f"{rules.get(mask['rule'], 'chosen by rule ' + mask['rule'])}.",
        _clusters_sentence(result),
        (
            f"This gave {', '.join(str(count) for count in counts)} nodes at levels 1 to {n_levels}."
            if counts
            else "No division was supported: the region is homogeneous."
        ),
    ]
    if result.momentum_nodes:
        leaves = {node.id for node in result.momentum_nodes} - {node.parent for node in result.momentum_nodes}
        sentences.append(
            f"Detector pixels were clustered by their normalised real-space images into {len(leaves)} apertures."
        )
    if "lattice/rotation_rad" in result.arrays and np.isfinite(result.arrays["lattice/rotation_rad"]).any():
        n = int(np.isfinite(result.arrays["lattice/rotation_rad"]).sum())
        source = result.array_attrs["lattice"]["q_source"]
        known = {"nominal": "from the nominal camera length", "user": "as measured by the user"}
        sentences.append(
            f"The lattice of {n} patterns was fitted to their Bragg disks by maximum likelihood; detector calibration "
            f"{known.get(source, 'unknown')}."
        )
        width = float(np.nanmax(result.arrays.get("lattice/width", np.zeros(1))))
        if width:
            sentences.append(
                "Rotation and strain were averaged with those of neighbouring positions of the same cluster by "
                f"Gaussian weights of a standard deviation of up to {width:.2g} positions, chosen by Stein's unbiased "
                "estimate of the risk."
            )
    return " ".join(sentences)


def _what(result: AnalysisResult) -> str:
    """The beginning of the first sentence, with its verb."""
    scan = result.attrs["scan"]
    bands = scan["metadata"].get("rows")  # of a series of scans
    if not bands:
        n_y, n_x = result.label_maps.shape[1:]
        return f"The scan of {n_y} x {n_x} positions was"
    n_scans = len({band["scan"] for band in bands})
    n_lines = sum(band["to"] - band["from"] for band in bands)
    return (
        f"Of {n_scans} scans {scan['n_frames']} positions, on {n_lines} lines in {len(bands)} bands of neighbouring "
        "lines spread over each scan, were together"
    )


def _clusters_sentence(result: AnalysisResult) -> str:
    if "model" in result.array_attrs:
        return (
            f"Every pattern went to the nearest of the clusters of {result.array_attrs['model']['result']}; none was "
            "fitted to this scan."
        )
    averaged = [f"{node.name} ({node.averaging:.2g})" for node in result.nodes if node.averaging]
    return (
        "Patterns were divided from the top by K-means, the number of clusters of each node from the gain on held-out "
        "patterns and the agreement of two halves."
    ) + (
        " Before they were divided, the patterns of these nodes were averaged with their neighbours of the same node "
        "(standard deviation of the Gaussian weights in scan positions, chosen by Stein's unbiased estimate of the "
        f"risk): {', '.join(averaged)}."
    ) * bool(averaged)
