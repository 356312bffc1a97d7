"""The commands, exactly as a user types them in a folder of their own, and how each is told what is planted."""

import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures import ROOT
from suites.studies.gate_power.commands import outcome
from suites.studies.gate_power.commands.place import PLAIN, Place
from suites.studies.gate_power.commands.rows import (
    AGAINST,
    AGAINST_1,
    ALONE,
    CELLS,
    COMPARE,
    COMPARE_2,
    SELECTION,
    Cell,
)

PYTEST = [sys.executable, "-m", "pytest"]
AGAINST_S, ALONE_S = 4, 2  # seconds for one comparison; ALONE_S is what --benchmark-compare has by default
FIELDS = ("mean", "median", "min")
FILES = [f"--report={outcome.REPORT}", f"--junit-xml={outcome.JUNIT}"]
STORAGE = "storage"  # of the run in progress: a copy, so that a planted slowdown is never a baseline
STORED = f"--benchmark-storage={STORAGE}"
Verdicts = Mapping[str, dict[str, Any]]  # by method


@dataclass(frozen=True)
class Command(ABC):
    """`allowed` is the slowdown that latency.toml allows, None for the repository's own."""

    name: str
    shown: str  # in the table
    allowed: float | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """What decides about alarms, by one run: a row of the table each."""
        return (self.name,)

    @abstractmethod
    def line(self, cell: str, place: Place) -> list[str]:
        """The command for a cell."""

    def prepare(self, cell: str, place: Place) -> None:  # noqa: B027 - a command may need nothing
        """What a user has from before: golden data, a stored run."""

    @abstractmethod
    def start(self, cell: str, place: Place, planted: str) -> tuple[int, str]:
        """Run it with this slowdown planted: exit code and output."""

    def read(self, code: int, said: str, place: Place) -> Verdicts:
        """The verdict of each method. Raises Unexpected."""
        return {self.name: outcome.ours("L4", code, said, place.folder)}

    def after(self, cell: str, place: Place, keep: bool) -> None:  # noqa: B027 - a command may leave nothing
        """`keep`: the run was of equal code and raised no alarm."""


class Against(Command):
    """HEAD has nothing planted, the working tree has it."""

    def line(self, cell: str, place: Place) -> list[str]:
        """As docs/before-a-merge.md has it."""
        known, golden = CELLS[cell], place.golden(CELLS[cell])
        folder = golden if self.allowed is None else place.limits(self.allowed, golden)
        where = [] if folder == ROOT / "golden" else [f"--golden={folder}"]
        few = ["--dataset=few"] if known.pretrained else []
        chosen = ["--backend", f"gate_subject:{known.subject}", "--against", "HEAD", "-k", "test_latency"]
        return [*PYTEST, str(ROOT), *chosen, f"--latency-budget={AGAINST_S}", *_model(known), *few, *where, *FILES]

    def prepare(self, cell: str, place: Place) -> None:
        """Golden data."""
        place.golden(CELLS[cell])

    def start(self, cell: str, place: Place, planted: str) -> tuple[int, str]:
        """Planted in the working tree while it runs."""
        place.plant(planted)
        try:
            return place.run(self.line(cell, place))
        finally:
            place.plant("{}")

    def read(self, code: int, said: str, place: Place) -> Verdicts:
        """A2."""
        return {self.name: outcome.ours("A2", code, said, place.folder)}


class Compare(Command):
    """With a history: what an earlier command of the campaign stored."""

    def line(self, cell: str, place: Place) -> list[str]:
        """As docs/latency-history.md has it."""
        known = CELLS[cell]
        where = [] if self.allowed is None else [f"--golden={place.limits(self.allowed, ROOT / 'golden')}"]
        chosen = ["--backend", f"gate_subject:{known.subject}", *_model(known)]
        return [*PYTEST, str(ROOT / "suites/latency/test_history.py"), *chosen, *where, *FILES, STORED]

    def kept(self, cell: str, place: Place) -> Path:
        """The history of equal code."""
        return place.folder / "history" / self.name / cell

    def prepare(self, cell: str, place: Place) -> None:
        """A first stored run, and a copy of the history."""
        kept, copy = self.kept(cell, place), place.folder / STORAGE
        shutil.rmtree(copy, ignore_errors=True)
        if not kept.exists():
            line = [*self.line(cell, place), "--benchmark-autosave"]
            code, said = place.run(line, GATE_PLANTED="{}", **_variables(cell))
            if code not in outcome.CODES or not copy.exists():
                raise outcome.Unexpected(outcome.sentence(f"{' '.join(line)} ended with {code}", said))
            self.after(cell, place, keep=True)
        shutil.copytree(kept, copy)

    def start(self, cell: str, place: Place, planted: str) -> tuple[int, str]:
        """Planted by a variable."""
        return place.run([*self.line(cell, place), "--benchmark-compare"], GATE_PLANTED=planted, **_variables(cell))

    def after(self, cell: str, place: Place, keep: bool) -> None:
        """The copy becomes the history, or is forgotten."""
        kept, copy = self.kept(cell, place), place.folder / STORAGE
        if keep:
            shutil.rmtree(kept, ignore_errors=True)
            kept.parent.mkdir(parents=True, exist_ok=True)
            copy.rename(kept)
        else:
            shutil.rmtree(copy)


class Selection(Compare):
    """Backends of the suite that run on any CPU; nothing is planted."""

    def line(self, cell: str, place: Place) -> list[str]:
        """6 encoders with two towers each."""
        chosen = ["--backend", "torch-eager,onnxruntime,transformers", "--precision", "fp32,bf16,int8", "--device", "cpu"]
        return [*PYTEST, str(ROOT / "suites/latency/test_history.py"), *chosen, *FILES, STORED]


class Alone(Compare):
    """pytest-benchmark without this suite; one run decides by each of FIELDS."""

    @property
    def methods(self) -> tuple[str, ...]:
        """As they are typed."""
        return tuple(f"{field}:5%" for field in FIELDS)

    def line(self, cell: str, place: Place) -> list[str]:
        """With the budget of --benchmark-compare."""
        return [*PYTEST, PLAIN, f"--benchmark-max-time={ALONE_S}", "--benchmark-autosave", STORED]

    def start(self, cell: str, place: Place, planted: str) -> tuple[int, str]:
        """The same, compared."""
        asked = ["--benchmark-compare", "--benchmark-compare-fail", *self.methods]  # one option: of several, the last holds
        return place.run([*self.line(cell, place), *asked], GATE_PLANTED=planted, **_variables(cell))

    def read(self, code: int, said: str, place: Place) -> Verdicts:
        """What it prints for each field."""
        return {f"{field}:5%": verdict for field, verdict in outcome.alone(FIELDS, code, said, place.folder / STORAGE).items()}


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Against(AGAINST, f"`--against HEAD --latency-budget={AGAINST_S}`"),
        Against(AGAINST_1, f"`--against HEAD --latency-budget={AGAINST_S}`, 1 % allowed", 0.01),
        Compare(COMPARE, "`--benchmark-compare`"),
        Compare(COMPARE_2, "`--benchmark-compare`, 2 % allowed", 0.02),
        Selection(SELECTION, "`--benchmark-compare`, 12 comparisons"),
        Alone(ALONE, f"pytest-benchmark alone, {ALONE_S} s"),
    )
}


def _model(cell: Cell) -> list[str]:
    return [f"--model={cell.model}", f"--pretrained={cell.pretrained}"] if cell.pretrained else []


def _variables(cell: str) -> dict[str, str]:
    known = CELLS.get(cell)
    return {"GATE_CELL": f"{known.subject} {known.model} {known.pretrained}"} if known else {}
