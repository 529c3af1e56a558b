"""Strict YAML: text that PyYAML would read as something other than it looks like is refused, with its line.

`read_yaml` checks text, and names lines. `check_values` checks values that may come from elsewhere, and names keys.
"""

import math
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineprior.files.errors import InputError, shown

_LARGEST = 1_000_000
_MOST_VALUES, _DEEPEST = 10_000, 20
"""Of a config: values, and lists or blocks within one another."""
_LONGEST_NUMBER, _SHOWN = 40, 60
_ABOVE_ANY_NUMBER = 10**18
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LIKE_A_NUMBER = re.compile(r"[-+]?0(o[0-7_]+|[0-9_]+)|[-+]\.(nan|inf)", re.IGNORECASE)
_TAG = "tag:yaml.org,2002:"
_UNLIKE = {"bool": "true or false", "null": "nothing", "timestamp": "a date", "int": "a number", "float": "a number"}


def read_yaml(path: str | Path, used: Collection[str] | None = None) -> dict[str, Any]:
    """Read a file of `key: value` lines.

    Parameters
    ----------
    path
        UTF-8, with or without a byte-order mark.
    used
        Keys whose values are looked at, all by default; values of others (a date of release) are as YAML has them.

    Raises
    ------
    InputError
        It cannot be read, is not UTF-8, not YAML or not one block of keys and values; a key occurs twice or is no
        text; a number is not written in decimal digits, not finite or too long; a date; a tag; lists and blocks are
        too many, or too deep in one another. With the line.
    """
    try:
        with Path(path).open("rb") as handle:
            content = handle.read(_LARGEST + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(content) > _LARGEST:
        raise InputError(f"{path}: more than {_LARGEST:,} bytes; is it the right file?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    values = parse_yaml(text, str(path), used)
    if not isinstance(values, dict):
        kind = "nothing" if values is None else "a list" if isinstance(values, list) else "text or a number"
        raise InputError(f"{path}: must hold `key: value` lines, not {kind}")
    return values


def parse_yaml(text: str, where: str, used: Collection[str] | None = None) -> Any:
    """The value of a text; see `read_yaml`. `where` stands before the line in messages."""
    import yaml

    loader = yaml.SafeLoader("")
    try:
        loader = yaml.SafeLoader(text)
        check = _Check(where, used)
        while loader.check_event():
            check.take(loader.get_event(), loader)
        return yaml.safe_load(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(
            f"{where}, line {line}: a character that may not stand in YAML (code {error.character})"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        problem = (error.problem or error.context or "").replace("\t", "\\t")
        raise InputError(f"{where}{place}: not YAML ({problem}){_advice(problem)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{where}: not YAML ({' '.join(str(error).split())[:200]})") from None
    finally:
        loader.dispose()


def _advice(problem: str) -> str:
    if "'\\t'" in problem:
        return "; indent with blanks, not with tabs"
    return "; put a value with a colon or another special character in quotes" if "not allowed here" in problem else ""


@dataclass
class _Open:
    """A list or block that is being read: its anchor, the number of values before it, and of a block its keys."""

    anchor: str | None
    before: int
    keys: dict[str, int] | None
    key: str | None = None
    """Whose value comes next; None where a key comes next."""


class _Check:
    """Looks at the events of the parser one by one, before anything is made of them."""

    def __init__(self, where: str, used: Collection[str] | None) -> None:
        self._where, self._used = where, used
        self._within: list[_Open] = []
        self._sizes: dict[str, int] = {}
        self._count = self._documents = 0

    def take(self, event: Any, loader: Any) -> None:
        """Go one event on."""
        import yaml

        line = event.start_mark.line + 1
        place = f"{self._where}, line {line}"
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise InputError(f"{place}: a second document (---) begins; one is allowed")
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self._within.pop()
            if self._within:
                self._within[-1].key = None
            if done.anchor:
                self._sizes[done.anchor] = self._count - done.before
        elif isinstance(event, yaml.ScalarEvent):
            self._grow(event, place)
            # What is in quotes is text, whatever it looks like.
            kind = loader.resolve(yaml.ScalarNode, event.value, event.implicit).removeprefix(_TAG)
            self._scalar(event, "quoted" if kind == "str" and not event.implicit[0] else kind, line)
        elif isinstance(event, yaml.NodeEvent):
            self._grow(event, place)
            self._node(event, place, isinstance(event, yaml.MappingStartEvent), isinstance(event, yaml.AliasEvent))

    def _grow(self, event: Any, place: str) -> None:
        """Count a value, and all those that an alias stands for."""
        self._count += 1 + self._sizes.get(event.anchor, 0)
        _check_size(self._count, len(self._within), place)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise InputError(f"{place}: a tag ({shown(tag.replace(_TAG, '!!'), _SHOWN)}) may not stand here")

    def _scalar(self, event: Any, kind: str, line: int) -> None:
        parent = self._within[-1] if self._within else None
        if event.anchor:
            self._sizes[event.anchor] = 0
        if parent is not None and parent.keys is not None and parent.key is None:
            _check_key(event.value, kind, line, parent.keys, self._where)
            parent.key = event.value
            return
        key = next((each.key for each in reversed(self._within) if each.key is not None), None)
        if self._used is None or key in self._used:
            _check_value(event.value, kind, f"{self._where}, line {line}")
        if parent is not None:
            parent.key = None

    def _node(self, event: Any, place: str, block: bool, alias: bool) -> None:
        """An alias, or the begin of a list or block."""
        parent = self._within[-1] if self._within else None
        if parent is not None and parent.keys is not None and parent.key is None:
            raise InputError(f"{place}: a key must be text, not a list, a block or an alias")
        if alias:
            if event.anchor not in self._sizes:
                raise InputError(f"{place}: alias *{event.anchor} has no anchor &{event.anchor} that ends before it")
            if parent is not None:
                parent.key = None
            return
        self._within.append(_Open(event.anchor, self._count, {} if block else None))
        _check_size(self._count, len(self._within), place)


def _check_key(key: str, kind: str, line: int, keys: dict[str, int], where: str) -> None:
    place = f"{where}, line {line}"
    if kind not in ("str", "quoted", "merge"):
        unlike = _UNLIKE.get(kind, "something else")
        raise InputError(f"{place}: the key {shown(key, _SHOWN) or '(empty)'} is {unlike} to YAML; put it in quotes")
    if not key.isprintable():
        raise InputError(f"{place}: the key {shown(key, _SHOWN)} has characters that cannot be seen")
    if key == "__use_yte__":
        raise InputError(f"{place}: {key} would let the file run code; it may not stand here")
    if key in keys:
        raise InputError(f"{place}: {shown(key, _SHOWN)} occurs twice; it is there in line {keys[key]} already")
    keys[key] = line


def _check_value(text: str, kind: str, place: str) -> None:
    problem = ""
    if kind == "int" and not _INTEGER.fullmatch(text):
        problem = _as_integer(text)
    elif kind == "str" and _LIKE_A_NUMBER.fullmatch(text):
        problem = "looks like a number, but is none to YAML; write it in decimal digits"
    elif kind == "float":
        plain = len(text) <= _LONGEST_NUMBER and _FLOAT.fullmatch(text)
        value = float(text) if plain else math.nan
        if not math.isfinite(value) or (value == 0 and re.search("[1-9]", re.split("[eE]", text)[0])):
            problem = "is no number that can be used"
    elif kind == "timestamp":
        problem = "is a date to YAML"
    elif kind in ("value", "merge"):
        problem = "has a meaning of its own in YAML"
    if problem:
        raise InputError(f"{place}: {shown(text, _SHOWN)} {problem} (text is put in quotes)")
    if "\0" in text or any(unicodedata.category(character) == "Cs" for character in text):
        raise InputError(f"{place}: {shown(text, _SHOWN)} has a character that no text can have")


def _as_integer(text: str) -> str:
    """What YAML makes of a whole number that is not written as one."""
    if re.fullmatch(r"[-+]?[1-9][0-9]*", text):
        return "has more digits than a number can have here (18)"
    base = "60" if ":" in text else "2, 8 or 16"
    return (
        "has underscores" if "_" in text else f"is a number to the base {base} to YAML"
    ) + "; write it in decimal digits"


def _check_size(values: int, depth: int, place: str) -> None:
    """Stop at what has so many values, or is so deep, that it could be neither checked nor shown."""
    if values > _MOST_VALUES:
        raise InputError(
            f"{place}: more than {_MOST_VALUES:,} values; do anchors (&) and aliases (*) repeat one another?"
        )
    if depth > _DEEPEST:
        raise InputError(f"{place}: more than {_DEEPEST} lists or blocks within one another")


def check_values(config: Any) -> None:
    """Stop at what no config can hold, wherever it came from (file, command line, a parent workflow).

    Raises
    ------
    InputError
        So many values, or so deep in one another, that it could be neither checked nor shown; a key that is no text;
        a number that is not finite or does not fit into 64 bits; text with line ends or other unseen characters; a
        value of another kind, such as a date. With the key.
    """
    for seen, (key, value, depth) in enumerate(_values(config)):
        place = f"config: {key}"
        _check_size(seen, 0, "config")
        if isinstance(value, dict | list):
            _check_size(0, depth, shown(place))
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


def _values(config: Any) -> Iterator[tuple[str, Any, int]]:
    """Keys, values and depths, from the outside in."""
    waiting: list[tuple[str, Any, int]] = [("", config, 0)]
    while waiting:
        key, value, depth = waiting.pop()
        yield key, value, depth
        if isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [(f"{key}.{name}" if key else str(name), inner, depth + 1) for name, inner in items]
