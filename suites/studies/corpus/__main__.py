"""`python -m suites.studies.corpus` (make corpus-proof): 20,000 scenes, a worker and a whole run killed midway, one answer.

--evidence writes golden/evidence/corpus.{json,md}. Needs npm for the things that scenes show, and the extra `corpus`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.datasets.scenes.sprites import fetch
from fixtures.progress import say
from plugins.command_line.program import Parser, code_of
from plugins.corpus import engine
from plugins.report.layout import table
from suites.studies import evidence
from suites.studies.corpus import made, runs

TARGET = ROOT / "golden" / "evidence" / "corpus.json"
CELLS = "torch-eager-bf16,onnxruntime-int8"
PART = 256


def main(typed: Sequence[str] | None = None) -> int:
    """0 if every run has the same answer, 1 if not, 4 for bad input."""
    parser = Parser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=20_000, help="drawn once, and kept [%(default)s]")
    parser.add_argument("--workers", type=int, default=2, help="on Ray [%(default)s]")
    parser.add_argument("--cells", default=CELLS, help="[%(default)s]")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "corpus", help="[.cache/corpus]")
    parser.add_argument("--evidence", action="store_true", help="write golden/evidence/corpus.{json,md}")
    asked = parser.parse_args(typed)
    return code_of(lambda: _study(asked), "nothing was written")


def _study(asked: argparse.Namespace) -> int:
    engine.ray()
    stamp = evidence.stamp()
    cache = asked.cache.absolute()
    folder = cache / f"scenes-{asked.scenes}"
    made.scenes(folder, asked.scenes, fetch(cache))
    model = made.checkpoint(cache / "tiny-clip")
    found = {
        "schema": 1,
        "command": f"make corpus-proof ARGS='--scenes {asked.scenes} --workers {asked.workers} --evidence'",
        **stamp,
        "scenes": asked.scenes,
        "part": PART,
        **_all(asked, [str(folder), f"--cells={asked.cells}", f"--model={model}", f"--part={PART}"], cache / "runs"),
    }
    text = page(found)
    print(text)
    if asked.evidence:
        evidence.write(TARGET, found, text)
    return 0 if found["equal"] else 1


def _all(asked: argparse.Namespace, arguments: list[str], place: Path) -> dict[str, Any]:
    count = -(-asked.scenes // PART)
    ray = [*arguments, f"--workers={asked.workers}"]
    rows: dict[str, dict[str, Any]] = {}

    def one(name: str, options: list[str], out: Path, kill: runs.Kill | None = None) -> None:
        rows[name] = runs.run(options, out, count, kill)
        say(f"{name}: {rows[name]['seconds']} s")

    one("one process", [*arguments, "--workers=0"], runs.fresh(place / "alone"))
    one("a worker killed", ray, runs.fresh(place / "worker"), runs.worker)
    one("all killed", ray, runs.fresh(place / "all"), runs.everything)
    one("started again", ray, place / "all")
    answers = [rows[name].pop("answer", None) for name in ("one process", "a worker killed", "started again")]
    killed = rows["a worker killed"]["ended"] == 1 and rows["all killed"]["exit"] < 0 < rows["started again"]["parts_before"]
    return {
        "runs": rows,
        "equal": killed and answers[0] is not None and all(each == answers[0] for each in answers),
        "answer": answers[0],
    }


def page(found: dict[str, Any]) -> str:
    """The evidence as Markdown."""
    answer = found["answer"]
    rows = [
        (
            name,
            f"{row['seconds']:.0f}",
            str(row["parts_before"]),
            str(row.get("parts_at_the_kill", "-")),
            str(row.get("ended", "-")),
            str(row["exit"]),
        )
        for name, row in found["runs"].items()
    ]
    cells = [
        (
            row["id"].removeprefix(f"{row['id'].split('-torch-')[0].split('-onnx')[0]}-"),
            row["class"],
            *(f"{row['cosine_distance'][name]:.3g}" for name in ("median", "p99", "p999", "max")),
            *(f"{share['share']:.2%} [{share['low']:.2%}, {share['high']:.2%}]" for share in row["flips"].values()),
        )
        for row in answer["cells"]
    ]
    verdict = "the same, to the last digit" if found["equal"] else "NOT the same"
    head = ("cell", "class", "median", "p99", "p99.9", "max", *(f"flips {name}" for name in answer["cells"][0]["flips"]))
    return "\n".join(
        [
            "# A corpus, killed midway",
            "",
            f"{answer['compared']} of {found['scenes']} drawn scenes, parts of {found['part']}. `{found['command']}`, "
            f"{found['date'][:10]}, commit {found['commit']}, {found['environment']['cpu']}, "
            f"{found['environment']['cores']} cores.",
            "",
            f"The answers of all runs that ended are {verdict}.",
            "",
            table(("run", "seconds", "parts before", "parts at the kill", "processes killed", "exit"), rows),
            "The model is a small CLIP with random weights: the figures show that runs agree, not how good a cell is.",
            f"Quantiles are within {answer['quantiles_within']:.1%} of the exact ones; flips are of {answer['queries']} "
            "queries, with the exact 95 % interval (Clopper and Pearson); golden+cell: old index, this cell's queries.",
            "",
            table(head, cells),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
