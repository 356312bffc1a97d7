"""The page golden/evidence/canary.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.report.layout import code, table
from suites.studies.canary.faults import FRESH_SEED, LONG, WAYS
from suites.studies.canary.starts import SECONDS

Row = Mapping[str, Any]


def markdown(found: Mapping[str, Any]) -> str:
    """Shares by when a fault shows, of fresh faults, clean starts, and the faults that pass."""
    rows = found["faults"]
    whens, wheres = (sorted({row["draw"][key] for row in rows}) for key in ("when", "where"))
    lines = [_line("all", rows), *(_line(when, [row for row in rows if row["draw"]["when"] == when]) for when in whens)]
    places = [_line(where, [row for row in rows if row["draw"]["where"] == where]) for where in wheres]
    made = f"`{found['command']}`, {found['date'][:10]}, commit {found['commit']}, {found['environment']['cpu']}."
    paces = "; ".join(
        f"{name}: {way.seconds:g} s{' and as long for lists' if way.lists else ''} of a service that takes "
        f"{way.image_s * 1e3:g} ms for an image and {way.text_s * 1e3:g} ms for a text, {found['calls'][name]} calls"
        for name, way in WAYS.items()
    )
    return "\n".join(
        [
            "# What a canary sees",
            "",
            f"Of the faults in mutants.md that the whole suite finds, by a kit of 8 images and 8 texts. {made}",
            "",
            f"How it is asked: {paces}.",
            "",
            "The inputs are chosen by kind, not by these faults. A refused document reaches the encoder as an array without "
            "its axes, which it refuses: a service that refuses it earlier has no such trouble.",
            "",
            table(("when it shows", "faults", *WAYS), lines),
            "",
            table(("where it sits", "faults", *WAYS), places),
            "",
            *_fresh(found["fresh"]),
            *_starts(found["starts"]),
            *_passed(rows),
        ]
    )


def _line(what: str, rows: Sequence[Row]) -> tuple[str, ...]:
    counts = (sum(row["seen"][way] for row in rows) for way in WAYS)
    return what, str(len(rows)), *(f"{count} ({count / len(rows):.1%})" if rows else "-" for count in counts)


def _fresh(rows: Sequence[Row]) -> tuple[str, ...]:
    if not rows:
        return ()
    return (
        f"Faults of another seed ({FRESH_SEED}), drawn after the kit was finished; the suite was not asked for them:",
        "",
        table(("", "faults", *WAYS), [_line("all", rows)]),
        "",
    )


def _starts(starts: Sequence[Row]) -> tuple[str, ...]:
    if not starts:
        return ()
    lines = []
    for name in dict.fromkeys(row["processor"] for row in starts):
        sound = [row for row in starts if row["processor"] == name and not row["declared"]]
        alarms, count = sum(len(row["alarms"]) for row in sound), sum(row["starts"] for row in sound)
        lines.append((name, str(len(sound)), str(count), str(alarms)))
    declared = sorted({row["encoder"] for row in starts if row["declared"]})
    said = [
        f"- {row['processor']}, {row['encoder']}: {row['alarms'][0]}" for row in starts if row["alarms"] and not row["declared"]
    ]
    return (
        f"Clean starts, each with a kit of the encoder's precision, for {SECONDS:g} s one by one and as long in lists. Other "
        "processors than the first are played, as in processors.md; emulated ones are not tried.",
        "",
        table(("processor", "encoders", "starts", "alarms"), lines),
        "",
        f"Left out are encoders that declare drift beyond their precision's tolerance: {', '.join(declared) or 'none'}.",
        "",
        *((*said, "") if said else ()),
    )


def _passed(rows: Sequence[Row]) -> tuple[str, ...]:
    passed = [(code(row["text"]), "yes" if row["seen"][LONG] else "no") for row in rows if not row["seen"]["in lists too"]]
    return (
        "## Faults that it does not see, asked in lists too",
        "",
        table(("fault", "seen in 9 s"), passed) if passed else "None.",
        "",
    )
