"""Decides whether an old fp32 index can serve a cell's new queries.

plugins/measures/vectors/mixtures.py tests whether RECALL survives a mixture. This module counts how many ANSWERS change, here
and in larger galleries: an "interchangeable" cell may still change answers among near ties.
"""

from typing import Any

import numpy as np

from plugins.measures.drift.answers.answers import Answers
from plugins.measures.vectors.recall import Flips

BUDGET = 0.01  # allowed share of changed first answers; they are near ties, so recall changes less


def verdict(answers: Answers, mixed: list[dict[str, float]], reindexed: list[dict[str, float]]) -> dict[str, Any]:
    """Return "mix", "mix up to", "re-index" or "either way", with its figures; `mixed` and `reindexed` are forecast curves.

    re-index: the mixture changes significantly more answers than a re-index does (the exact paired test of Flips).
    mix: at most BUDGET of the first answers change at every size of the curve.
    mix up to: at most BUDGET change up to a certain size.
    either way: more change at every size, and a re-index does not help, because the precision itself reorders answers.
    """
    by_mixing, by_both = answers.changed("first", "queries"), answers.changed("first", "both")
    flips = Flips(int((by_mixing & ~by_both).sum()), int((by_both & ~by_mixing).sum()), len(by_mixing))
    here, limit = float(by_mixing.mean()), _limit(mixed)
    found = {
        "changed_mixed": here,
        "changed_reindexed": float(by_both.mean()),
        "budget": BUDGET,
        "mixed_up_to": limit,
        "reindexed_up_to": _limit(reindexed),
    }
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
    """Return the verdict as a sentence."""
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
