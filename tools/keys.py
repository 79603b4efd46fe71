"""Keys of a file or a dossier as Markdown, from its JSON Schema: type, unit, meaning."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from layout import bullet, paragraph

Schema = dict[str, Any]

# The unit a key carries in its name; the first that fits counts. Keys are written `Noun.key`.
_UNITS = (
    (r"p_within", "share"),
    (r"TokenPrice\.|usd_per_mtok$", "USD a million tokens"),
    (r"hourly_rate_usd$", "USD an hour"),
    (r"usd_per_month$|monthly_net_usd$", "USD a month"),
    (r"(Monthly|Ongoing|ByTable)\.\w*usd$", "USD a month"),
    (r"WorkedExample\.(api_savings|quality_value|ongoing)_usd$", "USD a month"),
    (r"(^|[._])usd(_under)?$", "USD"),
    (r"hours_per_quarter$", "hours a quarter"),
    (r"monitoring_hours$", "hours a month"),
    (r"(^|[._])hours$", "hours"),
    (r"(^|[._])minutes$", "minutes"),
    (r"(^|[._])(under_)?months$|by_month$", "months"),
    (r"BreakEven\.|Month\.month$|pays_from_month$", "months"),
    (r"(Month|Percentiles)\.p\d0$", "USD"),
    (r"p_never$", "share"),
    (r"(^|[._])weeks$", "weeks"),
    (r"_s$", "seconds"),
    (
        r"(cached_share|retrieval_recall|Today\.quality|QualityTarget\.at_least)$",
        "share",
    ),
    (r"_bits$", "bits"),
    (r"requests_per_month$", "requests a month"),
    (r"_tokens$", "tokens a request"),
    (r"growth_per_month$", "share a month"),
)


def sections(
    schema: Schema,
    meanings: dict[str, str],
    *,
    mark_required: bool,
    deepest: int = 99,
) -> list[str]:
    """The whole object: a section for each mapping in it, then the shapes used in several places.

    Args:
        schema: A JSON Schema whose objects stand under ``$defs``.
        meanings: What keys without a description of their own mean, as ``Noun.key``.
        mark_required: Say of each key that has to be there that it has to.
        deepest: How deep mappings have sections of their own; 1 for those at the top alone.
    """
    pages = _Pages(schema, meanings, mark_required, deepest)
    lines = ["## At the top", "", *pages.section("", schema)]
    if pages.shared:
        lines += ["## Shapes used in several places", ""]
        for name in sorted(pages.shared):
            owner = schema["$defs"][name]
            lines += [
                f"### {_spoken(name)}",
                "",
                *paragraph(_plain(owner.get("description", ""))),
            ]
            lines += pages.section(name, owner)
    return lines


def undocumented(schema: Schema, meanings: dict[str, str]) -> set[str]:
    """Keys that nobody has said the meaning of, as ``Noun.key``."""
    return {
        f"{noun}.{key}"
        for noun, owner in _nouns(schema)
        for key, node in owner.get("properties", {}).items()
        if not node.get("description")
        and not {f"{noun}.{key}", f"*.{key}"} & set(meanings)
    }


def needless(schema: Schema, meanings: dict[str, str]) -> set[str]:
    """Meanings given for keys that have one of their own, or that don't exist."""
    bare = undocumented(schema, {})
    anywhere = {f"*.{key.rpartition('.')[2]}" for key in bare}
    return {key for key in meanings if key not in bare | anywhere}


def _nouns(schema: Schema) -> Iterator[tuple[str, Schema]]:
    yield "", schema
    yield from schema["$defs"].items()


class _Pages:
    """Walks a schema and keeps the names of the shapes that get a section of their own."""

    def __init__(
        self,
        schema: Schema,
        meanings: dict[str, str],
        mark_required: bool,
        deepest: int,
    ) -> None:
        self.defs: dict[str, Schema] = schema["$defs"]
        self.meanings = meanings
        self.mark_required = mark_required
        self.deepest = deepest
        used = Counter(
            name
            for _, owner in _nouns(schema)
            for node in owner.get("properties", {}).values()
            for name in set(_refs(node))
        )
        used += Counter(name for name in self.defs if name in _refs(self.defs[name]))
        self.shared = {name for name, many in used.items() if many > 1}

    def section(
        self, noun: str, owner: Schema, path: str = "", depth: int = 0
    ) -> list[str]:
        """A line for each key of a mapping, then a section for each mapping inside."""
        lines: list[str] = []
        inside: list[str] = []
        for key, node in owner.get("properties", {}).items():
            required = self.mark_required and key in owner.get("required", ())
            lines += self._line(noun, key, node, required)
            where = f"{path}.{key}" if path else key
            if "properties" in node and not path:
                inside += [f"## `{key}`", "", *paragraph(_plain(node["description"]))]
                inside += self._answers(node)
            for name in dict.fromkeys(_refs(node)):
                if name not in self.shared and depth < self.deepest:
                    inside += [f"{'#' * min(depth + 2, 4)} `{where}{_each(node)}`", ""]
                    inside += paragraph(_plain(self.defs[name].get("description", "")))
                    inside += self.section(
                        name, self.defs[name], where + _each(node), depth + 1
                    )
        return [*lines, "", *inside]

    def _answers(self, node: Schema) -> list[str]:
        """A line for each check, signal or factor."""
        lines: list[str] = []
        for key, each in node["properties"].items():
            lines += bullet(f"`{key}`: {each['description']}")
        return [*lines, ""]

    def _line(self, noun: str, key: str, node: Schema, required: bool) -> list[str]:
        unit = next((u for rule, u in _UNITS if re.search(rule, f"{noun}.{key}")), "")
        by_name = self.meanings.get(f"{noun}.{key}") or self.meanings.get(
            f"*.{key}", ""
        )
        says = node.get("description") or by_name
        kind = self._kind(node)
        facts = "; ".join(
            part for part in (kind, unit, "required" if required else "") if part
        )
        return bullet(f"`{key}` ({facts}): {_plain(says)}")

    def _kind(self, node: Schema) -> str:
        """The type in words."""
        if "anyOf" in node:
            return self._either(node["anyOf"])
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[1]
            if name in self.shared:
                return f"[{_spoken(name)}](#{_anchor(_spoken(name))})"
            return "mapping"
        if "enum" in node:
            return " or ".join(f"`{word}`" for word in node["enum"])
        if "const" in node:
            return f"`{str(node['const']).lower()}`"
        return self._plain_kind(node)

    def _plain_kind(self, node: Schema) -> str:
        kind = node.get("type", "")
        if kind == "array":
            # of a fixed length: all alike
            each = node.get("items") or node["prefixItems"][0]
            return f"list of {self._kind(each)}"
        if kind == "object":
            return self._mapping(node)
        if kind in ("number", "integer"):
            word = "number" if kind == "number" else "whole number"
            return word + _limits(node)
        return {"string": "date" if node.get("format") == "date" else "text",
                "boolean": "true or false"}.get(kind, str(kind))  # fmt: skip

    def _mapping(self, node: Schema) -> str:
        each = _values(node)
        if "properties" in node:
            each = next(iter(node["properties"].values()))
        return f"mapping of id to {self._kind(each)}" if each else "mapping"

    def _either(self, parts: list[Schema]) -> str:
        words = {"yes", "no", "unknown"}
        tri = any(set(part.get("enum", ())) == words for part in parts)
        kinds = ["yes, no or unknown"] if tri else []
        for part in parts:
            spelling = (
                "pattern" in part or part.get("type") == "boolean" or "enum" in part
            )
            if part.get("type") != "null" and not (tri and spelling):
                kinds.append(self._kind(part))
        for kind in list(kinds):
            if f"list of {kind}" in kinds:  # one may stand alone, without its list
                kinds = [f"one or a list of {kind}" if k == kind else k for k in kinds]
                kinds.remove(f"list of {kind}")
        return ", or ".join(dict.fromkeys(kinds))


def _refs(node: Schema) -> list[str]:
    """Names of the objects a schema refers to itself, those in lists and mappings too."""
    found = [node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else []
    for part in node.get("anyOf", ()):
        found += _refs(part)
    for part in (node.get("items"), _values(node)):
        found += _refs(part) if part else []
    for part in node.get("properties", {}).values():
        found += _refs(part)
    return found


def _values(node: Schema) -> Schema | None:
    """What stands under each id of a mapping; None for a mapping with keys of its own."""
    patterns = list(node.get("patternProperties", {}).values())
    values = patterns[0] if patterns else node.get("additionalProperties")
    return values if isinstance(values, dict) else None


def _each(node: Schema) -> str:
    parts = [node, *node.get("anyOf", ())]
    if any("items" in part for part in parts):
        return "[]"
    if any(_values(part) for part in parts):
        return ".<id>"
    return ""


def _limits(node: Schema) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above = node.get("exclusiveMinimum")
    if above is not None:
        return f" above {above:g}"
    if low is not None and (high is None or high >= 1e9):
        return f" from {low:g}"
    return f" from {low:g} to {high:g}" if low is not None else ""


def _spoken(noun: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", noun).lower()


def _anchor(title: str) -> str:
    return title.replace(" ", "-")


def _plain(text: str) -> str:
    """A docstring as Markdown: literals keep one backtick, lines are joined."""
    return " ".join(text.replace("``", "`").split())
