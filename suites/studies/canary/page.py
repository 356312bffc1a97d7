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
    sound = [row for row in starts if not row["declared"]]
    alarms, count = (sum(row[what] if what == "starts" else len(row[what]) for row in sound) for what in ("alarms", "starts"))
    made = f"`{found['command']}`, {found['date'][:10]}, commit {found['commit']}, {found['environment']['cpu']}."
    return "\n".join(
        [
            "# What a canary sees",
            "",
            f"Of the faults in mutants.md that the whole suite finds, with 8 images and 8 texts. {made}",
            "",
            table(("when it shows", "faults", *(f"found {way}" for way in WAYS)), lines),
            "",
            f"Clean starts: {alarms} alarms in {count} starts of {len(sound)} encoders, each with "
            "a kit of its precision; left out are those that declare drift beyond their precision's tolerance "
            f"({', '.join(row['encoder'] for row in starts if row['declared']) or 'none'}).",
            "",
            "## Faults that it does not see, asked in lists too",
            "",
            table(("fault",), passed) if passed else "None.",
            "",
        ]
    )


def _line(what: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    counts = (sum(bool(row[way]) for row in rows) for way in WAYS)
    return what, str(len(rows)), *(f"{count} ({count / len(rows):.0%})" if rows else "-" for count in counts)
