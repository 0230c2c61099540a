"""Snapshot and selection in, everything that the panes show out: the whole window as one value."""

from functools import cached_property

from gui.presenters.charge import Draft
from gui.presenters.chart_panes import NO_DRAFT, elbow_view, log_view, rings_view, stream_view
from gui.presenters.clusters import Clusters
from gui.presenters.header_panes import banner_view, header_view, status_view
from gui.presenters.history import HistoryTile, history_tiles
from gui.presenters.image_panes import alignment_views, map_view, tiles_view, virtual_views
from gui.presenters.lattice_pane import lattice_view
from gui.presenters.manifold_pane import manifold_view
from gui.presenters.memo import Memo
from gui.presenters.momentum_pane import momentum_view
from gui.presenters.pattern_pane import pattern_view
from gui.presenters.selection import Selection, ViewOptions
from gui.presenters.snapshot import Snapshot
from gui.presenters.spot_images import spot_views
from gui.presenters.tree_pane import tree_view
from gui.presenters.views import (
    BannerView,
    ElbowView,
    HeaderView,
    ImageView,
    LatticeView,
    LogView,
    ManifoldView,
    MapView,
    MomentumView,
    PatternView,
    RingsView,
    StatusView,
    StreamView,
    TilesView,
    TreeView,
)


class UiState:
    """What every pane shows at one moment: a pure function of what it is made from.

    Each pane is computed when it is first asked for, all from the same snapshot and selection: panes cannot
    contradict each other, one that fails takes no other along, and a hidden one costs nothing.

    Parameters
    ----------
    snapshot
        The newest from the refresh thread.
    selection, options
        What the operator looks at, and how it is drawn.
    memo
        Kept by the caller from one state to the next. It saves work and changes nothing of the result, except
        that the numbers on the map stay at their places while it fills in.
    dismissed
        Keys of banners that the operator has closed.
    draft
        What the operator is about to change.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        selection: Selection,
        options: ViewOptions,
        memo: Memo | None = None,
        dismissed: frozenset[str] = frozenset(),
        draft: Draft = NO_DRAFT,
    ) -> None:
        self._snapshot, self._selection, self._options = snapshot, selection, options
        self._memo = memo or Memo()
        self._dismissed, self._draft = dismissed, draft

    @cached_property
    def clusters(self) -> Clusters:
        """The clusters as the selection sees them; cluster map, tiles, tree and status share it."""
        return Clusters.of(self._snapshot, self._selection, self._memo)

    @cached_property
    def header(self) -> HeaderView:
        """Pill, sentences, progress, buttons."""
        return header_view(self._snapshot)

    @cached_property
    def banner(self) -> BannerView | None:
        """What needs the operator, None for nothing."""
        return banner_view(self._snapshot, self._dismissed)

    @cached_property
    def status(self) -> StatusView:
        """The line at the bottom."""
        return status_view(self._snapshot, self._selection, self.clusters)

    @cached_property
    def history(self) -> tuple[HistoryTile, ...]:
        """The strip of the scans before."""
        return history_tiles(self._snapshot.status.history)

    @cached_property
    def cluster_map(self) -> MapView:
        """Pane A."""
        return map_view(self._snapshot, self._selection, self._options, self.clusters, self._memo)

    @cached_property
    def virtual_images(self) -> tuple[ImageView, ...]:
        """Pane B: bright field, annular dark field, further virtual detectors."""
        asked = spot_views(self._snapshot, self._selection, self._memo)
        return (*virtual_views(self._snapshot, self._selection, self._memo), *asked)

    @cached_property
    def pattern(self) -> PatternView:
        """Pane C."""
        return pattern_view(
            self._snapshot, self._selection, self._options, self.clusters, self._memo, self._draft
        )

    @cached_property
    def tiles(self) -> TilesView:
        """Pane D."""
        return tiles_view(self._snapshot, self._options, self.clusters, self._memo)

    @cached_property
    def tree(self) -> TreeView:
        """Pane E."""
        return tree_view(self.clusters, self._selection, self._memo)

    @cached_property
    def rings(self) -> RingsView:
        """Tab Rings."""
        return rings_view(self._snapshot, self._selection, self._memo, self._draft)

    @cached_property
    def elbow(self) -> ElbowView:
        """Tab Elbow."""
        return elbow_view(self._snapshot, self._selection, self._memo, self._draft)

    @cached_property
    def alignment(self) -> tuple[ImageView, ...]:
        """Tab Alignment: y, x, residual."""
        return alignment_views(self._snapshot, self._selection, self._memo)

    @cached_property
    def lattice(self) -> LatticeView:
        """Tab Lattice."""
        return lattice_view(self._snapshot, self._selection, self._options, self.clusters, self._memo)

    @cached_property
    def manifold(self) -> ManifoldView:
        """Pane F when there is a result."""
        return manifold_view(self._snapshot, self._selection, self.clusters, self._memo)

    @cached_property
    def has_result(self) -> bool:
        """Whether pane F shows the manifold; until then the stream has its place."""
        return self._snapshot.status.shows == "final"

    @cached_property
    def stream(self) -> StreamView:
        """Pane F during a scan, a tab after it."""
        return stream_view(self._snapshot)

    @cached_property
    def momentum(self) -> MomentumView:
        """Tab k-space."""
        return momentum_view(self._snapshot, self._selection, self._memo)

    @cached_property
    def log(self) -> LogView:
        """Tab Log."""
        return log_view(self._snapshot)
