"""`pytest --environment`: prints what this machine has and which backends can use it; runs no test."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fixtures.capability import Backend
from fixtures.errors import BadInput, Unavailable
from fixtures.machine.facts import facts
from fixtures.machine.versions import refusal
from fixtures.registry import backends
from plugins.cells.matrix import selection
from plugins.report.layout import columns
from plugins.run.environment import dotted, fingerprint

if TYPE_CHECKING:
    from _pytest._io import TerminalWriter

COLOURS = {"usable": "green", "refused": "red", "missing": "yellow"}


@dataclass(frozen=True)
class Verdict:
    """Whether precisions of a backend can run on a device, judged by packages, driver and GPU."""

    backend: str
    device: str
    verdict: str  # a key of COLOURS
    reason: str
    precisions: tuple[str, ...]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag."""
    parser.getgroup("clip-conformance").addoption(
        "--environment", action="store_true", help="print what this machine has and which backends it can run, and stop"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Runs instead of a session: 0 if no installed backend is refused, 1 otherwise, 4 for an unknown name."""
    if not config.getoption("--environment"):
        return None
    config._do_configure()  # as pytest's own --help does, so that plug-ins have added their backends
    writer = config.get_terminal_writer()
    try:
        found = list(verdicts(config))
    except BadInput as error:
        writer.line(f"ERROR: {error}", red=True)
        return int(pytest.ExitCode.USAGE_ERROR)
    finally:
        config._ensure_unconfigure()
    _write(writer, found)
    return int(any(row.verdict == "refused" for row in found))


def verdicts(config: pytest.Config) -> Iterator[Verdict]:
    """One entry for each backend, device and reason of the selected cells, in the matrix's order."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for key in selection(config).encoders:
        judged = _judge(backends()[key.backend], key.base, key.device)
        rows.setdefault((key.backend, key.device, *judged), []).append(key.precision)
    for (backend, device, verdict, reason), precisions in rows.items():
        yield Verdict(backend, device, verdict, reason, tuple(precisions))


def _judge(backend: Backend, precision: str, device: str) -> tuple[str, str]:
    try:
        backend.available(device)
    except Unavailable as missing:
        return "missing", str(missing)
    reason = refusal(backend, precision, device, facts())
    return ("refused", reason) if reason else ("usable", "")


def _write(writer: "TerminalWriter", found: list[Verdict]) -> None:
    machine = fingerprint()
    shown = {"cpu": machine["cpu"], "cpu_isa": " ".join(machine["cpu_isa"]), "cores": f"{machine['cores']}"}
    _section(writer, "machine", [*shown.items(), ("os", machine["os"]), ("python", machine["python"])])
    _section(writer, "CUDA", _cuda())
    _section(writer, "packages", list(facts().packages.items()))
    writer.line("backends", bold=True)
    lines = columns([(row.backend, row.device, row.verdict, ", ".join(row.precisions)) for row in found])
    for row, text in zip(found, lines, strict=True):
        writer.line(f"  {text}", **{COLOURS[row.verdict]: True})
        for line in _wrapped(row.reason, writer.fullwidth - 6):
            writer.line(f"      {line}")
    counts = {verdict: sum(row.verdict == verdict for row in found) for verdict in COLOURS}
    writer.line()
    writer.line(
        f"{counts['usable']} usable, {counts['refused']} refused (installed, but cannot work), "
        f"{counts['missing']} with a package missing",
        bold=True,
    )


def _cuda() -> list[tuple[str, str]]:
    known = facts()
    driver = f"{known.driver.version}, up to CUDA {dotted(known.driver.cuda)}" if known.driver else "none"
    named = [f"{gpu.name}, compute capability {dotted(gpu.capability)}" for gpu in known.driver.gpus] if known.driver else []
    built = dotted(known.torch_cuda) if known.torch_cuda else "none"
    providers = [(f"onnxruntime {name}", " ".join(sorted(links))) for name, links in sorted(known.providers.items())]
    return [
        ("driver", driver),
        *[("GPU", gpu) for gpu in named or ["none"]],
        ("torch's CUDA", built),
        ("libraries", " ".join(sorted(known.libraries)) or "none"),
        *[(name, f"wants {links}") for name, links in providers],
    ]


def _section(writer: "TerminalWriter", title: str, rows: list[tuple[str, str]]) -> None:
    """A heading and aligned rows; long values wrap below."""
    writer.line(title, bold=True)
    width = max((len(name) for name, _ in rows), default=0)
    lines = [(name, _wrapped(value, writer.fullwidth - width - 4)) for name, value in rows]
    for line in columns([("" if number else name, part) for name, parts in lines for number, part in enumerate(parts)]):
        writer.line(f"  {line}")
    writer.line()


def _wrapped(value: str, width: int) -> list[str]:
    return textwrap.wrap(value, max(width, 20), break_long_words=False, break_on_hyphens=False)
