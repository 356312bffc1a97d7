"""Which cells there are: model × backend × precision × preprocessor × device, their ids, marks and order."""

from pathlib import Path
from typing import Any

import pytest

from fixtures.bounds import check_all_failures
from fixtures.capability import TOWERS, Backend
from fixtures.cells import Cell, EncoderKey
from fixtures.errors import BadInput, nearest
from fixtures.machine.devices import DEVICES, cuda_count, present
from fixtures.models import model_id
from fixtures.policies.policy import PREFIX, Policy, read_policy
from fixtures.registry import backends, pick, preprocessors
from plugins.command_line.options import TYPED, names


def model_of(config: pytest.Config) -> str:
    """The model's part of every id."""
    return model_id(config.getoption("--model"), config.getoption("--pretrained"))


def devices(config: pytest.Config) -> list[str]:
    """Cells of a device exist where the device is, and wherever someone asks for them by name."""
    wanted = config.getoption("--device")
    if wanted != "auto":
        return [wanted]
    asked = "gpu" in (config.getoption("markexpr") or "").split()
    return [device for device in DEVICES if device in present() or (asked and device == "cuda")]


def encoders(config: pytest.Config) -> list[EncoderKey]:
    """All encoders that the options select; raises BadInput when they select none."""
    chosen = [backends()[name] for name in pick("backend", names(config, "--backend"), list(backends()))]
    offered = sorted({precision for backend in chosen for precision in backend.precisions})
    wanted = names(config, "--precision")
    found = policies(config)
    for precision in wanted:
        if precision not in offered and not precision.startswith(PREFIX):
            raise BadInput(
                f"unknown precision '{precision}' for {', '.join(b.name for b in chosen)}: {nearest(precision, offered)}"
            )
    model = model_of(config)
    keys = [
        EncoderKey(model, backend.name, precision, device)
        for backend in chosen
        for precision in backend.precisions
        if not wanted or precision in wanted
        for device in devices(config)
        if backend.offers(precision, device)
    ]
    keys += [key for policy in found for key in _under(policy, model, chosen, config)]
    if not keys:
        reasons = [f"{backend.name}: {why}" for backend in chosen if (why := backend.nowhere())]
        lack = "; ".join(reasons) or f"{', '.join(b.name for b in chosen)} lack it"
        raise BadInput(f"no cell for device {config.getoption('--device')}: {lack}")
    return keys


def policies(config: pytest.Config) -> list[Policy]:
    """The policies that --precision names; raises BadInput for a bad file, and for two of one name."""
    files = [name.removeprefix(PREFIX) for name in names(config, "--precision") if name.startswith(PREFIX)]
    found = {file: read_policy(config.invocation_params.dir / Path(file).expanduser()) for file in dict.fromkeys(files)}
    for name in {policy.name for policy in found.values()}:
        alike = [file for file, policy in found.items() if policy.name == name]
        if len(alike) > 1:
            raise BadInput(f"{' and '.join(alike)} would give cells one name, '{name}': rename one of the files")
    return list(found.values())


def _under(policy: Policy, model: str, chosen: list[Backend], config: pytest.Config) -> list[EncoderKey]:
    """The encoders of a policy: of each chosen backend that can keep operations in fp32 in its base precision."""
    able = [backend for backend in chosen if policy.base in backend.policies]
    if not able:
        others = ", ".join(backend.name for backend in backends().values() if policy.base in backend.policies)
        raise BadInput(
            f"{', '.join(b.name for b in chosen)}: none keeps single operations of {policy.base} in fp32, "
            f"as policy '{policy.name}' wants; expected --backend with any of {others or 'none'}"
        )
    return [
        EncoderKey(model, backend.name, policy.precision, device, policy)
        for backend in able
        for device in devices(config)
        if backend.offers(policy.base, device)
    ]


def chosen_preprocessors(config: pytest.Config) -> list[str]:
    """Names of all preprocessors that the options select."""
    return pick("preprocessor", names(config, "--preprocessor"), list(preprocessors()))


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """A selection or a declaration that names something unknown ends here, once, and not in every file."""
    check_all_failures([*backends().values(), *preprocessors().values()])
    encoders(session.config)
    chosen_preprocessors(session.config)
    files = [name for name in names(session.config, "--precision") if name.startswith(PREFIX)]
    for file, policy in zip(dict.fromkeys(files), policies(session.config), strict=True):
        session.config.stash[TYPED][policy.precision] = f"--precision={file}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `cell`, `encoder_key`, `tower` or `preprocessor_name` runs for each."""
    config = metafunc.config
    wanted = set(metafunc.fixturenames)
    if wanted & {"cell", "encoder_key", "preprocessor_name"}:
        keys = encoders(config)
        chosen = chosen_preprocessors(config)
        if "cell" in wanted:
            cells = [Cell(key, name) for key in keys for name in chosen]
            metafunc.parametrize("cell", [pytest.param(c, id=str(c), marks=_marks(c.encoder)) for c in cells])
        elif "encoder_key" in wanted:
            metafunc.parametrize("encoder_key", [pytest.param(k, id=str(k), marks=_marks(k)) for k in keys])
        else:
            metafunc.parametrize("preprocessor_name", chosen)
    if "tower" in wanted:
        metafunc.parametrize("tower", TOWERS)


def _marks(key: EncoderKey) -> list[pytest.MarkDecorator]:
    return [pytest.mark.gpu] if key.device == "cuda" else []


def subject(item: pytest.Item) -> Cell | EncoderKey | str | None:
    """What a test is about: a cell, an encoder, a preprocessor's name, or nothing of the matrix."""
    params: dict[str, Any] = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    about: Cell | EncoderKey | str | None = params.get("cell") or params.get("encoder_key") or params.get("preprocessor_name")
    return about


def tower_of(item: pytest.Item) -> str:
    """The tower that a test is about; empty where it is about none, or both."""
    return str(item.callspec.params.get("tower", "")) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort so that each encoder is built once and freed; without a CUDA device, selected gpu cells end the run."""
    order = {str(key): place for place, key in enumerate(encoders(config))} if any(map(subject, items)) else {}

    def place(item: pytest.Item) -> int:
        about = subject(item)
        key = about.encoder if isinstance(about, Cell) else about
        return order[str(key)] if isinstance(key, EncoderKey) else -1

    items.sort(key=place)
    about = {subject(item) for item in items if item.get_closest_marker("gpu")}
    gpu = len([key for key in about if isinstance(key, Cell)]) or len(about)
    if gpu and not cuda_count() and not config.option.collectonly:
        raise BadInput(f"0 of {gpu} gpu cells could run: no CUDA device")
