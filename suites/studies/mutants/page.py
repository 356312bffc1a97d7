"""The share of drawn faults that the suite finds, with an interval, and those that pass it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from plugins.report.layout import code, table

Row = dict[str, Any]
CONFIDENCE = 0.95
# A relative change of an embedding across its own direction by r is a cosine distance of r²/2, and one along it a change of
# length by r: the larger of what fp32's tolerances on both allow (golden/scenes-s/tolerances.toml).
TOLERANCE = 5e-6
STRONG = 10 * TOLERANCE


def text(rows: Sequence[Row]) -> str:
    """The page golden/evidence/mutants.md."""
    sound, mutants = [r for r in rows if r["draw"] is None], [r for r in rows if r["draw"] is not None]
    real = [r for r in mutants if r["effect"]]
    strong = [r for r in real if (r["shown"] or 0) > STRONG]
    lines = [
        f"{len(mutants)} draws: {len(mutants) - len(real)} change no output (equivalents), {len(real)} are faults.",
        "",
        table(
            ("faults", "caught", "of", "share", f"{CONFIDENCE:.0%} interval"),
            [_share("all", real), _share(f"with a relative effect over {STRONG:.0e} on a compared input", strong)],
        ),
        f"Sound encoders: {sum(bool(r['broken']) for r in sound)} alarms in {len(sound)} runs." if sound else "",
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
