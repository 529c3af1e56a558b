import gzip

import pytest

from fineprior.files.errors import InputError
from fineprior.files.yaml_files import check_values, parse_yaml, read_yaml

TWICE = "{} occurs twice; it is there in line {} already"
REFUSED = {
    "a key twice": ("a: 1\nb: 2\na: 3\n", 3, TWICE.format("a", 1)),
    "a key twice in a block": ("g:\n  a: 1\n  b: 1\n  a: 2\n", 4, TWICE.format("a", 2)),
    "a block twice": ("g: {a: 1}\nh: 1\ng: {b: 1}\n", 3, TWICE.format("g", 1)),
    "a key twice within a list": ("l:\n  - 1\n  - {a: 1, a: 2}\n", 3, TWICE.format("a", 3)),
    "a key twice, once in quotes": ('a: 1\n"a": 2\n', 2, TWICE.format("a", 1)),
    "a key twice, of Windows": ("a: 1\r\nb: 2\r\na: 3\r\n", 3, TWICE.format("a", 1)),
    "a key twice in JSON": ('{"a": 1,\n "a": 2}', 2, TWICE.format("a", 1)),
    "a date": ("s: 2020-01-01\n", 1, "2020-01-01 is a date to YAML"),
    "a date with a time": ("s: 2020-01-01 10:00:00\n", 1, "2020-01-01 10:00:00 is a date to YAML"),
    "a date that is none": ("s: 2020-13-45\n", 1, "2020-13-45 is a date to YAML"),
    "a date for a key": ("2020-01-01: 1\n", 1, "the key 2020-01-01 is a date to YAML; put it in quotes"),
    "no for a key": ("a: 1\nno: 1\n", 2, "the key no is true or false to YAML; put it in quotes"),
    "yes for a key in a block": ("g:\n  yes: 1\n", 2, "the key yes is true or false to YAML"),
    "On for a key": ("On: 1\n", 1, "the key On is true or false to YAML"),
    "a number for a key": ("1: 2\n", 1, "the key 1 is a number to YAML"),
    "nothing for a key": ("~: 2\n", 1, "the key ~ is nothing to YAML"),
    "a list for a key": ("? [a, b]\n: 1\n", 1, "a key must be text"),
    "an alias for a key": ("a: &x k\n*x : 1\n", 2, "a key must be text"),
    "octal": ("s: 010\n", 1, "010 is a number to the base 2, 8 or 16 to YAML; write it in decimal digits"),
    "octal of YAML 1.2": ("s: 0o10\n", 1, "0o10 looks like a number, but is none to YAML"),
    "octal that is none": ("s: 08\n", 1, "08 looks like a number, but is none to YAML"),
    "hexadecimal": ("s: 0x1F\n", 1, "0x1F is a number to the base 2, 8 or 16 to YAML"),
    "sexagesimal": ("s: 1:30\n", 1, "1:30 is a number to the base 60 to YAML"),
    "sexagesimal in a list": ("s:\n  - 20:30:40\n", 2, "20:30:40 is a number to the base 60 to YAML"),
    "sexagesimal with a fraction": ("s: 20:30.5\n", 1, "20:30.5 is no number that can be used"),
    "underscores": ("s: 1_000\n", 1, "1_000 has underscores; write it in decimal digits"),
    "underscores and a fraction": ("s: 1_000.5\n", 1, "1_000.5 is no number that can be used"),
    "600 digits": (f"s: {'9' * 600}\n", 1, "... has more digits than a number can have here (18)"),
    "6000 digits": (f"s: {'9' * 6000}\n", 1, "... has more digits than a number can have here (18)"),
    "600 digits after the point": (f"s: 0.{'0' * 600}1\n", 1, "... is no number that can be used"),
    "infinity": ("s: .inf\n", 1, ".inf is no number that can be used"),
    "not a number": ("s: .NaN\n", 1, ".NaN is no number that can be used"),
    "a number that is infinite": ("s: 1.0e+400\n", 1, "1.0e+400 is no number that can be used"),
    "a number that is 0": ("s: 1.0e-400\n", 1, "1.0e-400 is no number that can be used"),
    "5000 lists": (f"a: 1\ns: {'[' * 5000}{']' * 5000}\n", 2, "more than 20 lists or blocks within one another"),
    "5000 lists that do not end": (f"s: {'[' * 5000}", 1, "more than 20 lists or blocks within one another"),
    "5000 blocks": (f"s: {'{a: ' * 5000}", 1, "more than 20 lists or blocks within one another"),
    "5000 lists in lines": ("- " * 5000 + "a\n", 1, "more than 20 lists or blocks within one another"),
    "an alias of nothing": ("b: *x\n", 1, "alias *x has no anchor &x that ends before it"),
    "an anchor that holds itself": ("a: &x\n  b: *x\n", 2, "alias *x has no anchor &x that ends before it"),
    "a tag": ("a: !!python/object:os.system x\n", 1, "a tag (!!python/object:os.system) may not stand here"),
    "a tag of text": ("a: !!str 5\n", 1, "a tag (!!str) may not stand here"),
    "a set": ("a: !!set {x, y}\n", 1, "a tag (!!set) may not stand here"),
    "binary": ("a: !!binary aGk=\n", 1, "a tag (!!binary) may not stand here"),
    "two documents": ("a: 1\n---\nb: 2\n", 2, "a second document (---) begins; one is allowed"),
    "a tab": ("g:\n\ta: 1\n", 2, "that cannot start any token); indent with blanks, not with tabs"),
    "a colon in a value": ("a: 1\nb: c: d\n", 2, "not YAML (mapping values are not allowed here); put a value with a"),
    "a quotation mark that does not close": ('a: "x\n', 2, "not YAML (found unexpected end of stream)"),
    "a byte of 0": ("a: 1\nb: x\0\n", 2, "a character that may not stand in YAML (code 0)"),
    "a byte of 0 in words": ('a: "x\\0y"\n', 1, "x\\x00y has a character that no text can have"),
    "half a character": ('a: "\\ud800"\n', 1, "\\ud800 has a character that no text can have"),
    "a key that cannot be seen": ("a\u200b: 1\n", 1, "the key a\\u200b has characters that cannot be seen"),
    "a template": ("__use_yte__: true\n", 1, "__use_yte__ would let the file run code"),
    "a sign of its own": ("a: =\n", 1, "= has a meaning of its own in YAML"),
    "an unknown version": ("%YAML 2.0\n---\na: 1\n", 1, "not YAML (found incompatible YAML document"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_what_it_looks_like_is_named_with_its_line(tmp_path, text, line, words):
    (tmp_path / "c.yaml").write_bytes(text.encode())
    with pytest.raises(InputError) as caught:
        read_yaml(tmp_path / "c.yaml")
    assert str(caught.value).startswith(f"{tmp_path}/c.yaml, line {line}: ")
    assert words in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


READ = {
    "numbers": ("a: 5.0e-8\nb: .5\nc: -1.\nd: 0\ne: -3\nf: 123456789012345678\n",
                {"a": 5e-8, "b": 0.5, "c": -1.0, "d": 0, "e": -3, "f": 123456789012345678}),
    "text in quotes": ("a: '010'\nb: \"2020-01-01\"\nc: 'no'\n'yes': '1:30'\n",
                       {"a": "010", "b": "2020-01-01", "c": "no", "yes": "1:30"}),
    "an alias": ("a: &x [1]\nb: *x\n", {"a": [1], "b": [1]}),
    "blocks that share keys": ("a: &x {p: 1}\nb:\n  <<: *x\n  q: 2\n", {"a": {"p": 1}, "b": {"p": 1, "q": 2}}),
    "flags": ("a: yes\nb: false\n", {"a": True, "b": False}),
    "JSON": ('{"a": {"b": [1, null]}}', {"a": {"b": [1, None]}}),
    "a mark of the byte order": ("\ufeffa: 1\n", {"a": 1}),
    "the same key in two blocks": ("a: {x: 1}\nb: {x: 2}\nc: [{x: 1}, {x: 2}]\n",
                                   {"a": {"x": 1}, "b": {"x": 2}, "c": [{"x": 1}, {"x": 2}]}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "values"), READ.values(), ids=READ)
def test_what_is_plain_is_read(tmp_path, text, values):
    (tmp_path / "c.yaml").write_bytes(text.encode())
    assert read_yaml(tmp_path / "c.yaml") == values


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: é\n".encode("utf-16"), "line 1: not UTF-8 text (byte 0); save it as UTF-8"),
        ("a: 1\nb: é\n".encode("latin-1"), "line 2: not UTF-8 text (byte 8)"),
        (gzip.compress(b"a: 1\n"), "line 1: not UTF-8 text (byte 1)"),
        (b"a: 1\n" * 250_000, "more than 1,000,000 bytes; is it the right file?"),
        (b"", "must hold `key: value` lines, not nothing"),
        (b"# a: 1\n", "must hold `key: value` lines, not nothing"),
        (b"- a\n", "must hold `key: value` lines, not a list"),
        (b"a\n", "must hold `key: value` lines, not text or a number"),
    ],
)
def test_another_kind_of_file(tmp_path, content, words):
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_yaml(tmp_path / "c.yaml")
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["absent.yaml", ".", "a\0b", "x" * 300])
def test_no_file(tmp_path, name):
    with pytest.raises(InputError, match=r"no such file|cannot be read"):
        read_yaml(f"{tmp_path}/{name}")


def test_aliases_that_grow_without_end_stop_before_anything_is_made_of_them():
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    with pytest.raises(InputError, match="text, line 5: more than 10,000 values; do anchors"):
        parse_yaml("\n".join(lines), "text")


def test_values_of_keys_that_are_not_used_may_be_dates(tmp_path):
    (tmp_path / "c.yaml").write_text("released: 2020-01-01\nsamples:\n  - {n: 5, day: 2020-01-02}\n")
    assert read_yaml(tmp_path / "c.yaml", used=["n"])["samples"][0]["n"] == 5
    with pytest.raises(InputError, match="line 3: 2020-01-02 is a date"):
        read_yaml(tmp_path / "c.yaml", used=["day"])


def test_values_without_end_are_refused_wherever_they_come_from():
    endless = [1] * 10
    for _ in range(5):
        endless = [endless] * 10
    with pytest.raises(InputError, match="config: more than 10,000 values"):
        check_values({"a": endless})
    check_values({"a": [1] * 9000})
