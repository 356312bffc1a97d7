"""A plug-in for inner runs: adds the backend `faulty`, whose fp16 has the defects that $DEFECTS names (comma-separated)."""

import os

from fixtures.registry import backends
from suites.studies.drift.policy_planted import faulty


def pytest_configure() -> None:
    """Register it."""
    backends()["faulty"] = faulty([name for name in os.environ.get("DEFECTS", "").split(",") if name])
