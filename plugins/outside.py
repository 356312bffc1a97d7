"""Other people's backends join ours before cells are chosen, and the suite can be started from their folder."""

import os
import shlex
import sys
from collections.abc import Generator
from typing import TypeVar

import pytest
from pluggy import HookCaller

from fixtures.capability import Backend, Preprocessor
from fixtures.errors import BadInput
from fixtures.outside import checked, entry_points, from_class, from_entry_point, join
from fixtures.registry import backends, preprocessors
from plugins import hooks
from plugins.options import names

T = TypeVar("T", Backend, Preprocessor)
TYPED = pytest.StashKey[list[str]]()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks, and let modules be imported from the folder where the command was typed, after all others."""
    pluginmanager.add_hookspecs(hooks)
    config = pluginmanager.get_plugin("pytestconfig")
    assert isinstance(config, pytest.Config)
    sys.path.append(str(config.invocation_params.dir))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """This repository's folder as an argument means its whole matrix, as no argument does when pytest starts inside it."""
    root, here = config.rootpath, config.invocation_params.dir
    whole = [str(root / path) for path in config.getini("testpaths")]
    config.args[:] = [part for arg in config.args for part in (whole if (here / arg).resolve() == root.resolve() else [arg])]


@pytest.hookimpl(wrapper=True, trylast=True)  # inside the wrapper that ends the run with one sentence, before all the rest
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """From here on `module:Class` in an option is that class's `name`, and everything named is in the registry."""
    config = session.config
    config.stash[TYPED] = []
    offers = _offers(config.hook.pytest_clip_conformance_backends, config)
    config.option.backend = _chosen(config, Backend, backends(), offers)  # type: ignore[type-abstract]
    offers = _offers(config.hook.pytest_clip_conformance_preprocessors, config)
    config.option.preprocessor = _chosen(config, Preprocessor, preprocessors(), offers)  # type: ignore[type-abstract]
    return (yield)


def _offers(hook: HookCaller, config: pytest.Config) -> list[object]:
    """All that the implementations of a hook return."""
    try:
        return [offer for offers in hook(config=config) for offer in offers]
    except Exception as error:
        raise BadInput(f"{hook.name} failed ({type(error).__name__}: {error}): expected a list of objects") from error


def _chosen(config: pytest.Config, kind: type[T], known: dict[str, T], offers: list[object]) -> list[str]:
    """Names that an option's values mean; what they name outside this repository joins `known`."""
    option = f"--{kind.__name__.lower()}"
    for offer in offers:
        where = f"the hook's {type(offer).__module__}:{type(offer).__qualname__}"
        join(checked(offer, kind, where), known, where)
    typed = names(config, option)
    for place, value in enumerate(typed):
        if ":" in value:
            typed[place] = join(from_class(value, kind), known, value)
            config.stash[TYPED].append(f"{option}={value}")
    if not typed or set(typed) - set(known):  # a choice among known ones imports nobody's package
        means = {entry.name: join(from_entry_point(entry, kind), known, entry.value) for entry in entry_points(kind)}
        typed = [name if name in known else means.get(name, name) for name in typed]
    return typed


def again(config: pytest.Config, nodeid: str) -> list[str]:
    """What must be typed in the same folder to run one test again: where it is, and what was given from outside."""
    root, here = config.rootpath, config.invocation_params.dir
    files = [arg for arg in config.args if not (here / arg).resolve().is_relative_to(root.resolve())]
    settings = ["-c", config.getoption("inifilename")] if config.getoption("inifilename") else []
    test = nodeid if here == root else f"{os.path.relpath(root, here)}/{nodeid}"
    return [shlex.quote(part) for part in (*settings, test, *files, *config.stash.get(TYPED, []))]
