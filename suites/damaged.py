"""Image files that are damaged, each in a way of its own, and files that only look so; made from one good picture."""

from typing import TYPE_CHECKING

from fixtures.datasets.made import encoded

if TYPE_CHECKING:
    from PIL import Image

LARGEST = 128  # pixels along a side: damage shows in small files as well
KINDS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")


def small(image: "Image.Image") -> "Image.Image":
    """The same picture as RGB, between 32 pixels and LARGEST along each side."""
    width, height = (min(LARGEST, max(32, side)) for side in image.size)
    return image.convert("RGB").resize((width, height))


def damaged(image: "Image.Image") -> dict[str, bytes]:
    """What is wrong with it, by the bytes of the file; none of them holds a whole picture."""
    picture = small(image)
    files = {kind: encoded(picture, kind) for kind in KINDS}
    files["progressive JPEG"] = encoded(picture, "JPEG", progressive=True)
    files["animated GIF"] = encoded(picture, "GIF", save_all=True, append_images=[picture.rotate(180)])
    found = {
        f"{kind} cut off at {share} %": file[: len(file) * share // 100]
        for kind, file in files.items()
        for share in (20, 60, 95)
    }
    jpeg, png = files["JPEG"], files["PNG"]
    with_thumbnail = jpeg[:2] + segment(encoded(picture.resize((32, 32)), "JPEG")) + jpeg[2:]
    return found | {
        "JPEG without an end marker": jpeg[:-2],
        "JPEG cut off at 50 % before a whole JPEG": jpeg[: len(jpeg) // 2] + jpeg,
        "progressive JPEG cut off at 50 % before a whole JPEG": files["progressive JPEG"][: len(jpeg) // 2] + jpeg,
        "JPEG with a thumbnail cut off at 60 %": with_thumbnail[: len(with_thumbnail) * 6 // 10],
        "PNG without an end": png[:-12],
        "PNG with a wrong checksum": _flipped(png, len(png) - 13),
        "PNG with a bit flipped": _flipped(png, len(png) // 2),
        "no bytes": b"",
        "text": b"<html><body>404 Not Found</body></html>\n" * 20,
        "zeros": bytes(len(jpeg)),
        "JPEG from 60 % on": jpeg[len(jpeg) * 6 // 10 :],
    }


def odd_but_whole(image: "Image.Image") -> dict[str, bytes]:
    """Whole files that a careless reader takes for damaged ones."""
    picture = small(image)
    jpeg, thumbnail = encoded(picture, "JPEG"), segment(encoded(picture.resize((32, 32)), "JPEG"))
    film = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 20
    return {
        "JPEG with a film behind its end": jpeg + film + b"\xff\xda\xff",
        "JPEG with half a JPEG behind its end": jpeg + jpeg[: len(jpeg) // 2],
        "JPEG with a thumbnail": jpeg[:2] + thumbnail + jpeg[2:],
        "JPEG with restart markers": encoded(picture, "JPEG", restart_marker_blocks=3),
        "progressive JPEG": encoded(picture, "JPEG", progressive=True),
        "PNG with bytes behind its end": encoded(picture, "PNG") + film,
    }


def segment(content: bytes) -> bytes:
    """A JPEG segment of an application's own (APP15)."""
    return b"\xff\xef" + (len(content) + 2).to_bytes(2) + content


def _flipped(file: bytes, at: int) -> bytes:
    return file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :]
