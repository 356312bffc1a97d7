"""How properties are tried: so many examples, the same ones every time unless a seed is given, and counted.

PROPERTY_SEED=7 tries other examples, PROPERTY_TIMES=10 ten times as many, and PROPERTY_COUNTS=FILE appends one JSON line
for each property with the number of examples that it was tried on. hypothesis' own pytest plug-in stays off (it doubles
the time of collection), so these take the place of --hypothesis-seed.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy


def hold(name: str, check: Callable[..., None], examples: int, /, **inputs: SearchStrategy[Any]) -> None:
    """Call `check` with examples of `inputs` until one fails, which hypothesis then makes small and prints."""
    tried = 0

    def counted(**drawn: Any) -> None:
        nonlocal tried
        tried += 1
        check(**drawn)

    wanted = os.environ.get("PROPERTY_SEED")
    times = float(os.environ.get("PROPERTY_TIMES", "1"))
    trial = given(**inputs)(seed(int(wanted))(counted) if wanted else counted)
    rules = settings(
        max_examples=max(1, round(examples * times)),
        derandomize=wanted is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        rules(trial)()
    finally:
        _count(name, tried, wanted)


def _count(name: str, tried: int, wanted: str | None) -> None:
    """One line, written at once, so that workers of pytest-xdist may share the file."""
    file = os.environ.get("PROPERTY_COUNTS")
    if file:
        line = json.dumps({"property": name, "examples": tried, "seed": wanted or "derandomized"})
        with Path(file).open("a", encoding="utf-8") as counts:
            counts.write(line + "\n")
