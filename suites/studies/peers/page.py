"""The page golden/evidence/peers.md."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fixtures.capability import TOWERS
from plugins.report.layout import table
from suites.studies.peers.agreement import Beside, Rounds
from suites.studies.peers.breakdown import STEPS
from suites.studies.peers.tools import CELLS, OURS, TOOLS

Rows = Sequence[Mapping[str, Any]]
FIGURES = ("p50", "fastest")
PEERS = [tool for tool in TOOLS if tool is not OURS]
HOW = """\
All tools take turns in {rounds} rounds. A cell is both towers of a backend. Ours decides how many calls it times; a peer is
asked for exactly as many, after {warm_ups} warm-ups. A figure is the median of the rounds, the least and the greatest are in
brackets; its noise is the greatest over the least, minus 1. Two figures agree if they differ by no more than the noise of the
noisier one."""
COSTS = """\
Of the whole command, from its start to its end; beside them, the processor's seconds of all its processes, which load by others
changes less. Others kept {others} cores busy meanwhile."""
STARTS = """\
One run of each cell, unsupervised, in one process. The command above runs its tests in a child, so that a cell that crashes
costs itself alone: there Python, pytest and the suite start twice."""
NOT_THE_SAME = """\
- Ours verifies golden data, gives every timed call a new input, and compares the vectors of 12 timed calls with the
  reference's. No peer looks at a vector. Polygraphy draws its inputs, the others repeat one.
- Ours warms up until it is steady, with 11 calls at least and 100 at most, and makes 2 more.
- Polygraphy and pytest-benchmark run our own export through `session.run`. Ours binds inputs and outputs, and switches one of
  onnxruntime's layout passes off (NCHWc).
- optimum-benchmark times CLIPVisionModel and CLIPTextModel of transformers {transformers}, without the last projection, on
  tensors that are there already. It does so in its own process (`launcher: inline`), its fastest way, which it advises against.
- torch and onnxruntime have one version in both environments. transformers has not: optimum-benchmark 0.6.0 does not import
  beside transformers 5."""


def markdown(found: Mapping[str, Any]) -> str:
    """Seconds, figures, what a peer cannot measure, and where our seconds go."""
    rows, known, here = found["measured"], found["versions"], found["environment"]
    tools = ", ".join(f"{tool.name} {known[tool.name.lower()]}" for tool in PEERS)
    what = "the default model's image and text tower at batch 1, fp32, on the CPU"
    made = f"`{found['command']}`, {found['date'][:10]}, commit {found['commit']}, {here['cpu']}, {here['cores']} cores."
    compared = [*_figures(rows)]
    heads = ("cell", "tower", "figure", "tool", "ms", "ours, ms", "difference", "noise", "agree")
    spent = ("cell", "tool", "commands", "timed calls (image, text)", "seconds", "divided by ours", "processor's")
    parts = [
        "# Beside the peers",
        f"{tools} and this suite measure the same cells: {what}. {made}",
        HOW.format(rounds=len({row["round"] for row in rows}), warm_ups=found["warm_ups"]),
        "## Seconds of a cell",
        COSTS.format(others=Rounds.of([row["others_cores"] for row in rows]).shown(2)),
        table(spent, _alone(rows)).rstrip(),
        *_together(rows),
        "## Figures",
        _summary([both for _, both in compared]),
        table(heads, (row for row, _ in compared)).rstrip(),
        "## What a peer cannot measure",
        table(("tool", "cell", "why"), ((t.name, cell, why) for t in PEERS for cell, why in t.cannot.items())).rstrip(),
        "## Where our seconds go",
        STARTS,
        table(("step", *CELLS, ""), _steps(found["breakdown"])).rstrip(),
        "## What is not the same",
        NOT_THE_SAME.format(**known),
    ]
    return "\n\n".join(parts) + "\n"


def of(rows: Rows, tool: str, cells: Sequence[str]) -> list[Mapping[str, Any]]:
    """A tool's measurements of these cells, one a round."""
    return [row for row in rows if row["tool"] == tool and row["cells"] == [*cells]]


def seconds(rows: Rows, tool: str, cells: Sequence[str]) -> Rounds:
    """Of whole commands, divided by the number of cells."""
    return Rounds.of([row["seconds"] / len(cells) for row in of(rows, tool, cells)])


def figure(rows: Rows, tool: str, cell: str, tower: str, name: str) -> Rounds:
    """Milliseconds of a cell measured alone."""
    return Rounds.of([row["found"][cell][tower][name] for row in of(rows, tool, [cell])])


def _costs(beside: Beside) -> str:
    """A peer's seconds divided by ours."""
    ratio = beside.peer.median / beside.ours.median
    if beside.agree:
        return f"{ratio:.2f}: within the noise ({beside.noise:.0%})"
    return f"{ratio:.2f}: ours is {'faster' if ratio > 1 else '**slower**'}"


def _alone(rows: Rows) -> Iterator[tuple[str, ...]]:
    for cell in CELLS:
        ours = seconds(rows, OURS.name, [cell])
        for tool in TOOLS:
            if own := of(rows, tool.name, [cell]):
                calls = [sorted(row["found"][cell][tower]["n"] for row in own) for tower in TOWERS]
                counts = ", ".join(str(n[0]) if n[0] == n[-1] else f"{n[0]} to {n[-1]}" for n in calls)
                found = seconds(rows, tool.name, [cell])
                costs = "" if tool is OURS else _costs(Beside(found, ours))
                processors = Rounds.of([row["processor_s"] for row in own]).shown(1)
                yield cell, tool.name, str(own[0]["commands"]), counts, found.shown(1), costs, processors


def _together(rows: Rows) -> tuple[str, ...]:
    """All cells in one command, by the tools that can."""
    found = {tool.name: seconds(rows, tool.name, CELLS) for tool in TOOLS if of(rows, tool.name, CELLS)}
    if not found:
        return ()
    ours = found[OURS.name]
    lines = [(name, own.shown(1), "" if own is ours else _costs(Beside(own, ours))) for name, own in found.items()]
    what = f"All {len(CELLS)} cells in one command, its seconds divided by {len(CELLS)}, for the tools that measure them all:"
    return what, table(("tool", "seconds a cell", "divided by ours"), lines).rstrip()


def _summary(compared: Sequence[Beside]) -> str:
    """Wide noise lets much agree, so its range is said, and on which side the peers' figures lie."""
    agree, lower = sum(both.agree for both in compared), sum(both.difference < 0 for both in compared)
    least, most = (found(both.noise for both in compared) for found in (min, max))
    return (
        f"{agree} of {len(compared)} figures agree with ours, within a noise of {least:.0%} to {most:.0%}; "
        f"the peer's is the lower one in {lower}."
    )


def _figures(rows: Rows) -> Iterator[tuple[tuple[str, ...], Beside]]:
    """A line of the table, and the two figures."""
    for cell, tower, name, tool in ((c, t, f, p.name) for c in CELLS for t in TOWERS for f in FIGURES for p in PEERS):
        if of(rows, tool, [cell]):
            both = Beside(figure(rows, tool, cell, tower, name), figure(rows, OURS.name, cell, tower, name))
            shown = (both.peer.shown(2), both.ours.shown(2), f"{both.difference:+.0%}", f"{both.noise:.0%}")
            yield (cell, tower, name, tool, *shown, "yes" if both.agree else "**no**"), both


def _steps(breakdown: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, ...]]:
    for step, what in STEPS.items():
        yield step, *(f"{breakdown[cell][step]:.1f}" for cell in CELLS), what
    yield "all", *(f"{sum(breakdown[cell].values()):.1f}" for cell in CELLS), ""
