"""What a user of pytest-benchmark alone writes: an encoder, one row, benchmark(). It is run as a copy beside gate_subject."""

import importlib
import os
from typing import TYPE_CHECKING

import pytest

from fixtures.capability import Tower

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

encoder, rows = importlib.import_module("gate_subject").loaded(*os.environ["GATE_CELL"].split())


@pytest.mark.parametrize("tower", ["image", "text"])
def test_encode(benchmark: "BenchmarkFixture", tower: Tower) -> None:
    """Host to host."""
    assert benchmark(encoder.encode, rows[tower], tower).shape[0] == 1
