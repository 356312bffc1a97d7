"""Policy files are checked, what they keep is found in the model, and the search finds smallest sets, by a cheap measure."""

import math
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Tower
from fixtures.errors import BadInput
from fixtures.models import load_model
from fixtures.policies.operations import levels, operations, outermost, resolve
from fixtures.policies.policy import Policy, as_text, read_policy
from fixtures.registry import backends
from plugins.measures.drift.policies.frontier import mark
from plugins.measures.drift.policies.policy import write_policy
from plugins.measures.drift.policies.search import Search, in_parts

OPERATIONS = [f"op{i}" for i in range(8)]


# The search, with a cheap measure


def errors(costs: Mapping[str, float]) -> Any:
    """A drift that is the sum of what each operation adds while it is not kept."""
    return lambda kept: sum(cost for operation, cost in costs.items() if operation not in kept)


def brute(measure: Any) -> int | None:
    """Size of the smallest set that is enough, by trying all."""
    sizes = range(len(OPERATIONS) + 1)
    return next((n for n in sizes for chosen in combinations(OPERATIONS, n) if measure(frozenset(chosen)) <= 1), None)


@pytest.mark.parametrize("seed", range(40))
def test_the_search_finds_a_smallest_set(seed: int) -> None:
    """Independent errors and such that only go away together: as small as brute force finds, and nothing can be left out."""
    draw = np.random.default_rng(seed)
    costs = dict(zip(OPERATIONS, (draw.exponential(0.4, len(OPERATIONS)) ** 2).tolist(), strict=True))
    pairs = [tuple(draw.choice(OPERATIONS, 2, replace=False)) for _ in range(seed % 3)]

    def measure(kept: frozenset[str]) -> float:
        return float(errors(costs)(kept)) + 3.0 * sum(not {*pair} <= kept for pair in pairs)

    found = Search(OPERATIONS, measure, most=10_000).run()
    assert found.kept is not None and measure(found.kept) <= 1
    assert len(found.kept) == brute(measure)
    assert found.smallest
    assert all(measure(found.kept - {operation}) > 1 for operation in found.kept)


def test_it_is_no_prefix_of_any_order() -> None:
    """Neither the first operations, nor those that help most alone: overflows hide one another, and what heals them."""

    def measure(kept: frozenset[str]) -> float:
        return math.inf if not {"op2", "op5"} <= kept else 0.5 if "op7" in kept else 2.0

    found = Search(OPERATIONS, measure).run()
    assert found.kept == found.necessary == {"op2", "op5", "op7"}
    assert found.smallest
    assert len(found.measured) < 25, "all but each tells which are necessary"


def test_two_weak_operations_may_be_replaced_by_one_strong() -> None:
    """Where greedy choice goes wrong (one operation helps most, two others are enough without it), the exchange mends it."""
    worth = {"op0": 5.0, "op1": 4.0, "op2": 4.0, "op3": 3.9}

    def measure(kept: frozenset[str]) -> float:
        if {"op1", "op2"} <= kept:
            return 1.0
        return 10.0 - sum(worth.get(operation, 0.0) for operation in kept)

    assert len(Search(OPERATIONS, measure, most=10_000).run().kept or ()) == 2
    careful = Search(OPERATIONS, measure, most=0).run()
    assert careful.kept is not None and all(measure(careful.kept - {operation}) > 1 for operation in careful.kept)


def test_nothing_to_do_and_nothing_that_helps() -> None:
    """Within budget nothing is kept; where all operations are not enough, there is no answer."""
    assert Search(OPERATIONS, lambda kept: 0.9).run().kept == frozenset()
    assert Search(OPERATIONS, lambda kept: 1.1).run().kept is None


def test_errors_that_cancel_make_no_false_proof() -> None:
    """An operation that all others cannot do without, but a few can, is not necessary."""

    def measure(kept: frozenset[str]) -> float:
        return 0.5 if kept in ({"op1", "op2", "op3"}, frozenset(OPERATIONS)) else 2.0 - 0.1 * len(kept & {"op1", "op2", "op3"})

    found = Search(OPERATIONS, measure, most=0).run()
    assert found.kept is not None and (found.kept == frozenset(OPERATIONS) or not found.smallest)


def test_a_part_takes_its_wholes_place() -> None:
    """The layer inside an MLP that is enough alone is kept instead of the MLP."""
    shares = {frozenset({"a.c_fc", "b"}): 0.8, frozenset({"a.c_proj", "b"}): 1.4}
    inside = {"a": ["a.c_fc", "a.c_proj"]}
    assert in_parts(frozenset({"a", "b"}), lambda path: inside.get(path, []), lambda kept: shares[kept]) == {"a.c_fc", "b"}


def test_the_frontier_has_what_no_other_set_beats() -> None:
    """In drift and latency at once."""
    at = [(math.inf, 1.0), (2e-6, 1.1), (3e-6, 1.2), (1e-6, 1.3), (1e-6, 1.4)]
    points: list[dict[str, Any]] = [{"ratio": r, **({"drift": d} if math.isfinite(d) else {})} for d, r in at]
    mark(points)
    assert [point["pareto"] for point in points] == [True, True, False, True, False]


# Files


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Name, base, operations, weights and figures."""
    found = {"backend": "x", "image": {"drift": 1e-7, "overflow_without": True}}
    policy = Policy("mended", "fp16", ("a.b", '*."x"'), "abc", found)
    read = read_policy(write_policy(policy, tmp_path / "mended.toml"))
    assert read == policy
    assert dict(read.found) == dict(policy.found)
    assert as_text(read) == as_text(policy)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("base =", "cannot be read .* expected TOML with base and keep"),
        ('base = "fp32"\nkeep = ["mlp"]', "base = 'fp32': expected one of fp16, bf16, int8"),
        ('base = "fp16"\nkeep = []', r"keep = \[\]: expected a list of operations"),
        ('base = "fp16"\nkeep = "mlp"', "keep = 'mlp': expected a list"),
        ('base = "fp16"\nkeeps = ["mlp"]', "unknown key 'keeps': did you mean 'keep'"),
        ('base = "fp16"\nkeep = ["mlp"]\nfound = 1', "is malformed"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    """What was found and what was expected."""
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(BadInput, match=told):
        read_policy(tmp_path / "bad.toml")


def test_what_a_policy_keeps_is_found_in_the_model() -> None:
    """Paths, patterns and kinds; the outermost only; a word that selects nothing has a hint; other weights are refused."""
    model = load_model("scenes-s", "")
    known = operations(model.module(), model.projections)
    assert resolve(["*.mlp", "visual.transformer.resblocks.3.mlp.c_fc"], known, "x") == sorted(
        p for p in known if p.endswith(".mlp")
    )
    assert len(resolve(["LayerNorm"], known, "x")) == 21
    assert len(resolve(["softmax"], known, "x")) == 9
    assert resolve(["residual"], known, "x") == ["transformer.residual", "visual.transformer.residual"]
    assert resolve(["block", "visual"], known, "x") == [*(f"transformer.resblocks.{i}" for i in range(3)), "visual"]
    towers: tuple[Tower, ...] = ("image", "text")
    for tower in towers:
        light, every, *_ = pieces_of = levels(known, tower)
        assert all(pieces == outermost(pieces) for pieces in pieces_of)
        assert {known[path] for path in light} == {"LayerNorm", "residual", "projection"}
        assert {*light} < {*every}
    with pytest.raises(BadInput, match=r"keeps 'visual\.ln_pos', which is no operation of this model: did you mean"):
        resolve(["visual.ln_pos"], known, "x")
    with pytest.raises(BadInput, match=r"was found for weights with SHA-256 0123.*search again"):
        backends()["torch-eager"].load_policy(model, Policy("x", "fp16", ("mlp",), "0123"), "cpu")
