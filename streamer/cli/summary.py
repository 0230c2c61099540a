"""What a command says of an analysis."""

from pathlib import Path
from typing import Any


def summary_of(result: Any, source: Path, target: Path) -> dict[str, Any]:
    """An `AnalysisResult` in a few numbers, as ``--json`` has it."""
    alignment = result.array_attrs["alignment"]
    return {
        "source": str(source),
        "result": str(target),
        "clusters_per_level": result.clusters_per_level,
        "n_features": result.array_attrs["mask"]["n_features"],
        "alignment_std_px": alignment["std_px"],
        "alignment_mean_error_px": alignment["mean_error_px"],
        "remark": result.remark,
        "settings_id": result.attrs["settings_id"],
        "seconds": result.seconds,
    }


def in_words(summary: dict[str, Any]) -> str:
    """The same for people, some lines."""
    clusters = ", ".join(f"level {level}: {count}" for level, count in summary["clusters_per_level"].items())
    seconds = ", ".join(f"{name} {value:.1f}" for name, value in summary["seconds"].items())
    lines = [
        f"{summary['source']}: clusters {clusters or 'none (one homogeneous region)'}",
        f"  features {summary['n_features']}, alignment residual STD {summary['alignment_std_px']:.4f} px",
        f"  {summary['remark']}" if summary["remark"] else None,
        f"  every label as before: {'yes' if summary['same_labels'] else 'NO'}"
        if "same_labels" in summary
        else None,
        f"  seconds: {seconds}",
        f"  result: {summary['result']}",
    ]
    return "\n".join(line for line in lines if line is not None)
