"""Which encoders' vectors may share an index of one form: the suite's classes, for a change from one encoder to another."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plugins.measures.storage.search import Found
from plugins.measures.vectors.mixtures import Class, when_mixed
from plugins.measures.vectors.recall import Flips, flips
from plugins.measures.vectors.same_answers import stay

Bools = NDArray[np.bool_]
OLD_INDEX, HALF, ANEW = "old index", "half and half", "anew"
MIXTURES = (OLD_INDEX, HALF)


@dataclass(frozen=True)
class Change:
    """Searches of the same queries, each with the first items and whether the first one is right [Q].

    `before` is the old encoder's index with its own queries. In all of `after` the new encoder embeds the queries: over the old
    index, over one in which it stored half of the items, and over one that is built anew.
    """

    before: tuple[Found, Bools]
    after: Mapping[str, tuple[Found, Bools]]
    round_off: bool  # both encoders' vectors are within fp32 round-off of each other

    def flips(self, mixture: str) -> Flips:
        """Return first answers that were right and are wrong now, and the other way round."""
        return changed(self.after[mixture][1], self.before[1])

    def same(self, mixture: str) -> Bools:
        """Return [Q]: True if the first answer is the one from before."""
        return np.asarray(self.after[mixture][0].first == self.before[0].first)

    @property
    def verdict(self) -> Class:
        """The strongest class that holds (plugins/measures/vectors/mixtures.py), with the old index in the place of golden.

        A mixture must keep the recall of both pure indexes, the one from before and the one that is built anew, and the first
        answers from before. identical wants every first answer to be the same: storage may turn round-off into another step.
        """
        if not self.flips(ANEW).kept:
            return "broken"
        if self.round_off and all(self.same(mixture).all() for mixture in self.after):
            return "identical"
        pure = (self.before[1], self.after[ANEW][1])
        kept = all(changed(self.after[mixture][1], hits).kept for mixture in MIXTURES for hits in pure)
        same = all(stay(int(each.sum()), len(each)) for each in map(self.same, MIXTURES))
        return when_mixed(kept and same, len(self.before[1]))


def changed(right: Bools, before: Bools) -> Flips:
    """Return the first answers that were right and are wrong now, and the other way round, of the same queries [Q]."""
    now, then = (np.asarray(~each, np.int64) for each in (right, before))  # as ranks: 0 is a hit
    return flips(now, then)
