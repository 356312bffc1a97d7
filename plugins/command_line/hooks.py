"""The hooks that other people's plug-ins and conftest.py files may implement."""

import pytest

from fixtures.capability import Backend, Preprocessor


@pytest.hookspec
def pytest_clip_conformance_backends(config: pytest.Config) -> list[Backend]:  # type: ignore[empty-body]
    """Backends that join the matrix: objects, each of whose `name` stands in its cells' ids."""


@pytest.hookspec
def pytest_clip_conformance_preprocessors(config: pytest.Config) -> list[Preprocessor]:  # type: ignore[empty-body]
    """Preprocessors that join the matrix, likewise."""
