"""Distinguishes a Mersenne Twister that has produced numbers from one that was seeded again."""

from collections.abc import Sequence

import numpy as np

WORDS, BLOCKS = 624, 1000  # 32-bit words of the state; number of states tried, which covers 624,000 words drawn


def only_drawn(before: "bytes | Sequence[int]", at: int, after: "bytes | Sequence[int]", then: int) -> bool:
    """True if drawing up to 624,000 words leads from state `before` at position `at` to state `after` at position `then`."""
    start, end = (np.frombuffer(s, "<u4") if isinstance(s, bytes) else np.array(s, "<u4") for s in (before, after))
    if np.array_equal(start, end):
        return then >= at  # an earlier position in the same state was set, not reached
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": start, "pos": at}}
    for _ in range(BLOCKS):
        twister.random_raw(WORDS, output=False)
        if np.array_equal(twister.state["state"]["key"], end):
            return True
    return False
