"""What a preprocessor promises of files that are damaged, and of files that are not, though they look odd."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.capability import Geometry, Preprocessor
from fixtures.images import decoded
from plugins.cells.made import made_pixels
from plugins.cells.promises import Judge
from plugins.subjects import Subjects
from suites.damaged import damaged, odd_but_whole

if TYPE_CHECKING:
    from PIL import Image


def test_damage(subjects: Subjects, preprocessor: Preprocessor, tmp_path: Path, judge: Judge) -> None:
    """P9 a damaged file raises OSError and gives no pixels; bytes behind a file's end are no damage."""
    scene, geometry = subjects.dataset.scenes[0], subjects.model.geometry
    files = subjects.once("files that P9 is about", lambda: _expected(decoded(subjects.dataset.path(scene))))
    path, wrong = tmp_path / "picture.jpg", []
    for what, (content, expected) in files.items():
        path.write_bytes(content)
        found = _found(preprocessor, str(path), geometry)
        if found.split(":")[0] != expected:
            wrong.append(f"{what} gives {found}, expected {expected}")
    judge(not wrong, f"{len(wrong)} of {len(files)} files made of {scene}, the first: {'; '.join(wrong[:1])}")


def test_readable(subjects: Subjects, preprocessor: Preprocessor, judge: Judge) -> None:
    """P14 every file that the reference reads can be read: any format, coding, mode, orientation, profile and size."""
    found = made_pixels(subjects, preprocessor)
    errors = [(file.name, error) for file, error in found if isinstance(error, Exception)]
    first = "; ".join(f"{name!r} ({' '.join(str(error).split())[:200]})" for name, error in errors[:1])
    judge(not errors, f"{preprocessor.name} cannot read {len(errors)} of {len(found)} made files, the first is {first}")


def _expected(image: "Image.Image") -> dict[str, tuple[bytes, str]]:
    """Files and what is to become of them."""
    bad, good = damaged(image), odd_but_whole(image)
    return {
        **{what: (file, "OSError") for what, file in bad.items()},
        **{what: (file, "pixels") for what, file in good.items()},
    }


def _found(preprocessor: Preprocessor, path: str, geometry: Geometry) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a library says besides is not judged
            preprocessor(path, geometry)
    except Exception as error:
        name = "OSError" if isinstance(error, OSError) else type(error).__name__
        return f"{name}: {' '.join(str(error).split())[:200]}"
    return "pixels"
