"""What a finished command says: its exit code, the latency promises that JUnit has as failed, and the report's figures."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from fixtures.capability import TOWERS

PASS, ALARM, INCONCLUSIVE, OTHER = "pass", "alarm", "inconclusive", "other failure"
JUNIT, REPORT = "junit.xml", "report.json"
REGRESSED = re.compile(r"test_encode\[(\w+)\] .* - Field '(\w+)' has failed")
CODES = {0: PASS, 8: INCONCLUSIVE}
LAST = 15  # lines of the output of a command that ended otherwise


class Unexpected(Exception):
    """A command that ended as no trial may end."""


def failed(folder: Path) -> dict[str, dict[str, str]]:
    """By promise: the tests that broke it, each with the first line of its message; "" for tests that failed otherwise."""
    found: dict[str, dict[str, str]] = {}
    for case in ElementTree.parse(folder / JUNIT).getroot().iter("testcase"):
        failure = next((part for part in case if part.tag in ("failure", "error")), None)
        if failure is not None:
            message = failure.get("message", "").partition("\n")[0]
            promise = re.search(r"\b(\w+) broken:", message)
            found.setdefault(promise[1] if promise else "", {})[case.get("name", "")] = message
    return found


def figures(folder: Path) -> dict[str, dict[str, Any]]:
    """By encoder and tower: ratio, interval and would_have_seen of the report, as far as it has them."""
    found = {}
    for row in json.loads((folder / REPORT).read_text(encoding="utf-8"))["cells"]:
        history, against = row.get("latency_ratio", {}), row.get("against", {}).get("latency", {})
        for tower in TOWERS:
            if tower in history:
                shown = history[tower]
                change = shown.get("change", shown)
                ratio, low, high = change["ratio"], change["low"], change["high"]
            elif tower in against:
                shown = against[tower]
                ratio, (low, high) = shown["ratio"], shown["interval"]
            else:
                continue
            seen, slow = shown.get("would_have_seen"), any(each["fails"] for each in shown.get("tails", []))
            figure = {"ratio": ratio, "low": low, "high": high, "would_have_seen": seen, "slow_calls": slow}
            found[f"{row['id']} {tower}"] = {"tower": tower, **figure}
    return found


def ours(promise: str, code: int, output: str, folder: Path) -> dict[str, Any]:
    """The verdict of a run of the suite. `alarms` names the towers whose latency promise broke.

    Raises Unexpected for an exit code that no comparison has, and for files that are missing.
    """
    try:
        if code not in (1, *CODES):
            raise FileNotFoundError(f"it ended with {code}")
        broken, found = failed(folder), figures(folder)
        if not found:
            raise FileNotFoundError(f"{REPORT} has no latency")
    except (OSError, ElementTree.ParseError, ValueError, KeyError) as error:
        raise Unexpected(sentence(str(error), output)) from error
    towers = sorted({tower for tower in TOWERS for name in broken.get(promise, {}) if name.endswith(f"-{tower}]")})
    verdict = CODES.get(code) or (ALARM if towers else OTHER)
    others = {name: says for key in broken if key != promise for name, says in broken[key].items()}
    return {"verdict": verdict, "alarms": towers, "figures": found, **({"others": others} if others else {})}


def alone(fields: tuple[str, ...], code: int, output: str, storage: Path) -> dict[str, dict[str, Any]]:
    """By field of --benchmark-compare-fail: the verdict of a run of pytest-benchmark, with the ratio of its two newest files.

    Raises Unexpected.
    """
    regressed = REGRESSED.findall(output)
    if bool(code) != bool(regressed):
        raise Unexpected(sentence(f"it ended with {code}", output))
    towers = {field: sorted({tower for tower, found in regressed if found == field}) for field in fields}
    then, now = (_stats(path) for path in sorted(storage.glob("*/*.json"))[-2:])
    verdicts: dict[str, dict[str, Any]] = {}
    for field in fields:
        ratios = {tower: {"tower": tower, "ratio": now[tower][field] / then[tower][field]} for tower in now}
        verdicts[field] = {"verdict": ALARM if towers[field] else PASS, "alarms": towers[field], "figures": ratios}
    return verdicts


def _stats(path: Path) -> dict[str, dict[str, float]]:
    return {bench["params"]["tower"]: bench["stats"] for bench in json.loads(path.read_text())["benchmarks"]}


def sentence(what: str, output: str) -> str:
    """One sentence, and the last lines of the output."""
    return "\n".join([f"{what}, expected a run that compares and ends with 0, 1 or 8; its last lines:", *tail(output)])


def tail(output: str) -> list[str]:
    """The last lines that are not empty."""
    return [line for line in output.splitlines() if line.strip()][-LAST:]


def counts_as(verdict: Mapping[str, Any], planted: tuple[str, ...]) -> bool:
    """Whether it is an alarm over what is planted; where nothing is, over anything."""
    return verdict["verdict"] == ALARM and (not planted or bool({*planted} & {*verdict["alarms"]}))
