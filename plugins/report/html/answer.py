"""What the page says first: which encoders may stand beside the index, and why the others may not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plugins.report.encoders import by_encoder, shown

Row = dict[str, Any]
BESIDE = ("identical", "interchangeable")  # classes whose vectors may share an index with golden's
VECTORS = {"C1", "C2", "E2", "E3", "E5", "R1", "R2"}  # promises on the vectors themselves: a declared failure of these counts


@dataclass(frozen=True)
class Answer:
    """One sentence; the encoders that may not, by name with the reason; and how many cells had which verdict."""

    sentence: str
    bad: dict[str, str]
    cells: str


def answer(rows: Sequence[Row]) -> Answer:
    """What a report says, in short. An encoder fails the others' index by the cell with the reference's preprocessor."""
    standing = {name: shown(own) for name, own in by_encoder(rows).items()}
    ran = {name: row for name, row in standing.items() if row["verdict"] != "skipped"}
    bad = {name: row for name, row in ran.items() if not _may(row)}
    may = "may stand beside your index" if any("class" in row for row in rows) else "keep every promise that was judged"
    counts = Counter(row["verdict"] for row in rows)
    cells = f"{len(rows)} cells: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common()) + "."
    if not ran:
        return Answer("No encoder ran.", {}, cells)
    encoders = "encoder" if len(ran) == 1 else "encoders"
    worst = sorted(bad.items(), key=lambda entry: entry[1]["verdict"] != "fail")
    return Answer(f"{len(ran) - len(bad)} of {len(ran)} {encoders} {may}.", {name: _why(row) for name, row in worst}, cells)


def _may(row: Row) -> bool:
    of_vectors = VECTORS & {*row["broken_promises"]}
    return row["verdict"] != "fail" and not of_vectors and row.get("class", BESIDE[0]) in BESIDE


def _why(row: Row) -> str:
    kind = f"declares to break {', '.join(row['broken_promises'])}: " if row["verdict"] == "expected-failure" else ""
    few = ": too few images or texts to see a loss" if row.get("class") == "unjudged" else ""
    return kind + (f"class {row['class']}{few}" if row["verdict"] == "pass" else row["reason"])


def grouped(reasons: Sequence[tuple[str, Row]]) -> list[tuple[str, list[str]]]:
    """Reasons, each with the ids of its cells, the most frequent first. A reason may begin with its own cell's id."""
    found: dict[str, list[str]] = {}
    for reason, row in reasons:
        own = f"{row['id'].removesuffix('-' + row['device']).removesuffix('-' + row.get('preprocessor', ''))}-{row['device']}: "
        found.setdefault(reason.removeprefix(own), []).append(row["id"])
    return sorted(found.items(), key=lambda entry: -len(entry[1]))
