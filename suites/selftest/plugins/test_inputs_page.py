"""The page of compared inputs counts what was compared, by kind."""

from pathlib import Path

import numpy as np

from fixtures.capability import Geometry
from fixtures.datasets.made import made
from fixtures.images import decoded
from plugins.report.dimensions import of_files, of_tokens
from suites.selftest.conftest import Run


def test_values_of_made_files(dataset: Path, tmp_path: Path) -> None:
    """What the generator says in a file's name is what is found in the file."""
    paths = []
    for name, content in made(decoded(str(dataset / "images" / "scene_000.jpg")), 64):
        (tmp_path / name).write_bytes(content)
        paths.append(str(tmp_path / name))
    found = of_files(paths, Geometry(64))
    assert {"JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"} <= set(found["format"])
    assert {str(number) for number in range(1, 9)} <= set(found["EXIF orientation"])
    assert set(found["JPEG subsampling"]) == {"4:4:4", "4:2:2", "4:2:0", "grey or CMYK"}
    assert set(found["JPEG coding"]) == {"baseline", "progressive", "baseline, restart markers"}
    assert found["colour profile"]["embedded"] == 4 and found["frames or pages"]["several"] == 4
    assert found["shorter side"]["of 12 megapixels or more"] == 1 and found["shorter side"]["R, the model's"] == 1
    assert found["one side at least 3 times the other"]["tall"] == 1


def test_values_of_tokens() -> None:
    """Lengths as ranges, ids and zeros before the end only."""
    rows = np.array([[99, 100, 0, 0], [99, 5, 100, 0], [99, 0, 7, 100]])
    found = of_tokens(rows, ["кошка", "a 猫"], 101)
    assert found["tokens, with beginning and end"] == {"2 to 4": 3}
    assert found["token ids"] == {"5 of 101": 3}
    assert found['id 0 ("!" in CLIP) before the end'] == {"yes": 1, "no": 2}
    assert found["script"] == {"Cyrillic": 1, "Latin": 1, "Cjk": 1}


def test_only_what_was_compared(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """A run of one promise writes its inputs and no others."""
    page = tmp_path / "inputs.md"
    run(
        "suites/preprocessing",
        "-k",
        "test_sources",
        "--preprocessor=original_clip",
        "--unsupervised",
        f"--inputs-page={page}",
        *tiny,
    )
    text = page.read_text(encoding="utf-8")
    assert "## Image files (77)" in text and "## Texts" not in text and "## Pixels (0)" in text, text
