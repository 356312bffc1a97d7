"""The share of drawn faults that the suite finds, with an interval, and those that pass it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from plugins.report.layout import code, table

Row = dict[str, Any]
CONFIDENCE = 0.95
# Relative changes of an embedding. Below the floor of all tolerances nobody can tell a fault from another order of sums. Fp32's
# tolerances (golden/scenes-s/tolerances.toml) allow 4.6e-6 along it, and across it 4.8e-6: r²/2 is a cosine distance.
ROUND_OFF = 2.0**-18
TOLERANCE = 4.8e-6
STRONG = 10 * TOLERANCE


def text(rows: Sequence[Row]) -> str:
    """The page golden/evidence/mutants.md."""
    sound, mutants = [r for r in rows if r["draw"] is None], [r for r in rows if r["draw"] is not None]
    same, real = sum(r["effect"] == 0 for r in mutants), [r for r in mutants if is_fault(r)]
    little = len(mutants) - same - len(real)
    strong = [r for r in real if (r["shown"] or 0) > STRONG]
    lines = [
        f"{len(mutants)} draws: {_verb(same, 'change')} no output, {_verb(little, 'change')} less than fp32's round-off; "
        f"{_verb(len(real), 'are faults', 'is a fault')}.",
        "",
        table(
            ("faults", "caught", "of", "share", f"{CONFIDENCE:.0%} interval"),
            [_share("all", real), _share(f"with a relative effect over {STRONG:.0e} on a compared input", strong)],
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
        "## Survivors",
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


def is_fault(row: Row) -> bool:
    """False for a draw that changes no output, or so little that a sound encoder may differ as much."""
    return row["effect"] is None or row["effect"] > ROUND_OFF


def _verb(n: int, plural: str, singular: str = "") -> str:
    return f"{n} {(singular or plural + 's') if n == 1 else plural}"


def _alarms(n: int) -> str:
    return f"{n} alarm{'' if n == 1 else 's'}"


def _share(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    from scipy.stats import binomtest

    found = sum(bool(r["broken"]) for r in rows)
    if not rows:
        return name, "0", "0", "-", "-"
    low, high = binomtest(found, len(rows)).proportion_ci(CONFIDENCE)
    return name, str(found), str(len(rows)), f"{found / len(rows):.1%}", f"{low:.1%} to {high:.1%}"


def _by(rows: Sequence[Row], dimension: str) -> list[tuple[str, ...]]:
    values = sorted({row["draw"][dimension] for row in rows})
    return [_share(value, [row for row in rows if row["draw"][dimension] == value]) for value in values]
