"""The answer about a corpus, from all parts: the form of corpus.json, and the table on the terminal."""

from typing import NotRequired

from typing_extensions import TypedDict

from plugins.corpus.found import Cell, Found, Names
from plugins.measures.corpus.answers import Firsts, Share, share
from plugins.measures.corpus.distribution import RELATIVE_ERROR, Quantiles
from plugins.measures.vectors.mixtures import MIXTURES, PURE, Class, Mixture, class_of
from plugins.measures.vectors.recall import Flips
from plugins.measures.vectors.same_answers import FEWEST, stay
from plugins.report.layout import columns

MIXED: Mixture = ("golden", "cell")  # the index that people have, and the cell's queries
MEANING: dict[Mixture, str] = {
    MIXED: "old index, this cell's queries",
    ("cell", "golden"): "this cell's index, old queries",
    PURE: "this cell's index and queries",
}
HEADER = ("cell", "class", "median", "p99", "p99.9", "max", "flips", "moved", "failed")


class Counted(TypedDict):
    """A number of images, and the names of the first."""

    count: int
    first: list[str]


class Worst(TypedDict):
    """An image with a large drift."""

    image: str
    place: int  # in the corpus
    cosine_distance: float


CellAnswer = TypedDict(
    "CellAnswer",
    {
        "id": str,
        "class": Class,
        "cosine_distance": NotRequired[Quantiles],  # absent if no vector is finite
        "beyond_round_off": int,
        "flips": dict[str, Share],  # first answers that change, by mixture
        "moved": Counted,
        "failed": Counted,
        "worst": list[Worst],
    },
)


class Answer(TypedDict):
    """The same for any engine, number of workers and kills."""

    images: int
    compared: int
    unreadable: Counted
    missing: Counted  # images without a stored vector
    queries: int
    round_off: float
    quantiles_within: float
    processors: list[str]
    cells: list[CellAnswer]


def answer(found: Found, images: int, round_off: float) -> Answer:
    """The answer of `images` images, from all parts merged."""
    golden = found.answers
    return {
        "images": images,
        "compared": found.compared,
        "unreadable": _counted(found.unreadable),
        "missing": _counted(found.missing),
        "queries": 0 if golden is None else int((golden.places >= 0).sum()),
        "round_off": round_off,
        "quantiles_within": RELATIVE_ERROR,
        "processors": sorted(found.processors),
        "cells": [_cell(name, cell, golden, found.compared) for name, cell in found.cells.items()],
    }


def _cell(name: str, cell: Cell, golden: Firsts | None, compared: int) -> CellAnswer:
    flips = {mixture: changed for mixture in MIXTURES if (changed := _flips(cell, golden, mixture))}

    def kept(mixture: Mixture) -> bool:
        return Flips(*cell.hits[mixture], compared).kept

    def same(mixture: Mixture) -> bool:
        changed = flips.get(mixture)
        return changed is None or stay(changed["n"] - changed["changed"], changed["n"])

    fewest = min([compared, *(changed["n"] for changed in flips.values())])
    row: CellAnswer = {
        "id": name,
        "class": class_of(cell.failed.count == 0 and compared > 0, cell.beyond == 0, kept, same, fewest),
        "beyond_round_off": cell.beyond,
        "flips": {"+".join(mixture): changed for mixture, changed in flips.items()},
        "moved": _counted(cell.moved),
        "failed": _counted(cell.failed),
        "worst": [{"image": image, "place": place, "cosine_distance": -drift} for drift, place, image in cell.worst],
    }
    if quantiles := cell.drift.quantiles:
        row["cosine_distance"] = quantiles
    return row


def _flips(cell: Cell, golden: Firsts | None, mixture: Mixture) -> Share | None:
    """Of the queries that have an answer in the index of wanted vectors; None if there is none."""
    if golden is None or mixture not in cell.answers or not (asked := golden.places >= 0).any():
        return None
    changed = (cell.answers[mixture].places != golden.places)[asked]
    return share(int(changed.sum()), len(changed))


def _counted(names: Names) -> Counted:
    return {"count": names.count, "first": [name for _, name in names.first]}


def good(found: Answer, stored: bool) -> bool:
    """True if every cell's vectors may join the index; of a store, every image's own vector has to be there as well."""
    cells = all(row["class"] in ("identical", "interchangeable") for row in found["cells"])
    whole = not found["missing"]["count"] and not any(row["moved"]["count"] for row in found["cells"])
    return found["compared"] > 0 and cells and (whole or not stored)


def lines(found: Answer) -> list[str]:
    """The table: a line for its head and for each cell; then what could not be compared."""
    counted = [
        ("", found["unreadable"], "cannot be read"),
        ("", found["missing"], "have no stored vector"),
        *((f"{row['id']}: ", row["moved"], "are nearer to another image's vector than to their own") for row in found["cells"]),
        *((f"{row['id']}: ", row["failed"], "have no vector") for row in found["cells"]),
    ]
    notes = [f"{whose}{n['count']} images {what}, such as {n['first'][0]}" for whose, n, what in counted if n["count"]]
    notes += [
        f"{row['id']}: fewer than {FEWEST} images or queries, too few to see a loss"
        for row in found["cells"]
        if row["class"] == "unjudged"
    ]
    if len(found["processors"]) > 1:
        notes.append(f"computed on {len(found['processors'])} kinds of processors: the last digits depend on who computed what")
    return [*columns([HEADER, *(texts(row) for row in found["cells"])], right=range(2, len(HEADER))), *notes]


def texts(row: CellAnswer) -> list[str]:
    """A cell's line of the table."""
    drift, flips = row.get("cosine_distance"), row["flips"].get("+".join(MIXED))
    return [
        row["id"],
        row["class"],
        *(
            [f"{drift['median']:.1e}", f"{drift['p99']:.1e}", f"{drift['p999']:.1e}", f"{drift['max']:.1e}"]
            if drift
            else "----"
        ),
        f"{flips['share']:.1%} [{flips['low']:.1%}, {flips['high']:.1%}]" if flips else "-",
        str(row["moved"]["count"]),
        str(row["failed"]["count"]),
    ]
