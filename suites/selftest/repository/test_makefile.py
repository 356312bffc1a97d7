"""`make audit BACKENDS=…` builds the environments that it must, and no others."""

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


def would_do(*args: str) -> subprocess.CompletedProcess[str]:
    """What make would run, were nothing built yet."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed: apt install make")
    return subprocess.run(
        ["make", "--dry-run", "--always-make", *args], cwd=ROOT, capture_output=True, text=True, timeout=HANG_S
    )


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


def test_unknown_name() -> None:
    """One sentence: what was found and what was expected."""
    refused = would_do("audit", "BACKENDS=openvimo")
    assert refused.returncode != 0
    assert "no environment is known for 'openvimo', expected all or some of deepsparse infinity openvino" in refused.stderr
