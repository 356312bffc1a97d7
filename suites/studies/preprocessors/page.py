"""The study's page: one table of decoders, one of resizers, one of both on photographs, one of whole preprocessors."""

from collections.abc import Mapping
from typing import Any

from plugins.report.layout import table
from suites.studies.preprocessors.files import CAMERA, JPEG, OPAQUE, PNG

FILES = (PNG, OPAQUE, JPEG, CAMERA)
Row = Mapping[str, Any]


def times(found: Mapping[str, Any] | None) -> str:
    """A ratio as times faster, with its interval; empty where it was not measured."""
    return f"{1 / found['ratio']:.2f}× ({1 / found['high']:.2f} to {1 / found['low']:.2f})" if found else ""


def small(value: float) -> str:
    """A difference or a drift."""
    return "0" if value == 0 else f"{value:.1e}"


def recall(found: Row) -> str:
    """Hits lost and won."""
    return f"{found['lost']} lost, {found['won']} won of {found['n']}"


def markdown(found: Mapping[str, Any]) -> str:
    """The whole page."""
    environment = found["environment"]
    lines = [
        "# Preprocessors that people run",
        "",
        f"`{found['command']}`, {environment['cpu']}, {environment['cores']} cores, {found['date']}, {found['commit']}. "
        f"Libraries: {', '.join(f'{name} {version}' for name, version in found['versions'].items())}.",
        "",
        "Every figure is against `original_clip` on the same files: times faster (the median of pairs of blocks in random "
        "order, in one process, with a 95 % interval), differences of normalised pixels, cosine distance of the golden model's "
        "vectors, and hits at rank 1 that queries lose and win. Differences and drift are those of the worst file.",
        "",
        "## Whole: from a file to pixels",
        "",
        _whole(found["wholes"]),
        "## Decoders",
        "",
        "A decoder's time is divided by Pillow's. Equal letters: equal pixels of all photographs.",
        "",
        _decoders(found["decoders"]),
        "## Resizers",
        "",
        f"What Pillow decoded is given in the form that each takes. Data set: {found['scenes']} scenes.",
        "",
        _resizers(found["resizers"]),
        "## Decoder × resizer, on photographs of a camera's size",
        "",
        f"{found['photographs']} scenes, enlarged to 12 megapixels, with noise. One table for decoders of equal pixels: what "
        "the times of a decoder and a resizer add up to, for each decoder, and what the pixels are worth.",
        "",
        _pairs(found["pairs"]),
    ]
    if found["missing"]:
        lines += ["## Not here", "", table(("", "reason"), sorted(found["missing"].items()))]
    return "\n".join(lines)


def _worth(row: Row) -> tuple[str, ...]:
    """Pixels, drift and recall of a gallery, and the verdict."""
    found = row["quality"]
    return (small(found["mean_abs"]), small(found["max_abs"]), small(found["drift"]), recall(found), row["verdict"])


WORTH = ("mean", "max", "drift", "recall", "")


def _whole(rows: list[Row]) -> str:
    def beside(row: Row, file: str) -> str:
        found = row["decoders"][file]
        return f"{found['ratio']:.2f} of {found['decoder']}"

    head = ("", *FILES, *(f"time ÷ decoder, {file}" for file in (PNG, JPEG)), *WORTH)
    return table(
        head,
        [(r["name"], *(times(r["times"][f]) for f in FILES), beside(r, PNG), beside(r, JPEG), *_worth(r)) for r in rows],
    )


def _decoders(rows: list[Row]) -> str:
    head = ("", *FILES, "pixels", "")
    return table(head, [(r["name"], *(times(r["times"].get(f)) for f in FILES), r["group"], r["about"]) for r in rows])


def _resizers(rows: list[Row]) -> str:
    head = ("", *FILES, *(f"mean, {f}" for f in FILES), *(f"{what}, data set" for what in WORTH[:-1]), "", "")
    return table(
        head,
        [
            (
                r["name"],
                *(times(r["times"][f]) for f in FILES),
                *(small(r["differences"][f]["mean_abs"]) for f in FILES),
                *_worth(r),
                r["about"],
            )
            for r in rows
        ],
    )


def _pairs(rows: list[Row]) -> str:
    groups = dict[tuple[str, ...], list[Row]]()
    for row in rows:
        groups.setdefault(tuple(row["faster"]), []).append(row)
    return "\n".join(
        table(
            ("", *decoders, *WORTH),
            [(r["resizer"], *(f"{value:.1f}×" for value in r["faster"].values()), *_worth(r)) for r in own],
        )
        for decoders, own in groups.items()
    )
