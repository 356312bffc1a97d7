"""What drift costs as one picture: margins against the error of each precision, and changed answers against gallery size."""

from typing import Any

from plugins.measures.drift.answers.mixing import BUDGET
from suites.studies.picture import GREY, drawn, plain

COLOURS = ("#2f81f7", "#db6d28", "#a371f7", "#2ea043", "#d4526e", "#b8860b", "#20a4a4")
MARGINS = {"1": ("between rank 1 and 2", "-"), "10": ("between rank 10 and 11", ":")}
NONE_SEEN = 3.0  # none of n seen: with 95 % confidence fewer than 3 of n (the rule of three)
LOWEST = 1e-5  # shares below are not drawn


def svg(found: dict[str, Any]) -> str:
    """The picture as SVG text without background. Raises ImportError without matplotlib, which only this needs."""
    return drawn("drift-ranking", lambda plt: _figure(plt, found))


def _figure(plt: Any, found: dict[str, Any]) -> Any:
    figure, panels = plt.subplots(1, 2 if "gallery" in found else 1, figsize=(12, 5.2), squeeze=False)
    _margins(panels[0][0], found)
    if "gallery" in found:
        _sizes(panels[0][1], found)
    for panel in panels[0]:
        panel.grid(color=GREY, alpha=0.25, lw=0.6)
        plain(panel)
    figure.tight_layout(w_pad=3)
    return figure


def chosen(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One cell of each precision, the first: more would lie upon each other. fp32's errors are off both scales."""
    first: dict[str, dict[str, Any]] = {}
    for cell in found["cells"]:
        first.setdefault(cell["precision"], cell)
    return [cell for precision, cell in first.items() if precision != "fp32"]


def _margins(panel: Any, found: dict[str, Any]) -> None:
    for k, (name, dashes) in MARGINS.items():
        panel.plot([max(m, 1e-9) for m in found["margins"][k]], range(101), dashes, color=GREY, lw=2.2, label=f"margin {name}")
    for number, cell in enumerate(chosen(found)):
        side, colour = cell["sides"]["queries"], COLOURS[number % len(COLOURS)]
        low, high = side["difference"]["median"], side["reach"]
        panel.axvspan(low, high, color=colour, alpha=0.13, lw=0)
        panel.axvline(high, color=colour, lw=1.6)
        panel.annotate(
            f"{cell['precision']}\n{side['first']['certified']:.1%} safe",
            (high, 100 - 13 * number),
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=9,
            color=colour,
        )
    panel.set_xscale("log")
    panel.set_xlim(1e-5, 1)
    panel.set_ylim(0, 102)
    panel.set_yticks(range(0, 101, 20), [f"{share} %" for share in range(0, 101, 20)])
    panel.set_xlabel("margin in cosine similarity; bands: from usual to largest possible error")
    panel.set_ylabel("queries with a smaller margin")
    panel.set_title("Whose answer can the error reach?  safe: first answers beyond it", fontsize=12)
    panel.legend(loc="center left", frameon=False, fontsize=9)


def _sizes(panel: Any, found: dict[str, Any]) -> None:
    for number, cell in enumerate(chosen(found)):
        colour = COLOURS[number % len(COLOURS)]
        for side, dashes in (("queries", "-"), ("both", "--")):
            points = [point for point in cell["forecast"][side]["curve"] if point["first"] >= LOWEST]
            panel.plot([p["size"] for p in points], [100 * p["first"] for p in points], dashes, color=colour, lw=2)
        if points:
            end = cell["forecast"]["queries"]["curve"][-1]
            panel.annotate(f" {cell['precision']}", (end["size"], 100 * end["first"]), va="center", fontsize=10, color=colour)
        larger = cell["larger"]
        seen = larger["changed"] or NONE_SEEN
        panel.plot(larger["size"], 100 * seen / larger["n"], "o" if larger["changed"] else "v", color=colour, ms=8)
    panel.axhline(100 * BUDGET, color=GREY, lw=1)
    panel.annotate(f"{BUDGET:.0%} of answers", (1e7, 100 * BUDGET), va="bottom", fontsize=9)
    panel.plot([], [], "-", color=GREY, label="old fp32 index, new queries")
    panel.plot([], [], "--", color=GREY, label="re-indexed")
    panel.plot([], [], "o", color=GREY, label="measured (old index, new queries)")
    panel.plot([], [], "v", color=GREY, label="measured: none, so with 95 % below this")
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_ylim(100 * LOWEST * 3, 100)
    ticks = (0.01, 0.1, 1, 10, 100)
    panel.set_yticks(ticks, [f"{tick:g} %" for tick in ticks])
    panel.set_xlabel("pictures in the gallery")
    panel.set_ylabel("first answers that change")
    panel.set_title("How many change as the gallery grows?", fontsize=12)
    panel.legend(loc="lower right", frameon=False, fontsize=9)
