import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fineprior.engine.tensor_files import TensorEntry, check_shapes, parse_json, read_header
from fineprior.files.errors import InputError


def write(path, header, data=b"", length=None):
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(content) if length is None else length) + content + data)


def entry(kind="F32", shape=(2, 3), begin=0, end=24):
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def test_the_header_of_what_safetensors_wrote(tmp_path):
    tensors = {"a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16), "c": torch.zeros(()),
               "n.num_batches_tracked": torch.tensor(7)}  # fmt: skip
    save_file(tensors, tmp_path / "x", metadata={"by": "me"})
    expected = {"a": ("F32", (2, 3)), "b": ("BF16", (4,)), "c": ("F32", ()), "n.num_batches_tracked": ("I64", ())}
    assert read_header(tmp_path / "x") == {name: TensorEntry(*of) for name, of in expected.items()}


CLAIMS = {
    "longer than the file": ({"a": entry()}, bytes(24), 10**6, "its header claims 1,000,000 bytes, the file has"),
    "longer than any file": ({"a": entry()}, bytes(24), 2**63, "its header claims"),
    "no JSON": (b"weights", b"", None, "not JSON"),
    "JSON that is a list": ([1], b"", None, "must be one JSON object"),
    "deep": (b"[" * 100_000, b"", None, "not JSON"),
    "a name twice": (b'{"a": {}, "a": {}}', b"", None, "'a' occurs twice"),
    "no shape": ({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4), None, "KeyError: 'shape'"),
    "a shape in words": ({"a": entry(shape=["2", 3])}, bytes(24), None, "'a' has a size that is not a whole number"),
    "a negative shape": ({"a": entry(shape=[-2, -3])}, bytes(24), None, "'a' has a size that is not a whole number"),
    "a larger shape": ({"a": entry(shape=[10**9, 10**9])}, bytes(24), None, "'a' has 24 bytes, which is not its shape"),
    "more data": ({"a": entry(shape=[2, 4], end=32)}, bytes(24), None, "its tensors claim 32 bytes, the file has 24"),
    "data that nothing has": ({"a": entry()}, bytes(28), None, "its tensors claim 24 bytes, the file has 28"),
    "shared data": ({"a": entry(), "b": entry()}, bytes(24), None, "its tensors do not follow one another"),
    "whole numbers": ({"a": entry("I8", end=6)}, bytes(6), None, "'a' is of type I8; allowed: weights of F64, F32"),
    "eight bits": ({"a": entry("F8_E4M3", end=6)}, bytes(6), None, "'a' is of type F8_E4M3; allowed"),
}  # fmt: skip


@pytest.mark.parametrize(("header", "data", "length", "words"), CLAIMS.values(), ids=CLAIMS)
def test_a_header_that_is_wrong(tmp_path, header, data, length, words):
    write(tmp_path / "x", header, data, length)
    with pytest.raises(InputError) as caught:
        read_header(tmp_path / "x")
    assert str(caught.value).startswith(f"{tmp_path}/x: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(200))
def test_a_flipped_bit_of_a_header_or_a_cut_is_one_line_or_the_same_tensors(tmp_path, seed):
    save_file({f"layer.{i}.weight": torch.full((3, i + 1), 1.0) for i in range(6)}, tmp_path / "x")
    expected, content = read_header(tmp_path / "x"), bytearray((tmp_path / "x").read_bytes())
    rng = np.random.default_rng(seed)
    at = int(rng.integers(8 + int.from_bytes(content[:8], "little")))
    if seed % 4:
        content[at] ^= 1 << int(rng.integers(8))
    else:
        content = content[:at]
    (tmp_path / "x").write_bytes(content)
    try:
        found = read_header(tmp_path / "x")
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:  # a letter of a name, or the order of two dimensions, may be another: names and shapes are checked next
        assert sorted(entry.kind for entry in found.values()) == ["F32"] * len(expected)


def test_names_and_shapes_are_those_of_the_configuration(tmp_path):
    wanted = {"a": (2, 3), "b": (4,)}
    check_shapes("x", {"b": (4,), "a": (2, 3)}, wanted, "config.json")
    for found, words in (
        ({"a": (2, 3)}, "x: 1 missing weights: b; does config.json belong to them"),
        (wanted | {"c": ()}, "x: 1 unexpected weights: c; does"),
        (wanted | {"a": (3, 2)}, r"x: 'a' has shape \(3, 2\), but config.json requires \(2, 3\)"),
    ):
        with pytest.raises(InputError, match=words):
            check_shapes("x", found, wanted, "config.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"dim": 24, "dim": 48}', "c: 'dim' occurs twice"),
        ('{"a": {"b": 1, "b": 2}}', "c: 'b' occurs twice"),
        ('{"dim": NaN}', "NaN is not a finite number"),
        ('{"dim": -Infinity}', "-Infinity is not a finite number"),
        ('{"dim": 1e999}', "1e999 is not a finite number"),
        ('{"dim": ' + "9" * 5000 + "}", "c: not JSON"),
        ("[" * 100_000, "c: not JSON"),
        ("", "c: not JSON"),
        ("24", "c: must be one JSON object"),
    ],
)
def test_json_that_does_not_say_what_it_seems_to(text, words):
    with pytest.raises(InputError) as caught:
        parse_json(text, "c")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400
