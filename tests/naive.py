"""A slow, obvious twin of every kernel in streamer.kernels."""

import numpy as np


def windowed_centre(frame, centre_y, centre_x, radius_px):
    y, x = np.indices(frame.shape)
    weight = np.clip(radius_px + 0.5 - np.hypot(y - centre_y, x - centre_x), 0, 1) * frame.astype(np.float64)
    mass = weight.sum()
    if mass <= 0:
        return centre_y, centre_x, mass
    return (weight * y).sum() / mass, (weight * x).sum() / mass, mass


def brightest_block(frame):
    places = [(y, x) for y in range(0, frame.shape[0] - 3, 2) for x in range(0, frame.shape[1] - 3, 2)]
    y, x = max(
        places,
        key=lambda place: frame[place[0] : place[0] + 4, place[1] : place[1] + 4].sum(dtype=np.float64),
    )
    return y + 1.5, x + 1.5


def find_centre(frame, start_yx, radius_px, expected_mass, max_iterations):
    y, x = start_yx
    inside = windowed_centre(frame, y, x, radius_px)[2]
    around = (windowed_centre(frame, y, x, 1.6 * radius_px)[2] - inside) / (1.6**2 - 1)
    if inside < 0.1 * expected_mass and inside < 2 * around:
        y, x = brightest_block(frame)
        if windowed_centre(frame, y, x, radius_px)[2] < 0.5 * expected_mass:
            y, x = start_yx
    for _ in range(max_iterations):
        new_y, new_x, _ = windowed_centre(frame, y, x, radius_px)
        step = abs(new_y - y) + abs(new_x - x)
        y, x = new_y, new_x
        if step < 1e-4:
            break
    return y, x


def resample(frame, shift_y, shift_x, weights_of):
    """Zero wherever one of the four rows or one of the four columns lies outside."""
    n_y, n_x = frame.shape
    whole_y, whole_x = int(np.floor(shift_y)), int(np.floor(shift_x))
    w_y, w_x = weights_of(shift_y - whole_y), weights_of(shift_x - whole_x)
    out = np.zeros(frame.shape)
    for y in range(n_y):
        for x in range(n_x):
            top, left = y + whole_y - 1, x + whole_x - 1
            if 0 <= top < n_y - 3 and 0 <= left < n_x - 3:
                out[y, x] = w_y @ frame[top : top + 4, left : left + 4].astype(np.float64) @ w_x
    return out


def is_bad(frame, defects=()):
    bad = ~(np.abs(frame.astype(np.float64)) <= 1e12)
    bad.ravel()[list(defects)] = True
    return bad


def mend_frame(frame, defects=()):
    bad = is_bad(frame, defects)
    out = frame.astype(np.float64).copy()
    for y, x in zip(*np.nonzero(bad), strict=True):
        rows, columns = slice(max(0, y - 1), y + 2), slice(max(0, x - 1), x + 2)
        good = frame[rows, columns].astype(np.float64)[~bad[rows, columns]]
        out[y, x] = good.mean() if len(good) else 0.0
    return out


def clean_frame(frame, max_bad, defects=()):
    n_bad = int(is_bad(frame).sum())
    return (np.zeros(frame.shape) if n_bad > max_bad else mend_frame(frame, defects)), n_bad


def measure_frame(frame, plan, weights_of):
    """Centre and aligned pattern of one frame; None where it is not usable."""
    cleaned, n_bad = clean_frame(frame, plan.max_bad, plan.defects)
    if n_bad > plan.max_bad:
        return None
    centre = find_centre(cleaned, plan.start_yx, plan.window_px, plan.expected_mass, plan.max_iterations)
    shift = np.subtract(centre, plan.reference_yx)
    return np.array(centre), resample(cleaned, *shift, weights_of)


def moments(patterns, usable, reference):
    difference = patterns[usable].astype(np.float64) - reference
    return difference.sum(axis=0), (difference**2).sum(axis=0)


def weighted_sums(patterns, weights):
    return patterns.astype(np.float64) @ weights.astype(np.float64).T


def sums_by_label(patterns, labels, n_groups):
    return np.array([patterns[labels == group].astype(np.float64).sum(axis=0) for group in range(n_groups)])


def assign_nearest(features, centroids):
    distances = ((features[:, None].astype(np.float64) - centroids[None].astype(np.float64)) ** 2).sum(axis=2)
    return distances.argmin(axis=1), distances.min(axis=1)


def lloyd_step(features, rows, centroids, per_quantum):
    labels, distances = assign_nearest(features[rows], centroids)
    in_quanta = np.rint(features[rows].astype(np.float64) * per_quantum)
    k = len(centroids)
    return labels, distances, sums_by_label(in_quanta, labels, k), np.bincount(labels, minlength=k)


def add_virtual(tiles, first_pixel, weights, frame_of, virtual):
    out = virtual.astype(np.float64)
    for tile, frame in zip(tiles, frame_of, strict=False):
        seen = weights[:, first_pixel : first_pixel + len(tile)]
        out[frame] += weighted_sums(tile[: seen.shape[1]], seen)
    return out


def inner_products(features, axes):
    return features.astype(np.float64) @ axes.astype(np.float64).T


def assign_two_levels(features, centroids, starts):
    first = assign_nearest(features, centroids[: starts[0]])[0]
    second = [
        starts[j] + assign_nearest(vector[None], centroids[starts[j] : starts[j + 1]])[0][0]
        if starts[j + 1] > starts[j]
        else -1
        for j, vector in zip(first, features, strict=True)
    ]
    return np.array([first, second])


def average_rows(rows, groups, places, weights):
    reach = len(weights) // 2
    out, own_share = np.empty(rows.shape), np.empty(len(rows))
    for i, (y, x) in enumerate(places):
        near = [
            (weights[reach + v - y, reach + u - x], rows[j])
            for j, (v, u) in enumerate(places)
            if max(abs(v - y), abs(u - x)) <= reach and groups[i] == groups[j]
        ]
        total = sum(weight for weight, _ in near)
        out[i] = sum(weight * row.astype(np.float64) for weight, row in near) / total
        own_share[i] = weights[reach, reach] / total
    return out, own_share


def squared_distances(points, centre):
    return ((points - centre) ** 2).sum(axis=1)


def lloyd(points, centres, max_iterations):
    centres = centres.copy()
    labels = assign_nearest(points, centres)[0]
    for _ in range(max_iterations):
        for group in set(labels.tolist()):
            centres[group] = points[labels == group].mean(axis=0)
        before, labels = labels, assign_nearest(points, centres)[0]
        if (labels == before).all():
            break
    return centres, labels


def seeds(points, first, draws):
    chosen, closest = [first], squared_distances(points, points[first])
    for row in draws:
        indices = np.searchsorted(np.cumsum(closest), row * closest.sum())
        options = [np.minimum(closest, squared_distances(points, points[index])) for index in indices]
        best = int(np.argmin([option.sum() for option in options]))
        chosen.append(indices[best])
        closest = options[best]
    return points[chosen]


def nonfinite_frames(frames):
    return ~np.isfinite(frames).all(axis=1)


def sketch_of(images, bins, signs, n_bins):
    """Signed sums (n_bins, n_pixels) of patterns (n, n_pixels), position by position."""
    sums = np.zeros((n_bins, images.shape[1]))
    for position in range(len(images)):
        sums[bins[position]] += signs[position] * images[position]
    return sums


def place_disk(frame, centre_y, centre_x, table, disk_px, steps_per_px):
    y, x = np.indices(frame.shape)
    distance = np.hypot(y - centre_y, x - centre_x)
    step = np.floor(distance * steps_per_px + 0.5).astype(int)
    inside = distance <= (len(table) - 1) / steps_per_px
    value = np.where(inside, frame.astype(np.float64) * table[np.minimum(step, len(table) - 1)], 0.0)
    disk = np.where(inside, np.clip(disk_px + 0.5 - distance, 0, 1), 0.0)
    return (value * (y - centre_y)).sum(), (value * (x - centre_x)).sum(), (frame * disk).sum()


def fit_lattice(frame, centre_yx, plan, rounds, steps_per_px):
    """The matrix that turns the plan's offsets into those of the frame, by weighted least squares."""
    matrix = np.eye(2)
    reach = plan.border_px + (plan.scores.shape[1] - 1) / steps_per_px
    for _ in range(rounds):
        offsets, places, weights = [], [], []
        for offset, table, under, weight in zip(
            plan.offsets_yx, plan.scores, plan.background, plan.information, strict=True
        ):
            place = matrix @ offset
            y, x = centre_yx + place
            if min(y, x, frame.shape[0] - 1 - y, frame.shape[1] - 1 - x) < reach:
                continue
            found = place_disk(frame, y, x, table, plan.disk_px, steps_per_px)
            offsets.append(offset)
            places.append(place + (np.array(found[:2]) - under[:2]) / weight)
            weights.append(weight)
        root = np.sqrt(weights)[:, None]
        matrix = np.linalg.lstsq(np.array(offsets) * root, np.array(places) * root, rcond=None)[0].T
    return matrix


def decode_word_frame(words, maps, parity, debounce):
    """Counts (n_pixels,) float64 of one EMPAD-G2 frame, term by term."""
    pedestal, offset, linear, quadratic, removal, flat = (
        values[parity].astype(np.float64) for values in maps
    )
    analog = (words % 2**14).astype(np.float64)
    removals = (words // 2**14 % 2**16).astype(np.float64)
    is_low = words // 2**31 == 1
    counts = np.where(is_low, quadratic * analog**2 + linear * analog + offset, analog)
    counts = counts + removals * removal - pedestal
    return (counts - (zero_peak(counts) if debounce else 0.0)) * flat


def zero_peak(counts):
    """Vertex of the parabola through seven bins of 10 ADU about the fullest; 0 where that says nothing."""
    n, edges = np.histogram(counts, bins=42, range=(-205.0, 215.0))
    peak = int(n.argmax())
    if n[peak] <= 40 or not 3 <= peak <= 38:
        return 0.0
    middle = (edges[:-1] + edges[1:]) / 2
    curve, slope, _ = np.polyfit(middle[peak - 3 : peak + 4], n[peak - 3 : peak + 4], 2)
    if curve >= 0:
        return 0.0
    vertex = -slope / (2 * curve)
    return vertex if abs(vertex - middle[peak]) <= 30 and abs(vertex) <= 200 else 0.0
