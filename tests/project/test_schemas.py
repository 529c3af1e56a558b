"""A value that does not fit its schema is named by key, with what is allowed."""

import json
from dataclasses import dataclass

import pytest

from fineprior.files.errors import InputError
from fineprior.project import schemas
from fineprior.project.schemas import SCHEMAS, check_values, read_sheet, validate

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$"},
        "size": {"type": "number", "minimum": 1, "exclusiveMaximum": 10},
        "kind": {"enum": ["one", "two"]},
        "parts": {"type": "array", "uniqueItems": True, "items": {"type": "integer"}},
    },
}


@dataclass
class Row:
    name: str
    kind: str = ""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "demo.yaml").write_text(json.dumps(SCHEMA))
    monkeypatch.setattr(schemas, "SCHEMAS", tmp_path)
    return tmp_path


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
    ],
)
def test_the_first_violation_is_a_sentence(folder, values, message):
    with pytest.raises(InputError, match=message):
        validate(values, "demo.yaml", "config")


def test_what_fits_passes_and_a_part_may_lack_keys(folder):
    validate({"name": "a", "size": 1, "kind": "two", "parts": [1, 2]}, "demo.yaml", "config")
    validate({"size": 2}, "demo.yaml", "config", complete=False)
    with pytest.raises(InputError, match="size = 0"):
        validate({"size": 0}, "demo.yaml", "config", complete=False)


def test_a_sheet_is_rows_of_what_is_not_empty(folder):
    (folder / "sheet.tsv").write_text("name\tkind\tnote\na\tone\tseen\nb\t\t\n")
    assert read_sheet(folder, "sheet.tsv", "demo.yaml", Row) == [{"name": "a", "kind": "one"}, {"name": "b"}]
    (folder / "sheet.tsv").write_text("name\tkind\nb\tone\nc\tfour\n")
    with pytest.raises(InputError, match=r'sheet.tsv, line 3: kind = "four" must be one of'):
        read_sheet(folder, "sheet.tsv", "demo.yaml", Row)


def test_a_config_without_end_is_refused():
    endless = [1] * 10
    for _ in range(5):
        endless = [endless] * 10
    with pytest.raises(InputError, match="config: more than 10,000 values"):
        check_values({"a": endless})
    check_values({"a": [1] * 9000})


@pytest.mark.slow
def test_every_schema_of_the_workflow_is_one():
    import jsonschema
    import yaml

    for path in SCHEMAS.glob("*.yaml"):
        jsonschema.Draft202012Validator.check_schema(yaml.safe_load(path.read_text()))
