"""A field declared with what it may hold; a value that does not fit is named by key, with what is allowed."""

from dataclasses import dataclass, field

import pytest

from fineprior.files.errors import InputError
from fineprior.project.schemas import cell, rule_of, schema_of, setting, validate
from fineprior.project.settings import Settings
from fineprior.project.sheets import Annotation, Study, Track


@dataclass(frozen=True)
class Demo:
    """Made for the test."""

    name: str = setting("", "Name.", pattern="^[a-z]+$", required=True)
    size: float = setting(2.0, "Size.", unit="bp", at_least=1, below=10)
    kind: str = setting("one", "Kind.", choices={"one": "the first", "two": "the second"})
    parts: list[int] = setting([], "Parts.", unique=True)


@dataclass(frozen=True)
class Whole:
    """Of blocks.

    And of words on several lines.
    """

    tags: dict[str, dict[str, str]] = setting({}, "Tags.")
    demo: Demo = field(default_factory=Demo)


@dataclass(frozen=True)
class Row:
    """A row."""

    name: str = cell("Name.")
    size: float = cell("Size.", 0.0, at_least=0)
    kind: str = cell("Kind.", "", choices=("one", "two"))


def test_a_class_is_a_schema():
    assert schema_of(Whole) == {
        "type": "object",
        "description": "Of blocks. And of words on several lines.",
        "additionalProperties": False,
        "required": ["demo"],
        "properties": {
            "tags": {
                "type": "object",
                "default": {},
                "description": "Tags.",
                "additionalProperties": {
                    "type": "object", "minProperties": 1, "additionalProperties": {"type": "string"},
                },
            },
            "demo": {
                "type": "object",
                "default": {},
                "description": "Made for the test.",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "default": "", "pattern": "^[a-z]+$", "description": "Name."},
                    "size": {"type": "number", "default": 2.0, "minimum": 1, "exclusiveMaximum": 10, "unit": "bp",
                             "description": "Size."},
                    "kind": {"type": "string", "default": "one", "enum": ["one", "two"],
                             "description": "Kind. one: the first; two: the second."},
                    "parts": {"type": "array", "default": [], "uniqueItems": True, "items": {"type": "integer"},
                              "description": "Parts."},
                },
            },
        },
    }  # fmt: skip


def test_the_cells_of_a_row_are_text():
    assert schema_of(Row, cells=True)["properties"] == {
        "name": {"type": "string", "description": "Name."},
        "size": {"type": "string", "description": "Size."},
        "kind": {"type": "string", "enum": ["one", "two"], "description": "Kind."},
    }
    assert schema_of(Row, cells=True)["required"] == ["name"]


def test_a_list_by_default_is_of_each_one_alone():
    Demo().parts.append(1)
    assert Demo().parts == []


@pytest.mark.parametrize(
    ("number", "admitted"),
    [(1, True), (9.9, True), (0.9, False), (10, False), (float("nan"), False), (float("inf"), False)],
)
def test_a_range_has_words_and_admits_what_is_in_it(number, admitted):
    assert rule_of(Demo, "size").range_in_words == "at least 1 and below 10"
    assert rule_of(Demo, "size").admits(number) == admitted


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "config: 'name' is missing"),
        ({"name": "a", "nam": 1}, "config: unknown key 'nam'; allowed: name, size, kind, parts"),
        ({"name": "A b"}, r'config: name = "A b" must match \^\[a-z\]\+\$'),
        ({"name": "a", "size": 0}, "config: size = 0 must be at least 1"),
        ({"name": "a", "size": 10}, "config: size = 10 must be below 10"),
        ({"name": "a", "size": "5e-8"}, r'size = "5e-8" must be a number \(YAML reads 5e-8 as text: write 5.0e-8\)'),
        ({"name": "a", "kind": "three"}, r"kind = \"three\" must be one of \['one', 'two'\]"),
        ({"name": "a", "parts": [1, 1]}, "parts = .1, 1. names something twice"),
        ({"name": "a", "parts": [1, "b"]}, 'parts.1 = "b" must be a whole number'),
        ({"name": "a", "parts": [1.0]}, "parts.0 = 1.0 must be a whole number"),
        ({"name": "a", "parts": [True]}, "parts.0 = true must be a whole number"),
    ],
)
def test_the_first_violation_is_a_sentence(values, message):
    with pytest.raises(InputError, match=message):
        validate(values, schema_of(Demo), "config")


def test_what_fits_passes_and_a_part_may_lack_keys():
    validate({"name": "a", "size": 1, "kind": "two", "parts": [1, 2]}, schema_of(Demo), "config")
    validate({"size": 2}, schema_of(Demo), "config", complete=False)
    with pytest.raises(InputError, match="size = 0"):
        validate({"size": 0}, schema_of(Demo), "config", complete=False)


@pytest.mark.slow
def test_every_schema_of_the_project_is_one():
    import jsonschema

    for cls, cells in ((Settings, False), (Study, True), (Track, True), (Annotation, True)):
        jsonschema.Draft202012Validator.check_schema(schema_of(cls, cells))
