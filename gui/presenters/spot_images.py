"""Images of spots that were clicked in a pattern, until an analysis has them in its result."""

from gui.presenters import texts
from gui.presenters.image_panes import scan_image
from gui.presenters.levels import image_bytes
from gui.presenters.memo import Memo
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Snapshot
from gui.presenters.spots import VIRTUAL_SLOT
from gui.presenters.views import ImageView


def spot_views(snapshot: Snapshot, selection: Selection, memo: Memo) -> tuple[ImageView, ...]:
    """The further images of pane B that are not in the result."""
    entry = snapshot.arrays.get("virtual_images")
    present = set(entry.meta.get("names", ())) if entry is not None else set()
    views = []
    for name, detector in (snapshot.status.manual.get("virtual") or {}).items():
        if name in present:
            continue
        title = texts.spot_title(name, conjugate=bool(detector.get("conjugate")))
        answer = snapshot.answers.get(f"{VIRTUAL_SLOT}{name}")
        values = answer.array("image") if answer is not None else None
        if answer is None or values is None:
            message = answer.error if answer is not None else texts.SPOT_COMES
            views.append(ImageView(None, None, title, message=message))
            continue
        key = (snapshot.reset, name, answer.number)
        image = memo.get(f"spot {name}", key, lambda values=values: image_bytes(values))
        views.append(scan_image(snapshot, selection, key, image, title))
    return tuple(views)
