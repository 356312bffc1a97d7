"""What drift costs, as a person reads it: Markdown tables of certificates, changed answers, forecasts and the verdicts."""

from typing import Any

from suites.drift.answers import SIDE_MEANING, SIDES
from suites.drift.mixing import sentence


def markdown(found: dict[str, Any]) -> str:
    """The figures of audit_ranking as Markdown."""
    lines = [
        f"{found['queries']} queries before {found['items']} scenes. **Certified**: no error of the measured size (every vector "
        "may be as far off as the worst one of its side) can change the answer; proved in `suites/drift/certificate.py`. "
        "**Changed**: answers other than golden's, found.",
        "",
        "| cell | mixture | first answer: certified | changed | first ten: certified | changed | R@1 hit: certified | changed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cell in found["cells"]:
        for side in SIDES:
            figures = cell["sides"][side]
            each = [f"{figures[kind]['certified']:.1%} | {figures[kind]['changed']}" for kind in ("first", "top10", "hit")]
            lines.append(f"| {_name(cell)} | {SIDE_MEANING[side]} | {' | '.join(each)} |")
    lines += ["", *_forecasts(found)]
    lines += [f"- {_name(cell)}: not measured: {cell['reason']}" for cell in found["skipped"]]
    return "\n".join([*lines, ""])


def _forecasts(found: dict[str, Any]) -> list[str]:
    if "gallery" not in found:
        return [f"No forecast for larger galleries: {found['no_gallery']}."]
    gallery = found["gallery"]
    wrong = "; ".join(f"{what} {it['forecast']:.2%}, {it['measured']:.2%}" for what, it in gallery["found"].items())
    lines = [
        f"Larger galleries: right answers stay, wrong pictures are added. The tail of {gallery['fitted_on']} pictures, made of the "
        f"scenes, foretells {gallery['size']} of them (forecast, measured): {wrong}.",
        "",
        "| cell | first answers that change | "
        + " | ".join(f"at {_size(row['size'])}" for row in _rows(found))
        + " | measured at "
        f"{_size(gallery['size'])} |",
        "|---|---|" + "---|" * (len(_rows(found)) + 1),
    ]
    for cell in found["cells"]:
        for side, name in (("queries", "old index, new queries"), ("both", "re-indexed")):
            rows = cell["forecast"][side]["sizes"]
            larger = cell["larger"]
            measured = f"{larger['changed'] / larger['n']:.2%}" if side == "queries" else "–"
            each = " | ".join(f"{_share(row['first'])} [{_share(row['low'])}, {_share(row['high'])}]" for row in rows)
            lines.append(f"| {_name(cell)} | {name} | {each} | {measured} |")
    lines += [
        "",
        "In brackets: the same from half and from twice as many tail values.",
        "",
        "May an old fp32 index serve new queries?",
        "",
    ]
    return [*lines, *(f"- {_name(cell)}: {sentence(cell['mixing'])}." for cell in found["cells"])]


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    cells = found["cells"]
    return list(cells[0]["forecast"]["queries"]["sizes"]) if cells else []


def _name(cell: dict[str, Any]) -> str:
    return f"{cell['backend']} {cell['precision']}"


def _size(size: float) -> str:
    exponent = len(f"{size:.0f}") - 1
    return f"10^{exponent}" if size == 10**exponent else f"{size:.0f}"


def _share(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 1e-5 else "0 %"
