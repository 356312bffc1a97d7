"""A fault planted in a good backend or preprocessor must be caught by the promise that is meant to catch it."""

import pytest

from suites.selftest.conftest import Run, start
from suites.selftest.faults import OUTPUTS

CAUGHT_BY = {
    "constant": "E8", "nan": "E1", "scaled": "E5", "normalised": "E5", "float64": "E1", "squeezed": "E1", "fortran": "E1",
    "neighbours": "E4", "noisy": "E6", "buffer": "E7", "text-only": "E2", "rotated": "E2",
}  # fmt: skip


def test_table_is_whole() -> None:
    """Every planted output fault says which promise must catch it."""
    assert set(CAUGHT_BY) == set(OUTPUTS) - {"clean"}


@pytest.fixture(scope="module")
def encoder_run(tmp_path_factory):  # type: ignore[no-untyped-def]
    """One inner run over all faulty backends: building the process costs more than the tests."""
    return start(tmp_path_factory.mktemp("faults"), "-p", "suites.selftest.faults", "suites/embeddings/test_encoder.py",
                 "--backend", ",".join(OUTPUTS), env={"PLANT": ",".join(OUTPUTS)})  # fmt: skip


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_output_fault(encoder_run, fault: str) -> None:  # type: ignore[no-untyped-def]
    """The message names the promise, the cell and the command that shows it again."""
    output = encoder_run.stdout
    blocks = [block for block in output.split("\n____") if f"-{fault}-fp32" in block]
    broken = [block for block in blocks if f"{CAUGHT_BY[fault]} broken" in block]
    assert broken, f"{fault} was not caught by {CAUGHT_BY[fault]}:\n{output[-3000:]}"
    assert "again: pytest" in broken[0]


def test_clean_wrapper_passes(encoder_run) -> None:  # type: ignore[no-untyped-def]
    """The same wrapper without a fault passes every promise."""
    assert "scenes-s-clean-fp32" not in encoder_run.stdout.split("FAILURES")[-1].split("conformance")[0]
    assert encoder_run.returncode == 1


@pytest.mark.parametrize(("fault", "promise"), [("bgr", "P3"), ("shifted", "P2"), ("rescaled-twice", "P3")])
def test_pixel_fault(run: Run, fault: str, promise: str) -> None:
    """A preprocessor with a fault fails the promise about its pixels."""
    result = run("-p", "suites.selftest.faults", "suites/preprocessing", "--preprocessor", fault, env={"PLANT": fault})
    assert result.returncode == 1
    assert f"{promise} broken" in result.stdout
