"""Options of suites/drift: the drift budget, and the file for the policy that keeps it."""

from pathlib import Path

import pytest

from fixtures.cells import EncoderKey
from fixtures.errors import BadInput
from fixtures.storage.cache import ROOT as CACHE


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `pytest suites/drift`."""
    group = parser.getgroup("clip-conformance")
    group.addoption("--drift-budget", type=float, metavar="D", help="largest cosine distance [golden's tolerance]")
    group.addoption("--policy-file", type=Path, metavar="FILE", help="file for the precision policy that is found")


def drift_budget(config: pytest.Config) -> float | None:
    """The cosine distance that no input may exceed; None for golden's tolerance."""
    budget: float | None = config.getoption("--drift-budget")
    if budget is not None and not 0 < budget <= 2:
        raise BadInput(f"--drift-budget={budget:g} is no cosine distance: expected more than 0 and at most 2, such as 1e-6")
    return budget


def policy_file(config: pytest.Config, key: EncoderKey) -> Path:
    """The file for a cell's policy: --policy-file, which serves one cell, or a separate file in the cache."""
    chosen: Path | None = config.getoption("--policy-file")
    if chosen is None:
        return CACHE / "policies" / f"{key.model}-{key.backend}-{key.base}.toml".replace("@", "+").replace(":", "+")
    if chosen.suffix != ".toml":
        raise BadInput(f"--policy-file={chosen} does not end in .toml, which a policy's name is cut from: add it")
    return config.invocation_params.dir / chosen
