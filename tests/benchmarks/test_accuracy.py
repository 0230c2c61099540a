"""What the analysis finds, against the simulated truth: every question, printed by `make benchmark`.

128 x 128 positions, automatic settings, three levels; the aims stand beside each figure.
"""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from simulators import cross_section, nanoprism
from simulators.specimen import Phase
from simulators.truth import many_to_one_accuracy
from streamer import analyze, open_scan
from streamer.settings import analysis_settings
from tests.simulated import simulate

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]
SHAPE = (128, 128)
MOST_CLUSTERS = 8
QUICK = {"momentum": {"enabled": False}, "manifold": {"method": "none"}}


def say(name, value, aim):
    print(f"{name:64s} {value:7.4f}   aim {aim}")


def analyzed(scan, **settings):
    with open_scan(scan.raw) as opened:
        return analyze(opened, analysis_settings(settings))


def best_level(result, truth, where=None):
    """Of the levels the one that answers best."""
    return max(many_to_one_accuracy(level, truth, where, MOST_CLUSTERS) for level in result.label_maps)


def explained(values, labels):
    """Share of the variance of `values` (n,) or (n, 2) that lies between the groups."""
    values = values.reshape(len(values), -1)
    within = sum(
        ((own - own.mean(axis=0)) ** 2).sum()
        for own in (values[labels == label] for label in np.unique(labels))
    )
    return 1 - within / ((values - values.mean(axis=0)) ** 2).sum()


def of_the_best(values, labels):
    """What is explained, as a share of what K-means on the true values explains with as many groups."""
    values = values.reshape(len(values), -1)
    ideal = KMeans(len(np.unique(labels)), n_init=10, random_state=0).fit(values).labels_
    return explained(values, labels) / explained(values, ideal)


def leaves_of(finest, where):
    """Leaves most of whose positions lie there."""
    return sum(where[finest == leaf].mean() > 0.5 for leaf in np.unique(finest[where]))


def node_of(result, where):
    """Name of the level-1 node that holds most of the positions."""
    ids, counts = np.unique(result.label_maps[0][where], return_counts=True)
    return result.nodes[int(ids[counts.argmax()])].name


def children_accuracy(scan, result, truth, where, k):
    """The node that holds `where` split into K: how well its children answer."""
    name = node_of(result, where)
    split = analyzed(scan, cluster={"levels": 2, "k": {name: k}}, **QUICK)
    return many_to_one_accuracy(split.label_maps[1], truth, where, k)


@pytest.mark.parametrize("dose", [60000.0, 8000.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_junction(tmp_path, dose, seed):
    scan = simulate(tmp_path, SHAPE, dose=dose, seed=seed)
    specimen, result = scan.specimen, analyzed(scan, **QUICK)
    finest = result.label_maps[-1]
    ws2, wse2 = specimen.phase == Phase.WS2, specimen.phase == Phase.WSE2
    high = dose > 2e4
    print(
        f"\njunction, {dose:g} electrons, seed {seed}, rule {result.array_attrs['mask']['rule']}, "
        f"{result.array_attrs['mask']['n_features']} features"
    )
    say("phases", best_level(result, specimen.phase), 0.999 if high else "-")
    say("ripple regions", best_level(result, specimen.ripple_region, wse2), 0.92 if high else "-")
    say(
        "ripple regions, K = 4",
        children_accuracy(scan, result, specimen.ripple_region, wse2, 4),
        "-" if high else 0.75,
    )
    sign = (specimen.rotation_rad > 0).astype(int)
    say("sign of rotation, K = 2", children_accuracy(scan, result, sign, ws2, 2), 0.95 if high else 0.905)
    say(
        "rotation explained, of the best",
        of_the_best(specimen.rotation_rad[ws2], finest[ws2]),
        0.9 if high else "-",
    )
    say("leaves of the film", leaves_of(finest, specimen.phase == Phase.FILM), "at most 2")
    constant = result.arrays["lattice/constant_nm"]
    for kind in (Phase.WS2, Phase.WSE2):
        own = specimen.phase == kind
        true = (0.3153 if kind == Phase.WS2 else 0.3282) * (1 + specimen.strain[own])
        say(
            f"{kind.name}: lattice constant, rms error in %",
            100 * np.sqrt(np.nanmean((constant[own] / true - 1) ** 2)),
            0.1 if high else "-",
        )
        turn = result.arrays["lattice/rotation_rad"][own] - specimen.rotation_rad[own]
        say(
            f"{kind.name}: rotation, rms error in degrees", np.rad2deg(np.nanstd(turn)), 0.05 if high else "-"
        )


def test_superlattice(tmp_path):
    scan = simulate(tmp_path, SHAPE, "superlattice")
    specimen, result = scan.specimen, analyzed(scan, **QUICK)
    finest = result.label_maps[-1]
    print("\nsuperlattice")
    say("flakes", best_level(result, specimen.flake), 0.99)
    say("stripes", best_level(result, specimen.phase), 0.99)
    wse2 = specimen.phase == Phase.WSE2
    along = []
    for flake in range(3):
        own = wse2 & (specimen.flake == flake)
        tilt = specimen.tilt_yx_rad[own]
        signed = tilt @ tilt[np.abs(tilt).sum(axis=1).argmax()]
        along.append((of_the_best(signed, finest[own]), len(np.unique(finest[own]))))
        say(f"flake {flake}: signed tilt explained, of the best {along[-1][1]} leaves", along[-1][0], 0.85)
        size = np.linalg.norm(tilt, axis=1)
        say(f"flake {flake}: size of the tilt explained, of the best", of_the_best(size, finest[own]), "0.85")
    say("leaves of the film", leaves_of(finest, specimen.phase == Phase.FILM), "at most 2")


def test_nanoprism(tmp_path):
    scan = simulate(tmp_path, SHAPE, "nanoprism")
    specimen, result = scan.specimen, analyzed(scan, **QUICK)
    finest, inside = result.label_maps[-1], specimen.phase == nanoprism.PRISM
    print("\nnanoprism")
    say("prism and film", best_level(result, specimen.phase), 0.995)
    tilt = specimen.tilt_yx_rad[inside] @ (np.sin(nanoprism.BEND_AXIS_RAD), np.cos(nanoprism.BEND_AXIS_RAD))
    say(
        f"tilt explained by {len(np.unique(finest[inside]))} leaves, of the best",
        of_the_best(tilt, finest[inside]),
        0.95,
    )
    say("sides of the contour", many_to_one_accuracy(finest, specimen.ripple_region, inside), "both")
    say("leaves of the film", leaves_of(finest, ~inside), "at most 2")


def test_cross_section(tmp_path):
    scan = simulate(tmp_path, SHAPE, "cross-section")
    result = analyzed(scan)
    images = result.arrays["momentum/images"].reshape(len(result.momentum_nodes), -1)
    print("\ncross-section")
    say("regions", best_level(result, scan.specimen.phase), "-")
    for kind in (cross_section.SUBSTRATE, cross_section.GRAIN_1, cross_section.GRAIN_2, cross_section.TWIN):
        truth = (scan.specimen.phase == kind).ravel()
        match = max(np.corrcoef(image, truth)[0, 1] for image in images)
        say(f"momentum image of {scan.specimen.phase_names[kind]}", match, 0.9)
    for kind in (cross_section.CAP, cross_section.SUBSTRATE):
        name = scan.specimen.phase_names[kind]
        say(f"leaves of {name}", leaves_of(result.label_maps[-1], scan.specimen.phase == kind), "at most 2")
