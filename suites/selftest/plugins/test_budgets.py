"""How far a preprocessor may be from the reference: its own row, its word that it is exact, or its word that it is bad."""

import textwrap
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.capability import KnownFailure
from fixtures.preprocessors.original_clip import OriginalClip
from fixtures.registry import preprocessors
from plugins.golden.derivation import _key, too_far
from plugins.golden.verified import Golden, NoBudget
from suites.selftest.conftest import TINY, Run

ROWS = {"opencv-area": {"mean_abs": {"limit": 0.02}}, "opencv-cubic": {"mean_abs": {"limit": 0.04}}}
NOTHING = np.zeros((0, 1), np.float32)
MINE = """
    import numpy as np
    from fixtures.preprocessors.original_clip import OriginalClip

    class Near(OriginalClip):
        name, exact = "near", False

        def transform(self, decoded, geometry):
            return super().transform(decoded, geometry) + np.float32(1e-3)

    class Says(Near):
        name, exact = "says-exact", True

    class Far(Near):
        name = "far"

        def transform(self, decoded, geometry):
            return np.ascontiguousarray(super().transform(decoded, geometry)[::-1])
"""


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a preprocessor that is not of the suite and has no row."""

    def make(**declared: Any) -> str:
        monkeypatch.setitem(preprocessors(), "mine", type("Mine", (OriginalClip,), {"name": "mine", **declared})())
        return "mine"

    return make


def test_who_has_which_budget(outside: Any) -> None:
    """A row comes first; exact is exact; known-bad ones get the widest; nobody else gets any."""
    golden = Golden(NOTHING, NOTHING, (), NOTHING, {}, ROWS)
    assert golden.budget("opencv-area", "mean_abs") == 0.02
    assert golden.budget(outside(exact=True), "mean_abs") == 0
    bad = KnownFailure("never", "blue is better", {"mean_abs": 1.0})
    assert golden.budget(outside(exact=False, known_failures={"P3": bad}), "mean_abs") == 0.04
    with pytest.raises(NoBudget, match=r"mine has no budget: expected exact = True .* --preprocessor mine --golden=FOLDER"):
        golden.budget(outside(exact=False), "mean_abs")


def test_what_is_too_far() -> None:
    """By any metric, and named; so is what is no number."""
    widest = {"mean_abs": 0.02, "cosine_distance": 1e-3}
    assert too_far({"mean_abs": 0.02, "cosine_distance": 1e-4}, widest) == ""
    assert "mean_abs is 0.3, at most 0.02" in too_far({"mean_abs": 0.3, "cosine_distance": 1e-4}, widest)
    assert "mean_abs is nan, at most 0.02" in too_far({"mean_abs": float("nan"), "cosine_distance": 1e-4}, widest)


@pytest.mark.parametrize("name", ["fast_clip", "opencv-area", "mine.v2", "c++", "näher"])
def test_any_name_is_a_key(name: str) -> None:
    """All characters that a preprocessor's name may have; a dot begins no table within, and the suite's own have no quotes."""
    assert tomllib.loads(f"[{_key(name)}]\nlimit = 1") == {name: {"limit": 1}}
    assert (_key(name) == name) == (name in preprocessors())


def test_from_outside(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """Exact is held to it; without a budget a cell fails in a sentence; with one of its own it passes, if it is near enough."""
    (tmp_path / "theirs.py").write_text(textwrap.dedent(MINE))
    where = {"PYTHONPATH": str(tmp_path)}
    mine = [f"--preprocessor=theirs:{name}" for name in ("Near", "Says", "Far")]
    done = run("suites/preprocessing/test_pixels.py", "-k", "test_opaque", *mine, *tiny, env=where)
    assert "near has no budget: expected exact = True" in done.stdout and "3 failed" in done.stdout, done.stdout[-3000:]
    assert "P3 broken: opaque images" in done.stdout and "in says-exact" in done.stdout
    data = next(option for option in tiny if option.startswith("--dataset"))
    made = run("--update-golden", *TINY, data, f"--golden={tmp_path}/golden", *mine, env=where)
    assert "no budget for far: farther from the reference than any of the suite's own" in made.stdout + made.stderr
    done = run(
        "suites/preprocessing/test_pixels.py", "-k", "test_opaque", *mine, *TINY, data, f"--golden={tmp_path}/golden", env=where
    )
    assert "far has no budget" in done.stdout and "2 failed, 1 passed" in done.stdout, done.stdout[-3000:]
