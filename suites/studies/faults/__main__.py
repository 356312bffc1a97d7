"""`python -m suites.studies.faults` (make faults): plants every fault, prints the table, and writes the evidence of a whole run."""

import argparse
import sys

from fixtures import ROOT
from fixtures.errors import BadInput
from suites.studies import evidence
from suites.studies.faults import campaign, page

TARGET = ROOT / "golden" / "evidence" / "faults.json"
COMMAND = "make faults"


def main(arguments: list[str] | None = None) -> int:
    """0 if everything that must be caught is; 1 if not; other arguments than --only go to the inner runs of pytest."""
    parser = argparse.ArgumentParser(prog="python -m suites.studies.faults", description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="faults whose number or name contains it, such as 33 or crop"
    )
    wanted, options = parser.parse_known_args(arguments)
    try:
        rows = [*campaign.planted(wanted.only, options), *campaign.sessions(wanted.only)]
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    if not rows:
        print(f"no fault is called '{wanted.only}': see suites/studies/faults/table.py", file=sys.stderr)
        return 2
    rows.sort(key=lambda row: (row["number"], row["fault"]))  # stable: strengths keep their order
    print(page.text(rows))
    print(page.verdict(rows))
    wrong = page.problems(rows)
    for problem in wrong:
        print(f"PROBLEM: {problem}")
    if not wanted.only and not options:
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
