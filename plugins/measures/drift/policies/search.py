"""Searches for the smallest set of operations to keep in fp32 that brings a drift within its budget; every set is measured."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

Kept = frozenset[str]
Measure = Callable[[Kept], float]  # drift as a share of its budget; infinite if an embedding is not finite
MOST = 250  # measurements allowed in the search for a smaller set


@dataclass(frozen=True)
class Found:
    """The result of a search; `measured` has every set that was measured."""

    kept: Kept | None  # None: not even all operations are enough
    necessary: Kept  # operations without which even all others together are not enough
    smallest: bool  # True: no smaller set is enough; each was measured, or lacks a necessary operation
    measured: dict[Kept, float]


class Search:
    """One search; each set is measured at most once."""

    def __init__(self, operations: Sequence[str], measure: Measure, most: int = MOST) -> None:
        self.operations, self.measure, self.most = sorted(operations), measure, most
        self.measured: dict[Kept, float] = {}

    def share(self, kept: Iterable[str]) -> float:
        """Return the measured share of the budget."""
        key = frozenset(kept)
        if key not in self.measured:
            self.measured[key] = self.measure(key)
        return self.measured[key]

    def enough(self, kept: Iterable[str]) -> bool:
        """Return True if the set is within budget."""
        return self.share(kept) <= 1

    def run(self, first: Iterable[str] = ()) -> Found:
        """Search: measure no operation, each alone, all but each; then add greedily, drop greedily, and try smaller sets.

        Errors of several operations mask each other (if two overflow, keeping one changes nothing), so an operation alone
        shows little; measuring all others without it shows whether it is necessary. `first` is a set to try before anything
        is added, such as another cell's answer.
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
        """Add the operation with the largest gain until the set is enough; only the best candidate's gain is measured again.

        Independent errors add up, so the gain of an operation depends little on the rest of the set. Gains measured while the
        drift was infinite are not used.
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
        """Drop operations while the set stays enough, the one with the least effect first; each drop is measured."""
        while kept:
            best = min((kept - {operation} for operation in sorted(kept)), key=self.share)
            if not self.enough(best):
                break
            kept = best
        return kept

    def _smaller(self, kept: Kept, necessary: Kept) -> Found:
        """Try all smaller sets if there are few enough; otherwise try to replace two operations by one.

        If a set is enough without a "necessary" operation, errors had cancelled each other: then none counts as necessary.
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
    """Return `kept` with each operation replaced by the best of its parts, if that part is enough in its place."""
    for whole in sorted(kept):
        inside = [(kept - {whole}) | {part} for part in parts(whole)]
        shares = {candidate: measure(candidate) for candidate in inside}
        within = [candidate for candidate in inside if shares[candidate] <= 1]
        if within:
            kept = min(within, key=lambda candidate: shares[candidate])
    return kept
