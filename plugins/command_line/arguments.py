"""Which tests the command line selects: the only place where arguments are rewritten."""

import pytest

from plugins.against.options import SUITE, asked

DRIFT = "suites/drift"


def pytest_configure(config: pytest.Config) -> None:
    """Rewrite the arguments before collection."""
    config.args[:] = arguments(config)


def arguments(config: pytest.Config) -> list[str]:
    """The paths to collect.

    - This repository's folder means its whole matrix (`testpaths`), as no argument does when pytest starts inside it.
    - With --against or --against-python, the comparison takes the whole matrix's place.
    - With --promises, the suites that are no part of the matrix join it: the list has the promises of all.
    - A part of the matrix, and every other path, means itself.
    """
    root, here = config.rootpath, config.invocation_params.dir
    whole = [root / path for path in config.getini("testpaths")]
    typed: list[str] = []
    for arg in config.args:
        typed += map(str, whole) if (here / arg).resolve() == root.resolve() else [arg]
    rest = [arg for arg in typed if (here / arg).resolve() not in [path.resolve() for path in whole]]
    if len(typed) - len(rest) < len(whole):
        return typed
    if asked(config):
        return [*rest, str(root / SUITE)]
    return [*typed, str(root / SUITE), str(root / DRIFT)] if config.getoption("--promises") else typed
