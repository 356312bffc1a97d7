"""The first call after a pause beside usual calls, of two sides that rest in the same pause."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise

import numpy as np
from typing_extensions import TypedDict

from plugins.measures.latency.paired import FEWEST_CALLS
from plugins.measures.latency.starts import Block, Calls

PAUSES: Mapping[float, int] = {0.05: 10, 1.0: 6}  # how many pauses of so many seconds
TIMES = 1.5  # what a pause may cost, as a multiple of what it costs the other side
SUSPECT = 0.12  # the chance from which on another start makes enough pauses for a verdict: 8 of 10, or 5 of 6
MISSES = 1  # pauses of those that may be cheap, so that a burst of other load hides nothing
BLOCK_S, IN_A_BLOCK = 0.02, 5  # usual calls between two pauses
MOST = 2  # times the pauses that a verdict needs, where other programs interrupt the calls behind them


class PausedFigures(TypedDict):
    """Median times of a call after a pause over a usual one's, ours and the reference's, and pauses that cost too much."""

    ours: float
    reference: float
    over: int
    pauses: int


@dataclass(frozen=True)
class Pause:
    """The call after a pause over the usual one, of both sides; `own`: no other program interrupted either."""

    ours: float
    other: float
    own: bool = True

    @property
    def over(self) -> bool:
        """True if it costs ours more than TIMES as much."""
        return self.ours > TIMES * self.other


def chance_of(pauses: Sequence[Pause]) -> float:
    """The probability that so many cost too much although a pause does so no more often than not (the sign test)."""
    from scipy.stats import binom

    return float(binom.sf(sum(pause.over for pause in pauses) - 1, len(pauses), 0.5)) if pauses else 1.0


def enough(chance: float) -> int:
    """The fewest pauses of which all but MISSES have a smaller probability."""
    from scipy.stats import binom

    return next(n for n in count(MISSES + 1) if binom.sf(n - MISSES - 1, n, 0.5) < chance)


def undisturbed(pauses: Sequence[Pause]) -> Sequence[Pause]:
    """Those whose calls no other program interrupted; all, if these are fewer than half."""
    own = [pause for pause in pauses if pause.own]
    return own if 2 * len(own) >= len(pauses) else pauses


def figures(pauses: Sequence[Pause]) -> PausedFigures:
    """The form that report.json contains."""
    ours, other = (float(np.median([getattr(pause, side) for pause in pauses])) for side in ("ours", "other"))
    return {"ours": ours, "reference": other, "over": sum(pause.over for pause in pauses), "pauses": len(pauses)}


def paused(
    sides: tuple[Block, Block],
    seconds: float,
    wanted: int,
    most: int,
    rng: np.random.Generator,
    rest: Callable[[float], None] = time.sleep,
) -> list[Pause]:
    """Make pauses of `seconds`, until `wanted` of them are undisturbed or there are `most`.

    One call of each side follows a pause, in random order. The usual call is the median of the blocks before and behind.
    """
    longest = max(min(block(FEWEST_CALLS)[0]) for block in sides)
    calls = int(np.clip(BLOCK_S / longest, 1, IN_A_BLOCK))
    blocks, found = [[block(calls)[0] for block in sides]], list[tuple[list[float], bool]]()
    while len(found) < most and sum(own for _, own in found) < wanted:
        rest(seconds)
        after, own = [0.0, 0.0], True
        for side in rng.permutation(2):
            call = Calls.of(*sides[side](1))
            after[side], own = float(call.seconds[0]), own and not call.interrupted[0]
        blocks.append([block(calls)[0] for block in sides])
        found.append((after, own))
    usual = [[float(np.median([*a, *b])) for a, b in zip(*both, strict=True)] for both in pairwise(blocks)]
    return [Pause(after[0] / u[0], after[1] / u[1], own) for (after, own), u in zip(found, usual, strict=True)]
