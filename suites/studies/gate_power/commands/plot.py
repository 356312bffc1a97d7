"""The rates as one picture: the share of runs with an alarm over each plant, idle and beside the neighbour."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suites.studies.gate_power.commands.commands import COMMANDS
from suites.studies.gate_power.commands.plants import PLANTS
from suites.studies.gate_power.commands.rows import ALONE
from suites.studies.gate_power.plot import shares_over
from suites.studies.gate_power.rates import counted
from suites.studies.gate_power.trial import CONDITIONS
from suites.studies.picture import drawn

METHODS = [method for command in COMMANDS.values() for method in command.methods]
COLOURS = ("#2f81f7", "#79c0ff", "#f778ba", "#bf3989", "#d29922", "#db6d28", "#a371f7", "#2ea043")
STYLE = dict(zip(METHODS, zip(COLOURS, "oovvPs^D", strict=True), strict=True))
WIDTH = 0.78  # of a plant's column, which the methods share


def svg(evidence: Mapping[str, Any]) -> str:
    """The picture as SVG text without background; cells are counted together. Raises ImportError without matplotlib."""
    return drawn("gate-power-commands", lambda plt: _figure(plt, evidence["rates"]))


def _figure(plt: Any, entries: Sequence[Mapping[str, Any]]) -> Any:
    figure, panels = plt.subplots(len(CONDITIONS), 1, figsize=(10, 7.2), sharex=True)
    for panel, condition in zip(panels, CONDITIONS, strict=True):
        _draw(panel, condition, [entry for entry in entries if entry["condition"] == condition])
    handles = {name: line for panel in panels for line, name in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0.12, 1, 1), h_pad=1.5)
    return figure


def _draw(panel: Any, condition: str, entries: Sequence[Mapping[str, Any]]) -> None:
    for number, method in enumerate(METHODS):
        places, found = [], []
        for at, plant in enumerate(PLANTS):
            mine = [entry for entry in entries if (entry["method"], entry["plant"]) == (method, plant.name)]
            if mine:
                places.append(at + WIDTH * ((number + 0.5) / len(METHODS) - 0.5))
                found.append(counted(sum(entry["alarms"] for entry in mine), sum(entry["trials"] for entry in mine)))
        if found:
            low, middle, high = (np.array([100 * each[name] for each in found]) for name in ("low", "rate", "high"))
            colour, marker = STYLE[method]
            look = {"color": colour, "marker": marker, "ls": "", "ms": 6, "elinewidth": 1, "capsize": 2}
            name = method if method in COMMANDS else f"{ALONE}, {method}"
            panel.errorbar(places, middle, [middle - low, high - middle], label=name, **look)
    panel.set_ylim(-4, 104)
    panel.set_ylabel("runs with an alarm")
    names = [plant.name.replace(" × ", "\n× ").replace(" after", "\nafter") for plant in PLANTS]
    shares_over(panel, condition, names, 0.5)
