"""The figures as one picture: error against depth for every precision, and each layer's own share of it."""

from typing import Any

from suites.studies.picture import GREY, drawn, plain

COLOURS = {"fp32": "#2f81f7", "fp16": "#db6d28", "bf16": "#a371f7", "int8": "#2ea043"}
MARKERS = {"torch-eager": ("o", "-"), "torch-autocast": ("^", ":"), "onnxruntime": ("s", "--"), "torchao": ("D", "-")}
ROUNDINGS = {"fp32": 2.0**-24, "fp16": 2.0**-11, "bf16": 2.0**-8}
STREAM = ("visual.ln_pre", "visual.ln_post", "ln_final", "visual.proj", "text_projection", "positional_embedding")
JUMP = "#f85149"
CROWDED = 18  # names under an axis, of which there is room for no more: the later one stays
TITLES = {"image": "image tower", "text": "text tower"}


def svg(evidence: dict[str, Any]) -> str:
    """The picture as SVG text without background. Raises ImportError without matplotlib, which only this needs."""
    return drawn("drift-audit", lambda plt: _figure(plt, evidence))


def _figure(plt: Any, evidence: dict[str, Any]) -> Any:
    figure, panels = plt.subplots(2, 2, figsize=(12, 8.6), sharex="col", sharey="row", height_ratios=(3, 2))
    for column, tower in enumerate(TITLES):
        cells = [cell for cell in evidence["cells"] if cell["tower"] == tower and cell["backend"] in MARKERS]
        names = max(([layer["name"] for layer in cell["layers"]] for cell in cells), key=len)
        places = {name: i for i, name in enumerate(names)}
        _gathered(panels[0][column], cells, places)
        _own(panels[1][column], cells, places)
        panels[0][column].set_title(TITLES[tower], fontsize=13)
        for row in range(2):
            _roundings(panels[row][column], named=column == len(TITLES) - 1)
            _axes(panels[row][column], places)
    panels[0][0].set_ylabel("error gathered so far\n(relative, against float64)")
    panels[1][0].set_ylabel("error a layer adds itself")
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=5, frameon=False)
    figure.tight_layout(rect=(0, 0.09, 1, 1), w_pad=2)
    return figure


def _gathered(panel: Any, cells: list[dict[str, Any]], places: dict[str, int]) -> None:
    """Lines along what goes from block to block, from the embedding to the result."""
    for cell in cells:
        stream = [row for row in cell["layers"] if row["kind"] == "residual" or "growth" in row or row["name"] in STREAM]
        values = [_number(row["total"]["median"]) for row in stream]
        marker, line = MARKERS[cell["backend"]]
        panel.plot(
            [places[row["name"]] for row in stream],
            values,
            line,
            marker=marker,
            ms=5,
            lw=1.8,
            color=COLOURS[cell["precision"]],
            label=f"{cell['backend']} {cell['precision']}",
        )


def _own(panel: Any, cells: list[dict[str, Any]], places: dict[str, int]) -> None:
    """A mark for each layer; a ring where it jumps, with its name."""
    for cell in cells:
        marker, _ = MARKERS[cell["backend"]]
        rows = [row for row in cell["layers"] if _number(row["own"]["median"]) > 0]
        at, values = [places[row["name"]] for row in rows], [_number(row["own"]["median"]) for row in rows]
        panel.plot(at, values, marker, ms=3.5, color=COLOURS[cell["precision"]], alpha=0.8)
        for row in rows:
            if any(found["layer"] == row["name"] and found["what"] == "jump" for found in cell["findings"]):
                spot = (places[row["name"]], _number(row["own"]["median"]))
                panel.plot(*spot, "o", ms=13, mfc="none", mec=JUMP, mew=2)
                panel.annotate(row["name"], spot, (0, 12), textcoords="offset points", ha="center", color=JUMP, fontsize=9)


def _roundings(panel: Any, named: bool) -> None:
    """What one rounding of a result costs at most, as a line; its name stands beside the last panel."""
    for precision, size in ROUNDINGS.items():
        panel.axhline(size, color=COLOURS[precision], lw=0.8, alpha=0.45)
        if named:
            panel.annotate(
                f"one rounding\nin {precision}",
                (1, size),
                (5, 0),
                xycoords=("axes fraction", "data"),
                fontsize=9,
                textcoords="offset points",
                ha="left",
                va="center",
                color=COLOURS[precision],
            )


def _axes(panel: Any, places: dict[str, int]) -> None:
    shown: dict[int, str] = {}
    for name in reversed(places):
        if _short(name) and min(shown, default=2 * len(places)) - places[name] >= len(places) / CROWDED:
            shown[places[name]] = _short(name)
    panel.set_yscale("log")
    panel.set_xticks(list(shown), list(shown.values()), rotation=45, ha="right", rotation_mode="anchor")
    panel.set_xlim(-0.8, len(places) - 0.2)
    panel.grid(axis="y", color=GREY, alpha=0.25, lw=0.6)
    plain(panel)


def _short(name: str) -> str:
    """The labels under the axis: the ends of blocks and the tower's first and last layers."""
    head, _, block = name.rpartition("resblocks.")
    if head:
        return f"block {block}" if block.isdigit() else ""
    return {
        "visual.conv1": "patches",
        "visual.ln_pre": "ln_pre",
        "token_embedding": "tokens",
        "visual.proj": "projection",
        "text_projection": "projection",
    }.get(name, "")


def _number(value: float | str) -> float:
    """Non-finite figures are text in the evidence; they are not drawn."""
    return float(value) if isinstance(value, float | int) else float("nan")
