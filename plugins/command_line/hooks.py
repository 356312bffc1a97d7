"""The hooks that users' plug-ins and conftest.py files may implement."""

import pytest

from fixtures.capability import Backend, Preprocessor


@pytest.hookspec
def pytest_clip_conformance_backends(config: pytest.Config) -> list[Backend]:  # type: ignore[empty-body]
    """Return a list of backends that join the matrix; the `name` of each is part of its cells' ids."""


@pytest.hookspec
def pytest_clip_conformance_preprocessors(config: pytest.Config) -> list[Preprocessor]:  # type: ignore[empty-body]
    """Return a list of preprocessors that join the matrix; the `name` of each is part of its cells' ids."""
