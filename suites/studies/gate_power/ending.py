"""How both studies of the gate end: their goals, and an exit code."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


def say(goals: Sequence[Mapping[str, Any]], found: Callable[[Mapping[str, Any]], str], target: Path) -> int:
    """Print each goal with what was found, and where all of it is; 1 if a goal is missed."""
    for goal in goals:
        print(f"{'reached' if goal['reached'] else 'MISSED'}: {goal['goal']}; found {found(goal)}")
    print(f"written: {target}")
    return 0 if all(goal["reached"] for goal in goals) else 1
