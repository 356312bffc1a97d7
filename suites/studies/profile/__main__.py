"""`python -m suites.studies.profile` (make profile): where the seconds of a run go, start, load, export, forward, decode …

Arguments are pytest's; --evidence writes golden/evidence/profile.{json,md} too. The run has one process: its times are whole.
"""

import sys
from collections import defaultdict
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from typing import Any

import psutil
import pytest

from fixtures import ROOT, truth
from fixtures.capability import Encoder
from fixtures.registry import preprocessors
from plugins import subjects
from plugins.report.layout import table
from plugins.subjects import LoadedEncoder, Subjects
from suites.studies.profile.ledger import KINDS, Ledger

MOST = 12  # test functions that the page names
TARGET = ROOT / "golden" / "evidence" / "profile.json"


class Phases:
    """A plug-in that keeps the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.tests = ledger, 0
        self.own: defaultdict[str, float] = defaultdict(float)  # seconds by test function

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The start is over."""
        self.tests = len(session.items)
        self.ledger.switch("own")
        for each in preprocessors().values():
            for stage in ("decode", "transform"):
                setattr(each, stage, self.ledger.within("decode", getattr(each, stage)))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """A timed test is measuring from its first line to its last; what it builds is loading all the same."""
        before = self.ledger.so_far("own")
        with self.ledger.span("measuring" if item.get_closest_marker("alone") else "own"):
            found = yield
        self.own[getattr(item, "originalname", item.name)] += self.ledger.so_far("own") - before
        return found


def watch(ledger: Ledger) -> None:
    """Let the ledger see what loads and what encodes."""
    load = Subjects._load

    def loading(self: Subjects, *args: Any) -> LoadedEncoder:
        with ledger.span("load"):
            found = load(self, *args)
            ledger.move(found.encoder.build_s or 0.0, into="export")
            return found

    Subjects._load = loading  # type: ignore[method-assign, assignment]
    for module, name in ((subjects, "load_model"), (truth, "eager")):
        setattr(module, name, ledger.within("load", getattr(module, name)))
    Encoder.encode = ledger.within("forward", Encoder.encode)  # type: ignore[method-assign]
    Future.result = ledger.within("forward", Future.result)  # type: ignore[method-assign]  # what other threads encode


def page(found: dict[str, Any]) -> str:
    """The table, as Markdown."""
    total = sum(found["seconds"].values())
    rows = [(kind, f"{s:.1f}", f"{s / total:.1%}", KINDS[kind]) for kind, s in found["seconds"].items()]
    lines = [
        "# Where the seconds of a run go",
        "",
        f"`{found['command']}`: {found['tests']} tests in {total:.0f} s, on {found['environment']['cores']} cores "
        f"({found['environment']['cpu']}), {found['date']}, {found['commit']}.",
        "",
        table(("", "seconds", "share", ""), rows),
        "",
        f"The suite's own seconds, by test function, the {MOST} with most of them:",
        "",
        table(("test", "seconds"), [(name, f"{s:.1f}") for name, s in found["own_seconds"].items()][:MOST]),
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """pytest's exit code."""
    asked = [argument for argument in arguments if argument != "--evidence"]
    ledger = Ledger("start", psutil.Process().create_time())
    watch(ledger)
    phases = Phases(ledger)
    code = int(pytest.main(["--unsupervised", *asked], plugins=[phases]))
    seconds = ledger.end()

    from suites.studies import evidence  # it imports modules with hooks, which pytest must be the first to import

    found = {
        "schema": 1,
        "command": " ".join(["make profile", *([f"ARGS='{' '.join(asked)}'"] if asked else [])]),
        **evidence.stamp(),
        "tests": phases.tests,
        "seconds": seconds,
        "own_seconds": dict(sorted(phases.own.items(), key=lambda entry: -entry[1])),
    }
    print(page(found))
    if len(asked) < len(arguments):
        evidence.write(TARGET, found, page(found))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
