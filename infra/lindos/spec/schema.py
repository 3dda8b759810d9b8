"""The model of the site file -> a JSON schema, for editors.

An editor checks what this says while someone types; `load_spec` alone knows names, products and facts. Written for
draft 7, which every editor reads. `inventories/site.schema.json` is this text, and a test keeps it fresh.
"""

from __future__ import annotations

import json
from typing import Any

from lindos.spec.model import FORMAT, Spec

GROUPED = {"type": "string", "pattern": r"^[0-9]{1,3}(_[0-9]{3})+$"}
"""A whole number in groups of three, 131_072: editors take it for text, the site file's reader does not."""


def _editable(node: Any) -> Any:
    """A piece of pydantic's schema -> the same for draft 7 and for what the reader of the site file accepts."""
    if isinstance(node, list):
        return [_editable(part) for part in node]
    if not isinstance(node, dict):
        return node
    out = {key: _editable(value) for key, value in node.items() if key != "title" or not isinstance(value, str)}
    if "anyOf" in out:
        # The reader knows no null: an optional key is left out.
        options = [option for option in out.pop("anyOf") if option != {"type": "null"}]
        out = options[0] | out if len(options) == 1 else out | {"anyOf": options}
    if out.get("default", 0) is None:
        del out["default"]
    if "$ref" in out and len(out) > 1:
        out["allOf"] = [{"$ref": out.pop("$ref")}]
    if "patternProperties" in out:
        out["additionalProperties"] = False
    if out.get("type") in {"integer", "number"}:
        limits = {k: out.pop(k) for k in list(out) if k == "type" or k.endswith(("imum", "Minimum", "Maximum"))}
        out["anyOf"] = [limits, GROUPED]
    return out


def site_schema() -> str:
    """Nothing -> the text of the JSON schema of a site file."""
    raw = Spec.model_json_schema(ref_template="#/definitions/{model}")
    sections = raw.pop("$defs")
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"Lindos site file, format {FORMAT}",
        **_editable(raw),
        "definitions": _editable(sections),
    }
    schema["properties"]["lindos"] = {"const": FORMAT, "description": schema["properties"]["lindos"]["description"]}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
