"""Slow calls: how many there are, beside the other side's in the same seconds, and beside a stored run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired

import numpy as np
from typing_extensions import TypedDict

TIMES = (1.5, 4.0)  # a call is slow if it takes so many times its side's median: as in p95 and p99 of an uneven service
BUSIER = 0.02  # the machine counts as busier than then if the reference's own rise has this probability by chance
CHANCE = 0.95


@dataclass(frozen=True)
class Slow:
    """One side's blocks, and how many hold a call that is slow by each of TIMES.

    Blocks are counted, not calls, because what others do to the machine comes in bursts; blocks of both sides alternate.
    """

    blocks: int
    calls: float  # in a block, on average
    slow: tuple[int, ...]

    @staticmethod
    def of(blocks: Sequence[Sequence[float]]) -> "Slow":
        """Count; `blocks` are the seconds of every call."""
        usual = float(np.median(np.concatenate([np.asarray(block) for block in blocks])))
        worst = np.array([max(block) for block in blocks])
        return Slow(len(blocks), float(np.mean([len(b) for b in blocks])), tuple(int((worst > k * usual).sum()) for k in TIMES))

    def count(self, i: int) -> tuple[int, int]:
        """Slow blocks by the i-th of TIMES, and all."""
        return self.slow[i], self.blocks

    @staticmethod
    def stored(found: Mapping[str, Any]) -> "Slow":
        """The counts of a stored run."""
        return Slow(found["blocks"], found["calls"], tuple(found["slow"]))


class TailFigures(TypedDict):
    """Shares of blocks with a call over `times` the median; `would_have_seen`: of slow calls, absent if none would."""

    times: float
    now: float
    others: dict[str, float]
    fails: bool
    would_have_seen: NotRequired[float]


@dataclass(frozen=True)
class Tail:
    """The judgement on one value of TIMES: our slow blocks now, and those that they are compared with."""

    times: float
    now: tuple[int, int]  # slow blocks, of
    others: Mapping[str, tuple[int, int]]
    fails: bool
    seen: float | None  # the share of slow calls that would have failed with 95 % chance; None: not even if all were slow

    @property
    def shown(self) -> TailFigures:
        """The form that report.json contains."""
        shares = {name: n / of for name, (n, of) in self.others.items()}
        found = TailFigures(times=self.times, now=self.now[0] / self.now[1], others=shares, fails=self.fails)
        if self.seen is not None:
            found["would_have_seen"] = self.seen
        return found

    def __str__(self) -> str:
        others = "".join(f", {n} of {of} {name}" for name, (n, of) in self.others.items())
        return f"a call over {self.times:g} times the median in {self.now[0]} of {self.now[1]} blocks{others}"


def beside(ours: Slow, other: Slow, false_alarms: float) -> list[Tail]:
    """Compare two sides that were timed in alternation; a row for each of TIMES, which share `false_alarms`.

    A side fails if its slow blocks are more frequent than the other's with a smaller probability by chance (Fisher's exact
    test).
    """
    return [_tail(i, ours, {"of the other side's": other}, false_alarms / len(TIMES)) for i in range(len(TIMES))]


def since(ours: tuple[Slow, Slow], reference: tuple[Slow, Slow], false_alarms: float) -> list[Tail]:
    """Compare (now, then) of our side and of the reference's; a row for each of TIMES, which share `false_alarms`.

    It fails only if slow blocks are more frequent than then AND than the reference's now, while the machine is not busier than
    then by the reference's own count.
    """
    others = {"in the stored run": ours[1], "of the reference's now": reference[0]}
    calm = [rise(reference[0].count(i), reference[1].count(i)) > BUSIER for i in range(len(TIMES))]
    return [_tail(i, ours[0], others, false_alarms / len(TIMES) * calm[i]) for i in range(len(TIMES))]


def _tail(i: int, ours: Slow, others: Mapping[str, Slow], chance: float) -> Tail:
    counts = {name: other.count(i) for name, other in others.items()}

    def fails(slow: int) -> bool:
        return all(rise((slow, ours.blocks), other) < chance for other in counts.values())

    return Tail(TIMES[i], ours.count(i), counts, fails(ours.slow[i]), _seen(fails, ours))


def rise(more: tuple[int, int], less: tuple[int, int]) -> float:
    """The probability by chance that the first share exceeds the second by so much."""
    from scipy.stats import fisher_exact

    table = [[more[0], more[1] - more[0]], [less[0], less[1] - less[0]]]
    return float(fisher_exact(table, alternative="greater").pvalue)


def _seen(fails: Callable[[int], bool], ours: Slow) -> float | None:
    from scipy.stats import beta

    needed = next((count for count in range(1, ours.blocks + 1) if fails(count)), None)
    if needed is None:
        return None
    # Of blocks: so large a share that `needed` or more come up with 95 % chance (Clopper and Pearson's upper end).
    share = float(beta.ppf(CHANCE, needed, ours.blocks - needed + 1)) if needed < ours.blocks else 1.0
    return float(1 - (1 - share) ** (1 / ours.calls))
