"""The study of families measures each member once, goes on where it was, and says what failed."""

from pathlib import Path
from typing import Any

import pytest

from fixtures.storage.lines import Lines
from suites.selftest.planted.families import small_siglip
from suites.studies.families import __main__ as command
from suites.studies.families import member, page
from suites.studies.families.members import MEMBERS, Member

SMALL = Member("small SigLIP", "small", lambda name, folder: small_siglip(folder))
TOWER = {"cosine_distance": 1e-12, "first_ms": 9.0, "p50_ms": 2.0, "calls": 3}


def test_a_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells, of which one cannot be built, and its contract; nothing is measured again, and what failed stays failed."""
    monkeypatch.setattr(member, "MEMBERS", (SMALL,))
    monkeypatch.setattr(member, "CELLS", (("torch-eager", "fp32"), ("torch-eager", "no such precision")))
    file = tmp_path / "lines.jsonl"
    assert member.main("small", file) == 1
    lines = Lines(file).read()
    assert [line["what"] for line in lines] == ["torch-eager fp32", "torch-eager no such precision", member.CONTRACT]
    assert lines[0]["image"]["cosine_distance"] < 1e-15 and lines[0]["text"]["calls"] >= 1
    assert lines[1]["failed"].startswith("KeyError")
    found = lines[2]
    assert (found["squash"], found["mean"], found["context"], found["probabilities"]) == (True, [0.5] * 3, 64, "sigmoid")
    assert found["other_tokens"] == 0 and found["pixels"] < 1e-5 and max(found["vectors"].values()) < 1e-10
    assert member.main("small", file) == 1 and len(Lines(file).read()) == 3


def test_a_member_without_a_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cell is compared with itself."""
    monkeypatch.setattr(member, "MEMBERS", (SMALL,))
    monkeypatch.setattr(member, "CELLS", (("torch-eager", "no such precision"), ("torch-eager", "fp32")))
    monkeypatch.setattr(member, "contract", lambda *_: {})
    file = tmp_path / "lines.jsonl"
    assert member.main("small", file) == 1
    assert "no vectors of torch-eager no such precision to compare with" in Lines(file).read()[1]["failed"]


def test_a_member_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are measured; the page and the exit code say so."""
    names = [each.name for each in MEMBERS[:2]]

    def run(name: str, file: Path) -> int:
        if name == names[0]:
            return -9
        Lines(file).append({"name": name, "what": "torch-eager fp32", "load_s": 1.0, "image": TOWER, "text": TOWER})
        return 0

    monkeypatch.setattr(command, "CACHE", tmp_path)
    monkeypatch.setattr(command, "run", run)
    assert command.main(["--only", ",".join(names)]) == 1
    said = capsys.readouterr().out
    assert f"| {names[0]} |  |  |  |  |  |  | ended with code -9 |" in said
    assert f"| {names[1]} | torch-eager fp32 | 1.0e-12 | 1.0e-12 | 2.0 | 2.0 |" in said


def test_an_unknown_member(capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence with the nearest name."""
    assert command.main(["--only", "ViT-B-16-SigLip"]) == 4
    assert "unknown member 'ViT-B-16-SigLip': did you mean 'ViT-B-16-SigLIP'" in capsys.readouterr().err


def test_the_page() -> None:
    """A row for each contract, and one for each cell, with what failed."""
    contract = {
        **{"family": "SigLIP", "parameters": 2e8, "squash": True, "size": 224, "interpolation": "bicubic", "mean": [0.5] * 3},
        **{"std": [0.5] * 3, "context": 64, "pad": 1, "lower_case": True, "probabilities": "sigmoid", "pixels": 1e-7},
        **{"other_tokens": 0, "vectors": {"image": 0.0, "text": 1e-13}},
    }
    lines: list[dict[str, Any]] = [
        {"name": "a", "what": "onnxruntime fp32", "build_s": 61.0, "load_s": 1.0, "image": TOWER, "text": TOWER},
        {"name": "a", "what": "onnxruntime fp16", "failed": "MemoryError: too large"},
        {"name": "a", "what": member.CONTRACT, **contract},
    ]
    stamp = {"command": "make families", "commit": "abc", "date": "today", "environment": {"cpu": "one"}}
    text = page.markdown({**stamp, "members": page.members(lines, ["a"])})
    assert "| SigLIP | a | 200 M | squash to 224, bicubic | 0.5; 0.5 | 64 tokens, filled with 1, lower case | sigmoid |" in text
    assert "| a | onnxruntime fp32 | 1.0e-12 | 1.0e-12 | 2.0 | 2.0 | 61 |" in text
    assert "MemoryError: too large" in text
