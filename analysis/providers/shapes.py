"""The shape of an answer as vendors take it: one flat JSON schema, of the few words that all of them understand."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

# Bounds of texts are not among them: half of the vendors refuse them, the other half do not keep to them.
KEPT = ("type", "enum", "description", "minItems", "minimum", "maximum")


def wire_schema(shape: type[BaseModel], *, bounded: bool) -> dict[str, Any]:
    """Without references; everything required, nothing else allowed: what strict modes ask for.

    Not `bounded`, the greatest number of items becomes a sentence: several `maxItems` are too many for Gemini.
    """
    whole = shape.model_json_schema()
    return _flat(whole, whole.get("$defs", {}), bounded)


def spelled_out(shape: type[BaseModel]) -> str:
    """For a model that takes no schema: the same in words."""
    schema = json.dumps(wire_schema(shape, bounded=True), ensure_ascii=False)
    return f"\n\nAnswer with one JSON object and nothing around it. Its JSON schema:\n{schema}"


def _flat(node: Mapping[str, Any], known: Mapping[str, Any], bounded: bool) -> dict[str, Any]:
    if "$ref" in node:
        node = {**known[node["$ref"].rpartition("/")[2]], **node}
    flat = {name: node[name] for name in KEPT if name in node}
    if "maxItems" in node:
        flat |= {"maxItems": node["maxItems"]} if bounded else {"description": _with_most(node)}
    if "properties" in node:
        flat["properties"] = {name: _flat(part, known, bounded) for name, part in node["properties"].items()}
        flat |= {"required": [*node["properties"]], "additionalProperties": False}
    if "items" in node:
        flat["items"] = _flat(node["items"], known, bounded)
    if "anyOf" in node:
        flat["anyOf"] = [_flat(part, known, bounded) for part in node["anyOf"]]
    return flat


def _with_most(node: Mapping[str, Any]) -> str:
    return f"{node.get('description', '')} At most {node['maxItems']}.".strip()
