"""The page about a corpus: the table, and the images with the largest drift, inside one HTML file that needs no network."""

import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from plugins.corpus.answer import HEADER, MEANING, MIXED, Answer, CellAnswer, lines, texts
from plugins.corpus.sources import Source
from plugins.report.html.page import HERE
from plugins.report.html.pictures import thumbnail

MOST = 24  # pictures on a page
STYLE = HERE / "page.css"


def worst(found: Answer) -> dict[int, list[tuple[str, str, float]]]:
    """By place in the corpus: name, cell and drift; each cell's first ones come before all cells' second ones."""
    ranked = [
        (rank, row["id"], each)
        for row in found["cells"]
        for rank, each in enumerate(row["worst"])
        if each["cosine_distance"] > 0
    ]
    images: dict[int, list[tuple[str, str, float]]] = {}
    for _, cell, each in sorted(ranked, key=lambda item: item[:2]):
        images.setdefault(each["place"], []).append((each["image"], cell, each["cosine_distance"]))
    return dict(list(images.items())[:MOST])


def pictures(source: Source, found: Answer) -> dict[int, str]:
    """Data URIs of the worst images, by place; "" for one that can no longer be read."""
    places = sorted(worst(found))
    uris = {}
    with tempfile.TemporaryDirectory(prefix="clip-corpus-") as folder:
        file = Path(folder) / "image"
        for place, (_, content) in zip(places, source.chosen(places).read(), strict=True):
            file.write_bytes(content if isinstance(content, bytes) else b"")
            uris[place] = thumbnail(str(file))
    return uris


def page(found: Answer, run: Mapping[str, Any], uris: Mapping[int, str]) -> str:
    """The HTML text."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in HEADER)
    title = f"{found['compared']} of {found['images']} images beside {run['reference']}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>clip-conformance: {escape(title)}</title>
<link rel="icon" href="data:,">
<style>{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header><p class="name">clip-conformance corpus</p><h1>{escape(title)}</h1>
<p class="quiet">{escape(run["corpus"])}, model {escape(run["model"]["name"])}, commit {escape(run["commit"])}</p></header>
<div class="scroll" tabindex="0" role="region" aria-label="cells"><table><caption>cosine distances of each cell; flips: first
answers of {found["queries"]} images that change, {escape(MEANING[MIXED])}</caption><thead><tr>{head}</tr></thead>
<tbody>{"".join(_row(row) for row in found["cells"])}</tbody></table></div>
<ul>{"".join(f"<li>{escape(note)}</li>" for note in lines(found)[1 + len(found["cells"]) :])}</ul>
<h2>The images with the largest drift</h2>
<div class="pictures">{"".join(_figure(place, cells, uris.get(place, "")) for place, cells in worst(found).items())}</div>
</body>
</html>
"""


def _row(row: CellAnswer) -> str:
    name, *figures = texts(row)
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(text)}</td>" for text in figures)}</tr>'


def _figure(place: int, cells: list[tuple[str, str, float]], uri: str) -> str:
    name = escape(cells[0][0])
    picture = f'<img src="{uri}" alt="{name}">' if uri else "<p>it cannot be opened</p>"
    drifts = "".join(f"<li>{escape(cell)}: {drift:.2g}</li>" for _, cell, drift in cells)
    return f"<figure>{picture}<figcaption><code>{name}</code> at place {place}<ul>{drifts}</ul></figcaption></figure>\n"
