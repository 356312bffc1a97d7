"""golden/evidence/families.md: what each member's contract is, and what its cells give and cost."""

from collections.abc import Iterator, Sequence
from typing import Any

from plugins.report.layout import table
from suites.studies.families.member import CELLS, CONTRACT, TEXTS

ENDED = "ended with"
HEAD = """\
# Families

Each family's smallest member, and Chinese-CLIP's three large ones, with random weights (`random:0`): `{command}`, commit
{commit}, {date}, {cpu}. Where the tokeniser would come from the hub, a small one with one token a byte stands in: which id a
word has plays no part in these figures."""
CONTRACTS = f"""\
## Contracts

From open_clip's, transformers' and cn_clip's own configurations. "Own code" is how far the suite is from the family's own
transform, tokeniser and network: the largest difference of pixels on scenes of 640 x 425, tokens that differ in {len(TEXTS)}
texts of mixed case, script and length, and the largest cosine distance of vectors from file and text."""
COST = """\
## Cells

Cosine distance is the largest to torch eager fp32's vectors of the same inputs. Times are medians of one image and one text a
call, host to host, in milliseconds, each cell timed once on its own: they say what a call costs, not which of two is faster."""


def members(lines: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """What is known of each member: its contract, its cells, or how it ended."""
    found = []
    for name in names:
        own = {
            line["what"]: {k: v for k, v in line.items() if k not in ("name", "what")} for line in lines if line["name"] == name
        }
        cells = [{"cell": what, **own[what]} for what in (" ".join(cell) for cell in CELLS) if what in own]
        ended = [what for what in own if what.startswith(ENDED)]
        found.append({"name": name, **own.get(CONTRACT, {}), "cells": cells, **({"ended": ended[-1]} if ended else {})})
    return found


def markdown(found: dict[str, Any]) -> str:
    """The whole page."""
    stamp = {"command": found["command"], "commit": found["commit"], "date": found["date"]}
    head = HEAD.format(**stamp, cpu=found["environment"].get("cpu", "an unknown processor"))
    listed = found["members"]
    contracts = [_contract(member) for member in listed if "family" in member]
    columns = (
        "family",
        "member",
        "parameters",
        "pictures",
        "mean, std",
        "texts",
        "probabilities",
        "own code: pixels, tokens, image, text",
    )
    parts = [head, CONTRACTS, table(columns, contracts).rstrip(), COST]
    parts.append(table(("member", "cell", "image", "text", "image ms", "text ms", "build s", ""), _cells(listed)).rstrip())
    return "\n\n".join(parts) + "\n"


def _contract(member: dict[str, Any]) -> tuple[str, ...]:
    vectors, case = member["vectors"], "lower case" if member["lower_case"] else "case kept"
    return (
        member["family"],
        member["name"],
        f"{member['parameters'] / 1e6:.0f} M",
        f"{'squash' if member['squash'] else 'crop'} to {member['size']}, {member['interpolation']}",
        "; ".join(" ".join(f"{value:.3g}" for value in dict.fromkeys(member[each])) for each in ("mean", "std")),
        f"{member['context']} tokens, filled with {member['pad']}, {case}",
        member["probabilities"],
        f"{member['pixels']:.1e}, {member['other_tokens']}, {vectors['image']:.1e}, {vectors['text']:.1e}",
    )


def _cells(listed: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for member in listed:
        for cell in member["cells"]:
            if "failed" in cell:
                yield member["name"], cell["cell"], "", "", "", "", "", cell["failed"]
                continue
            image, text = cell["image"], cell["text"]
            far = (f"{image['cosine_distance']:.1e}", f"{text['cosine_distance']:.1e}")
            built = f"{cell['build_s']:.0f}" if "build_s" in cell else ""
            yield member["name"], cell["cell"], *far, f"{image['p50_ms']:.1f}", f"{text['p50_ms']:.1f}", built, ""
        if "ended" in member:
            yield member["name"], "", "", "", "", "", "", member["ended"]
