"""Which cells there are: model × backend × precision × preprocessor × device, their ids, marks and order."""

from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from fixtures.bounds import check_all_failures
from fixtures.capability import TOWERS, Backend
from fixtures.cells import Cell, EncoderKey, ModelId
from fixtures.errors import BadInput, nearest
from fixtures.machine.devices import DEVICES, cuda_count, present
from fixtures.models import model_id
from fixtures.policies.policy import PREFIX, Policy, read_policy
from fixtures.registry import backends, pick, preprocessors, services
from plugins.command_line.options import TYPED, names


def model_of(config: pytest.Config) -> str:
    """The model's part of every id."""
    return model_id(config.getoption("--model"), config.getoption("--pretrained"))


def devices(config: pytest.Config) -> list[str]:
    """The devices with cells: those of this machine, and any that --device names."""
    wanted = config.getoption("--device")
    if wanted != "auto":
        return [wanted]
    asked = "gpu" in (config.getoption("markexpr") or "").split()
    return [device for device in DEVICES if device in present() or (asked and device == "cuda")]


class Selection:
    """What the options select, in the matrix's order, each computed once; raises BadInput on first use."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    @cached_property
    def backends(self) -> list[Backend]:
        """Those of --backend that are no services; all of them if it names none."""
        return [backends()[name] for name in self._picked if name in backends()]

    @cached_property
    def _picked(self) -> list[str]:
        return pick("backend", names(self.config, "--backend"), [*backends(), *services()])

    @cached_property
    def _named_services(self) -> list[Backend]:
        return [services()[name] for name in self._picked if name in services()] if names(self.config, "--backend") else []

    @cached_property
    def services(self) -> list[EncoderKey]:
        """The services that --backend names, at each precision that they name or that --precision chooses."""
        wanted = names(self.config, "--precision")
        return [
            EncoderKey(model_of(self.config), service.name, precision, device)
            for service in self._named_services
            for precision in ([p for p in service.precisions if p in wanted] if wanted else service.precisions[:1])
            for device in service.devices
        ]

    @cached_property
    def preprocessors(self) -> list[str]:
        """Names of those of --preprocessor."""
        return pick("preprocessor", names(self.config, "--preprocessor"), list(preprocessors()))

    @cached_property
    def policies(self) -> dict[str, Policy]:
        """The policies that --precision names, by file as typed; raises BadInput for a bad file, and for two with one name."""
        files = [name.removeprefix(PREFIX) for name in names(self.config, "--precision") if name.startswith(PREFIX)]
        found = {file: read_policy(self.config.invocation_params.dir / Path(file).expanduser()) for file in files}
        for name in {policy.name for policy in found.values()}:
            alike = [file for file, policy in found.items() if policy.name == name]
            if len(alike) > 1:
                raise BadInput(f"{' and '.join(alike)} would give cells one name, '{name}': rename one of the files")
        return found

    @cached_property
    def encoders(self) -> list[EncoderKey]:
        """All selected encoders; raises BadInput for an unknown precision, and if neither one nor a service is selected."""
        chosen, wanted = self.backends, names(self.config, "--precision")
        every = [*chosen, *self._named_services]
        offered = sorted({precision for backend in every for precision in backend.precisions})
        found = self.policies.values()
        for precision in wanted:
            if precision not in offered and not precision.startswith(PREFIX):
                raise BadInput(
                    f"unknown precision '{precision}' for {', '.join(b.name for b in every)}: {nearest(precision, offered)}"
                )
        keys = [
            EncoderKey(model_of(self.config), backend.name, precision, device)
            for backend in chosen
            for precision in backend.precisions
            if not wanted or precision in wanted
            for device in devices(self.config)
            if backend.offers(precision, device)
        ]
        keys += [key for policy in found for key in self._with_policy(policy)]
        if not keys and not self.services:
            reasons = [f"{backend.name}: {why}" for backend in chosen if (why := backend.nowhere())]
            lack = "; ".join(reasons) or f"{', '.join(b.name for b in chosen)} lack it"
            raise BadInput(f"no cell for device {self.config.getoption('--device')}: {lack}")
        return keys

    def _with_policy(self, policy: Policy) -> list[EncoderKey]:
        """The encoders of a policy: one for each chosen backend that can keep single operations of its base in fp32."""
        able = [backend for backend in self.backends if policy.base in backend.policies]
        if not able:
            others = ", ".join(backend.name for backend in backends().values() if policy.base in backend.policies)
            raise BadInput(
                f"{', '.join(b.name for b in self.backends)}: none keeps single operations of {policy.base} in fp32, "
                f"as policy '{policy.name}' wants; expected --backend with any of {others or 'none'}"
            )
        return [
            EncoderKey(model_of(self.config), backend.name, policy.precision, device, policy)
            for backend in able
            for device in devices(self.config)
            if backend.offers(policy.base, device)
        ]


SELECTION = pytest.StashKey[Selection]()
# Parameters, the largest subject first.
SUBJECTS_OF_TESTS = ("cell", "encoder_key", "service_key", "preprocessor_name", "model_id")
NONE = [pytest.param(None, id="none")]  # of a kind of which nothing is selected: its tests are left out


def selection(config: pytest.Config) -> Selection:
    """The selection of this run, available after all backends are registered."""
    return config.stash.setdefault(SELECTION, Selection(config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Check names in selections and declarations once, before collection."""
    check_all_failures([*backends().values(), *services().values(), *preprocessors().values()])
    selected = selection(session.config)
    _ = selected.encoders, selected.services, selected.preprocessors
    for file, policy in selected.policies.items():
        session.config.stash[TYPED][policy.precision] = f"--precision={PREFIX}{file}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise tests that take `cell`, `encoder_key`, `service_key`, `preprocessor_name`, `model_id` or `tower`."""
    config = metafunc.config
    wanted = set(metafunc.fixturenames)
    if wanted & {*SUBJECTS_OF_TESTS}:
        selected = selection(config)
        if "cell" in wanted:
            cells = [Cell(key, name) for key in selected.encoders for name in selected.preprocessors]
            metafunc.parametrize("cell", [pytest.param(c, id=str(c), marks=_marks(c.encoder)) for c in cells] or NONE)
        elif "encoder_key" in wanted:
            params = [pytest.param(k, id=str(k), marks=_marks(k)) for k in selected.encoders]
            metafunc.parametrize("encoder_key", params or NONE)
        elif "service_key" in wanted:
            metafunc.parametrize("service_key", [pytest.param(k, id=str(k)) for k in selected.services] or NONE)
        elif "preprocessor_name" in wanted:
            metafunc.parametrize("preprocessor_name", selected.preprocessors if selected.encoders else NONE)
        else:
            metafunc.parametrize("model_id", [ModelId(model_of(config))])
    if "tower" in wanted:
        metafunc.parametrize("tower", TOWERS)


def _marks(key: EncoderKey) -> list[pytest.MarkDecorator]:
    return [pytest.mark.gpu] if key.device == "cuda" else []


def subject(item: pytest.Item) -> Cell | EncoderKey | str | None:
    """A test's subject: a cell, an encoder, a preprocessor's name, the model, or None."""
    params = _params(item)
    about: Cell | EncoderKey | str | None = next((params[name] for name in SUBJECTS_OF_TESTS if params.get(name)), None)
    return about


def encoder_of(item: pytest.Item | None) -> EncoderKey | None:
    """The encoder of a test's subject; None if it is about none."""
    about = subject(item) if item else None
    return about.encoder if isinstance(about, Cell) else about if isinstance(about, EncoderKey) else None


def _about_none(item: pytest.Item) -> bool:
    """True for a test whose kind of subject this run does not select: a service, or only services."""
    params = _params(item)
    return any(name in params and params[name] is None for name in SUBJECTS_OF_TESTS)


def tower_of(item: pytest.Item) -> str:
    """The tower that a test is about; empty if it is about none or both."""
    return str(_params(item).get("tower", ""))


def _params(item: pytest.Item) -> dict[str, Any]:
    return item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort tests so that each encoder is built and freed once; end the run if gpu cells are selected without a CUDA device."""
    items[:] = [item for item in items if config.getoption("--promises") or not _about_none(item)]
    selected = selection(config)
    order = {str(key): n for n, key in enumerate([*selected.encoders, *selected.services])} if any(map(subject, items)) else {}

    def place(item: pytest.Item) -> int:
        key = encoder_of(item)
        return order[str(key)] if key else -1

    items.sort(key=place)
    about = {subject(item) for item in items if item.get_closest_marker("gpu")}
    gpu = len([key for key in about if isinstance(key, Cell)]) or len(about)
    if gpu and not cuda_count() and not config.option.collectonly:
        raise BadInput(f"0 of {gpu} gpu cells could run: no CUDA device")
