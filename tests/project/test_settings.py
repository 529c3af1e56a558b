"""The schema that users read and the dataclasses that the code uses are one thing."""

import dataclasses
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from fineprior.files.errors import InputError
from fineprior.project.settings import FinemapSettings, Settings, as_params, from_dict

SCHEMA = yaml.safe_load((Path(__file__).parents[2] / "workflow/schemas/config.schema.yaml").read_text())
KINDS = {str: "string", int: "integer", float: "number", bool: "boolean", list[str]: "array",
         dict[str, dict[str, str]]: "object"}  # fmt: skip


def compare(schema, cls):
    types = get_type_hints(cls)
    assert list(schema["properties"]) == list(types)
    assert schema["additionalProperties"] is False
    for name, rules in schema["properties"].items():
        assert rules["description"], name
        default = getattr(cls(), name)
        if dataclasses.is_dataclass(default):
            assert rules["default"] == {}
            compare(rules, type(default))
        else:
            assert rules["default"] == default, name
            assert rules["type"] == KINDS[types[name]], name


def test_schema_and_dataclasses_agree():
    compare(SCHEMA, Settings)


def test_params_do_not_depend_on_spelling():
    plain = as_params(from_dict(FinemapSettings, {}))
    spelled = as_params(from_dict(FinemapSettings, {"tolerance": 1e-4, "coverage": 0.95, "min_purity": 0.5}))
    assert repr(plain) == repr(spelled)
    assert repr(as_params(from_dict(FinemapSettings, {"min_purity": 1}))) == repr(
        as_params(from_dict(FinemapSettings, {"min_purity": 1.0}))
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"finemap": {"covrage": 0.9}}, "config.finemap: unknown key 'covrage'"),
        ({"seed": "one"}, "config.seed: 'one' is not of type int"),
        ({"windows": {"reverse_complement": 1}}, "not of type bool"),
    ],
)
def test_bad_values_name_key_and_value(values, message):
    with pytest.raises(InputError, match=message):
        from_dict(Settings, values)
