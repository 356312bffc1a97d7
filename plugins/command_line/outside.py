"""Users' backends join the registry before cells are chosen, and the suite can be started from the user's folder."""

import importlib.util
import os
import shlex
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest
from pluggy import HookCaller

from fixtures import INSTALLED
from fixtures.capability import Backend, Preprocessor
from fixtures.errors import BadInput
from fixtures.outside import checked, entry_points, from_class, from_entry_point, join
from fixtures.registry import backends, preprocessors, services
from fixtures.services import Service
from plugins.command_line import hooks
from plugins.command_line.options import TYPED, names

T = TypeVar("T", Backend, Preprocessor)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks, and append the folder where the command was typed to the import path."""
    pluginmanager.add_hookspecs(hooks)
    config = pluginmanager.get_plugin("pytestconfig")
    assert isinstance(config, pytest.Config)
    sys.path.append(str(config.invocation_params.dir))


@pytest.hookimpl(wrapper=True, trylast=True)  # inside the wrapper for BadInput, before all other hooks
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Register named classes; from here on, an option's `module:Class` is replaced by the class's `name`."""
    config = session.config
    config.stash[TYPED] = {}
    _load_named_conftests(config)
    offers = _offers(config, config.hook.pytest_clip_conformance_backends, Backend)  # type: ignore[type-abstract]
    config.option.backend = _chosen(config, Backend, backends(), offers)  # type: ignore[type-abstract]
    preprocessors_hook = config.hook.pytest_clip_conformance_preprocessors
    offered = _offers(config, preprocessors_hook, Preprocessor)  # type: ignore[type-abstract]
    config.option.preprocessor = _chosen(config, Preprocessor, preprocessors(), offered)  # type: ignore[type-abstract]
    return (yield)


def _load_named_conftests(config: pytest.Config) -> None:
    """Load a conftest.py that is named in the arguments, because pytest loads none from outside its rootdir."""
    for path in (config.invocation_params.dir / arg for arg in config.args if Path(arg).name == "conftest.py"):
        if path.is_file() and not any(config.pluginmanager.has_plugin(str(name)) for name in (path, path.resolve())):
            spec = importlib.util.spec_from_file_location("outside_conftest", path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except Exception as error:
                raise BadInput(
                    f"{path} cannot be imported ({type(error).__name__}: {error}): fix it, then run again"
                ) from error
            config.pluginmanager.register(module, str(path))


def _offers(config: pytest.Config, hook: HookCaller, kind: type[T]) -> list[T]:
    """All objects that the implementations of a hook return."""
    try:
        offers = [offer for offers in hook(config=config) for offer in offers]
    except Exception as error:
        raise BadInput(f"{hook.name} failed ({type(error).__name__}: {error}): expected a list of objects") from error
    for offer in offers:
        if not isinstance(offer, kind):
            raise BadInput(f"{hook.name} returned {offer!r} in its list: expected objects of classes from {kind.__name__}")
    return offers


def _chosen(config: pytest.Config, kind: type[T], known: dict[str, T], offers: list[T]) -> list[str]:
    """The names that an option's values select; classes from outside this repository are added to `known`."""
    option = f"--{kind.__name__.lower()}"
    for offer in offers:
        where = f"{type(offer).__module__}:{type(offer).__qualname__}"
        join(checked(offer, where), _registry(offer, known), where)
    typed = names(config, option)
    for place, value in enumerate(typed):
        if ":" in value:
            made = from_class(value, kind)
            typed[place] = join(made, _registry(made, known), value)
            config.stash[TYPED][typed[place]] = f"{option}={value}"
    if not typed or set(typed) - {*known, *services()}:  # known names need no import
        means = {}
        for entry in entry_points(kind):
            made = from_entry_point(entry, kind)
            means[entry.name] = join(made, _registry(made, known), entry.value)
        typed = [name if name in known else means.get(name, name) for name in typed]
    return typed


def _registry(found: T, known: dict[str, T]) -> dict[str, T]:
    """A service has a registry of its own: it runs only where it is named."""
    return services() if isinstance(found, Service) else known


def again(config: pytest.Config, nodeid: str) -> list[str]:
    """The arguments that repeat one test from the same folder: its path, and the user's own backends and files."""
    root, here = config.rootpath, config.invocation_params.dir
    files = [arg for arg in config.args if not (here / arg).resolve().is_relative_to(root.resolve())]
    settings = ["-c", config.getoption("inifilename")] if config.getoption("inifilename") and not INSTALLED else []
    test = nodeid if here == root or INSTALLED else f"{os.path.relpath(root, here)}/{nodeid}"
    brought = [option for name, option in config.stash.get(TYPED, {}).items() if name in nodeid]
    return [shlex.quote(part) for part in (*settings, test, *files, *brought)]
