"""Snapshot and selection in, everything that the panes show out: one pure function for the whole window.

The memo it is given saves work between two calls and changes nothing of the result, except that the numbers
on the map stay at their places while it fills in.
"""

from gui.presenters.chart_panes import elbow_view, log_view, rings_view, stream_view
from gui.presenters.clusters import Clusters
from gui.presenters.header_panes import banner_view, header_view, status_view
from gui.presenters.image_panes import alignment_views, map_view, tiles_view, virtual_views
from gui.presenters.memo import Memo
from gui.presenters.momentum_pane import momentum_view
from gui.presenters.pattern_pane import pattern_view
from gui.presenters.selection import Selection, ViewOptions
from gui.presenters.snapshot import Snapshot
from gui.presenters.tree_pane import tree_view
from gui.presenters.views import UiState


def ui_state(
    snapshot: Snapshot,
    selection: Selection,
    options: ViewOptions,
    memo: Memo | None = None,
    dismissed: frozenset[str] = frozenset(),
) -> UiState:
    """What every pane shows.

    Parameters
    ----------
    snapshot
        The newest from the refresh thread.
    selection, options
        What the operator looks at, and how it is drawn.
    memo
        Kept by the caller from one call to the next; None computes everything anew.
    dismissed
        Keys of banners that the operator has closed.
    """
    memo = memo or Memo()
    clusters = Clusters.of(snapshot, selection, memo)
    bright_field, annular_dark_field = virtual_views(snapshot, selection, memo)
    alignment_y, alignment_x = alignment_views(snapshot, selection, memo)
    return UiState(
        header=header_view(snapshot, has_labels=clusters.has_labels),
        banner=banner_view(snapshot, dismissed),
        status=status_view(snapshot, selection, clusters),
        cluster_map=map_view(snapshot, selection, options, clusters, memo),
        bright_field=bright_field,
        annular_dark_field=annular_dark_field,
        pattern=pattern_view(snapshot, selection, options, clusters, memo),
        tiles=tiles_view(snapshot, options, clusters, memo),
        tree=tree_view(clusters),
        rings=rings_view(snapshot),
        elbow=elbow_view(snapshot, selection),
        alignment_y=alignment_y,
        alignment_x=alignment_x,
        stream=stream_view(snapshot),
        momentum=momentum_view(snapshot, memo),
        log=log_view(snapshot),
    )
