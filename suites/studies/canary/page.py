"""The page golden/evidence/canary.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.report.layout import code, table

WAYS = ("one by one", "in lists too")


def markdown(found: Mapping[str, Any]) -> str:
    """Shares by when a fault shows, those that pass, and clean starts."""
    rows, starts = found["faults"], found["starts"]
    whens = sorted({row["draw"]["when"] for row in rows})
    lines = [_line("all", rows), *(_line(when, [row for row in rows if row["draw"]["when"] == when]) for when in whens)]
    passed = [(code(row["text"]),) for row in rows if not row["in lists too"]]
    made = f"`{found['command']}`, {found['date'][:10]}, commit {found['commit']}, {found['environment']['cpu']}."
    return "\n".join(
        [
            "# What a canary sees",
            "",
            f"Of the faults in mutants.md that the whole suite finds, with 8 images and 8 texts. {made}",
            "",
            table(("when it shows", "faults", *(f"found {way}" for way in WAYS)), lines),
            "",
            *(_starts(starts) if starts else ()),
            "## Faults that it does not see, asked in lists too",
            "",
            table(("fault",), passed) if passed else "None.",
            "",
        ]
    )


def _line(what: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    counts = (sum(bool(row[way]) for row in rows) for way in WAYS)
    return what, str(len(rows)), *(f"{count} ({count / len(rows):.0%})" if rows else "-" for count in counts)


def _starts(starts: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    sound, declared = ([row for row in starts if row["declared"] is known] for known in (False, True))
    alarms, count = sum(len(row["alarms"]) for row in sound), sum(row["starts"] for row in sound)
    return (
        f"Clean starts: {alarms} alarms in {count} starts of {len(sound)} encoders, each with a kit of its precision; left out "
        f"are those that declare drift beyond their precision's tolerance ({', '.join(row['encoder'] for row in declared)}).",
        "",
    )
