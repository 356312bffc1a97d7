"""The picture of many clients: p99 and goodput against the rate of arrivals, a line for each number of clients."""

from collections.abc import Mapping, Sequence
from typing import Any

from suites.studies.picture import GREY, drawn, plain

COLOURS = ("#2f81f7", "#2ea043", "#db6d28", "#a371f7", "#f85149")
MARKERS = "os^Dv"
LIMIT = "on time"


def svg(rows: Sequence[Mapping[str, Any]], on_time_ms: float) -> str:
    """SVG text; raises ImportError without matplotlib."""
    return drawn("serving", lambda plt: _figure(plt, rows, on_time_ms), font_size=10)


def _figure(plt: Any, rows: Sequence[Mapping[str, Any]], on_time_ms: float) -> Any:
    subjects, towers, counts = (list(dict.fromkeys(row[name] for row in rows)) for name in ("subject", "tower", "clients"))
    size = (1.6 + 3.1 * len(subjects), 1.2 + 4.4 * len(towers))
    figure, panels = plt.subplots(2 * len(towers), len(subjects), figsize=size, squeeze=False, sharey="row", sharex=False)
    for column, subject in enumerate(subjects):
        panels[0][column].set_title(subject, fontsize=10)
        for number, tower in enumerate(towers):
            some = [row for row in rows if (row["subject"], row["tower"]) == (subject, tower)]
            latency, goodput = panels[2 * number][column], panels[2 * number + 1][column]
            for place, clients in enumerate(counts):
                line = [row for row in some if row["clients"] == clients]
                look = {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)], "ms": 4, "lw": 1.4}
                rates = [row["rate"] for row in line]
                label = f"{clients} client{'s' * (clients > 1)}"
                latency.plot(rates, [row["p99"] for row in line], label=label, **look)
                goodput.plot(rates, [row["goodput"] for row in line], **look)
            _axes(latency, goodput, some, on_time_ms)
    for number, tower in enumerate(towers):
        panels[2 * number][0].set_ylabel(f"{tower}s: p99 in ms\nfrom the arrival")
        panels[2 * number + 1][0].set_ylabel(f"{tower}s: goodput\nper second")
    for panel in panels[-1]:
        panel.set_xlabel("arrivals per second")
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=len(names), frameon=False)
    figure.tight_layout(rect=(0, 0.5 / size[1], 1, 1))
    return figure


def _axes(latency: Any, goodput: Any, rows: Sequence[Mapping[str, Any]], on_time_ms: float) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    latency.set_yscale("log")
    latency.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    latency.yaxis.set_major_formatter("{x:g}")
    latency.yaxis.set_minor_formatter(NullFormatter())
    latency.axhline(on_time_ms, color=GREY, lw=0.9, ls="--")
    latency.annotate(
        LIMIT, (0.02, on_time_ms), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=8
    )
    most = max((row["rate"] for row in rows), default=1.0)
    goodput.plot([0, most], [0, most], color=GREY, lw=0.9, ls=":")
    for panel in (latency, goodput):
        panel.set_xlim(0, 1.05 * most)
        panel.grid(axis="y", color=GREY, alpha=0.25, lw=0.6)
        plain(panel)
