"""A role's contract -> its README. `python -m roles.readme` in tests/ writes them all."""

from __future__ import annotations

from typing import Any

import yaml

from .listing import FOLDER, ROLES


def render(role: str) -> str:
    """Role -> README.md, from meta/argument_specs.yml and defaults/main.yml."""
    spec = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]
    defaults = load(role, "defaults/main.yml")
    lines = [
        f"# {role}",
        "",
        "<!-- Generated from meta/argument_specs.yml by `python -m roles.readme` in tests/; edits are lost. -->",
        "",
        f"{spec['short_description']}.",
        "",
        *_sentences(spec["description"]),
        "",
        "| argument | type | default | what it is |",
        "|---|---|---|---|",
    ]
    for name, option in spec["options"].items():
        lines += _rows(name, option, defaults)
    return "\n".join([*lines, ""])


def load(role: str, path: str) -> dict[str, Any]:
    """Role, file -> its YAML; a file that is not there holds nothing."""
    file = FOLDER / role / path
    return (yaml.safe_load(file.read_text()) or {}) if file.exists() else {}


def _rows(name: str, option: dict[str, Any], defaults: dict[str, Any], above: str = "") -> list[str]:
    kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
    words = " ".join(_sentences(option["description"]))
    if choices := option.get("choices"):
        words += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
    rows = [f"| `{above}{name}` | {kind} | {_default(name, option, defaults)} | {words} |"]
    for inner, suboption in option.get("options", {}).items():
        rows += _rows(inner, suboption, {}, f"{above}{name}.")
    return rows


def _default(name: str, option: dict[str, Any], defaults: dict[str, Any]) -> str:
    if option.get("required"):
        return "**required**"
    value = defaults.get(name, option.get("default"))
    if value is None:
        return ""
    if isinstance(value, dict) and value and "default" not in option:
        return "see defaults/main.yml"
    shown = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")
    return f"`{shown}`".replace("|", "\\|")


def _sentences(description: str | list[str]) -> list[str]:
    given = [description] if isinstance(description, str) else description
    return [" ".join(text.split()) for text in given]


if __name__ == "__main__":
    for each in ROLES:
        (FOLDER / each / "README.md").write_text(render(each))
