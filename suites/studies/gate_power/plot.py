"""The figures as one picture: detection against planted slowdown, idle and beside the neighbour."""

from collections.abc import Sequence
from typing import Any

from suites.studies.gate_power.trial import CONDITIONS, GATE, METHODS, PERCENTS
from suites.studies.picture import GREY, drawn, plain

STYLE = {
    GATE: ("our gate", "#2f81f7", "o", 2.6),
    "mean:5%": ("mean:5%", "#db6d28", "s", 1.4),
    "median:5%": ("median:5%", "#a371f7", "^", 1.4),
    "min:5%": ("min:5%", "#2ea043", "D", 1.4),
}
SIDESTEP = 0.07  # between methods, so that intervals do not cover one another
TITLES = {"idle": "idle", "neighbour": "beside a noisy neighbour"}


def svg(evidence: dict[str, Any]) -> str:
    """The picture as SVG text without background. Raises ImportError without matplotlib, which only this needs."""
    return drawn("gate-power", lambda plt: _figure(plt, evidence))


def _figure(plt: Any, evidence: dict[str, Any]) -> Any:
    figure, panels = plt.subplots(1, len(CONDITIONS), figsize=(10, 4.6), sharey=True)
    for panel, condition in zip(panels, CONDITIONS, strict=True):
        _draw(panel, condition, [row for row in evidence["rates"] if row["condition"] == condition])
    panels[0].set_ylabel("runs with an alarm")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=len(METHODS), frameon=False)
    figure.tight_layout(rect=(0, 0.07, 1, 1), w_pad=2.5)
    return figure


def _draw(panel: Any, condition: str, rows: list[dict[str, Any]]) -> None:
    for number, method in enumerate(METHODS):
        mine = {row["percent"]: row for row in rows if row["method"] == method}
        at = [i for i, percent in enumerate(PERCENTS) if percent in mine]
        found = [mine[PERCENTS[i]] for i in at]
        name, colour, marker, width = STYLE[method]
        places = [i + (number - (len(METHODS) - 1) / 2) * SIDESTEP for i in at]
        shares = [100 * row["rate"] for row in found]
        reach = [[100 * (row["rate"] - row["low"]) for row in found], [100 * (row["high"] - row["rate"]) for row in found]]
        panel.errorbar(places, shares, reach, label=name, color=colour, marker=marker, lw=width, ms=6, elinewidth=1, capsize=2)
    panel.annotate("false\nalarms", (0, 101), ha="center", va="top", fontsize=9, color=GREY)
    panel.set_ylim(-3, 103)
    panel.set_xlabel("planted slowdown")
    shares_over(panel, condition, [f"{percent} %" for percent in PERCENTS], 0.4)


def shares_over(panel: Any, condition: str, planted: Sequence[str], edge: float) -> None:
    """Axes of shares of runs over what is planted, nothing first; `edge` is what a panel shows beside its outer places."""
    panel.set_title(TITLES[condition], fontsize=12)
    panel.axvspan(-edge, edge, color=GREY, alpha=0.14, lw=0)
    panel.set_xticks(range(len(planted)), planted)
    panel.set_yticks(range(0, 101, 20), [f"{share} %" for share in range(0, 101, 20)])
    panel.set_xlim(-edge, len(planted) - 1 + edge)
    panel.grid(axis="y", color=GREY, alpha=0.25, lw=0.6)
    plain(panel)
