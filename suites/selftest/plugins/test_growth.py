"""What an encoder keeps of each call is found, however it is kept; what only fills a cache is not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Tower
from plugins.measures.growth import Growth, growth
from suites.selftest.conftest import Run
from suites.selftest.planted.leaking_backends import LeakyEncoder

PIXELS = np.random.default_rng(0).random((7, 3, 8, 8), np.float32)
TOKENS = np.arange(21, dtype=np.int64).reshape(7, 3)
MB = 1e6


def kept(way: str, tower: Tower, thorough: bool = True) -> Growth:
    """By an encoder that does next to nothing else."""
    encoder = LeakyEncoder(way, 192)
    try:
        return growth(encoder, PIXELS if tower == "image" else TOKENS, tower, "cpu", thorough)
    finally:
        for thing in encoder.kept:
            for end in ("close", "kill", "wait"):
                getattr(thing, end, lambda: None)()


@pytest.mark.parametrize(
    ("way", "of", "resource", "least"),
    [
        ("bytes", "image", "memory", MB),
        ("bytes", "text", "memory", MB),
        ("bytes-of-images", "image", "memory", MB),
        ("bytes-of-texts", "text", "memory", MB),
        ("bytes-of-five", "image", "memory", MB / 10),
        ("bytes-of-the-system", "image", "memory", MB),
        ("8-kib", "text", "memory", 8192),
        ("a-file", "image", "open files", 1),
        ("a-file-in-ten", "text", "open files", 0.1),
        ("a-thread", "image", "threads", 1),
        ("a-thread-in-ten", "text", "threads", 0.1),
        ("a-child-in-ten", "image", "child processes", 0.1),
    ],
)
@pytest.mark.parametrize("thorough", [True, False])
def test_it_is_found(way: str, of: Tower, resource: str, least: float, thorough: bool) -> None:
    """As much as is kept a call, and the sentence says so. The least of three growths is below it: 1 KiB, on a busy machine."""
    found = kept(way, of, thorough)
    noise = 2048 if resource == "memory" else 0
    assert 0.9 * least - noise < found.kept[resource] < 1.3 * least
    (broken,) = (str(each) for each in found.comparisons(None) if not each and resource in each.metric)
    assert f"1 to 5 {of}s" in broken and "allowed" in broken


@pytest.mark.parametrize(("way", "of"), [("nothing", "image"), ("nothing", "text"), ("bytes-of-texts", "image")])
def test_what_keeps_nothing_is_not_blamed(way: str, of: Tower) -> None:
    """Nor one tower for the other."""
    assert all(kept(way, of).comparisons(None))


def test_growth_that_ends_is_none() -> None:
    """A step in one quarter, or growth that the reference has as well."""
    grows: dict[str, list[float]] = {"memory": [0, 5e6, 5e6, 5e6], "threads": [4, 4, 9, 9]}
    assert all(Growth("calls", 50, grows).comparisons(None))
    grows = {"memory": [0, 1e6, 2e6, 3e6]}
    assert not all(Growth("calls", 50, grows).comparisons(None))
    assert all(Growth("calls", 50, grows).comparisons(Growth("calls", 50, {"memory": [0, 1.1e6, 2.2e6, 3.3e6]})))


def test_the_promise(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """E11 breaks for the tower that keeps, the report has the figures; what keeps 80 results for good passes."""
    ways = ("bytes-of-texts", "the-last-eighty", "nothing")
    backends = ",".join(f"keeps-{way}" for way in ways)
    done = run(
        "-p", "suites.selftest.planted.leaking_backends", "suites/embeddings/test_resources.py", *tiny, "--backend", backends
    )
    rows: dict[str, Any] = {r["backend"]: r for r in json.loads((tmp_path / "report.json").read_text())["cells"]}
    assert [rows[f"keeps-{way}"]["verdict"] for way in ways] == ["fail", "pass", "pass"], done.stdout
    found = rows["keeps-bytes-of-texts"]
    assert found["broken_promises"] == ["E11"] and "2 failed" not in done.stdout
    assert found["growth"]["text"]["memory"] > 0.9 * MB > 1e4 > found["growth"]["image"]["memory"]
    assert set(found["growth"]["text"]["reference"]) == {"what", "memory", "open_files", "threads", "child_processes"}
