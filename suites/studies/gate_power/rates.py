"""From trials to rates: how often each method raised its alarm, with exact binomial intervals, and which goals that reaches."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from plugins.measures.vectors.share import share_interval
from suites.studies.gate_power.trial import CONDITIONS, GATE, METHODS, PERCENTS

CONFIDENCE = 0.95
# Most alarms over equal code, and fewest over a slowdown, in each hundred trials beside the neighbour.
GOALS = {0: ("at most", 0.01), 1: ("at least", 0.80), 2: ("at least", 0.95)}
OVERHEAD = 1.02


def rates(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each condition, slowdown and method that has trials."""
    rows = []
    for condition in CONDITIONS:
        for percent in PERCENTS:
            trials = [r["methods"] for r in records if (r["condition"], r["percent"]) == (condition, percent)]
            rows += [{"condition": condition, "percent": percent, **_row(m, [t[m] for t in trials])} for m in METHODS if trials]
    return rows


def counted(alarms: int, trials: int) -> dict[str, Any]:
    """The share of trials with an alarm, and its exact interval (Clopper and Pearson)."""
    low, high = share_interval(alarms, trials, CONFIDENCE)
    return {"trials": trials, "alarms": alarms, "rate": alarms / trials, "low": low, "high": high}


def _row(method: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    p5, p50, p95 = (float(x) for x in np.percentile([result["ratio"] for result in results], (5, 50, 95)))
    row = {"method": method, **counted(sum(result["alarm"] for result in results), len(results))}
    row["median_s"] = float(np.median([result["spent_s"] for result in results]))
    row["ratio"] = {"p5": p5, "p50": p50, "p95": p95}
    if method == GATE:
        row |= {verdict: sum(r["verdict"] == verdict for r in results) for verdict in ("pass", "inconclusive")}
    return row


def loads(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Cores that the neighbour and everybody else kept busy, on average, under each condition."""
    found: dict[str, dict[str, float]] = {}
    for condition in CONDITIONS:
        mine = [record for record in records if record["condition"] == condition]
        names = [name for name in ("neighbour_cores", "others_cores") if mine and all(name in record for record in mine)]
        found |= {condition: {name: float(np.mean([record[name] for record in mine])) for name in names}} if mine else {}
    return found


def goals(rows: Sequence[dict[str, Any]], overhead: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """The goals of the gate with the neighbour on, and of its overhead."""
    found = {row["percent"]: row for row in rows if (row["condition"], row["method"]) == ("neighbour", GATE)}
    listed = []
    for percent, (side, wanted) in GOALS.items():
        if percent in found:
            rate = found[percent]["rate"]
            reached = rate <= wanted if side == "at most" else rate >= wanted
            what = f"alarms at {percent} % slowdown beside the neighbour: {side} {wanted:.0%}"
            listed.append({"goal": what, "found": rate, "reached": reached})
    what = f"processor time of a call within decide() over a bare loop's: less than {OVERHEAD}"
    ratio = overhead["processor"]["ratio"]
    return [*listed, {"goal": what, "found": ratio, "reached": ratio < OVERHEAD}]
