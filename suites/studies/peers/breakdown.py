"""`python -m suites.studies.peers.breakdown FILE ARGUMENTS`: a pytest run of ours in one process, and where its seconds go.

Each second counts for the innermost step that the main thread is in.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from fixtures import truth
from plugins.subjects import Subjects
from suites.studies.profile.ledger import Ledger

STEPS = {
    "start": "Python, pytest and the suite are imported, tests are collected",
    "model": "torch and open_clip are imported, the model is loaded",
    "pixels": "images of the data set are decoded and resized",
    "encoder": "the encoder is built, and called until it is steady, in both towers",
    "timed": "the timed calls, and two before them",
    "vectors": "what timed vectors are compared with is computed",
    "rest": "golden data, new inputs, comparisons, the report, pytest's own",
}


class Started:
    """A plug-in that knows when the start is over."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Tests are collected."""
        from plugins.latency.adapter import Stopwatch  # it has hooks: pytest must be the first to import it

        self.ledger.switch("rest")
        Stopwatch.__call__ = self.ledger.within("timed", Stopwatch.__call__)  # type: ignore[method-assign]


def watch(ledger: Ledger) -> None:
    """Let the ledger see each step."""
    model: Any = vars(Subjects)["model"]  # a cached property
    model.func = ledger.within("model", model.func)
    steps: tuple[tuple[Any, str, str], ...] = (
        (Subjects, "pixels", "pixels"),
        (Subjects, "first_pixels", "pixels"),
        (Subjects, "_load", "encoder"),
        (truth, "reference", "vectors"),
    )
    for owner, name, step in steps:
        setattr(owner, name, ledger.within(step, getattr(owner, name)))


def main(arguments: Sequence[str]) -> int:
    """pytest's exit code."""
    ledger = Ledger("start", psutil.Process().create_time())
    watch(ledger)
    code = int(pytest.main(["--unsupervised", *arguments[1:]], plugins=[Started(ledger)]))
    ledger.end()
    Path(arguments[0]).write_text(json.dumps({step: ledger.seconds[step] for step in STEPS}))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
