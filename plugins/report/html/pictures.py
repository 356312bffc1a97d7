"""The worst images of a report, as small pictures inside the page."""

import base64
import io
from collections.abc import Sequence
from typing import Any

from fixtures.datasets import Dataset
from fixtures.images import opened
from plugins.report.html.heat import share_of

Row = dict[str, Any]
MOST = 12  # pictures on a page
SIDE = 224  # of a picture, in pixels


def worst(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Names of the MOST images that are some cell's worst, or whose answer differs, by the share of a budget; with cells."""
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: -(share_of(row, "image") or 0)):
        if share_of(row, "image") is not None:
            found.setdefault(row["drift"]["image"]["worst_input"], []).append(row)
        if differs(row):
            found.setdefault(row["worst_answer"]["image"], [])
    return dict(list(found.items())[:MOST])


def differs(row: Row) -> bool:
    """True if the cell answers an image in another way than golden; its worst answer may be golden's own."""
    return "worst_answer" in row and row["worst_answer"]["golden"] != row["worst_answer"]["cell"]


def pictures(dataset: Dataset, rows: Sequence[Row]) -> dict[str, str]:
    """Data URIs of the worst images, by name; those that the data set lacks or that cannot be opened are left out."""
    return {name: uri for name in worst(rows) if name in dataset.images and (uri := thumbnail(dataset.path(name)))}


def thumbnail(path: str) -> str:
    """The data URI of a small JPEG of an image file; "" for one that cannot be opened."""
    from PIL import Image

    try:
        with opened(path) as image:
            small = image.convert("RGBA")
    except OSError:
        return ""
    small.thumbnail((SIDE, SIDE))
    paper = Image.new("RGB", small.size, "white")
    paper.paste(small, mask=small)
    out = io.BytesIO()
    paper.save(out, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
