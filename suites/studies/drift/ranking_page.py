"""What drift costs, as Markdown tables: certificates, changed answers, forecasts and verdicts."""

from typing import Any

from plugins.measures.drift.answers.answers import SIDE_MEANING, SIDES
from plugins.measures.drift.answers.mixing import sentence


def markdown(found: dict[str, Any]) -> str:
    """The figures of audit_ranking as Markdown."""
    lines = [
        f"{found['queries']} queries before {found['items']} scenes. **Certified**: no error of the measured size can change "
        "the answer, even if every vector is as far off as the worst one of its side "
        "(proof: `plugins/measures/drift/answers/certificate.py`). "
        "**Changed**: answers found to be other than golden's.",
        "",
        "| cell | mixture | first answer: certified | changed | first ten: certified | changed | hit: certified | changed |",
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
        return [f"No forecast for larger galleries: {found['no_gallery']}.", ""]
    gallery = found["gallery"]
    wrong = "; ".join(f"{what} {it['forecast']:.2%}, {it['measured']:.2%}" for what, it in gallery["found"].items())
    lines = [
        "Larger galleries: right answers stay, wrong pictures are added. The scores' tail of "
        f"{gallery['fitted_on']} pictures, made of the scenes, forecasts {gallery['size']} (forecast, measured): {wrong}. "
        "Beyond that size nothing is measured: the same law is carried on.",
        "",
        "| cell | first answers that change | "
        + "".join(f"at {_size(row['size'])} | " for row in _rows(found))
        + f"measured at {_size(gallery['size'])} |",
        "|---|---|" + "---|" * (len(_rows(found)) + 1),
    ]
    for cell in found["cells"]:
        for side, name in (("queries", "old index, new queries"), ("both", "re-indexed")):
            rows, larger = cell["forecast"][side]["sizes"], cell["larger"]
            measured = f"{larger['changed'] / larger['n']:.2%}" if side == "queries" else "–"
            each = " | ".join(f"{_share(row['first'])} [{_share(row['low'])}, {_share(row['high'])}]" for row in rows)
            lines.append(f"| {_name(cell)} | {name} | {each} | {measured} |")
    lines += ["", "In brackets: the range over half, once and twice the number of tail values.", ""]
    lines += ["May an old fp32 index serve new queries?", ""]
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
