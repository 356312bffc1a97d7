"""`python -m suites.studies.faults` (make faults): plants every fault, prints the table, and writes the evidence of a whole run."""

import sys
from collections.abc import Sequence

from fixtures import ROOT
from fixtures.errors import BadInput
from plugins.command_line.program import Parser, code_of
from suites.studies import evidence
from suites.studies.faults import campaign, page

TARGET = ROOT / "golden" / "evidence" / "faults.json"
COMMAND = "make faults"


def main(arguments: list[str] | None = None) -> int:
    """0 if everything that must be caught is, 1 if not, 4 for bad input; other arguments than --only go to the inner runs of pytest."""
    parser = Parser(prog="python -m suites.studies.faults", description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="faults whose number or name contains it, such as 33 or crop"
    )
    wanted, options = parser.parse_known_args(arguments)
    return code_of(lambda: _study(wanted.only, options), "nothing was written")


def _study(only: str, options: Sequence[str]) -> int:
    rows = [*campaign.planted(only, options), *campaign.sessions(only)]
    if not rows:
        raise BadInput(f"no fault is called '{only}': see suites/studies/faults/table.py")
    rows.sort(key=lambda row: (row["number"], row["fault"]))  # stable: strengths keep their order
    print(page.text(rows))
    print(page.verdict(rows))
    wrong = page.problems(rows)
    for problem in wrong:
        print(f"PROBLEM: {problem}")
    if not only and not options:
        found = {
            "schema": 1,
            "command": COMMAND,
            **evidence.stamp(),
            "rows": rows,
        }
        evidence.write(TARGET, found, page.markdown(found))
        print(f"written: {TARGET.name} and {TARGET.stem}.md in golden/evidence")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
