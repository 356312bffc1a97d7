"""A cell's ratio over its stored runs, and the step at which its level changed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from plugins.latency.history import Stored
from plugins.measures.latency.step import step

LAST = 40  # newest runs that are used
FEWEST_RUNS = 5  # fewer runs show no trend


def trend(runs: Sequence[Stored], now: float) -> dict[str, Any]:
    """The ratios of the last stored runs and of this one, oldest first, and the step if there is one."""
    last = list(runs)[-(LAST - 1) :]
    ratios = [float(stored.found["ratio"]) for stored in last] + [now]
    found: dict[str, Any] = {"ratios": ratios, "runs": len(ratios)}
    place = step(ratios)
    if place is not None:
        before, after = float(np.median(ratios[:place])), float(np.median(ratios[place:]))
        first = {"file": last[place].file, "commit": last[place].commit} if place < len(last) else {"file": "this run"}
        found["step"] = {**first, "before": before, "after": after, "change": after / before - 1}
    return found
