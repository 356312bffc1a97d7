"""The share of drawn faults that the suite finds, with an interval, and those that pass it."""

import math
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fixtures import ROOT
from plugins.measures.vectors.share import share_interval
from plugins.report.layout import code, table

Row = dict[str, Any]
CONFIDENCE = 0.95
STRONG = 10  # tolerances: a fault of this size in what the suite compares must not pass
DATA = ROOT / "golden" / "scenes-s" / "tolerances.toml"


@cache
def tolerance(precision: str) -> float:
    """The relative change of an embedding that golden's tolerances allow, along it or across it (r²/2 is a cosine distance)."""
    return max(max(t["norm_ratio"]["limit"], math.sqrt(2 * t["cosine_distance"]["limit"])) for t in _tables(precision))


@cache
def round_off(precision: str) -> float:
    """A smaller relative change is no fault: a sound encoder may differ as much, by the order of sums or its own rounding."""
    if precision == "fp32":
        return math.sqrt(2 * min(t["cosine_distance"]["floor"] for t in _tables(precision)))
    return math.sqrt(2 * max(t["cosine_distance"]["measured"] for t in _tables(precision)))


def _tables(precision: str) -> list[dict[str, dict[str, float]]]:
    with DATA.open("rb") as file:
        return list(tomllib.load(file)[precision].values())


def text(rows: Sequence[Row], precision: str) -> str:
    """The section of a precision in golden/evidence/mutants.md."""
    sound, mutants = [r for r in rows if r["draw"] is None], [r for r in rows if r["draw"] is not None]
    same, real = sum(r["effect"] == 0 for r in mutants), [r for r in mutants if is_fault(r, precision)]
    little, least = len(mutants) - same - len(real), STRONG * tolerance(precision)
    strong = [r for r in real if (r["shown"] or 0) > least]
    lines = [
        f"{len(mutants)} draws: {_verb(same, 'change')} no output, {_verb(little, 'change')} less than {precision}'s "
        f"round-off; {_verb(len(real), 'are faults', 'is a fault')}.",
        "",
        table(
            ("faults", "caught", "of", "share", f"{CONFIDENCE:.0%} interval"),
            [_share("all", real), _share(f"with a relative effect over {least:.0e} on a compared input", strong)],
        ),
        f"Sound encoders: {_alarms(sum(bool(r['broken']) for r in sound))} in {len(sound)} runs." if sound else "",
        "",
    ]
    for dimension in ("where", "when", "what"):
        lines += [table((dimension, "caught", "of", "share", "interval"), _by(real, dimension)), ""]
    promises = Counter(promise for r in real for promise in r["broken"])
    lines += [
        table(("promise", "faults that break it"), [(p, str(n)) for p, n in promises.most_common()]),
        "",
        f"### Survivors at {precision}",
        "",
    ]
    survivors = [r for r in real if not r["broken"]]
    lines += [
        table(
            ("number", "fault", "effect", "shown to the suite"),
            [(str(r["draw"]["number"]), code(r["text"]), f"{r['effect']:.1e}", f"{r['shown']:.1e}") for r in survivors],
        )
        if survivors
        else "None."
    ]
    return "\n".join(lines).rstrip() + "\n"


def whole(found: Mapping[str, Any]) -> str:
    """The page golden/evidence/mutants.md, of all precisions that were tried."""
    lines = ["# Faults drawn at random", ""]
    for precision, part in found["precisions"].items():
        made = f"`{part['command']}`, {part['date'][:10]}, commit {part['commit']}, {part['environment']['cpu']}."
        lines += [f"## {precision}", "", made, "", text(part["rows"], precision)]
    return "\n".join(lines).rstrip() + "\n"


def is_fault(row: Row, precision: str) -> bool:
    """False for a draw that changes no output, or so little that a sound encoder may differ as much."""
    return row["effect"] is None or row["effect"] > round_off(precision)


def _verb(n: int, plural: str, singular: str = "") -> str:
    return f"{n} {(singular or plural + 's') if n == 1 else plural}"


def _alarms(n: int) -> str:
    return f"{n} alarm{'' if n == 1 else 's'}"


def _share(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    found = sum(bool(r["broken"]) for r in rows)
    if not rows:
        return name, "0", "0", "-", "-"
    low, high = share_interval(found, len(rows), CONFIDENCE)
    return name, str(found), str(len(rows)), f"{found / len(rows):.1%}", f"{low:.1%} to {high:.1%}"


def _by(rows: Sequence[Row], dimension: str) -> list[tuple[str, ...]]:
    values = sorted({row["draw"][dimension] for row in rows})
    return [_share(value, [row for row in rows if row["draw"][dimension] == value]) for value in values]
