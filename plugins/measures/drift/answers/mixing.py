"""May an old fp32 index serve new queries? A verdict with its numbers.

plugins/measures/vectors/mixtures.py asks whether RECALL survives a mixture; this asks how many ANSWERS change, here and in
larger galleries. An "interchangeable" cell may still change answers among near ties, and this says how many.
"""

from typing import Any

import numpy as np

from plugins.measures.drift.answers.answers import Answers
from plugins.measures.vectors.recall import Flips

BUDGET = 0.01  # share of first answers that may change; ties among near-equals, so recall has room to spare


def verdict(answers: Answers, mixed: list[dict[str, float]], anew: list[dict[str, float]]) -> dict[str, Any]:
    """One of "mix", "mix up to", "re-index" or "either way", with what was found; `mixed` and `anew` are forecast curves.

    re-index: the mixture changes more answers than a re-index does, beyond chance (the exact test of Flips, query by query).
    mix: no more than BUDGET of the first answers change at any size of the curve. mix up to: at the sizes up to that one.
    either way: more change at every size, and a re-index does not help, because the precision itself reorders.
    """
    by_mixing, by_both = answers.changed("first", "queries"), answers.changed("first", "both")
    flips = Flips(int((by_mixing & ~by_both).sum()), int((by_both & ~by_mixing).sum()), len(by_mixing))
    here, limit = float(by_mixing.mean()), _limit(mixed)
    found = {
        "changed_mixed": here, "changed_reindexed": float(by_both.mean()), "budget": BUDGET,
        "mixed_up_to": limit, "reindexed_up_to": _limit(anew),
    }  # fmt: skip
    if not flips.kept:
        return {"verdict": "re-index", **found}
    if here > BUDGET or limit is None:
        return {"verdict": "either way", **found}
    return {"verdict": "mix" if limit == mixed[-1]["size"] else "mix up to", **found}


def _limit(curve: list[dict[str, float]]) -> float | None:
    within = None
    for point in curve:
        if point["first"] > BUDGET:
            break
        within = point["size"]
    return within


def sentence(found: dict[str, Any]) -> str:
    """The verdict as a sentence."""
    figures = f"{found['changed_mixed']:.2%} of first answers change here, {found['changed_reindexed']:.2%} after a re-index"
    if found["verdict"] == "re-index":
        return f"re-index: {figures}"
    if found["verdict"] == "mix":
        return f"mix old index and new queries: {figures}; under {found['budget']:.0%} up to {_items(found['mixed_up_to'])}"
    if found["verdict"] == "mix up to":
        return f"mix up to {_items(found['mixed_up_to'])}, under {found['budget']:.0%} until there: {figures}"
    return f"a re-index does not help: {figures}; the precision itself reorders more than {found['budget']:.0%}"


def _items(size: float) -> str:
    exponent = int(np.floor(np.log10(size) + 1e-9))
    lead = round(size / 10**exponent)
    return f"{lead}·10^{exponent} items" if lead > 1 else f"10^{exponent} items"
