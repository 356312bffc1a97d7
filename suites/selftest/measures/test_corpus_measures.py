"""Distributions and answers that are found part by part: no order of merges changes them, and they are the exact ones."""

import numpy as np
import pytest
from scipy.stats import binom

from plugins.corpus.found import Cell, Found
from plugins.measures.corpus.answers import Firsts, finds_itself, firsts, share
from plugins.measures.corpus.distribution import RANKS, RELATIVE_ERROR, Distribution
from plugins.measures.vectors.mixtures import PURE

pytest.importorskip("ddsketch", reason="ddsketch is not installed: pip install 'ddsketch[serialization]'")
RNG = np.random.default_rng(0)
VALUES = np.concatenate([10 ** RNG.uniform(-13, 0, 3000), np.zeros(40)])
VECTORS = RNG.normal(size=(60, 8)).astype(np.float32)
QUERIES = np.arange(0, 60, 7)


def parts(order: list[int]) -> Distribution:
    """Merged in this order, from the bytes of each part's file."""
    total, pieces = Distribution(), np.array_split(VALUES, len(order))
    for number in order:
        part = Distribution()
        part.add(pieces[number])
        total.merge(Distribution.from_bytes(part.to_bytes(), part.largest))
    return total


def test_quantiles_are_those_of_all_values() -> None:
    """Within the stated share of the exact ones, over thirteen orders of magnitude; the largest is exact."""
    found = parts([*range(9)]).quantiles
    assert found is not None and found["max"] == VALUES.max()
    for name, rank in RANKS.items():
        exact = np.quantile(VALUES, rank, method="lower")
        assert found[name] == pytest.approx(exact, rel=RELATIVE_ERROR * 1.001), name  # type: ignore[literal-required]


def test_no_order_changes_a_digit() -> None:
    """Many small parts in any order, or one."""
    wanted = parts([0]).quantiles
    assert all(parts(RNG.permutation(n).tolist()).quantiles == wanted for n in (2, 7, 50))
    assert Distribution().quantiles is None


@pytest.mark.parametrize("content", [b"", b"\xff\xff"])
def test_other_bytes_are_no_distribution(content: bytes) -> None:
    """Which is how a damaged part of a corpus is noticed."""
    with pytest.raises(ValueError, match=r"parsing|accuracy"):
        Distribution.from_bytes(content, 0.0)


def found_in(order: list[int]) -> Firsts:
    """First answers of QUERIES, in parts of ten that are looked at in this order."""
    total = Firsts.none(len(QUERIES))
    for number in order:
        start = 10 * number
        total = total.merged(firsts(VECTORS[QUERIES], QUERIES, VECTORS[start : start + 10], start))
    return total


def test_first_answers_of_parts_are_those_of_the_whole() -> None:
    """In any order; no image answers itself."""
    whole = firsts(VECTORS[QUERIES], QUERIES, VECTORS, 0)
    assert (whole.places != QUERIES).all()
    for _ in range(5):
        assert (found_in(RNG.permutation(6).tolist()).places == whole.places).all()


def test_nothing_more_changes_nothing() -> None:
    """What was found and nothing, merged in either order."""
    own = firsts(VECTORS[QUERIES], QUERIES, VECTORS, 0)
    for order in ((True, False), (False, True)):
        total = Found()
        for full in order:
            total.merge(Found(answers=own, cells={"a": Cell(answers={PURE: own})}) if full else Found(cells={"a": Cell()}))
        assert total.answers is own and total.cells["a"].answers == {PURE: own}


def test_ties_and_gaps() -> None:
    """Of equal images the first answers, whichever part comes first; one without a vector neither answers nor gets one."""
    same = np.repeat(VECTORS[:1], 6, axis=0)
    early, late = (firsts(same[:1], np.array([0]), same[start : start + 3], start) for start in (0, 3))
    assert late.merged(early).places == early.merged(late).places == [1]
    gaps = np.full((3, 8), np.nan, np.float32)
    assert firsts(VECTORS[:2], np.array([90, 91]), gaps, 0).places.tolist() == [-1, -1]
    assert firsts(gaps, np.array([90, 91, 92]), VECTORS, 0).places.tolist() == [-1, -1, -1]


def test_who_finds_itself() -> None:
    """All do; not two that are exchanged, nor two that are equal, nor one without a vector, nor any of constant vectors."""
    assert finds_itself(VECTORS, VECTORS).all()
    moved = VECTORS.copy()
    moved[[3, 4]] = VECTORS[[4, 3]]
    assert np.flatnonzero(~finds_itself(moved, VECTORS)).tolist() == [3, 4]
    twice = VECTORS.copy()
    twice[9] = VECTORS[2]
    twice[5] = np.nan
    assert np.flatnonzero(~finds_itself(twice, twice)).tolist() == [2, 5, 9]
    assert not finds_itself(np.ones_like(VECTORS), np.ones_like(VECTORS)).any()


def test_the_interval_is_exact() -> None:
    """Each end is the share of which so many or more, or so few or fewer, come up with a probability of 2.5 %."""
    none, half = share(0, 10), share(5, 10)
    assert none["low"] == 0.0 and none["high"] == pytest.approx(1 - 0.025**0.1)
    assert binom.sf(4, 10, half["low"]) == pytest.approx(0.025) == binom.cdf(5, 10, half["high"])
