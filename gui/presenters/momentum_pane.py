"""The k-space pane: clusters of detector pixels and the real-space image that belongs to each."""

from gui.presenters import texts
from gui.presenters.clusters import cut
from gui.presenters.image_panes import detector_scale, paint_labels
from gui.presenters.levels import image_bytes
from gui.presenters.memo import Memo
from gui.presenters.numbers import count
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Snapshot
from gui.presenters.views import Emphasis, ImageView, MomentumView, TilesView, TileView
from streamer.look.palette import NOT_VISITED, node_colours


def momentum_view(snapshot: Snapshot, selection: Selection, memo: Memo) -> MomentumView:
    """Label map of the detector at the first level, and the image of each of its clusters."""
    labels = snapshot.values("momentum_labels")
    tree = snapshot.status.momentum_tree
    if labels is None or not tree:
        return MomentumView(
            ImageView(None, None, message=texts.IMAGE_EMPTY), TilesView(message=texts.IMAGE_EMPTY)
        )
    shape = tuple((node.id, node.parent, node.level, node.colour) for node in tree)
    colours = memo.get("momentum colours", shape, lambda: node_colours(tree))
    selected = selection.momentum_id
    lit = None if selected is None else frozenset({selected})
    key = (snapshot.version("momentum_labels"), shape, lit)
    rgba = memo.get("momentum map", key, lambda: paint_labels(labels[0], colours, lit))
    label_map = ImageView(key, rgba, texts.MOMENTUM_MAP_TITLE, scale=detector_scale(snapshot.status))
    images = snapshot.values("momentum_images")
    by_id = {}
    if images is not None:
        by_id = dict(zip(snapshot.arrays["momentum_images"].meta.get("ids", ()), images, strict=False))
    tiles = []
    for node in cut(tree, 1):
        tile_key = (snapshot.version("momentum_images"), node.id)
        image = None
        if (values := by_id.get(node.id)) is not None:
            image = memo.get(f"momentum {node.id}", tile_key, lambda values=values: image_bytes(values))
        tiles.append(
            TileView(
                node_id=node.id,
                key=tile_key,
                image=image,
                colour=colours.get(node.id, NOT_VISITED),
                name=texts.node_label(node),
                caption=f"{count(node.n_patterns)} px",
                emphasis=_emphasis(node.id, selection.momentum_id),
            )
        )
    return MomentumView(label_map, TilesView(tuple(tiles), texts.MOMENTUM_TILES_TITLE))


def momentum_node_at(snapshot: Snapshot, y: int, x: int) -> int | None:
    """Cluster of a detector pixel at the first level; None outside."""
    labels = snapshot.values("momentum_labels")
    if labels is None or not (0 <= y < labels.shape[1] and 0 <= x < labels.shape[2]):
        return None
    node_id = int(labels[0, y, x])
    return node_id if node_id >= 0 else None


def _emphasis(node_id: int, selected: int | None) -> Emphasis:
    if selected is None:
        return Emphasis.NORMAL
    return Emphasis.SELECTED if node_id == selected else Emphasis.DIMMED
