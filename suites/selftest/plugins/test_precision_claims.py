"""A cell that runs in another precision than it names is found out: by what it executes, or by the size of its error."""

import json
import subprocess
from pathlib import Path

import pytest

from suites.selftest.conftest import start
from suites.selftest.planted.misdeclared_backends import LIES

FOUND = {
    "says-fp16": "it runs in fp32, named fp16",
    "says-fp16-afar": "is too small for fp16",
    "tf32-on": "it runs in tf32, named fp32",
    "bf16-as-fp16": "it runs in bf16, named fp16",
}


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One inner run over all lying backends and an honest one."""
    folder, names = tmp_path_factory.mktemp("claims"), ",".join(LIES)
    chosen = ("--backend", f"{names},torch-eager", "--precision", "fp32,fp16", "-k", "test_precision", *tiny)
    return start(
        folder, "-p", "suites.selftest.planted.misdeclared_backends", "suites/embeddings", *chosen, env={"PLANT": names}
    ), folder


@pytest.mark.parametrize("lie", LIES)
def test_lie_is_found(claims: tuple[subprocess.CompletedProcess[str], Path], lie: str) -> None:
    """By promise E9, with what was found and what was named."""
    blocks = [block for block in claims[0].stdout.split("\n____") if f"-{lie}-" in block and "E9 broken" in block]
    assert blocks and FOUND[lie] in blocks[0], claims[0].stdout[-3000:]


def test_honest_cells_pass_and_show_their_evidence(claims: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Beside the liars, the same backend under its own name keeps E9; the report holds what was looked at."""
    cells = {cell["id"]: cell for cell in json.loads((claims[1] / "report.json").read_text())["cells"]}
    for precision in ("fp32", "fp16"):
        cell = cells[f"tiny:clip@random:0-torch-eager-{precision}-cpu"]
        assert cell["verdict"] == "pass"
        assert cell["evidence"]["image"]["precision"] == precision
        assert "matrix products executed" in cell["evidence"]["text"]["how"]
