"""`make audit BACKENDS=…` builds the environments that it must, and no others; how `make golden` ends."""

import shutil
import subprocess

import pytest

from fixtures import ROOT
from fixtures.registry import backends, services
from fixtures.services.infinity_here import InfinityHere
from fixtures.worker.isolated import IsolatedBackend
from suites.selftest.patience import HANG_S

MATRIX = sorted(backend.environment for backend in backends().values() if isinstance(backend, IsolatedBackend))
APART = sorted([*MATRIX, *(each.environment for each in services().values() if isinstance(each, InfinityHere))])


def make(*args: str) -> subprocess.CompletedProcess[str]:
    """Run make to its end."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed: apt install make")
    return subprocess.run(["make", *args], cwd=ROOT, capture_output=True, text=True, timeout=HANG_S)


def would_do(*args: str) -> subprocess.CompletedProcess[str]:
    """What make would run, were nothing built yet."""
    return make("--dry-run", "--always-make", *args)


@pytest.mark.parametrize(
    ("wanted", "built"),
    [("", []), ("openvino", ["openvino"]), (",".join(APART), APART), ("all", MATRIX), ("torchao,deepsparse", ["deepsparse"])],
)
def test_environments(wanted: str, built: list[str]) -> None:
    """Every isolated backend has a lock; what shares the main environment builds none; all of the matrix have no service."""
    planned = would_do("audit", f"BACKENDS={wanted}")
    assert planned.returncode == 0, planned.stderr
    assert [name for name in APART if f"venv --clear .venv-{name}" in planned.stdout] == built
    assert all((ROOT / "requirements" / f"{name}.lock").is_file() for name in APART)


@pytest.mark.parametrize(("status", "ends"), [(1, 0), (4, 2)], ids=["rewritten", "bad input"])
def test_golden(status: int, ends: int) -> None:
    """`make golden` succeeds where pytest rewrote the golden data, which fails pytest's run, and fails where it could not."""
    done = make("golden", "READY=", f"RUN=sh -c 'exit {status}'")
    assert done.returncode == ends, done.stdout + done.stderr


def test_unknown_name() -> None:
    """One sentence: what was found and what was expected."""
    refused = would_do("audit", "BACKENDS=openvimo")
    assert refused.returncode != 0
    assert "no environment is known for 'openvimo', expected all or some of deepsparse infinity openvino" in refused.stderr
