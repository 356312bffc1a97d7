"""One run of the study: what is measured of whom, kept piece by piece so that an interrupted run goes on where it was."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fixtures.cell_names import Key, short
from fixtures.errors import BadInput, Unavailable
from fixtures.models import load_model
from fixtures.storage.lines import Lines
from plugins.cells.given_back import BuildFailed, CannotRun
from plugins.golden.verified import Golden
from plugins.subjects import Subjects
from suites.studies.serving import probabilities
from suites.studies.serving.documents import Subject, pool, subject
from suites.studies.serving.indexing import indexed
from suites.studies.serving.load import CLIENTS, loaded
from suites.studies.serving.note import LARGE, Note, of_starts

SECTIONS = ("indexing", "load", "probabilities", "claims")


@dataclass(frozen=True)
class Effort:
    """How much is measured; seconds are about so many."""

    documents: int  # different ones of a tower
    sizes: Sequence[int]  # client batches
    indexing_s: float  # a batch size
    clients: Sequence[int]
    load_s: float  # a rate
    starts: int  # new processes
    claim_s: float  # two sides of a claim
    whole: bool  # the claims are judged on the note's own model, and the last one too


FULL = Effort(200, (1, 10, 50, 100), 1.5, CLIENTS, 1.0, 6, 3.0, True)
QUICK = Effort(20, (1, 10), 0.3, (1, 4), 0.3, 1, 0.3, False)


class Kept:
    """Finished pieces by key, in a file."""

    def __init__(self, path: Path) -> None:
        self.lines = Lines(path)
        self.known: dict[str, Any] = {line["key"]: line["found"] for line in self.lines.read()}

    def put(self, key: str, found: Any) -> None:
        """Keep a piece, in the form that JSON gives back."""
        self.known[key] = json.loads(json.dumps(found))
        self.lines.append({"key": key, "found": self.known[key]})

    def forget(self) -> None:
        """The run is over."""
        self.lines.path.unlink(missing_ok=True)


class Run:
    """Measures, and remembers who was left out."""

    def __init__(
        self,
        subjects: Subjects,
        golden: Golden,
        effort: Effort,
        on_time_ms: float,
        device: str,
        kept: Kept,
        step: Callable[[str], None],
    ) -> None:
        self.subjects, self.golden, self.effort, self.on_time_ms = subjects, golden, effort, on_time_ms
        self.device, self.kept, self.step = device, kept, step
        self.left_out: list[dict[str, Any]] = []
        self._settings = json.dumps([subjects.model_id, str(subjects.dataset_folder), on_time_ms, device, asdict(effort)])

    def piece(self, section: str, name: str) -> Any:
        """A finished piece, or None."""
        return self.kept.known.get(self._key(section, name))

    def _key(self, section: str, name: str) -> str:
        return f"{section} {name} {self._settings}"

    def once(self, section: str, name: str, measure: Callable[[], Any]) -> None:
        """Measure a piece that is not kept. Whatever goes wrong is a reason in `left_out`, and the others go on."""
        if self.piece(section, name) is not None:
            return
        try:
            self.kept.put(self._key(section, name), measure())
        except BadInput:
            raise
        except Unavailable as reason:
            self._without(section, name, str(reason), failed=False)
        except Exception as error:
            self._without(section, name, f"{type(error).__name__}: {error}", failed=True)

    def _without(self, section: str, name: str, reason: str, failed: bool) -> None:
        self.left_out.append({"subject": name, "section": section, "reason": " ".join(reason.split()), "failed": failed})

    def of_subject(self, key: Key, sections: Sequence[str]) -> None:
        """All sections of a cell or a service, which is opened once, and not at all if everything is kept."""
        name = short(key)
        if all(self.piece(section, name) is not None for section in sections):
            return
        self.step(f"opening {name}")
        try:
            one = subject(key, self.subjects, self.golden)
        except (CannotRun, BuildFailed) as reason:
            self._without(", ".join(sections), name, str(reason), failed=isinstance(reason, BuildFailed))
            return
        try:
            for section in sections:
                self.once(section, name, partial(self._measured, section, one))
        finally:
            one.close()

    def _measured(self, section: str, one: Subject) -> Any:
        effort = self.effort
        if section == "probabilities":
            return probabilities.answered(one, self.subjects, self.golden)
        pools = {tower: pool(self.subjects, tower, effort.documents, one.takes) for tower in one.towers}
        if section == "load":
            return [*loaded(one, pools, effort.clients, effort.load_s, self.on_time_ms / 1e3, self.step)]
        return indexed(one, pools, self.subjects.dataset.folder / "images", effort.sizes, effort.indexing_s, self.step)

    def claims(self) -> dict[str, Any]:
        """The serving note's claims, with the new processes that some of them are about."""
        images = pool(self.subjects, "image", self.effort.documents)
        self.step("claims: loading the model")
        model = load_model(*LARGE) if self.effort.whole else self.subjects.model
        note = Note(model, self.device, images.paths(self.subjects), self.effort.claim_s)
        pieces: dict[str, Callable[[], Any]] = {
            "new processes": lambda: note.starts(self.effort.starts, self.step),
            "labels": lambda: [*note.labels(self.step)],
            "fp16": lambda: [*note.half(self.step)],
            "models": lambda: [*note.models(self.step, self.effort.whole)],
        }
        for name, measure in pieces.items():
            self.once("claims", name, measure)
        starts = self.piece("claims", "new processes") or []
        rows = of_starts(starts) if starts else []
        for name in ("labels", "fp16", "models"):
            rows += self.piece("claims", name) or []
        return {"model": model.id, "device": self.device, "rows": rows, "starts": starts}
