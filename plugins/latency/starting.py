"""What it takes to start an encoder: to load it, and its first call, beside the stored run's."""

from collections.abc import Mapping, Sequence
from typing import Any

FIGURES = {"load": "load_s", "first call": "first_s"}  # of what Side.begin answers
UNIT = "model_s"  # reading the model's weights in the same process: on a busy machine all of these take longer
TIMES = 2.0  # limits are wide: a start is measured once a process

Starting = Mapping[str, list[float]]


def starting(opened: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Each figure of each start, in times of what reading the model's weights took."""
    return {name: [round(each[field] / each[UNIT], 4) for each in opened] for name, field in FIGURES.items()}


def slower(now: Starting, then: Starting) -> list[str]:
    """A sentence for each figure beyond TIMES times the stored one's, in every process of now beside every one of then."""
    found = []
    for name, ours in now.items():
        if ours and (others := then.get(name)) and min(ours) > TIMES * max(others):
            least = min(ours) / max(others)
            found.append(f"{name}: at least {least:.1f} times as long as in the stored run, in all of {len(ours)} processes")
    return found
