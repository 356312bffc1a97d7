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
    """One sentence; the encoders that it does not count, by name with the reason; and how many cells had which verdict."""

    sentence: str
    bad: dict[str, str]
    cells: str
    head: str = ""  # of the list of these encoders


def answer(rows: Sequence[Row]) -> Answer:
    """What a report says, in short. An encoder fails the others' index by the cell with the reference's preprocessor."""
    standing = {name: shown(own) for name, own in by_encoder(rows).items()}
    ran = {name: row for name, row in standing.items() if row["verdict"] != "skipped"}
    classed = any("class" in row for row in rows)
    bad = {name: row for name, row in ran.items() if not _may(row, classed)}
    may = "may stand beside your index" if classed else "keep every promise that was judged"
    counts = Counter(row["verdict"] for row in rows)
    cells = f"{len(rows)} cells: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common()) + "."
    if not ran:
        return Answer("No encoder ran.", {}, cells)
    encoders = "encoder" if len(ran) == 1 else "encoders"
    worst = sorted(bad.items(), key=lambda entry: entry[1]["verdict"] != "fail")
    sentence = f"{len(ran) - len(bad)} of {len(ran)} {encoders} {may}."
    unknown = any(row["verdict"] != "fail" and row.get("class", "unjudged") == "unjudged" for row in bad.values())
    head = f"These may not{', or were not judged' if unknown else ''}:" if classed else "These do not:"
    return Answer(sentence, {name: _why(row) for name, row in worst}, cells, head)


def _may(row: Row, classed: bool) -> bool:
    """`classed`: the report has classes, so that an encoder without one was not judged."""
    beside = row["class"] in BESIDE if "class" in row else not classed
    return row["verdict"] != "fail" and not VECTORS & {*row["broken_promises"]} and beside


def _why(row: Row) -> str:
    if row["verdict"] == "fail":
        return str(row["reason"])
    if VECTORS & {*row["broken_promises"]}:
        return f"declares to break {', '.join(row['broken_promises'])}: {row['reason']}"
    if "class" not in row:
        return "its class was not measured"
    few = ": too few images or texts to see a loss" if row["class"] == "unjudged" else ""
    return f"class {row['class']}{few}"


def grouped(reasons: Sequence[tuple[str, Row]]) -> list[tuple[str, list[str]]]:
    """Reasons, each with the ids of its cells, the most frequent first. A reason may begin with its own cell's id."""
    found: dict[str, list[str]] = {}
    for reason, row in reasons:
        own = f"{row['id'].removesuffix('-' + row['device']).removesuffix('-' + row.get('preprocessor', ''))}-{row['device']}: "
        found.setdefault(reason.removeprefix(own), []).append(row["id"])
    return sorted(found.items(), key=lambda entry: -len(entry[1]))
