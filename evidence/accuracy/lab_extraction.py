"""Makes a case of extraction: the names in sentences as JSON, for a lab with the embedded model.

python evidence/accuracy/lab_extraction.py DATA FOLDER [TARGET]
tuneworthy ceiling FOLDER --max-tokens 96 --at-once 8

DATA holds presidio_synth/synth_dataset_v2.json. TARGET is the share that is good enough, 0.80 where
it isn't given. What is there stays as it is, but for the case file: with another target in it the
lab is held against that, and nothing is sent again.

The checks and reasons in the case are an invented service desk's word; the lab measures the rest.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

CASES, EXAMPLES_A_TEMPLATE, SEED, TARGET = 120, 3, 7, 0.80
KINDS = {"PERSON": "people", "ORGANIZATION": "organizations", "GPE": "places"}
_CASE = """\
name: Names in messages
goals: [extraction]
targets: {quality: {metric: json_fields, at_least: TARGET}}
today: {api: own}
data:
  evaluation: eval.jsonl
  examples: {path: examples.jsonl, count: 1032}
  prompts: prompts
  output_schema: names.json
models: [{id: "local:smollm2"}]
# an invented service desk's word:
ceiling: {prompt_variations: 5, foundation_models: 2, retrieval_optimised: yes}
factors:
  consistent_behavior: yes
  cost_optimization: yes
  latency_requirements: yes
  data_sovereignty: yes
  domain_knowledge: no
  brand_voice: no
  low_volume: no
  rapidly_changing_requirements: no
  exploration_phase: no
"""
_PLAIN = """\
---
name: plain
---
# system
List the people, organizations and places that the message names, as JSON.
# user
{{ input }}
"""
_STRUCTURED = """\
---
name: structured
constrained: schema
structured: {persona: yes, context: yes, task: yes, format: yes}
---
# system
You read messages to a service desk and note whom and what they name.
Answer with one JSON object and nothing else: {"people": [], "organizations": [], "places": []}.
Copy each name as it stands in the message, in the order of the message. Leave a list empty where
nothing of its kind is named. Titles, jobs, numbers and addresses are no names.
# user
Message: {{ input }}
"""


def main() -> None:
    """Write the case, or another target into one that is there."""
    data, folder = Path(sys.argv[1]) / "presidio_synth", Path(sys.argv[2])
    target = float(sys.argv[3]) if len(sys.argv) > 3 else TARGET
    if not folder.exists():
        cases, examples = _parts(
            json.loads((data / "synth_dataset_v2.json").read_text("utf-8"))
        )
        (folder / "prompts").mkdir(parents=True)
        (folder / "eval.jsonl").write_text(_lines(cases), encoding="utf-8")
        (folder / "examples.jsonl").write_text(_lines(examples), encoding="utf-8")
        (folder / "prompts" / "plain.md").write_text(_PLAIN, encoding="utf-8")
        (folder / "prompts" / "structured.md").write_text(_STRUCTURED, encoding="utf-8")
        (folder / "names.json").write_text(json.dumps(_schema()), encoding="utf-8")
    (folder / "case.yaml").write_text(
        _CASE.replace("TARGET", f"{target:.2f}"), encoding="utf-8"
    )


def _parts(
    rows: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One sentence of each of some templates to measure on, and some of all others to show.

    Sentences of one template are one conversation. Street addresses are left out: their towns are
    marked as a part of them, and not as places.
    """
    chance = random.Random(SEED)  # noqa: S311  # a draw of cases is no secret
    templates: dict[int, list[dict[str, Any]]] = {}
    for place, row in enumerate(rows):
        if not any(one["entity_type"] == "STREET_ADDRESS" for one in row["spans"]):
            templates.setdefault(row["template_id"], []).append(_case(place, row))
    groups = list(templates.values())
    chance.shuffle(groups)
    for group in groups:
        chance.shuffle(group)
    cases = [group[0] for group in groups[:CASES]]
    examples = [one for group in groups for one in group[1 : 1 + EXAMPLES_A_TEMPLATE]]
    return cases, examples


def _case(place: int, row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, list[str]] = {name: [] for name in KINDS.values()}
    for one in sorted(row["spans"], key=lambda span: span["start_position"]):
        if one["entity_type"] in KINDS:
            found[KINDS[one["entity_type"]]].append(one["entity_value"])
    asked, template = row["full_text"], f"template {row['template_id']}"
    return {
        "id": f"s{place}",
        "input": asked,
        "reference": found,
        "conversation_id": template,
    }


def _schema() -> dict[str, Any]:
    names = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "properties": dict.fromkeys(KINDS.values(), names),
        "required": list(KINDS.values()),
        "additionalProperties": False,
    }


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    main()
