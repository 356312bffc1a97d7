"""The study as one picture: what each form loses alone and with drift, and what may be mixed with golden's index."""

from typing import Any

from plugins.measures.storage.mixing import HALF, OLD_INDEX
from suites.studies.picture import GREY, drawn, plain
from suites.studies.storage.page import one

CLASSES = {
    "identical": "#2f81f7",
    "interchangeable": "#238636",
    "re-index": "#db6d28",
    "broken": "#d4526e",
    "unjudged": "#8b949e",
}
DRIFTS = "onnxruntime int8"  # the cell whose drift is shown beside the forms' own losses
MARKS = (("golden", "o", "#2f81f7", "golden's queries: storage alone"), (DRIFTS, "s", "#db6d28", f"{DRIFTS}'s queries: both"))


def svg(found: dict[str, Any]) -> str:
    """The picture as SVG text without background. Raises ImportError without matplotlib, which only this needs."""
    return drawn("storage", lambda plt: _figure(plt, found))


def _figure(plt: Any, found: dict[str, Any]) -> Any:
    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 5.8), width_ratios=(2, 3))
    _losses(left, found)
    _mixing(right, found)
    figure.tight_layout(w_pad=3)
    return figure


def _losses(panel: Any, found: dict[str, Any]) -> None:
    names, measured = [form["form"] for form in found["forms"]], {cell["cell"] for cell in found["cells"]}
    for place, (cell, mark, colour, label) in enumerate(MARKS):
        if cell not in measured:  # skipped on this machine
            continue
        rows = [one(form["old_index"], cell=cell, queries="fp32")["recall"] for form in found["forms"]]
        values = [100 * row["value"] for row in rows]
        errors = [[100 * (row["value"] - row["low"]) for row in rows], [100 * (row["high"] - row["value"]) for row in rows]]
        heights = [number + 0.22 * place - 0.11 for number in range(len(names))]
        panel.errorbar(values, heights, xerr=errors, fmt=mark, color=colour, ms=6, lw=1.6, label=label)
        if cell == DRIFTS:
            alone = 100 * one(found["cells"], cell=cell)["recall"][OLD_INDEX]["value"]
            panel.axvline(alone, color=colour, ls=":", lw=1.4, label=f"{cell}'s drift alone")
    panel.set_yticks(range(len(names)), [f"{form['form']}, {form['bytes']} B" for form in found["forms"]])
    panel.invert_yaxis()
    panel.set_xlim(right=101)
    panel.set_xlabel(f"recall@{found['gallery']['k']} of golden's index, %")
    panel.set_title("What storage and drift lose", fontsize=12)
    panel.grid(axis="x", color=GREY, alpha=0.25, lw=0.6)
    panel.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), frameon=False, fontsize=9)
    plain(panel)


def _mixing(panel: Any, found: dict[str, Any]) -> None:
    cells = [cell["cell"] for cell in found["cells"] if cell["cell"] != "golden"]
    for row, form in enumerate(found["forms"]):
        for column, cell in enumerate(cells):
            entry = one(form["mixing"], old="golden", new=cell)
            place = (column - 0.48, row - 0.46)
            panel.add_patch(_box(place, CLASSES[entry["verdict"]]))
            same = f"{100 * entry[HALF]['same_first']['value']:.0f} %"
            panel.text(column, row, same, ha="center", va="center", fontsize=10, color="white", weight="bold")
    for name, colour in CLASSES.items():
        panel.plot([], [], "s", color=colour, ms=9, label=name)
    panel.set_xlim(-0.5, len(cells) - 0.5)
    panel.set_ylim(len(found["forms"]) - 0.5, -0.5)
    panel.set_xticks(range(len(cells)), [cell.replace(" ", "\n") for cell in cells], fontsize=9)
    panel.set_yticks(range(len(found["forms"])), [form["form"] for form in found["forms"]])
    panel.set_title(
        "Golden's index, and this encoder from now on\n%: first answers that stay, with half of the items new", fontsize=12
    )
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=4, frameon=False, fontsize=9)
    plain(panel)


def _box(corner: tuple[float, float], colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 0.96, 0.92, color=colour, lw=0)
