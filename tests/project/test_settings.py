"""Every setting is declared in one place, whole; and a config becomes settings that do not depend on its spelling."""

import dataclasses
import re
from typing import get_type_hints

import pytest

from fineprior.files.errors import InputError
from fineprior.project.project import settings_alone
from fineprior.project.schemas import rule_of, schema_of, validate
from fineprior.project.settings import FinemapSettings, Settings, as_params, from_dict
from fineprior.project.sheets import Annotation, Study, Track


def declared(cls):
    """Class and name of each field of a class and of the blocks within it."""
    for name, kind in get_type_hints(cls).items():
        if dataclasses.is_dataclass(kind):
            yield from declared(kind)
        else:
            yield cls, name


@pytest.mark.parametrize(
    ("cls", "name"),
    [pytest.param(*each, id=".".join((each[0].__name__, each[1]))) for each in declared(Settings)],
)
def test_a_setting_has_a_meaning_and_admits_its_default(cls, name):
    rule, default = rule_of(cls, name), getattr(cls(), name)
    assert re.fullmatch(r"\S.*[.]", rule.description)
    assert not rule.choices or set(default if isinstance(default, list) else [default]) <= set(rule.choices)
    if type(default) in (int, float):
        assert rule.admits(default)
    assert type(default) is get_type_hints(cls)[name] or isinstance(default, list | dict)


@pytest.mark.parametrize(("cls", "name"), [each for row in (Study, Track, Annotation) for each in declared(row)])
def test_a_column_has_a_meaning(cls, name):
    assert re.fullmatch(r"\S.*[.]", rule_of(cls, name).description)


def test_the_defaults_are_a_config_that_fits():
    validate(as_params(Settings()), schema_of(Settings), "config")
    assert settings_alone(as_params(Settings())) == Settings()


def test_params_do_not_depend_on_spelling():
    plain = as_params(from_dict(FinemapSettings, {}))
    spelled = as_params(from_dict(FinemapSettings, {"tolerance": 1e-4, "coverage": 0.95, "min_purity": 0.5}))
    assert repr(plain) == repr(spelled)
    assert repr(as_params(from_dict(FinemapSettings, {"min_purity": 1}))) == repr(
        as_params(from_dict(FinemapSettings, {"min_purity": 1.0}))
    )


def test_params_are_plain_dicts_whatever_the_config_was():
    class OtherDict(dict):
        pass

    config = OtherDict(columns=OtherDict(mine=OtherDict(beta="B")), windows=OtherDict(shift=1))
    expected = as_params(settings_alone({"columns": {"mine": {"beta": "B"}}, "windows": {"shift": 1}}))
    assert repr(as_params(settings_alone(config))) == repr(expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"finemap": {"covrage": 0.9}}, "config: finemap: unknown key 'covrage'"),
        ({"seed": "one"}, 'config: seed = "one" must be a whole number'),
        ({"seed": 1.0}, "config: seed = 1.0 must be a whole number"),
        ({"windows": {"reverse_complement": 1}}, "windows.reverse_complement = 1 must be true or false"),
    ],
)
def test_bad_values_name_key_and_value(values, message):
    with pytest.raises(InputError, match=message):
        settings_alone(values)
