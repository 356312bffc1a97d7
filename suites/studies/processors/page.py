"""The evidence as a page: a table of encoders by processors, and every deviation with what was done about it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from plugins.report.layout import table
from suites.studies.processors.kinds import SELECTIONS

Row = dict[str, Any]
# What was mended because of a deviation, by encoder; what is declared says so itself.
MENDED = {
    "onnxruntime-int8": "mended: where products of uint8 and int8 saturate, weights take the reduced range (7 bits); "
    "the full range stays as the known-bad row `onnxruntime-full-range`",
    "torchao-int8": "mended: with VNNI and without AMX torchao multiplies uint8 by int8, which E9 now counts as int8",
}
MARKS = {"pass": "pass", "expected-failure": "declared", "fail": "FAIL", "skipped": "–"}
APART = 0.25  # shares of the tolerance that differ by more are a deviation


def markdown(found: dict[str, Any]) -> str:
    """The page golden/evidence/processors.md."""
    rows, names = found["rows"], list(found["processors"])
    letters = {name: chr(ord("A") + place) for place, name in enumerate(names)}
    at = {(row["processor"], row["encoder"]): row for row in rows}
    encoders = sorted({row["encoder"] for row in rows})
    lines = [
        "# The CPU matrix on every kind of processor at hand",
        "",
        f"Made by `{found['command']}`: each backend at each precision with `original_clip`. An entry is the verdict, the "
        "largest share of the tolerance that image and text drift take, and the promises that broke (declared, or in capitals "
        "if not). Empty: another column says it already. –: there is no such encoder.",
        "",
        *(_processor(letters[name], name, found["processors"][name], rows) for name in names),
        "",
        table(("encoder", *letters.values()), [(e, *(_entry(at.get((name, e))) for name in names)) for e in encoders]),
        "## Deviations",
        "",
        *(deviations(rows, letters) or ["None."]),
        "",
        *_not_played(rows, letters),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _processor(letter: str, name: str, about: dict[str, Any], rows: Sequence[Row]) -> str:
    own = [row for row in rows if row["processor"] == name]
    commits = ", ".join(f"{commit} ({n})" for commit, n in Counter(row["commit"] for row in own).items())
    last = max(row["date"] for row in own)[:10]
    how = f", by {' '.join(f'{k}={v}' for k, v in about['forced'].items())}" if about.get("forced") else ""
    return f"- **{letter}** {name}: {about['data']}{how}; {last}, commit {commits}"


def data(selection: str, scenes: int, odd: int, texts: int) -> str:
    """What a selection holds, in words."""
    shape = SELECTIONS[selection]
    whole = f"{scenes} scenes, {odd} odd files and {texts} texts"
    if not shape:
        return f"all {whole}, every suite"
    every = f"every {shape[0]}th scene, {'all' if shape[1] == 1 else f'every {shape[1]}th of the'} odd files"
    left = ", the suite of embeddings without E6 and E10" if selection == "small" else ", every suite"
    return f"{whole} ({every}, evenly spaced texts and all odd ones){left}"


def _entry(row: Row | None) -> str:
    if row is None:
        return ""
    if row["verdict"] == "skipped":
        return "–" if not row["reason"].startswith("not") else "not played"
    drift = " / ".join(f"{100 * row['drift'][t]['share']:.0f}%" if t in row["drift"] else "?" for t in ("image", "text"))
    return f"{MARKS[row['verdict']]} {drift} {' '.join(row['broken'])}".rstrip()


def deviations(rows: Sequence[Row], letters: dict[str, str]) -> list[str]:
    """One line for each encoder that does not do the same everywhere: where, how far apart, and what was done."""
    found = []
    for encoder in sorted({row["encoder"] for row in rows}):
        ran = [row for row in rows if row["encoder"] == encoder and row["verdict"] != "skipped"]
        if not ran:
            continue
        broken = {letters[row["processor"]]: " ".join(row["broken"]) for row in ran}
        said = []
        if len(set(broken.values())) > 1:
            said.append("broken: " + ", ".join(f"{what or 'nothing'} on {letter}" for letter, what in broken.items()))
        for tower in ("image", "text"):
            shares = {letters[r["processor"]]: r["drift"][tower] for r in ran if tower in r["drift"]}
            low, high = (pick(shares, key=lambda letter: shares[letter]["share"], default="") for pick in (min, max))
            if shares and shares[high]["share"] - shares[low]["share"] > APART:
                said.append(f"{tower} drift {_drift(shares[low])} on {low}, {_drift(shares[high])} on {high}")
        if said:
            found.append(f"- `{encoder}`: {'; '.join(said)}. {_what_was_done(encoder, ran)}")
    return found


def _drift(one: dict[str, Any]) -> str:
    return f"{one['largest']:.1e} ({100 * one['share']:.0f}%)"


def _what_was_done(encoder: str, ran: Sequence[Row]) -> str:
    reasons = {why: sorted(promises) for row in ran for why, promises in row["declared"].items()}
    said = [MENDED[encoder]] if encoder in MENDED else []
    said += [f"declared for {', '.join(promises)}: {why}" for why, promises in reasons.items()]
    failed = sorted({promise for row in ran if row["verdict"] == "fail" for promise in row["broken"]})
    said += [f"OPEN: {', '.join(failed)}"] if failed else []
    return "; ".join(said) or "Within tolerance everywhere."


def _not_played(rows: Sequence[Row], letters: dict[str, str]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["verdict"] == "skipped":
            reasons.setdefault(row["reason"], []).append(f"`{row['encoder']}` on {letters[row['processor']]}")
    lines = [f"- {', '.join(where)}: {why}" for why, where in reasons.items()]
    return ["## Not played, or no such encoder", "", *lines] if lines else []
