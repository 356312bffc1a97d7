"""The page golden/evidence/storage.md."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plugins.measures.storage.mixing import ANEW, HALF, OLD_INDEX
from plugins.measures.storage.queries import PRECISIONS
from plugins.report.layout import table

Figures = Mapping[str, Any]
HOW = """\
{queries} of the data set's queries search {items} items: its {scenes} scenes, and items that are drawn from golden's vectors of
them (`plugins/measures/storage/gallery.py`). Another encoder's vector of a drawn item carries the difference that the encoder
makes to that item's scene. Recall@{k} is the share of the first {k} that exact search in float64 finds with golden's vectors.
In brackets are 95 % intervals over the queries: bootstrap for recall, paired for what is added to it, Clopper and Pearson's for
shares of first answers, McNemar's exact one for R@1."""
ALONE = """\
Golden's vectors and queries, so that nothing drifts. Error: cosine distance of a stored vector to the given one, median and
largest. R@1: first answers that show what was asked for, in points."""
QUERIES = """\
Recall@{k} of golden's index by the precision in which golden's queries reach it. int8: by each query's own largest number. as
stored: in the form's own way, as Qdrant does with int8, and as Hamming distances need it."""
DRIFT = """\
Exact search, so that storage loses nothing. Old index: golden's items, the cell's queries. Anew: both are the cell's. R@1, in
points: anew, among the scenes, which every cell embedded, and in the gallery, where drawn items drift like their scenes."""
TOGETHER = """\
Recall@{k} of golden's index in each form with the cell's queries, and below the change that storage adds to the encoder's own,
query by query."""
CERTIFIED = """\
Share of golden's first answers that no errors of the measured lengths can change: the query's drift and the item's error,
stored by that form, together less than half of the margin (`plugins/measures/storage/certificate.py`). Golden's index, the
cell's queries. A form that ranks a shortlist anew may miss an item, so that nothing is certified."""
MIXED = """\
A row's encoder embedded the index and, until now, the queries. A column's encoder takes over: it embeds the queries, and what
comes new is stored by the ranges or the codebook that the old vectors taught. First the class: identical (within fp32
round-off, and every first answer the same), interchangeable (the old index with new queries, and an index of half old and half
new items, keep the recall of both pure ones and 95 % of the first answers from before, as far as chance can tell), re-index
(only an index that is built anew does), broken (that one loses recall too). Then the share of first answers that stay the
same, %, with half of the items new."""
INDEXES = """\
Golden's items in a real index. Its own loss: with golden's queries. Beside it, what the index adds to a cell's drift (old
index, new queries), and recall when the cell also embedded every second item. Agrees: share of the first {k} that are those of
our exact search of the same form, and the largest difference of their scores; equal scores may trade places."""
PICTURES = """\
Recall@{k} of each form with golden's vectors, in a gallery of {items} pictures that are composed of scenes and embedded, and in
as many drawn items. The scenes are in neither."""


def markdown(found: Figures) -> str:
    """All tables."""
    here, gallery = found["environment"], found["gallery"]
    took = f"took {found['seconds']:.0f} s, {found['processor_s']:.0f} s of all processors,"
    made = f"`{found['command']}` {took} on {here['cpu']}, {here['cores']} cores, {found['date'][:10]}"
    k, forms = gallery["k"], found["forms"]
    cells = [cell["cell"] for cell in found["cells"]]
    parts = [
        "# What is stored is not what was computed",
        f"{made}, commit {found['commit']}. Model: {found['model']['name']}, {found['model']['width']} numbers a vector.",
        HOW.format(**{**gallery, "items": f"{gallery['items']:,}"}),
        *(["![Losses of each form, and what may be mixed](storage.svg)"] if found["command"] == "make storage" else []),
        "## What each form loses by itself",
        ALONE,
        _alone(forms),
        "## The query's precision",
        QUERIES.format(k=k),
        _queries(forms),
        "## What each encoder loses by itself",
        DRIFT,
        _drift(found["cells"]),
        *(f"- {cell}: not measured: {reason}" for cell, reason in found["skipped"].items()),
        "## Both together: old index, new queries",
        TOGETHER.format(k=k),
        _grid(forms, cells, lambda row: f"{estimate(row['recall'])}, {signed(row['added'])}"),
        "## Certificates",
        CERTIFIED,
        _certified(forms, cells),
        "## Which may be mixed with which",
        MIXED,
        *(part for form in forms for part in _mixing(form, cells)),
        "## Real indexes",
        INDEXES.format(k=k),
        *_indexes(found["indexes"]),
        "## Is a drawn gallery like one of pictures?",
        *_pictures(found["pictures"], k),
    ]
    return "\n\n".join(parts).rstrip() + "\n"


def percent(share: float) -> str:
    """With one digit, but whole where it is."""
    return f"{100 * share:.1f}".removesuffix(".0")


def estimate(found: Figures) -> str:
    """In percent, with its interval."""
    return f"{percent(found['value'])} [{percent(found['low'])}, {percent(found['high'])}]"


def signed(found: Figures) -> str:
    """A change in points, with its interval."""
    return f"{100 * found['value']:+.1f} [{100 * found['low']:+.1f}, {100 * found['high']:+.1f}]"


def one(rows: Iterable[Figures], **wanted: str) -> Figures:
    """The row with these values."""
    return next(row for row in rows if all(row[key] == value for key, value in wanted.items()))


def _points(change: Figures) -> str:
    return f"{change['points']:+.1f} [{change['low']:+.1f}, {change['high']:+.1f}]"


def _shown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return table(head, rows).rstrip()


def _alone(forms: Sequence[Figures]) -> str:
    def row(form: Figures) -> tuple[str, ...]:
        own = one(form["old_index"], cell="golden", queries="fp32")
        error = f"{form['error']['median']:.1e}, {form['error']['max']:.1e}"
        figures = (estimate(own["recall"]), estimate(own["same_first"]), _points(own["r1"]))
        return form["form"], form["meaning"], str(form["bytes"]), error, *figures

    return _shown(("form", "", "bytes", "error", "recall", "same first answer, %", "R@1"), map(row, forms))


def _queries(forms: Sequence[Figures]) -> str:
    rows = (
        (form["form"], *(estimate(one(form["old_index"], cell="golden", queries=each)["recall"]) for each in PRECISIONS))
        for form in forms
    )
    return _shown(("form", *PRECISIONS), rows)


def _drift(cells: Sequence[Figures]) -> str:
    def row(cell: Figures) -> tuple[str, ...]:
        far = (f"{cell['distance'][side]['median']:.1e}, {cell['distance'][side]['max']:.1e}" for side in ("queries", "items"))
        recall = (estimate(cell["recall"][index]) for index in (OLD_INDEX, ANEW))
        return cell["cell"], *far, *recall, *(_points(cell["r1"][where]) for where in ("scenes", "gallery"))

    head = ("cell", "queries' distance", "images' distance", "recall, old index", "recall, anew", "R@1, scenes", "R@1, gallery")
    return _shown(head, map(row, cells))


def _grid(forms: Sequence[Figures], cells: Sequence[str], show: Any) -> str:
    rows = ((form["form"], *(show(one(form["old_index"], cell=cell, queries="fp32")) for cell in cells)) for form in forms)
    return _shown(("form", *cells), rows)


def _certified(forms: Sequence[Figures], cells: Sequence[str]) -> str:
    def share(form: Figures, cell: str) -> str:
        rows = [row for row in form["certified"] if (row["cell"], row["index"]) == (cell, OLD_INDEX)]
        return f"{percent(rows[0]['share'])} %" if rows else "–"

    return _shown(("form", *cells), ((form["form"], *(share(form, cell) for cell in cells)) for form in forms))


def _mixing(form: Figures, cells: Sequence[str]) -> tuple[str, str]:
    def entry(old: str, new: str) -> str:
        if old == new:
            return "–"
        row = one(form["mixing"], old=old, new=new)
        verdict = row["verdict"] if row["verdict"] in ("identical", "interchangeable") else f"**{row['verdict']}**"
        return f"{verdict} {estimate(row[HALF]['same_first'])}"

    rows = ((old, *(entry(old, new) for new in cells)) for old in cells)
    return f"### {form['form']}", _shown(("old ↓ new →", *cells), rows)


def _indexes(indexes: Sequence[Figures]) -> list[str]:
    there = [index for index in indexes if "missing" not in index]
    missing = [f"- {index['index']}: {index['missing']}" for index in indexes if "missing" in index]
    if not there:
        return missing
    some = [row["cell"] for row in there[0]["half"]]

    def row(index: Figures) -> tuple[str, ...]:
        agrees = f"{percent(index['agrees']['same'])} %, {index['agrees']['largest_gap']:.0e}" if "agrees" in index else "–"
        golden = estimate(one(index["cells"], cell="golden")["recall"])
        added = (signed(one(index["cells"], cell=cell)["added"]) for cell in some)
        half = (estimate(one(index["half"], cell=cell)["recall"]) for cell in some)
        return index["index"], index["meaning"], f"{index['items']:,}", agrees, golden, *added, *half

    head = ("index", "", "items", "agrees", "its own recall", *(f"added: {c}" for c in some), *(f"{HALF}: {c}" for c in some))
    return [_shown(head, map(row, there)), *missing]


def _pictures(found: Figures, k: int) -> list[str]:
    if "left_out" in found:
        return [f"Left out: {found['left_out']}."]
    rows = ((row["form"], estimate(row["pictures"]), estimate(row["drawn"])) for row in found["rows"])
    return [PICTURES.format(k=k, items=f"{found['items']:,}"), _shown(("form", "pictures", "drawn"), rows)]
