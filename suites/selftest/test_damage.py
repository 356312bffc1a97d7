"""Damaged image files are told from whole ones, by all preprocessors alike."""

import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from fixtures.damage import damage
from fixtures.images import BadImage, decoded
from fixtures.registry import preprocessors
from suites.damaged import damaged, odd_but_whole, saved, segment
from suites.selftest.conftest import ROOT
from suites.selftest.pictures import Picture, chunk, pictures, written
from suites.selftest.properties import hold

WALKED = ("JPEG", "PNG", "GIF")


@pytest.fixture(scope="module")
def scene() -> Any:
    """A photograph-like picture."""
    return decoded(str(ROOT / "fixtures" / "datasets" / "scenes" / "images" / "scene_000.jpg"))


def refused(name: str, path: str) -> str:
    """What a preprocessor says of a file; "" when it decodes it."""
    try:
        preprocessors()[name].decode(path)
    except BadImage as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", preprocessors())
def test_each_preprocessor_refuses_each_damaged_file(scene: Any, name: str, tmp_path: Path) -> None:
    """And takes each whole one."""
    for what, file in damaged(scene).items():
        assert "cannot be decoded" in refused(name, written(tmp_path, file)), what
    for what, file in odd_but_whole(scene).items():
        assert not refused(name, written(tmp_path, file)), what


def test_what_is_wrong_is_said(scene: Any) -> None:
    """In words that lead to the place."""
    files = damaged(scene)
    assert "chunk 'IDAT' at byte" in damage(files["PNG with a wrong checksum"])
    assert "another image file begins at byte" in damage(files["JPEG cut off at 50 % before a whole JPEG"])
    assert damage(files["PNG without an end"]) == damage(files["JPEG without an end marker"]) == "image file is truncated"
    assert not any(damage(file) for file in odd_but_whole(scene).values())


def test_scans_that_are_missing(scene: Any) -> None:
    """A sequential JPEG shows each component in one scan: an end before that, or a scan too many, is damage."""
    jpeg = saved(scene, "JPEG")
    scan = jpeg.index(b"\xff\xda")
    assert "0 of 3 components" in damage(jpeg[:scan] + b"\xff\xd9")
    assert "6 components in a picture of 3" in damage(jpeg[:-2] + jpeg[scan:])


def test_other_checksums(scene: Any) -> None:
    """Of a chunk that decoders leave out, before the picture or behind it."""
    png = saved(scene, "PNG")
    note = chunk(b"tEXt", b"Title\0scene")
    wrong = note[:-1] + bytes([note[-1] ^ 1])
    for at in (33, len(png) - 12):
        assert not damage(png[:at] + note + png[at:])
        assert "'tEXt'" in damage(png[:at] + wrong + png[at:])


def test_pages_behind_the_first(scene: Any, tmp_path: Path) -> None:
    """An animation or a document that was cut off behind its first picture is damaged too."""
    small = scene.resize((64, 48))
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        file = saved(small, kind, save_all=True, append_images=[small.rotate(180)])
        for name in ("original_clip", "read_from_cv"):
            assert not refused(name, written(tmp_path, file)), kind
            assert "cannot be decoded" in refused(name, written(tmp_path, file[: len(file) * 9 // 10])), kind


def test_pictures_for_two_eyes(scene: Any, tmp_path: Path) -> None:
    """A multi-picture file (MPO) is one JPEG behind another: the first is the picture."""
    file = saved(scene, "MPO", save_all=True, append_images=[scene.rotate(180)])
    first = len(saved(scene, "JPEG"))
    for name in ("original_clip", "read_from_cv"):
        assert not refused(name, written(tmp_path, file))
        assert "cannot be decoded" in refused(name, written(tmp_path, file[: first // 2] + file[first + 300 :]))


def test_any_cut(tmp_path: Path) -> None:
    """Wherever a file is cut off, nobody takes it for whole; nor when a whole JPEG follows its own picture's first part."""

    def check(picture: Picture, place: float, thumbnail: bool) -> None:
        file = picture.file()
        if thumbnail and picture.kind == "JPEG":
            file = file[:2] + segment(file[:9000]) + file[2:]
        at = int(place * len(file))
        for name in ("original_clip", "read_from_cv"):
            assert refused(name, written(tmp_path, file[:at])), (name, at)
            if picture.kind == "JPEG" and at > file.rindex(b"\xff\xda") + 20:
                assert refused(name, written(tmp_path, file[:at] + file)), (name, at)

    small = pictures().filter(lambda picture: picture.kind in WALKED and max(picture.width, picture.height) <= 400)
    hold("any cut", check, 100, picture=small, place=st.floats(0, 1, exclude_max=True), thumbnail=st.booleans())


def test_anything_behind_the_end(tmp_path: Path) -> None:
    """Is not the picture's: it stays whole."""

    def check(picture: Picture, tail: bytes) -> None:
        assert not damage(picture.file() + tail)
        assert not refused("original_clip", written(tmp_path, picture.file() + tail))

    small = pictures().filter(lambda picture: picture.kind in WALKED and max(picture.width, picture.height) <= 400)
    tails = st.one_of(st.binary(max_size=60), st.sampled_from([b"\xff\xda", b"\xff\xd8\xff", b"\xff\xd9" * 3, b"IEND"]))
    hold("bytes behind the end", check, 60, picture=small, tail=tails)


def test_threads_leave_warnings_as_they_were(scene: Any, tmp_path: Path) -> None:
    """Decoding at once in many threads does not switch the process's warnings off."""
    path = written(tmp_path, saved(scene.resize((64, 48)), "PNG"))
    with warnings.catch_warnings():
        before = list(warnings.filters)
        threads = [threading.Thread(target=lambda: [decoded(path) for _ in range(40)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert list(warnings.filters) == before
