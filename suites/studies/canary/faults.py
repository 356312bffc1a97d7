"""Which faults a canary sees: those of mutants.md that the whole suite finds, and others that nobody has looked at."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fixtures import ROOT
from fixtures.truth import REFERENCE
from plugins.canary.check import Verdict, check
from plugins.canary.kit import write
from plugins.golden.verified import load_golden
from plugins.subjects import Subjects
from suites.studies.canary.service import Paced, functions
from suites.studies.mutants.grammar import Draw, draw
from suites.studies.mutants.mutant import mutated
from suites.studies.mutants.page import is_fault
from suites.studies.mutants.probe import largest_effect

MUTANTS = ROOT / "golden" / "evidence" / "mutants.json"
PRECISION = "fp32"  # of the mutants
FRESH_SEED = 20261130  # of no campaign
Row = dict[str, Any]


class Way(NamedTuple):
    """How a service is asked, and how fast it is."""

    lists: bool
    image_s: float
    text_s: float
    seconds: float


# Fast: the default model on one core; slow: ViT-B/32 on one.
WAYS = {
    "one by one": Way(False, 0.010, 0.004, 0.9),
    "in lists too": Way(True, 0.010, 0.004, 0.9),
    "slow, one by one": Way(False, 0.050, 0.025, 0.9),
    "slow, in lists too": Way(True, 0.050, 0.025, 0.9),
    "in lists too, for 9 s": Way(True, 0.010, 0.004, 9.0),
}
LONG = "in lists too, for 9 s"
BEGIN_WITH = {"in lists too": "one by one", "slow, in lists too": "slow, one by one", LONG: "in lists too"}


class Faults:
    """Asks mutants of the default model by a kit for it."""

    def __init__(self, subjects: Subjects, place: Path) -> None:
        self.subjects, self.kit = subjects, place / "kit"
        write(subjects, load_golden(subjects), PRECISION, REFERENCE, self.kit)

    def seen(self, fault: Draw) -> dict[str, bool]:
        """In each way. What a check sees counts for those that make the same calls first, and then more."""
        found: dict[str, bool] = {}
        for name, way in WAYS.items():
            found[name] = found.get(BEGIN_WITH.get(name, ""), False) or not self._verdict(fault, way)
        return found

    def calls(self) -> dict[str, int]:
        """How many a sound service gets in each way."""
        sound = Draw(0, 0, "output", "call number", "zero", "image and text", 0.0, 10**9, "only")
        return {name: self._verdict(sound, way).calls for name, way in WAYS.items()}

    def _verdict(self, fault: Draw, way: Way) -> Verdict:
        faulty = mutated(self.subjects.model, PRECISION, "cpu", fault)
        service = Paced(functions(self.subjects.model, faulty), way.image_s, way.text_s)
        images, texts = service.many if way.lists else (None, None)
        return check(*service.one, images, texts, self.kit, seconds=way.seconds, clock=service.clock)


def known(draws: int | None) -> list[Draw]:
    """The faults of mutants.md that the whole suite finds."""
    part = json.loads(MUTANTS.read_text(encoding="utf-8"))["precisions"][PRECISION]
    found = [row for row in part["rows"] if row["draw"] and row["broken"] and is_fault(row, PRECISION)]
    return [Draw(**row["draw"]) for row in found[:draws]]


def fresh(subjects: Subjects, draws: int) -> Iterator[Draw]:
    """The faults among the first draws of a seed that no choice of the kit has seen. The suite is not asked for these: it finds
    98 of 100."""
    for number in range(draws):
        one = draw(FRESH_SEED, number)
        if is_fault({"effect": largest_effect(subjects.model, PRECISION, one), "broken": {}}, PRECISION):
            yield one
