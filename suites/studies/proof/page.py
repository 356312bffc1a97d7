"""The counts as a person reads them."""

from collections import Counter
from typing import Any

from plugins.cells.fresh import COUNT
from plugins.report.layout import table
from suites.studies.proof.seeds import SHARE


def problems(found: dict[str, Any]) -> list[str]:
    """Everything that is not as it must be."""
    runs, kills = found.get("clean", {}).get("runs", []), found.get("kills", {})
    wrong = [
        f"clean run {run['seed']} of {run['backend']}: {run['failed'] or run['exit']}"
        for run in runs
        if not (run["clean"] or run["skipped"])
    ]
    wrong += [
        f"killed {kill['writer']} after {kill['after_s']} s: {kill['wrong']}"
        for kill in kills.get("kills", [])
        if kill["wrong"]
    ]
    wrong += [f"{name} after the kills: {run['wrong']}" for name, run in kills.get("after", {}).items() if run["wrong"]]
    wrong += [f"soak: {failed}" for failed in found.get("soak", {}).get("failed", [])]
    wrong += [
        f"seed {row['alarms'][0]} and {len(row['alarms']) - 1} more raise an alarm on {row['encoder']}, {row['tower']}"
        for row in found.get("seeds", {}).get("rows", [])
        if row["alarms"]
    ]
    return wrong + [f"property: {failed}" for failed in found.get("examples", {}).get("failed", [])]


def markdown(found: dict[str, Any]) -> str:
    """The page golden/evidence/proof.md."""
    lines = ["# What the suite was put through", ""]
    if "clean" in found:
        lines += _clean(found["clean"])
    if "kills" in found:
        lines += _kills(found["kills"])
    if "examples" in found:
        lines += _examples(found["examples"])
    if "soak" in found:
        lines += _soak(found["soak"])
    if "seeds" in found:
        lines += _seeds(found["seeds"])
    wrong = problems(found)
    return "\n".join([*lines, *(f"- PROBLEM: {problem}" for problem in wrong), ""]).rstrip() + "\n"


def _made(part: dict[str, Any]) -> str:
    return f"`{part['command']}`, {part['date'][:10]}, commit {part['commit']}, {part['environment']['cpu']}."


def _clean(part: dict[str, Any]) -> list[str]:
    runs = part["runs"]
    passed, absent, cells = (sum(run[what] for run in runs) for what in ("clean", "skipped", "cells"))
    of = {what: len({run[what] for run in runs}) for what in ("backend", "precision", "preprocessor")}
    varied = {"threads": "threads", "onednn": "ONEDNN_MAX_CPU_ISA", "aten": "ATEN_CPU_CAPABILITY"}
    lines = []
    for field, name in varied.items():
        count = Counter(str(run[field] or "as it is") for run in runs)
        lines.append(f"- {name}: {', '.join(f'{value} ({n})' for value, n in sorted(count.items()))}")
    return [
        "## Clean runs",
        "",
        f"{passed} of {len(runs)} runs of the accuracy suites over good cells passed, {absent} had no such cell: "
        f"{cells} cells, {of['backend']} backends, {of['precision']} precisions, {of['preprocessor']} preprocessors, each with "
        f"its own order and size of batches. {_made(part)}",
        "",
        *lines,
        f"- commits: {', '.join(f'{value} ({n})' for value, n in sorted(Counter(run['commit'] for run in runs).items()))}",
        "",
    ]


def _kills(part: dict[str, Any]) -> list[str]:
    kills, after = part["kills"], part["after"].values()
    by = Counter(kill["writer"] for kill in kills if not kill["ended_before"])
    whole, again = sum(not kill["wrong"] for kill in kills), sum(not run["wrong"] for run in after)
    shares = ", ".join(f"{n} while writing {name}" for name, n in by.items())
    return [
        "## Killed runs",
        "",
        f"{len(kills)} runs were sent SIGKILL at random moments ({shares}; "
        f"{len(kills) - by.total()} had ended before): {whole} left golden data, cache and history whole, and {again} of "
        f"{len(after)} commands ran afterwards without cleaning. {_made(part)}",
        "",
    ]


def _examples(part: dict[str, Any]) -> list[str]:
    properties = part["properties"]
    lines = [f"- {name}: {count}" for name, count in properties.items()]
    total = f"{sum(properties.values())} examples of {len(properties)} properties, {len(part['failed'])} tests failed."
    return ["## Examples", "", f"{total} {_made(part)}", "", *lines, ""]


def _soak(part: dict[str, Any]) -> list[str]:
    rows = part["rows"]
    lines = [
        (row["encoder"], row["tower"], f"{row['calls']:,}", f"1 in {row['finds_1_in']:,.0f}", row["verdict"]) for row in rows
    ]
    return [
        "## Soak",
        "",
        f"Each tower of each encoder was called for {part['seconds']:g} s, with one row for the most part, and every vector "
        f"was compared: {sum(row['calls'] for row in rows):,} calls, {len(part['failed'])} tests failed. The last but one "
        "column is the share of wrong calls, spread at random, that would have shown with a probability of 95 %. "
        f"{_made(part)}",
        "",
        table(("encoder", "tower", "calls", "would find", "verdict"), lines),
    ]


def _seeds(part: dict[str, Any]) -> list[str]:
    rows = part["rows"]
    alarms, encoders = sum(len(row["alarms"]) for row in rows), len({row["encoder"] for row in rows})
    lines = [
        (row["encoder"], row["tower"], str(row["seeds"]), str(len(row["alarms"])), f"{row['largest']:.2f}") for row in rows
    ]
    return [
        "",
        "## Fresh inputs",
        "",
        f"Inputs of {part['seeds']} seeds, {COUNT} a tower, on {encoders} encoders: {alarms} alarms. A slow encoder gets one "
        f"seed of {SHARE}. The last column is the largest distance as a share of its limit. {_made(part)}",
        "",
        table(("encoder", "tower", "seeds", "alarms", "largest"), lines),
    ]
