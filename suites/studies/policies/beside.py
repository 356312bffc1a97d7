"""Whether one of our files is as good as a tool's: no more nodes in fp32, and drift that is no larger, input by input."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plugins.measures.latency.paired import Interval, interval

CONFIDENCE = 0.95
NOTHING = 1e-16  # cosine distances below it are those of float64 alone


def ratio(one: Mapping[str, Any], other: Mapping[str, Any]) -> Interval:
    """The median ratio of one row's drift to another's over the same inputs, with its interval.

    Which way single values round is chance, which moves the largest drift of some inputs by a tenth or more; the median of
    ratios moves less, and its interval says by how much.
    """
    pairs = np.array([one["distances"], other["distances"]], np.float64).T
    return interval(np.clip(pairs, NOTHING, 2.0), CONFIDENCE)


def beats(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True if one row has at most as many fp32 nodes as the other, and its drift is not larger for sure."""
    return "failed" not in one and one["fp32_nodes"] <= other["fp32_nodes"] and ratio(one, other).low <= 1


def answer(ours: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> dict[str, Any]:
    """The first of our rows that is as good as a tool's, with the ratio of drift; no row if none is."""
    found = next((one for one in ours if beats(one, row)), None)
    if found is None:
        return {"tool": row["tool"]}
    each = ratio(found, row)
    return {"tool": row["tool"], "ours": found["tool"], "ratio": each.ratio, "low": each.low, "high": each.high}
