"""What a field of the config or of a sheet may hold: declared beside the field, and made into a JSON schema.

A key of config.yaml is declared by `setting`, a column of a sheet by `cell`, both as fields of a dataclass. `schema_of`
makes the JSON schema of the class. `validate` checks values against it and says in one sentence what is wrong.
"""

import copy
import dataclasses
import functools
import json
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from fineprior.files.errors import InputError, shown

NAME, LONGEST_NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]*$", 100
"""Names that can be those of files."""
RANGE_WORDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
"""Words of JSON schema for the bounds of a number, and those of people."""
_HOLDS = {"minimum": operator.ge, "exclusiveMinimum": operator.gt, "maximum": operator.le,
          "exclusiveMaximum": operator.lt}  # fmt: skip
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}
_KINDS = {
    "object": "a block of keys and values", "array": "a list", "string": "text", "integer": "a whole number",
    "number": "a number", "boolean": "true or false",
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """What a field means and may hold; of a list, pattern and choices are those of its items."""

    meaning: str
    unit: str = ""
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    choices: Mapping[str, str] | tuple[str, ...] = ()
    """With the meaning of each choice, where its name does not say it."""
    pattern: str = ""
    min_length: int = 0
    max_length: int = 0
    unique: bool = False
    required: bool = False

    @property
    def description(self) -> str:
        """The meaning, and that of each choice."""
        if not isinstance(self.choices, Mapping):
            return self.meaning
        return f"{self.meaning} {'; '.join(f'{name}: {words}' for name, words in self.choices.items())}."

    @property
    def range(self) -> dict[str, float]:
        """The bounds of a number, in words of JSON schema."""
        bounds = {word: getattr(self, words.replace(" ", "_")) for word, words in RANGE_WORDS.items()}
        return {word: bound for word, bound in bounds.items() if bound is not None}

    @property
    def range_in_words(self) -> str:
        """The bounds of a number: "at least 0 and below 1"."""
        return " and ".join(f"{RANGE_WORDS[word]} {bound:g}" for word, bound in self.range.items())

    def admits(self, number: float) -> bool:
        """Whether a number is in the range; nan and infinity are in none."""
        return math.isfinite(number) and all(_HOLDS[word](number, bound) for word, bound in self.range.items())


T = TypeVar("T")


def setting(default: T, meaning: str, **rule: Any) -> T:
    """A field of a settings dataclass, with its default and its `Rule`."""
    declared: Any = {"metadata": {"rule": Rule(meaning, **rule)}}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=functools.partial(copy.copy, default), **declared)  # type: ignore[return-value]
    return dataclasses.field(default=default, **declared)


def cell(meaning: str, default: Any = dataclasses.MISSING, **rule: Any) -> Any:
    """A field of the dataclass of a sheet's rows, with its `Rule`; a column without a default is required."""
    required = default is dataclasses.MISSING
    return dataclasses.field(default=default, metadata={"rule": Rule(meaning, required=required, **rule)})


def rule_of(cls: type, name: str) -> Rule:
    """The rule that a field of a class was declared with."""
    rule: Rule = cls.__dataclass_fields__[name].metadata["rule"]  # type: ignore[attr-defined]
    return rule


@functools.cache
def schema_of(cls: type, cells: bool = False) -> dict[str, Any]:
    """The JSON schema of a dataclass of `setting` and `cell` fields, and of other such classes within it.

    Parameters
    ----------
    cells
        Every value is text, as in a row of a sheet.
    """
    types = get_type_hints(cls)
    properties, blocks, own = {}, [], []
    for each in dataclasses.fields(cls):
        kind, name = types[each.name], each.name
        if dataclasses.is_dataclass(kind):
            properties[name] = schema_of(kind) | {"default": {}}  # type: ignore[arg-type]
            blocks += [name] if "required" in properties[name] else []
        else:
            properties[name] = _schema_of_field(each, str if cells else kind, cells)
            own += [name] if each.metadata["rule"].required else []
    return {
        "description": " ".join((cls.__doc__ or "").split()),
        "type": "object",
        "additionalProperties": False,
        **({"required": blocks + own} if blocks + own else {}),
        "properties": properties,
    }


def _schema_of_field(each: dataclasses.Field[Any], kind: Any, cell: bool) -> dict[str, Any]:
    rule: Rule = each.metadata["rule"]
    value = {"enum": list(rule.choices), "pattern": rule.pattern}
    sizes = {"minLength": rule.min_length, "maxLength": rule.max_length, "uniqueItems": rule.unique}
    schema = _schema_of_type(kind, {word: allowed for word, allowed in value.items() if allowed})
    schema |= {word: size for word, size in sizes.items() if size}
    if not cell:
        listed = each.default_factory is not dataclasses.MISSING
        schema |= {**rule.range, "default": each.default_factory() if listed else each.default}  # type: ignore[operator]
    return schema | {"description": rule.description} | ({"unit": rule.unit} if rule.unit else {})


def _schema_of_type(kind: Any, value: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type; a list's items have the rules of `value`, and a block within another is not empty."""
    origin = get_origin(kind)
    if origin is list:
        return {"type": "array", "items": value if "enum" in value else _schema_of_type(get_args(kind)[0], value)}
    if origin is dict:
        inner = _schema_of_type(get_args(kind)[1], {})
        if inner["type"] == "object":
            inner["minProperties"] = 1
        return {"type": "object", "additionalProperties": inner}
    return {"type": _TYPES[kind], **value}


def validate(values: dict[str, Any], schema: dict[str, Any], where: str, complete: bool = True) -> None:
    """Check values against a JSON schema; not `complete`: keys may be missing.

    Raises
    ------
    InputError
        The first violation, by key: what it is and what is allowed.
    """
    found = _validator()(schema).iter_errors(values)
    errors = sorted((e for e in found if complete or e.validator != "required"), key=lambda error: list(error.path))
    if errors:
        raise InputError(_sentence(errors[0], where))


@functools.cache
def _validator() -> Any:
    """JSON schema's validator, for which 1.0 is not a whole number: a rule's params would have another `repr`."""
    import jsonschema

    base = jsonschema.Draft202012Validator
    whole = base.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    return jsonschema.validators.extend(base, type_checker=whole)


def _sentence(error: Any, where: str) -> str:
    """One line for a schema violation, naming key, value and what is allowed."""
    key = ".".join(str(part) for part in error.absolute_path)
    place = f"{where}: {key}" if key else where
    if error.validator == "additionalProperties":
        allowed = list(error.schema["properties"])
        unknown = sorted(set(error.instance) - set(allowed))
        return f"{place}: unknown key '{shown(unknown[0])}'; allowed: {', '.join(allowed)}"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{place}: '{missing[0]}' is missing"
    value = shown(error.instance) if isinstance(error.instance, dict | list) else shown(json.dumps(error.instance))
    allowed_text = {
        "type": f"must be {_KINDS.get(str(error.validator_value), error.validator_value)}",
        "enum": f"must be one of {error.validator_value}",
        **{word: f"must be {words} {error.validator_value}" for word, words in RANGE_WORDS.items()},
        "uniqueItems": "names something twice",
        "maxLength": f"has {len(error.instance) if isinstance(error.instance, str) else 0} characters; at most "
        f"{error.validator_value} are allowed",
        "pattern": f"must match {error.validator_value} (letters, digits, '.', '_' and '-')",
    }.get(error.validator, error.message)
    hint = ""
    if error.validator == "type" and error.validator_value == "number" and isinstance(error.instance, str):
        hint = " (YAML reads 5e-8 as text: write 5.0e-8)"
    if error.validator == "type" and error.validator_value == "string" and isinstance(error.instance, bool):
        hint = " (YAML reads yes, no, on and off as true and false: put text in quotes)"
    return f"{place} = {value} {allowed_text}{hint}"
