"""The record as a page: phases, cells, the gate, and how far each cell is from what the device could do."""

from collections.abc import Sequence
from typing import Any

from fixtures.capability import TOWERS
from plugins.report.layout import table

Row = dict[str, Any]


def text(found: Row) -> str:
    """golden/evidence/gpu.md."""
    phases: Sequence[Row] = found["phases"]
    gpu = found["environment"]["gpu"]
    device = found["device"] if gpu == "none" else gpu.splitlines()[0]
    lines = [
        "# The record of a device",
        "",
        f"`{found['command']}` on {device}, {found['date'][:10]}, commit {found['commit']}.",
        "",
        table(
            ("phase", "ended", "as it must", "seconds"),
            [(p["phase"], p["ended"], "yes" if p["as_it_must"] else "**no**", f"{p.get('seconds', 0):.0f}") for p in phases],
        ),
        "## Cells",
        "",
        table(
            ("phase", "cell", "verdict", "image drift", "text drift", "image ms", "text ms", "ratio"),
            [(p["phase"], *_cell(row)) for p in phases for row in p["cells"]],
        ),
        *_reasons(phases),
        *_tolerances(found.get("tolerances", [])),
        *_roofline(phases),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _cell(row: Row) -> tuple[str, ...]:
    drift, latency, ratios = row.get("drift", {}), row.get("latency_ms", {}), row.get("latency_ratio", {})
    shares = [drift.get(what, {}).get("share_of_tolerance") for what in ("image_encoder", "text")]
    return (
        row["id"],
        row["verdict"],
        *("-" if share is None else f"{share:.0%}" for share in shares),
        *(f"{latency[tower]['p50']:.3f}" if tower in latency else "-" for tower in TOWERS),
        " ".join(_ratio(ratios[tower]) for tower in TOWERS if tower in ratios) or "-",
    )


def _ratio(found: Row) -> str:
    if "change" not in found:
        return f"{found['ratio']:.3f}"
    change = found["change"]
    interval = f"{change['low'] - 1:+.1%} to {change['high'] - 1:+.1%}"
    return f"{found['ratio']:.3f} ({found['verdict']}: {change['ratio'] - 1:+.1%} since stored, {interval})"


def _reasons(phases: Sequence[Row]) -> list[str]:
    """Of all cells that do not pass, each reason once."""
    why = [(row["verdict"], row["id"], row["reason"]) for p in phases for row in p["cells"] if row["reason"]]
    first = {reason: (verdict, name) for verdict, name, reason in reversed(why)}
    lines = [f"- {verdict}, {name} and its like: {reason}" for reason, (verdict, name) in reversed(first.items())]
    return ["## Why", "", *(lines or ["All cells pass."]), ""]


def _tolerances(rows: Sequence[Row]) -> list[str]:
    """What the device's own limits are, divided by those that were derived on the CPU."""
    if not rows:
        return []
    names = list(rows[0]["limits"])
    cells = [
        (r["precision"], r["tower"], *(f"{own:.2e} ({own / cpu:.2f})" for cpu, own in (r["limits"][name] for name in names)))
        for r in rows
    ]
    said = "Limits from the errors that torch eager makes on the device; in brackets, divided by the CPU's."
    return ["## Tolerances derived on the device", "", said, "", table(("precision", "tower", *names), cells)]


def _roofline(phases: Sequence[Row]) -> list[str]:
    found = next((p for p in phases if "rates" in p), None)
    if found is None:
        return []
    measured = {
        (row["id"].removesuffix(f"-{row['device']}"), row["precision"]): row["latency_ms"]["image"]["p50"]
        for p in phases
        for row in p["cells"]
        if "image" in row.get("latency_ms", {})
    }
    lines = []
    for row in found["rows"]:
        least = max(row["memory_ms"], row["products_ms"])
        own = {name: ms for (name, precision), ms in measured.items() if precision == row["precision"] and row["model"] in name}
        best = min(own, key=lambda name: own[name], default="")
        times = f"{own[best]:.3f} ({own[best] / least:.1f} times), {best}" if best else "-"
        lines.append((row["model"], row["precision"], f"{row['memory_ms']:.4f}", f"{row['products_ms']:.4f}", times))
    rates = ", ".join(f"{name} {rate / 1e12:.2f}" for name, rate in found["rates"].items() if name != "bytes")
    return [
        "## Roofline",
        "",
        f"Measured here: {found['rates']['bytes'] / 1e9:.0f} GB/s copied; products, in 10^12 operations a second: {rates}. "
        "An image at batch 1 takes no less than its weights take to be read, nor than its products.",
        "",
        table(("model", "precision", "weights, ms", "products, ms", "best cell, ms"), lines),
    ]
