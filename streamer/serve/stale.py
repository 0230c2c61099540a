"""What values set by hand make stale: which stages of an analysis no longer match, and which edits still would."""

from streamer.analysis.run import STAGES
from streamer.cluster.tree import ROOT_NAME
from streamer.settings import AnalysisSettings, MergeEdit, TreeEdit

VIRTUAL = "virtual"


def stale_stages(used: AnalysisSettings, wanted: AnalysisSettings) -> tuple[str, ...]:
    """Names of the stages that would come out otherwise, in order; "virtual" for further virtual detectors."""
    stale: set[str] = set()
    if used.alignment != wanted.alignment or used.roi != wanted.roi:
        stale |= set(STAGES)
    elif used.mask != wanted.mask:
        stale |= set(STAGES) - {"align", "momentum"}
    elif used.cluster != wanted.cluster:
        stale = {"hierarchy", "patterns", "manifold"}
    others = (VIRTUAL,) if used.virtual != wanted.virtual else ()
    return tuple(stage for stage in STAGES if stage in stale) + others


def kept_edits(
    used: AnalysisSettings, wanted: AnalysisSettings, edits: tuple[TreeEdit, ...]
) -> tuple[TreeEdit, ...]:
    """Edits that another analysis can repeat: none on other features, else those in branches whose K stayed.

    A branch that is made again with the same K is the same branch.
    """
    if (used.alignment, used.mask, used.roi) != (wanted.alignment, wanted.mask, wanted.roi):
        return ()
    before, after = used.cluster.k, wanted.cluster.k
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return tuple(edit for edit in edits if not any(_touches(edit, name) for name in changed))


def _touches(edit: TreeEdit, branch: str) -> bool:
    """Whether an edit names something in a branch."""
    names = [getattr(edit, field) for field in ("node", "onto") if hasattr(edit, field)]
    names += list(getattr(edit, "nodes", ()))
    if isinstance(edit, MergeEdit):
        names += [name.rpartition(".")[0] or ROOT_NAME for name in edit.nodes]
    return branch == ROOT_NAME or any(name == branch or name.startswith(f"{branch}.") for name in names)
