"""The command line: which model, which cells, which data."""

import shlex
from pathlib import Path

import pytest

from fixtures import INSTALLED, ROOT
from fixtures.datasets import DEFAULT as DEFAULT_DATASET
from fixtures.errors import BadInput
from fixtures.machine.devices import DEVICES
from fixtures.models import DEFAULT as DEFAULT_MODEL
from plugins.command_line.gpu import device

GOLDEN = ROOT / "golden"
TYPED = pytest.StashKey[dict[str, str]]()  # by part of a cell's id: the option that brought it


def names(config: pytest.Config, option: str) -> list[str]:
    """A repeatable option whose values may hold several names, comma-separated."""
    return [name.strip() for value in config.getoption(option) or [] for name in value.split(",") if name.strip()]


def to_be_written(golden: Path) -> Path:
    """Return the folder; raises BadInput for the golden data inside an installed suite, which must not change."""
    if INSTALLED and golden.resolve() == GOLDEN.resolve():
        raise BadInput("the golden data inside an installed suite cannot be rewritten: add --golden=FOLDER, here and to audit")
    return golden


def given(config: pytest.Config, *more: str) -> list[str]:
    """This run's options that choose model and data, and `more`, as they are typed to repeat the choice."""
    typed = [str(arg) for arg in config.invocation_params.args]
    return [
        f"--{name}={shlex.quote(str(config.getoption(f'--{name}')))}"
        for name in ("model", "pretrained", "dataset", "golden", *more)
        if any(arg == f"--{name}" or arg.startswith(f"--{name}=") for arg in typed)
    ]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every selector may be repeated or take a comma-separated list; none given means all."""
    group = parser.getgroup("clip-conformance")
    group.addoption(
        "--model", default=DEFAULT_MODEL, metavar="NAME", help="open_clip name, hf-hub:ORG/REPO or FAMILY:NAME [%(default)s]"
    )
    group.addoption("--pretrained", default="", metavar="TAG", help="open_clip tag, checkpoint file, or random:SEED")
    text = "only this precision (repeatable); policy:FILE is a precision policy"
    group.addoption("--precision", action="append", metavar="NAME", help=text)
    for option in ("backend", "preprocessor"):
        text = f"only this {option} (repeatable); package.module:Class is one of your own"
        group.addoption(f"--{option}", action="append", metavar="NAME", help=text)
    group.addoption(
        "--device",
        type=device,
        default="auto",
        metavar="|".join(("auto", *DEVICES, "cuda:N")),
        help="auto: the CPU, and CUDA or mps where there is one; cuda:1 is the second GPU",
    )
    group.addoption("--dataset", type=Path, default=DEFAULT_DATASET, help="folder with images/ and captions.jsonl")
    group.addoption("--golden", type=Path, default=GOLDEN, help="folder of golden data")
    group.addoption("--update-golden", action="store_true", help="rewrite the model's golden data and fail this run")
    group.addoption("--report", type=Path, default=Path("report.json"), help="where report.json goes [%(default)s]")
    group.addoption("--strict-cells", action="store_true", help="fail the run if a cell is skipped")
    text = "run all inputs; by default, a very slow encoder or a large model runs some on a sample (docs/backends.md)"
    group.addoption("--whole", action="store_true", help=text)
