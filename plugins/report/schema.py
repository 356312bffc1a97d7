"""docs/report.schema.json: made from the types in form.py by `python -m plugins.report.schema`, and a check of reports by it.

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
LABELS = "^[1-9][0-9]*$"  # keys of TextToImage for which a TypedDict has no words


class Untitled(GenerateJsonSchema):
    """Without a title for each key, which says the key again."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """Never."""
        return False


with_config(ConfigDict(extra="allow"))(TextToImage)
with_config(ConfigDict(extra="forbid"))(LabelScore)
BY_LABELS = TypeAdapter(dict[Annotated[str, StringConstraints(pattern=LABELS)], LabelScore])
REPORT = TypeAdapter(with_config(ConfigDict(extra="forbid"))(Report))


def as_text() -> str:
    """The schema, as the file holds it."""
    schema = {"$schema": DIALECT, **REPORT.json_schema(schema_generator=Untitled)}
    schema["$defs"] |= BY_LABELS.json_schema(schema_generator=Untitled)["$defs"]
    scores = {"patternProperties": {LABELS: {"$ref": "#/$defs/LabelScore"}}, "additionalProperties": False}
    schema["$defs"]["TextToImage"] |= scores
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def check(report: str) -> None:
    """Hold the text of a report.json to it; raises pydantic's ValidationError with the place of each wrong or unknown key."""
    for cell in REPORT.validate_json(report, strict=True)["cells"]:
        scores = cell.get("retrieval", {}).get("text_to_image", {})
        BY_LABELS.validate_python({key: value for key, value in scores.items() if key not in TextToImage.__annotations__})


if __name__ == "__main__":
    write_text(TARGET, as_text())
