"""JSON Schema, as far as docs/reference/*.json use it: what is wrong with a value, and values that are wrong. A keyword
that is not known here is an error, so that none is passed over in silence."""

import re

KNOWN = {"type", "properties", "required", "additionalProperties", "pattern", "$ref", "description", "format", "items", "enum", "oneOf", "const"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
OTHERS = {"object": [], "array": {}, "string": 7, "boolean": "true", "integer": "7"}  # of another type


def resolve(schema, document):
    if unknown := set(schema) - KNOWN:
        raise ValueError(f"keywords of a schema that are not known here: {unknown}")
    if "$ref" not in schema:
        return schema
    for name in schema["$ref"].removeprefix("#/").split("/"):
        document = document[name]
    return document


def is_type(value, name):
    return isinstance(value, TYPES[name]) and (name == "boolean") == isinstance(value, bool)


def members(schema, value, document, place):
    known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{place} has no {name}" for name in schema.get("required", ()) if name not in value]
    for name, member in value.items():
        if name in known or isinstance(more, dict):
            found += mistakes(known.get(name, more), member, document, f"{place}.{name}")
        elif not more:
            found.append(f"{place} has {name}, which is unknown")
    return found


def mistakes(schema, value, document, place="the body"):
    """What is wrong with it, as texts."""
    schema = resolve(schema, document)
    if "oneOf" in schema:
        fits = [shape for shape in schema["oneOf"] if not mistakes(shape, value, document, place)]
        return [] if len(fits) == 1 else [f"{place} is {value!r}, which {len(fits)} of the alternatives describe"]
    if "const" in schema and value != schema["const"]:
        return [f"{place} is {value!r}, not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{place} is {value!r}, of {schema['enum']}"]
    if "type" in schema and not is_type(value, schema["type"]):
        return [f"{place} is {value!r}, no {schema['type']}"]
    found = []
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{place} is {value!r}, not {schema['pattern']}")
    if isinstance(value, dict):
        found += members(schema, value, document, place)
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            found += mistakes(schema["items"], item, document, f"{place}[{i}]")
    return found


def wrong(schema, value, document):
    """Copies of a good object with one mistake each, and what it is."""
    schema = resolve(schema, document)
    yield {**value, "no_such_member": "x"}, "an unknown member"
    for name, member in value.items():
        shape = resolve(schema["properties"][name], document)
        if name in schema.get("required", ()):
            yield {n: v for n, v in value.items() if n != name}, f"no {name}"
        if "type" in shape:
            yield {**value, name: OTHERS[shape["type"]]}, f"{name} of another type"
        yield {**value, name: None}, f"{name} that is null"
        if "enum" in shape:
            yield {**value, name: "no-such"}, f"{name} that is none of them"
        if "pattern" in shape:
            yield {**value, name: member + "00"}, f"{name} that is too long"
            yield {**value, name: "g" + member[1:]}, f"{name} with another character"


def open_objects(schema, document, place=""):
    """Where members may be that the schema does not name."""
    if "$ref" in schema:
        place = schema["$ref"].rpartition("/")[2]
    schema = resolve(schema, document)
    found = [place] if schema.get("type") == "object" and schema.get("additionalProperties", True) is True else []
    for i, shape in enumerate(schema.get("oneOf", ())):
        found += open_objects(shape, document, f"{place}|{i}")
    for name, shape in schema.get("properties", {}).items():
        found += open_objects(shape, document, f"{place}.{name}")
    return found + (open_objects(schema["items"], document, f"{place}[]") if "items" in schema else [])
