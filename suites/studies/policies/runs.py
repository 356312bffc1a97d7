"""One tower of a model: every tool converts its fp32 file, and the judge looks at each result, which is kept."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fixtures.backends._onnx import onnx_files
from fixtures.capability import Tower
from fixtures.policies.policy import Policy
from fixtures.storage.lines import Lines
from fixtures.truth import LARGE, SAMPLE, reference
from plugins.measures.drift.policies.trial import Target
from plugins.subjects import Subjects
from suites.studies.drift.policy_audit import PART
from suites.studies.drift.sampling import Budget, sample
from suites.studies.policies import ours as own
from suites.studies.policies.beside import answer, beats
from suites.studies.policies.judge import Subject, judged, latency
from suites.studies.policies.tools import TOOLS, convert

FEW = 32  # inputs of each kind that a large model is judged on; others are on SAMPLE
AIM = 0.75  # of the largest drift of a tool's file, or the answer may be as good in the largest alone, by chance
PLAIN = "everything in fp16"
Row = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where results are kept: rows in a journal, the tools' files in a folder of the model's."""

    rows: Lines
    files: Path
    limit_s: float  # of each search
    say: Callable[[str], None]


class Run:
    """All rows of one tower."""

    def __init__(self, subjects: Subjects, tower: Tower, place: Place) -> None:
        self.model, self.tower, self.place = subjects.model, tower, place
        folder, _ = onnx_files(self.model, "fp32")
        batch = sample(subjects, tower, FEW if self.model.parameters > LARGE else SAMPLE)
        place.say(f"{tower} tower, golden of {len(batch)} inputs")
        wanted = reference(self.model, batch, tower, lambda steps: steps)
        self.subject = Subject(tower, folder / self.model.onnx_file(tower, "fp32"), batch, wanted)
        self.tried = min(Budget(self.model).tried, len(batch))

    def measured(self) -> dict[str, Any]:
        """The rows, JSON-able: everything in fp16, the tools, and our answers to the budget and to each tool."""
        plain = self._row(PLAIN, lambda: {"seconds": 0.0, "kept": []})
        budget = PART * plain["drift"]["max"]
        tools = [self._row(name, partial(self._converted, name, budget)) for name in TOOLS]
        ours = [plain, self._row("ours, within the budget", partial(self._searched, budget))]
        for row in tools:
            if "failed" not in row and not any(beats(each, row) for each in ours):
                wanted = AIM * row["drift"]["max"]
                ours.append(self._row(f"ours, against {row['tool']}", partial(self._searched, wanted)))
        return {
            "tower": self.tower,
            "inputs": len(self.subject.batch),
            "tried": self.tried,
            "budget": budget,
            "answers": [answer(ours, row) for row in tools if "failed" not in row],
            "rows": [{key: value for key, value in row.items() if key != "distances"} for row in (plain, *tools, *ours[1:])],
        }

    def timed(self, found: dict[str, Any]) -> dict[str, Any]:
        """The same rows with new times."""
        done = (row if "failed" in row else {**row, "latency": latency(self.subject, self._file(row))} for row in found["rows"])
        return {**found, "rows": [*done]}

    def _row(self, name: str, make: Callable[[], Mapping[str, Any]]) -> Row:
        """The row of that name from the journal, or a new one; more time is another chance for a search that failed."""
        key, limit_s = [self.model.weights_sha256, self.tower, name], self.place.limit_s
        lines = [line for line in reversed(self.place.rows.read()) if line["key"] == key]
        usable = (line["row"] for line in lines if "failed" not in line["row"] or line.get("limit_s", limit_s) >= limit_s)
        known: Row | None = next(usable, None)
        if known is None:
            self.place.say(f"{self.tower} tower, {name}")
            known = {"tool": name, **make()}
            if "failed" not in known:
                self.place.say(f"{self.tower} tower, {name}, judging")
                known |= {**judged(self.subject, self._file(known)), "latency": latency(self.subject, self._file(known))}
            self.place.rows.append({"key": key, "limit_s": limit_s, "row": known})
        return known

    def _file(self, row: Row) -> Path:
        """What a row was measured on: a tool's file, or the one that our onnxruntime cells run."""
        if row["tool"] in TOOLS:
            return self.place.files / f"{self.tower}-{TOOLS[row['tool']].name}.onnx"
        policy = Policy("ours", "fp16", tuple(row["kept"]), self.model.weights_sha256) if row["kept"] else None
        return own.converted(self.model, self.tower, policy)

    @cached_property
    def _worst(self) -> npt.NDArray[np.intp]:
        """Rows of the inputs that drift most when everything is in fp16, which all tools are given."""
        drift = self.subject.distances(own.converted(self.model, self.tower, None))
        return np.sort(np.argsort(-drift, kind="stable")[: self.tried])

    @cached_property
    def _backend(self) -> own.RoundingBackend:
        return own.RoundingBackend(self.model, [self.tower])

    def _converted(self, name: str, budget: float) -> Mapping[str, Any]:
        """Have one tool convert the file."""
        self.place.files.mkdir(parents=True, exist_ok=True)
        target = self._file({"tool": name})
        with tempfile.TemporaryDirectory(dir=self.place.files) as inputs:
            given: dict[str, Any] = {self.model.onnx_names(self.tower)[0]: self.subject.batch[self._worst]}
            np.savez(Path(inputs) / "inputs.npz", **given)
            return convert(TOOLS[name], self.subject.exact, target, Path(inputs), budget, self.place.limit_s)

    def _searched(self, budget: float) -> Mapping[str, Any]:
        """Our smallest policy for a budget of drift."""
        names = [str(row) for row in range(len(self.subject.batch))]
        limits = {"cosine_distance": np.full(len(names), budget)}
        target = Target(self.subject.batch, self.subject.wanted, names, limits)
        return own.search(self._backend, self.model, self.tower, target, self.tried, self.place.limit_s, self.place.say)
