"""The frontier as a picture: drift against latency of sets of operations kept in fp32, a panel for each search and tower."""

from collections.abc import Mapping
from typing import Any

from suites.studies.picture import GREY, drawn, plain

POINT, BEST, FOUND = "#a371f7", "#2f81f7", "#2ea043"
COLUMNS = 3
LOST = "overflow"


def svg(found: Mapping[str, Any]) -> str:
    """The picture as SVG text without background. Raises ImportError without matplotlib, which only this needs."""
    return drawn("drift-policy", lambda plt: _figure(plt, found), font_size=10)


def _figure(plt: Any, found: Mapping[str, Any]) -> Any:
    panels = _panels(found)
    rows = max(1, -(-len(panels) // COLUMNS))
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(12, 3.7 * rows), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        _draw(axis, *panel)
    handles: dict[str, Any] = {}
    for axis in axes.flat[: len(panels)]:
        handles |= {name: handle for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.12 / rows, 1, 1), w_pad=2, h_pad=2)
    return figure


def _panels(found: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Title and row of every tower for which something is kept."""
    return [
        (f"{search['title']}\n{tower} tower", row)
        for search in found["searches"]
        for tower, row in search["towers"].items()
        if row.get("kept") and "frontier" in row
    ]


def _draw(axis: Any, title: str, row: Mapping[str, Any]) -> None:
    """Latency to the right, drift upwards on a logarithmic scale; an overflow stands on the upper edge."""
    points = sorted(row["frontier"], key=lambda point: point["ratio"])
    drifts = [point["drift"] for point in points if "drift" in point]
    budget = row["own"]["drift"] / row["own"]["share"]
    bottom, top = min([*drifts, budget]) / 2, max([*drifts, budget]) * 5
    for best, colour, marker, name in (
        (False, POINT, "o", "a set of operations in fp32"),
        (True, BEST, "D", "on the frontier"),
    ):
        chosen = [point for point in points if point["pareto"] == best]
        ratios = [point["ratio"] for point in chosen]
        reach = [[p["ratio"] - p["low"] for p in chosen], [p["high"] - p["ratio"] for p in chosen]]
        heights = [point.get("drift", top / 1.3) for point in chosen]
        axis.errorbar(ratios, heights, xerr=reach, fmt=marker, color=colour, ms=5, elinewidth=0.8, alpha=0.9, label=name)
    front = [point for point in points if point["pareto"] and "drift" in point]
    axis.step([p["ratio"] for p in front], [p["drift"] for p in front], where="post", color=BEST, lw=1.4, alpha=0.7)
    own = row["own"]
    axis.plot([own["ratio"]], [own["drift"]], "*", color=FOUND, ms=15, label="the smallest set within budget", zorder=5)
    axis.axhline(budget, color=FOUND, lw=1, ls="--", label="budget")
    axis.axvline(1, color=GREY, lw=0.6, alpha=0.5)
    axis.set_yscale("log")
    axis.set_ylim(bottom, top)
    for point in points:
        name = {"nothing": "all low", "everything": "all fp32"}.get(point["label"], "")
        name += f" ({LOST})" if "drift" not in point and name else ""
        if name:
            height = point.get("drift", top / 1.3)
            axis.annotate(name, (point["ratio"], height), (4, 4), textcoords="offset points", fontsize=8, color=GREY)
    short = [path.replace("transformer.resblocks.", "block ").removeprefix("visual.") for path in row["kept"]]
    axis.set_title(f"{title}\nkept in fp32: {', '.join(short)}", fontsize=9)
    axis.set_xlabel("latency, to the all-low cell")
    axis.set_ylabel("worst cosine distance")
    axis.grid(color=GREY, alpha=0.2, lw=0.5)
    plain(axis)
