"""Shapes of requests, what breaks them, and examples of that: a subset of JSON Schema.

`type` (also "string or null"), `properties`, `required`, `minimum`, `maximum`, `minLength`,
`maxLength`, `pattern`, `enum`, `items`, `maxItems`, `minProperties`, `values`. Objects take no other
fields than `properties`. Every keyword of every field is a refusal of its own, named
`<body>.<field>:<keyword>`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]


def names(schema: Schema, where: str) -> Iterator[str]:
    """The rules that follow from a shape."""
    yield f"{where}:type"
    if "properties" in schema:
        yield f"{where}:unknown"
    for name in schema.get("required", ()):
        yield f"{where}.{name}:required"
    for keyword in BREAKS:
        if keyword in schema:
            yield f"{where}:{keyword}"
    for name, inner in schema.get("properties", {}).items():
        yield from names(inner, f"{where}.{name}")
    for part, sign in (("items", "[]"), ("values", "{}")):
        if part in schema:
            yield from names(schema[part], where + sign)


def _matches(kind: str, value: Any) -> bool:
    kind, _, null = kind.partition(" or ")
    if null and value is None:
        return True
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "integer":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool)
    return isinstance(value, {"string": str, "boolean": bool, "object": dict, "array": list}[kind])


BREAKS: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda limit, value: value < limit,
    "maximum": lambda limit, value: value > limit,
    "minLength": lambda limit, value: len(value) < limit,
    "maxLength": lambda limit, value: len(value) > limit,
    "minProperties": lambda limit, value: len(value) < limit,
    "maxItems": lambda limit, value: len(value) > limit,
    "pattern": lambda limit, value: re.search(limit, value) is None,
    "enum": lambda limit, value: value not in limit,
}
"""Keyword to whether a value goes against its limit."""


Fault = tuple[str, str]
"""Name of the rule, and the message that names the field."""


def faults(schema: Schema, value: Any, where: str, at: str = "$") -> Iterator[Fault]:
    """What a value breaks of its shape."""
    kind = schema["type"]
    if not _matches(kind, value):
        yield f"{where}:type", f"{at}: got {type(value).__name__}, want {kind}"
        return
    if value is None:
        return
    if isinstance(value, dict) and "properties" in schema:
        for name in value.keys() - schema["properties"].keys():
            yield f"{where}:unknown", f"{at}: additional property '{name}' not allowed"
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{where}.{name}:required", f"{at}: missing property '{name}'"
    for keyword, broken in BREAKS.items():
        if keyword in schema and broken(schema[keyword], value):
            yield f"{where}:{keyword}", f"{at}: {value!r} breaks {keyword} {schema[keyword]}"
    if isinstance(value, dict):
        for name, inner in value.items():
            below = schema.get("properties", {}).get(name) or schema.get("values")
            mark = "{}" if "values" in schema else f".{name}"
            if below:
                yield from faults(below, inner, where + mark, f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for number, inner in enumerate(value):
            yield from faults(schema["items"], inner, f"{where}[]", f"{at}[{number}]")


WRONG_TYPE = {
    "integer": "many",
    "number": "much",
    "boolean": "perhaps",
    "object": [1],
    "array": {"a": 1},
}


def broken(schema: Schema, keyword: str, value: Any) -> Any:
    """The example value, changed so that it breaks this keyword."""
    match keyword:
        case "type":
            return WRONG_TYPE.get(schema["type"].partition(" or ")[0], 7)
        case "unknown":
            return value | {"surprise": 1}
        case "minimum":
            return schema["minimum"] - 1
        case "maximum":
            return schema["maximum"] + 1
        case "minLength":
            return ""
        case "maxLength":
            return "x" * (schema["maxLength"] + 1)
        case "minProperties":
            return {}
        case "maxItems":
            return value * (schema["maxItems"] + 1)
        case _:
            return "none of these"


def breakages(schema: Schema, value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Rule name to a value that breaks it, for a shape and an example of it."""
    known = set(names(schema, where))
    for name in schema.get("required", ()):
        yield f"{where}.{name}:required", {k: v for k, v in value.items() if k != name}
    for keyword in ("type", "unknown", *schema):
        if f"{where}:{keyword}" in known:
            yield f"{where}:{keyword}", broken(schema, keyword, value)
    for name, inner in schema.get("properties", {}).items():
        for rule, wrong in breakages(inner, value[name], f"{where}.{name}"):
            yield rule, value | {name: wrong}
    if "items" in schema:
        for rule, wrong in breakages(schema["items"], value[0], f"{where}[]"):
            yield rule, [wrong]
    if "values" in schema:
        for rule, wrong in breakages(schema["values"], "text", f"{where}{{}}"):
            yield rule, {"A": wrong}
