"""The study's page: one table of decoders, one of resizers, one of both on photographs, one of whole preprocessors."""

from collections.abc import Mapping
from typing import Any

from plugins.report.layout import table
from suites.studies.preprocessors.files import CAMERA, JPEG, PNG
from suites.studies.preprocessors.measure import judged

FILES = (PNG, JPEG, CAMERA)
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
        f"{found['photographs']} scenes, enlarged to 12 megapixels, with noise. Decoders with equal pixels share a row.",
        "",
        _pairs(found["pairs"]),
    ]
    if found["missing"]:
        lines += ["## Not here", "", table(("", "reason"), sorted(found["missing"].items()))]
    return "\n".join(lines)


def _whole(rows: list[Row]) -> str:
    head = ("", *FILES, "÷ fastest decoder alone: PNG, JPEG", "data set, mean", "drift", "recall", "")
    beside = [" ".join(f"{r['decoders'][f]['ratio']:.2f}" for f in (PNG, JPEG) if f in r["decoders"]) for r in rows]
    return table(
        head,
        [
            (
                r["name"],
                *(times(r["times"].get(f)) for f in FILES),
                b,
                small(r["quality"]["mean_abs"]),
                small(r["quality"]["drift"]),
                recall(r["quality"]),
                judged(r["quality"]),
            )
            for r, b in zip(rows, beside, strict=True)
        ],
    )


def _decoders(rows: list[Row]) -> str:
    head = ("", *FILES, "pixels", "")
    return table(head, [(r["name"], *(times(r["times"].get(f)) for f in FILES), r["group"], r["about"]) for r in rows])


def _resizers(rows: list[Row]) -> str:
    head = ("", *FILES, *(f"mean, {f}" for f in FILES), "data set, mean", "max", "drift", "recall", "", "")
    return table(
        head,
        [
            (
                r["name"],
                *(times(r["times"].get(f)) for f in FILES),
                *(small(r["mean_abs"][f]) for f in FILES),
                small(r["quality"]["mean_abs"]),
                small(r["quality"]["max_abs"]),
                small(r["quality"]["drift"]),
                recall(r["quality"]),
                judged(r["quality"]),
                r["about"],
            )
            for r in rows
        ],
    )


def _pairs(rows: list[Row]) -> str:
    head = ("decoder", "resizer", "faster", "mean", "max", "drift", "recall", "")
    return table(
        head,
        [
            (
                ", ".join(r["decoders"]),
                r["resizer"],
                ", ".join(f"{value:.1f}×" for value in r["faster"]),
                small(r["quality"]["mean_abs"]),
                small(r["quality"]["max_abs"]),
                small(r["quality"]["drift"]),
                recall(r["quality"]),
                judged(r["quality"]),
            )
            for r in rows
        ],
    )
