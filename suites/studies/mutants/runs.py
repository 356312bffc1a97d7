"""A process a draw, forked from one that has imported everything: the probe, then the suite with the mutant in it."""

import json
import os
import pickle
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.capability import TOWERS, Array
from fixtures.truth import REFERENCE
from plugins.cells.beside import of_every_kind
from plugins.cells.fixtures import SUBJECTS
from plugins.cells.fresh import drawn
from plugins.subjects import Subjects
from suites.studies.mutants import memory
from suites.studies.mutants.grammar import Draw
from suites.studies.mutants.mutant import VARIABLE

Row = dict[str, Any]
SEED = 20261127  # of E16's inputs, which are the same for all draws: the reference's vectors of them are made once
FEW = 10  # draws that are quicker without preparation
# Never hits; its probe makes all calls, those for call numbers too.
NOTHING = Draw(0, 0, "output", "call number", "zero", "image and text", 0.0, 10**9, "only")
LIMIT_S = 900  # a draw that has not ended by then is counted as found: no merge gets past a run that hangs
BACKEND = "suites.studies.mutants.mutant:Mutant"
SUITES = (
    "suites/embeddings/test_encoder.py",
    "suites/embeddings/test_calls.py",
    "suites/embeddings/test_fresh.py",
    "suites/embeddings/test_cell.py",
    "suites/embeddings/test_left_behind.py",
)
PREPROCESSORS = (REFERENCE, "opencv-area", "opencv-cubic", "script_based")  # whose pixels differ, and that declare no C1
# open_clip imports anyio, a plugin of pytest's whose asserts can then no longer be rewritten.
EARLY = ("--unsupervised", "-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")


def command(precision: str, options: Sequence[str] = ()) -> list[str]:
    """What a user types for the mutant in $MUTANT."""
    cells = (
        f"--backend={BACKEND}",
        f"--precision={precision}",
        f"--preprocessor={','.join(PREPROCESSORS)}",
        "--device=cpu",
        "--benchmark-disable",
        f"--seed={SEED}",
    )
    return [*SUITES, *cells, *options]


def every(draws: Sequence[Draw | int], precision: str, jobs: int, options: Sequence[str] = ()) -> Iterator[Row]:
    """A row a draw, as they end; a number is a sound encoder with fresh inputs of that seed. `jobs` run at once."""
    import torch

    torch.set_num_threads(1)  # a fork lacks its parent's OpenMP threads, and would wait for them forever
    common = prepared(precision) if len(draws) > FEW else Subjects()  # the forks have it then
    import open_clip  # noqa: F401 - and this

    waiting, running = list(draws), dict[int, tuple[Draw | int, Path]]()
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as place:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    draw = waiting.pop(0)
                    folder = Path(tempfile.mkdtemp(dir=place))
                    running[_fork(draw, precision, folder, common, options)] = (draw, folder)
                child, status = os.wait()
                draw, folder = running.pop(child)
                yield row(draw, folder, os.waitstatus_to_exitcode(status))
        finally:
            for child in running:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def row(draw: Draw | int, folder: Path, code: int) -> Row:
    """What became of it. `broken`: promise to the first line that its message has of the fault."""
    found = folder / "found.json"
    result: Row = json.loads(found.read_text()) if found.exists() else {"broken": {}, "effect": None, "shown": None}
    if code < 0:
        result["broken"] = {"ended": f"the process ended with {signal.Signals(-code).name}"}
    elif not found.exists():
        result["broken"] = {"ended": (folder / "output").read_text(errors="replace")[-300:]}
    what = (
        {"draw": asdict(draw), "text": str(draw)} if isinstance(draw, Draw) else {"draw": None, "text": f"sound, seed {draw}"}
    )
    return {**what, "exit": code, **result}


def prepared(precision: str) -> Subjects:
    """What does not depend on a draw, made once: pixels, tokens, and the reference's vectors of all other inputs."""
    common = Subjects()
    for preprocessor in PREPROCESSORS:
        common.pixels(preprocessor)
    for tower in TOWERS:
        for inputs in (of_every_kind(common, tower), drawn(common, tower, SEED)):
            inputs.own_errors(common, precision)
    memory.RESULTS |= _recorded(precision, common)
    return common


def _recorded(precision: str, common: Subjects) -> dict[memory.Key, Array]:
    """The good encoder's results in a run without a fault, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as place:
        folder = Path(place)
        os.waitpid(_fork(NOTHING, precision, folder, common, ()), 0)
        with (folder / "results.pickle").open("rb") as file:
            found: dict[memory.Key, Array] = pickle.load(file)
    return found


def _fork(draw: Draw | int, precision: str, folder: Path, common: Subjects, options: Sequence[str]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        _child(draw, precision, folder, common, options)
    except BaseException:
        (folder / "output").write_text(traceback.format_exc())
    os._exit(97)


def _child(draw: Draw | int, precision: str, folder: Path, common: Subjects, options: Sequence[str]) -> None:
    output = os.open(folder / "output", os.O_RDWR | os.O_CREAT)
    for number in (1, 2):
        os.dup2(output, number)
    signal.alarm(LIMIT_S)
    os.chdir(ROOT)
    import pytest

    from suites.studies.mutants import mutant, probe

    fault = draw if isinstance(draw, Draw) else None
    effect = probe.largest_effect(common.model, precision, fault) if fault else 0.0
    os.environ[VARIABLE] = json.dumps(asdict(fault)) if fault else ""
    broken = Broken(common)
    sys.argv = ["pytest", *EARLY, f"--report={folder}/report.json", "-q", *command(precision, options)]
    if isinstance(draw, int):
        sys.argv.append(f"--seed={draw}")  # the last one counts
    code = int(pytest.main(sys.argv[1:], plugins=[broken]))
    shown = max([encoder.shown for encoder in mutant.LOADED], default=0.0)
    if fault and fault.where in ("layer", "buffer"):
        shown = effect  # weights: the encoder beside it is changed too; buffers: what was returned changes later
    if draw == NOTHING:
        (folder / "results.pickle").write_bytes(pickle.dumps(memory.RESULTS))
    found = {"broken": broken.promises, "effect": max(effect, shown), "shown": shown}
    (folder / "found.json").write_text(json.dumps(found))
    sys.stdout.flush()
    os._exit(code)


class Broken:
    """A plug-in: which promises failed, and in which words. It gives the run what is prepared already."""

    def __init__(self, common: Subjects) -> None:
        self.common, self.promises = common, dict[str, str]()

    def pytest_configure(self, config: Any) -> None:
        """Before the run makes its own."""
        config.stash[SUBJECTS] = self.common

    def pytest_runtest_logreport(self, report: Any) -> None:
        """The line after the promise's own sentence."""
        if report.failed:
            promise = str(dict(report.user_properties).get("promise", report.when)).split(" ")[0]
            lines = [line for line in report.longreprtext.strip().splitlines() if not line.startswith(("in ", "again: "))]
            self.promises.setdefault(promise, (lines[1:] or lines or [""])[0][:300])
