"""How both studies of the gate end: their picture, their goals, and an exit code."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fixtures.errors import BadInput
from fixtures.storage.atomic import write_text


def code_of(study: Callable[[], int], journal: Path, *troubles: type[Exception]) -> int:
    """What `study` returns; 2 for bad input, a missing file or one of `troubles`, 130 if interrupted, each with a sentence."""
    known: tuple[type[Exception], ...] = (BadInput, FileNotFoundError, *troubles)
    try:
        return study()
    except known as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ninterrupted; {journal} holds what was measured: the same command goes on from there", file=sys.stderr)
        return 130


def draw(svg: Callable[[], str], target: Path, study: str) -> None:
    """Write the picture, or say why there is none."""
    try:
        write_text(target, svg())
    except ImportError:
        print(f"no plot: matplotlib is not installed; install it, then python -m {study} --redraw", file=sys.stderr)


def say(goals: Sequence[Mapping[str, Any]], found: Callable[[Mapping[str, Any]], str], target: Path) -> int:
    """Print each goal with what was found, and where all of it is; 1 if a goal is missed."""
    for goal in goals:
        print(f"{'reached' if goal['reached'] else 'MISSED'}: {goal['goal']}; found {found(goal)}")
    print(f"written: {target}")
    return 0 if all(goal["reached"] for goal in goals) else 1
