"""Config and sheets against the JSON schemas of workflow/schemas, with messages for people."""

import csv
import functools
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fineprior.files.errors import InputError
from fineprior.files.reading import is_missing, text_of
from fineprior.files.yaml_files import DEEPEST, MOST_VALUES

_IN_REPOSITORY = Path(__file__).resolve().parents[3] / "workflow" / "schemas"
SCHEMAS = _IN_REPOSITORY if _IN_REPOSITORY.is_dir() else Path(sys.prefix) / "share" / "fineprior" / "schemas"
"""Of the repository, or where `pip install .` puts them."""
_ABOVE_ANY_NUMBER = 10**18
_LONGEST_SHOWN = 100
_KINDS = {
    "object": "a block of keys and values", "array": "a list", "string": "text", "integer": "a whole number",
    "number": "a number", "boolean": "true or false",
}  # fmt: skip


def read_sheet(root: Path, path: str, schema: str, row_type: type) -> list[dict[str, str]]:
    """Rows of a tab-separated sheet, each checked against a schema: what is not empty of the fields of `row_type`.

    A cell that says that it has no value (`missing.is_missing`) is empty. Columns without a name and rows at the end
    are passed over where they are empty, as spreadsheets leave them.

    Raises
    ------
    InputError
        The file is absent or no table of this kind; a row does not fit the schema, or is empty between others; no row.
    """
    fields = list(row_type.__dataclass_fields__)  # type: ignore[attr-defined]
    if not (root / path).is_file():
        raise InputError(f"config: file '{path}' does not exist (looked in {root.resolve()})")
    with text_of(root / path, "a tab-separated sheet", "save it as plain tab-separated text") as text:
        table = list(csv.reader(text, delimiter="\t"))
    while table and not any(cell.strip() for cell in table[-1]):
        table.pop()
    header = [name.strip() for name in table[0]] if table else []
    if table and not any(header):
        raise InputError(f"{path}, line 1: empty; the names of the columns stand there")
    for number, column in enumerate(header):
        if column and column in header[:number]:
            raise InputError(f"{path}: column '{column}' is there twice")
    if len(header) == 1 and re.search("[,;]", header[0]):
        raise InputError(f"{path}: one column, '{header[0][:40]}'; the columns of a sheet are separated by tabs")
    named = max((number for number, name in enumerate(header, start=1) if name), default=0)
    rows = []
    for line, cells in enumerate(table[1:], start=2):
        where = f"{path}, line {line}"
        if any("\n" in cell for cell in cells):
            raise InputError(f"{where}: a quotation mark that is not closed in its line")
        if not any(cell.strip() for cell in cells):
            raise InputError(f"{where}: an empty row between others; delete it")
        if len(cells) < named or any(cell.strip() for cell in cells[len(header) :]):
            raise InputError(f"{where}: not as many fields as the header has (they are separated by tabs)")
        row = _cells(header, cells, where)
        validate(row, schema, where)
        rows.append({key: row[key] for key in fields if key in row})
    if not rows:
        raise InputError(f"{path}: no row below the header; the columns are {', '.join(fields)}")
    return rows


def _cells(header: list[str], cells: list[str], where: str) -> dict[str, str]:
    """What is not empty of a row, by its column."""
    row = {}
    for name, cell in zip(header, cells, strict=False):
        value = cell.strip()
        if not name and value:
            raise InputError(f"{where}: '{value[:40]}' stands in a column without a name")
        if name not in ("", "note") and not is_missing(value):
            row[name] = value
    return row


def check_values(config: Any) -> None:
    """Stop at what no config can hold, wherever it came from (file, command line, a parent workflow).

    Raises
    ------
    InputError
        So many values, or so deep in one another, that it could be neither checked nor shown; a key that is no text;
        a number that is not finite or does not fit into 64 bits; text with line ends or other unseen characters; a
        value of another kind, such as a date. With the key.
    """
    waiting: list[tuple[str, Any, int]] = [("", config, 0)]
    for seen, (key, value, depth) in enumerate(_values(waiting)):
        place = f"config: {key}"
        if seen > MOST_VALUES:
            raise InputError(
                f"config: more than {MOST_VALUES:,} values; do anchors (&) and aliases (*) repeat one another?"
            )
        if isinstance(value, dict | list):
            if depth > DEEPEST:
                raise InputError(f"{shown(place)}: more than {DEEPEST} lists or blocks within one another")
            for name in value if isinstance(value, dict) else ():
                if not isinstance(name, str) or not name.isprintable():
                    why = "cannot be seen" if isinstance(name, str) else "is not text to YAML; put it in quotes"
                    raise InputError(f"{place}{key and ': '}the key {shown(name)} {why}")
        elif isinstance(value, str):
            if not value.isprintable():
                raise InputError(f"{place} = {shown(value)} has characters that cannot be seen, such as a line end")
        elif isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{place}: {value} is not a finite number")
        elif isinstance(value, int) and abs(value) >= _ABOVE_ANY_NUMBER:
            raise InputError(f"{place} is a number of more digits than can be used here (18)")
        elif not isinstance(value, int | float | None):
            raise InputError(f"{place} = {shown(value)} is a {type(value).__name__}, which no setting is")


def _values(waiting: list[tuple[str, Any, int]]) -> Iterator[tuple[str, Any, int]]:
    """Keys, values and depths, from the outside in."""
    while waiting:
        key, value, depth = waiting.pop()
        yield key, value, depth
        if isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [(f"{key}.{name}" if key else str(name), inner, depth + 1) for name, inner in items]


def shown(value: Any) -> str:
    """A value for a message: on one line, and not endless."""
    text = json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def validate(values: dict[str, Any], schema: str, where: str, complete: bool = True) -> None:
    """Check values against a JSON schema of workflow/schemas; not `complete`: keys may be missing.

    Raises
    ------
    InputError
        The first violation, by key: what it is and what is allowed.
    """
    import jsonschema

    found = jsonschema.Draft202012Validator(_rules(SCHEMAS / schema)).iter_errors(values)
    errors = sorted((e for e in found if complete or e.validator != "required"), key=lambda error: list(error.path))
    if errors:
        raise InputError(_sentence(errors[0], where))


@functools.cache
def _rules(path: Path) -> Any:
    """A schema, read once: reading one takes a hundred times as long as checking a row against it."""
    import yaml

    return yaml.safe_load(path.read_text())


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
        "minimum": f"must be at least {error.validator_value}",
        "maximum": f"must be at most {error.validator_value}",
        "exclusiveMinimum": f"must be above {error.validator_value}",
        "exclusiveMaximum": f"must be below {error.validator_value}",
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
