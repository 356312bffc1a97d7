"""The page golden/evidence/geometry.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.report.layout import table
from suites.studies.geometry.published import ROWS, UNKNOWN

Figures = Mapping[str, Any]
HOW = """\
{scenes} images and {queries} texts of the data set `{name}`, embedded by torch eager in fp32. Margins: a vector's nearest other
and the next; a text's first and second image. Near: within the published range or 20 % of it."""
STREAM = """\
The residual stream after each block, in fp32, without padding after end-of-text, on {images} images and {texts} texts. Beyond:
values above 255.9, whose squares a norm in fp16 cannot sum; 65,504 itself must not be reached. Outliers: channels whose median
magnitude is over 6 times the median of all. Trained models have values of more than 100 and about 1,000 times the median, in
few fixed channels, at one or two tokens, from an early block to a late one (Sun et al. 2024, arXiv:2402.17762, CLIP among
them)."""


def markdown(found: Figures) -> str:
    """Both tables."""
    model, data = found["model"], found["dataset"]
    parts = [
        f"# Geometry of {model['name']} {model['pretrained']}".rstrip(),
        f"`{found['command']}`, {found['date'][:10]}, commit {found['commit']}.",
        HOW.format(**data),
        table(("", "here", "real", "near", "source"), _statistics(found)).rstrip(),
        "## Massive activations and outlier channels",
        STREAM.format(**found["sampled"]),
        *(_stream(tower, found["streams"][tower]) for tower in ("image", "text")),
    ]
    return "\n\n".join(parts) + "\n"


def value(found: Any, path: Sequence[str | int]) -> float | None:
    """What is at this path of the evidence; None if it was not measured."""
    for step in path:
        if isinstance(found, Mapping) and step not in found:
            return None
        found = found[step]
    return float(found)


def _statistics(found: Figures) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for row in ROWS:
        here = value(found, row.key)
        real = f"{row.low:.3g}" if row.low == row.high else f"{row.low:.3g} to {row.high:.3g}"
        near = "–" if here is None else "yes" if row.near(here) else "no"
        rows.append((row.what, _shown(here), real, near, row.source))
    return rows + [(what, _shown(value(found, path)), "–", "–", "none known") for what, path in UNKNOWN]


def _shown(here: float | None) -> str:
    return "–" if here is None else f"{here:.3g}"


def _stream(tower: str, rows: Sequence[Figures] | str) -> str:
    if isinstance(rows, str):
        return f"{tower}: not measured: {rows}"
    head = (
        f"{tower}: block",
        "median",
        "largest",
        "times",
        "token",
        "channel",
        "beyond",
        "at tokens",
        "in channels",
        "outliers",
    )
    return table(
        head,
        [
            (
                str(row["block"]),
                f"{row['median']:.2g}",
                f"{row['largest']:.4g}",
                f"{row['times']:.0f}",
                str(row["token"]),
                str(row["channel"]),
                f"{row['beyond']:,}",
                _listed(row["tokens"]),
                _listed(row["channels"]),
                _listed(row["outlier_channels"]),
            )
            for row in rows
        ],
    ).rstrip()


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:4])) + (f" and {len(numbers) - 4} more" if len(numbers) > 4 else "") or "–"
