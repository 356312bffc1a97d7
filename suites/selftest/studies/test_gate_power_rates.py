"""The study of real commands counts what commands said, and says which goals that reaches, in a table and a plot."""

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures import ROOT
from suites.selftest.planted.command_trials import record
from suites.studies.gate_power.commands import __main__ as program
from suites.studies.gate_power.commands import campaign, page, plot, rates, rows
from suites.studies.gate_power.commands.commands import FIELDS
from suites.studies.gate_power.commands.journal import Journal
from suites.studies.gate_power.commands.plants import NOTHING, PLANTS
from suites.studies.gate_power.commands.rows import ROWS, SELECTION, Row, Trial, chosen

SETTINGS = {"code": "abc"}


def made(folder: Path, hours: int = 4) -> dict[str, Any]:
    """The evidence of a made journal: 20 trials of some rows, of which one in ten is inconclusive."""
    journal = Journal(folder / "journal.jsonl", SETTINGS)
    journal.append({"commit": "abc"})
    ratios = [{"percent": 2, "ratio": 1.02, "low": 1.01, "high": 1.03}]
    tower = {"call_ms": 5.0, "unit_bytes": 64, "planted": ratios}
    journal.append({"cell": "torch", "calibration": {"image": tower, "text": tower}})
    for row in chosen(["*/torch/*", "selection*"]):
        for repeat in range(20):
            often = 0 if row.plant is NOTHING else 12 if row.plant.name == "2 %" else 19
            verdict = "alarm" if repeat < often else "inconclusive" if repeat == 19 else "pass"
            journal.append(record(Trial(row, repeat), verdict, f"2026-01-01T{repeat * hours // 19:02}:00:00+00:00"))
    found = campaign.evidence(journal)
    found["date"], found["environment"]["cpu"] = "2026-01-01T00:00:00+00:00", "a processor"
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """That of 4 hours."""
    return made(tmp_path_factory.mktemp("made"))


def test_rates_and_goals(found: dict[str, Any], tmp_path: Path) -> None:
    """Counted by hand; runs of the selection that were not spread over hours are not enough."""
    about = {"command": rows.AGAINST, "condition": "idle", "cell": "torch", "plant": "2 %"}
    (entry,) = [each for each in found["rates"] if about.items() <= each.items()]
    assert (entry["alarms"], entry["trials"], entry["rate"], entry["median_s"]) == (12, 20, 0.6, 20.0)
    assert entry["low"] == pytest.approx(0.3605, abs=1e-4) and entry["high"] == pytest.approx(0.8088, abs=1e-4)
    assert entry["verdicts"] == {"pass": 7, "alarm": 12, "inconclusive": 1, "other failure": 0}
    assert entry["would_have_seen"]["p50"] == 0.06
    reached = {goal["goal"]: goal["reached"] for goal in found["goals"]}
    assert reached["against, torch, beside the neighbour: alarms over 2 % at least 95%"] is False
    assert reached["against, torch, beside the neighbour: alarms over nothing at most 1%"] is True
    assert reached["compare, torch, beside the neighbour: alarms over 10 % at least 95%"] is True
    assert sum(reached.values()) == len(reached) - 2
    (soon,) = [goal for goal in made(tmp_path, 2)["goals"] if SELECTION in goal["goal"]]
    assert soon["goal"].endswith("at most 1% over at least 3 hours") and not soon["reached"]


def test_every_goal_has_a_row() -> None:
    """Or it would never be judged."""
    every = {(row.command, row.plant.name) for row in ROWS}
    assert {(goal.command, goal.plant) for goal in rates.GOALS} <= every
    assert {row.plant for row in ROWS} == {*PLANTS}
    assert Row(SELECTION, "idle", rows.ALL_CELLS, NOTHING) in ROWS


def test_the_table(found: dict[str, Any]) -> None:
    """One for each method, a line for each cell and machine; each cell of it says how many trials it counts."""
    text = page.markdown(found)
    methods = 4 + len(FIELDS) + 1
    assert text.count("| cell | machine | nothing (false alarms) |") == methods
    assert text.count("\n| torch | ") == 2 * (methods - 1) and text.count("\n| 12 comparisons | ") == 2
    assert "60% [36%, 81%] of 20, 1 unclear" in text
    assert "torch's image tower takes 5 ms, and 2 % is +2.00% [+1.00%, +3.00%]" in text


def test_a_calibration_that_says_nothing(found: dict[str, Any]) -> None:
    """Is told: what is planted then is unknown."""
    towers = {"image": {"planted": [{"percent": 10, "ratio": 1.1, "low": 1.08, "high": 1.12}]}}
    assert page.doubts({"calibration": {"torch": towers}}) == []
    towers["image"]["planted"][0]["high"] = 1.5
    (told,) = page.doubts({"calibration": {"torch": towers}})
    assert told.startswith("torch's image tower was calibrated on a busy machine (10 % is +10.0% [+8.0%, +50.0%])")


def test_the_plot(found: dict[str, Any]) -> None:
    """Every method is in both panels."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib (it is in the dev group)")
    drawn = plot.svg(found)
    assert drawn.count('id="axes_') == 2
    assert all(drawn.count(colour) > 4 for colour, _ in plot.STYLE.values())


def test_a_quick_look_makes_no_evidence(
    found: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes to the cache, and no committed file changes; a row that does not exist is told."""
    kept = [ROOT / "docs" / "how-good-is-the-gate.md", *sorted((ROOT / "golden" / "evidence").glob("gate-power*"))]
    before = [path.read_bytes() for path in kept]
    asked: list[Any] = []

    def measure(*args: Any) -> dict[str, Any]:
        asked.extend(args)
        return found

    monkeypatch.setattr(program, "CACHE", tmp_path)
    monkeypatch.setattr(program, "measure", measure)
    assert program.main(["--quick"]) == 1
    assert [path.read_bytes() for path in kept] == before
    assert len([*tmp_path.rglob("gate-power-commands.json")]) == 1
    assert [row.id for row in asked[1]] == [row.id for row in ROWS if row.id in rows.QUICK]
    assert "MISSED: against, torch, beside the neighbour: alarms over 2 % at least 95%; found 60%" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        program.main(["--only", "nonsense"])
    assert "no row fits nonsense, expected a pattern such as" in capsys.readouterr().err


def test_hours_make_evidence(found: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures, plot, and the table between its own marks of the page; to draw it again changes nothing."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib (it is in the dev group)")
    text = (ROOT / "docs" / "how-good-is-the-gate.md").read_text()
    monkeypatch.setattr(program, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(program, "ROOT", tmp_path)
    monkeypatch.setattr(program, "measure", lambda *args: found)
    (tmp_path / "docs").mkdir()
    target = tmp_path / "docs" / "how-good-is-the-gate.md"
    target.write_text(text)
    written = []
    for arguments in (["--hours", "3"], ["--redraw"]):
        assert program.main(arguments) == 1
        written.append([path.read_text() for path in (target, *sorted((tmp_path / "golden" / "evidence").iterdir()))])
    assert written[0] == written[1] and len(written[0]) == 3
    before, _, rest = text.partition(page.BEGIN)
    _, _, after = rest.partition(page.END)
    table = page.markdown(json.loads(written[0][1]))
    assert written[0][0] == f"{before}{page.BEGIN}\n{page.PICTURE}\n\n{table}{page.END}{after}"
