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
    """The result of a search; `measured` has every set that was tried."""

    kept: Kept | None  # None: even all operations together are not sufficient
    necessary: Kept  # operations without which all others together are not sufficient
    smallest: bool  # True if no smaller set is sufficient: each was measured, or lacks a necessary operation
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
        """Try no operation, each alone, all but each; then add greedily, drop greedily, and search for a smaller set.

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
        """Add the operation that helps most until the set is sufficient; earlier gains serve as estimates until remeasured.

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
        """Drop operations, the least useful first, until every remaining one is measured to be necessary."""
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
