"""The counts as a person reads them."""

from collections import Counter
from typing import Any


def problems(found: dict[str, Any]) -> list[str]:
    """Everything that is not as it must be."""
    runs, kills = found.get("clean", {}).get("runs", []), found.get("kills", {})
    wrong = [f"clean run {run['seed']} of {run['backend']}: {run['failed'] or run['exit']}" for run in runs if not run["clean"]]
    wrong += [
        f"killed {kill['writer']} after {kill['after_s']} s: {kill['wrong']}"
        for kill in kills.get("kills", [])
        if kill["wrong"]
    ]
    wrong += [f"{name} after the kills: {run['wrong']}" for name, run in kills.get("after", {}).items() if run["wrong"]]
    properties = found.get("examples", {}).get("properties", {})
    return wrong + [f"property {name}: {count['failed']}" for name, count in properties.items() if count["failed"]]


def markdown(found: dict[str, Any]) -> str:
    """The page golden/evidence/proof.md."""
    lines = ["# What the suite was put through", ""]
    if "clean" in found:
        lines += _clean(found["clean"])
    if "kills" in found:
        lines += _kills(found["kills"])
    if "examples" in found:
        lines += _examples(found["examples"])
    wrong = problems(found)
    return "\n".join([*lines, *(f"- PROBLEM: {problem}" for problem in wrong), ""]).rstrip() + "\n"


def _made(part: dict[str, Any]) -> str:
    return f"`{part['command']}`, {part['date'][:10]}, commit {part['commit']}, {part['environment']['cpu']}."


def _clean(part: dict[str, Any]) -> list[str]:
    runs = part["runs"]
    conditions = [
        (what, Counter(str(run[field] or "as it is") for run in runs))
        for what, field in (("threads", "threads"), ("ONEDNN_MAX_CPU_ISA", "onednn"), ("ATEN_CPU_CAPABILITY", "aten"))
    ]
    cells = sum(run["cells"] for run in runs)
    return [
        "## Clean runs",
        "",
        f"{sum(run['clean'] for run in runs)} of {len(runs)} runs of the accuracy suites over good cells passed ({cells} cells, "
        f"{len({run['backend'] for run in runs})} backends, {len({run['preprocessor'] for run in runs})} preprocessors), each with "
        "its own order and size of batches. " + _made(part),
        "",
        *(f"- {what}: {', '.join(f'{value} ({n})' for value, n in sorted(count.items()))}" for what, count in conditions),
        "",
    ]


def _kills(part: dict[str, Any]) -> list[str]:
    kills = part["kills"]
    by = Counter(kill["writer"] for kill in kills if not kill["ended_before"])
    whole = sum(not kill["wrong"] for kill in kills)
    return [
        "## Killed runs",
        "",
        f"{len(kills)} runs were sent SIGKILL at random moments ({', '.join(f'{n} in {name}' for name, n in by.items())}; "
        f"{sum(kill['ended_before'] for kill in kills)} had ended before): {whole} left golden data, cache and history whole, and "
        f"{sum(not run['wrong'] for run in part['after'].values())} of {len(part['after'])} commands ran afterwards without "
        "cleaning. " + _made(part),
        "",
    ]


def _examples(part: dict[str, Any]) -> list[str]:
    properties = part["properties"]
    lines = [f"- {name}: {count['examples']}" for name, count in properties.items()]
    return ["## Examples", "", f"{sum(c['examples'] for c in properties.values())} examples. " + _made(part), "", *lines, ""]
