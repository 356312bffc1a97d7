"""Which smallest set of operations kept in fp32 brings a drift within its budget: a search over subsets, all of it measured."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

Kept = frozenset[str]
Measure = Callable[[Kept], float]  # drift as a share of its budget; infinite where it is not finite
MOST = 250  # measurements that may be spent on looking for a still smaller set


@dataclass(frozen=True)
class Found:
    """What the search found; `measured` has every set that it looked at."""

    kept: Kept | None  # None: not even all of them are enough
    necessary: Kept  # without one of these, all others together are not enough
    smallest: bool  # no smaller set is enough: each was measured, or lacks an operation that is necessary
    measured: dict[Kept, float]


class Search:
    """One search; every set is measured once."""

    def __init__(self, operations: Sequence[str], measure: Measure, most: int = MOST) -> None:
        self.operations, self.measure, self.most = sorted(operations), measure, most
        self.measured: dict[Kept, float] = {}

    def share(self, kept: Iterable[str]) -> float:
        """The measured share of the budget."""
        key = frozenset(kept)
        if key not in self.measured:
            self.measured[key] = self.measure(key)
        return self.measured[key]

    def enough(self, kept: Iterable[str]) -> bool:
        """True within budget."""
        return self.share(kept) <= 1

    def run(self, first: Iterable[str] = ()) -> Found:
        """Nothing, each alone, all but each; then add greedily, drop greedily, and look for a smaller set.

        Errors of several operations hide one another (all is lost as long as one of two overflows), so what an operation
        does alone says little; what all others do without it tells which are necessary. `first` is a set to try before
        anything is added, such as another cell's answer.
        """
        nothing, everything = frozenset[str](), frozenset(self.operations)
        if self.enough(nothing):
            return Found(nothing, nothing, True, self.measured)
        if not self.enough(everything):
            return Found(None, nothing, False, self.measured)
        alone = [frozenset({operation}) for operation in self.operations]
        best = min(alone, key=self.share)
        necessary = frozenset(op for op in self.operations if not self.enough(everything - {op}))
        if self.enough(best):
            return Found(best, necessary, True, self.measured)
        hint = frozenset(first) & everything
        kept = hint if hint and self.enough(hint) else self._add(necessary)
        return self._smaller(self.drop(kept), necessary)

    def _add(self, kept: Kept) -> Kept:
        """Add whatever helps most until it is enough; what an operation took off before is believed until it is its turn.

        Independent errors add up, so an operation takes off about the same wherever it is kept. Nothing is believed of what
        was seen while the drift was infinite.
        """
        before = self.share(())
        gains = {operation: before - self.share({operation}) for operation in self.operations if operation not in kept}
        if not math.isfinite(before):
            gains = dict.fromkeys(gains, math.inf)
        while not self.enough(kept):
            fresh: set[str] = set()
            while True:
                chosen = max(gains, key=lambda operation: (gains[operation], operation))
                if chosen in fresh:
                    break
                after = self.share(kept | {chosen})
                gains[chosen] = self.share(kept) - after if math.isfinite(after) else -math.inf
                fresh.add(chosen)
            kept |= {chosen}
            del gains[chosen]
        return kept

    def drop(self, kept: Kept) -> Kept:
        """Leave out what can be left out, the least missed first, until each that is left is needed: that too is measured."""
        while kept:
            best = min((kept - {operation} for operation in sorted(kept)), key=self.share)
            if not self.enough(best):
                break
            kept = best
        return kept

    def _smaller(self, kept: Kept, necessary: Kept) -> Found:
        """Try all smaller sets, if there are few enough; else put one operation in the place of two.

        Where a set is enough without a "necessary" operation, the others' errors had cancelled: then none is necessary.
        """
        spent = len(self.measured)
        necessary = necessary if necessary <= kept else frozenset()
        others = [operation for operation in self.operations if operation not in necessary]
        for size in range(len(necessary), len(kept)):
            free = size - len(necessary)
            if len(self.measured) - spent + math.comb(len(others), free) > self.most:
                break
            for more in combinations(others, free):
                if self.enough(necessary | {*more}):
                    return Found(necessary | {*more}, necessary, True, self.measured)
        else:
            return Found(kept, necessary, True, self.measured)
        ranked = sorted(others, key=lambda operation: (self.share({operation}), operation))
        for pair in combinations(sorted(kept - necessary), 2):
            for one in ranked:
                swapped = (kept - {*pair}) | {one}
                if one in kept or (swapped not in self.measured and len(self.measured) - spent >= self.most):
                    continue
                if self.enough(swapped):
                    return self._smaller(self.drop(swapped), necessary)
        return Found(kept, necessary, False, self.measured)


def in_parts(kept: Kept, parts: Callable[[str], Sequence[str]], measure: Measure) -> Kept:
    """`kept` with each operation replaced by the one of its own parts that is enough in its place, where there is one."""
    for whole in sorted(kept):
        inside = [(kept - {whole}) | {part} for part in parts(whole)]
        shares = {candidate: measure(candidate) for candidate in inside}
        within = [candidate for candidate in inside if shares[candidate] <= 1]
        if within:
            kept = min(within, key=lambda candidate: shares[candidate])
    return kept
