"""docs/report.schema.json: `python -m plugins.report.schema` makes it from the types in form.py. Also checks reports.

Needs pydantic, which this project's own checks install and its runs do not need.
"""

import json
from typing import Annotated

from pydantic import ConfigDict, StringConstraints, TypeAdapter, with_config
from pydantic.json_schema import GenerateJsonSchema

from fixtures import ROOT
from fixtures.storage.atomic import write_text
from plugins.report.form import LabelScore, Report, TextToImage

TARGET = ROOT / "docs" / "report.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
LABELS = "^[1-9][0-9]*$"  # keys of TextToImage that a TypedDict cannot express


class Untitled(GenerateJsonSchema):
    """Leave out titles of keys, which only repeat the key."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """Never."""
        return False


with_config(ConfigDict(extra="allow"))(TextToImage)
with_config(ConfigDict(extra="forbid"))(LabelScore)
BY_LABELS = TypeAdapter(dict[Annotated[str, StringConstraints(pattern=LABELS)], LabelScore])
REPORT = TypeAdapter(with_config(ConfigDict(extra="forbid"))(Report))


def as_text() -> str:
    """The schema as the text of the file."""
    schema = {"$schema": DIALECT, **REPORT.json_schema(schema_generator=Untitled)}
    schema["$defs"] |= BY_LABELS.json_schema(schema_generator=Untitled)["$defs"]
    scores = {"patternProperties": {LABELS: {"$ref": "#/$defs/LabelScore"}}, "additionalProperties": False}
    schema["$defs"]["TextToImage"] |= scores
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def check(report: str) -> None:
    """Validate the text of a report.json; raises pydantic's ValidationError that names each wrong or unknown key."""
    for cell in REPORT.validate_json(report, strict=True)["cells"]:
        scores = cell.get("retrieval", {}).get("text_to_image", {})
        BY_LABELS.validate_python({key: value for key, value in scores.items() if key not in TextToImage.__annotations__})


if __name__ == "__main__":
    write_text(TARGET, as_text())
