"""The result of a policy search as a sentence and as a Markdown page."""

from collections.abc import Mapping, Sequence
from typing import Any


def sentence(found: Mapping[str, Any]) -> str:
    """One cell's answer, in a line."""
    if found["within"]:
        return "it is within budget with every operation in its precision"
    if not found["reached"]:
        stuck = [(tower, row) for tower, row in found["towers"].items() if "kept" not in row]
        parts = [f"even with all of the {tower} tower's operations in fp32 it is {drift(row['best'])}" for tower, row in stuck]
        return f"no policy is enough: {'; '.join(parts)}"
    rows = [(tower, row) for tower, row in found["towers"].items() if row["kept"]]
    return "; ".join(f"{_kept(tower, row)} in fp32 {_result(row)}" for tower, row in rows)


def _kept(tower: str, row: Mapping[str, Any]) -> str:
    return f"{len(row['kept'])} of the {tower} tower's {row['operations']} operations ({', '.join(row['kept'])})"


def _result(row: Mapping[str, Any]) -> str:
    return f"bring it to {row['own']['share']:.2g} of its budget{price(row['own'], ' at {} of the latency')}"


def price(timed: Mapping[str, Any], form: str = "{}") -> str:
    """The ratio of latencies with its interval, "" where nothing was timed."""
    if "ratio" not in timed:
        return ""
    return form.format(f"{timed['ratio']:.2f}× [{timed['low']:.2f}, {timed['high']:.2f}]")


def drift(figures: Mapping[str, Any]) -> str:
    """A worst input's cosine distance, and its share of the budget."""
    if "overflow" in figures:
        return "not finite"
    return f"{figures['drift']:.2g} ({figures['share']:.2g} of the budget)"


def markdown(found: Mapping[str, Any]) -> str:
    """Each search of audit_policy: before, the smallest set, after, and its price; then every frontier."""
    lines = [
        "| cell | tower | budget | drift without a policy | kept in fp32 | smallest | drift with it | latency |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for search in found["searches"]:
        for tower, row in search["towers"].items():
            lines.append(f"| {search['title']} | {tower} | {search['budget']} | {drift(row['low'])} | {_cells(row)} |")
    lines += ["", *_reading(found), ""]
    for search in found["searches"]:
        for tower, row in search["towers"].items():
            if row.get("kept") and "frontier" in row:
                lines += [f"{search['title']}, {tower} tower, drift against latency:", "", *_frontier(row["frontier"]), ""]
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> str:
    if "kept" not in row:
        return f"no set is enough | – | {drift(row['best'])} with everything | –"
    if not row["kept"]:
        return "nothing: it is within budget | yes | – | –"
    kept = ", ".join(f"`{path}`" for path in row["kept"])
    sure = "yes" if row["smallest"] else "none can be left out"
    return f"{kept} ({len(row['kept'])} of {row['operations']}) | {sure} | {drift(row['own'])} | {price(row['own'])}"


def _reading(found: Mapping[str, Any]) -> list[str]:
    return [
        "Drift is the worst input's cosine distance to golden, over golden's images and all texts (in the frontiers, over "
        "those that were worst without a policy and with the smallest). Latency is batch 1, "
        "measured in alternation with the cell without a policy, as the median ratio with its 95 % interval. "
        "Smallest: every smaller set was measured, or lacks an operation without which all others in fp32 are not enough. "
        f"Found in {found['seconds']:.0f} s."
    ]


def _frontier(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row a point, fastest first."""
    rows = ["| set in fp32 | operations | drift | latency | p50 | on the frontier |", "|---|---|---|---|---|---|"]
    for point in sorted(points, key=lambda point: point["ratio"]):
        drifted = drift(point)
        p50, pareto = f"{point['p50_ms']:.2f} ms", "yes" if point["pareto"] else ""
        rows.append(f"| {point['label']} | {len(point['kept'])} | {drifted} | {price(point)} | {p50} | {pareto} |")
    return rows
