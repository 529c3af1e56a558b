"""Text as other programs save it is read alike by every reader, or named: never another value.

A byte-order mark, other line ends, a last line without one, blank lines, gzip: one answer for all text files.
"""

import gzip
import warnings

import pytest

from bad_inputs.fuzz import digest
from bad_inputs.fuzz_readers import READERS
from fineprior.files.errors import InputError

MARK = b"\xef\xbb\xbf"
DRESSES = {
    "byte-order mark": lambda text: MARK + text,
    "Windows": lambda text: MARK + text.replace(b"\n", b"\r\n"),
    "old Mac": lambda text: text.replace(b"\n", b"\r"),
    "no last line end": lambda text: text.rstrip(b"\n"),
    "blank lines": lambda text: text + b"\n\n",
    "gzip": lambda text: gzip.compress(text, mtime=0),
    "UTF-16": lambda text: text.decode().encode("utf-16"),
}
NAMED = {
    "sumstats: meta file": {"gzip", "UTF-16"},
    "sumstats: VCF": {"byte-order mark", "Windows", "old Mac", "blank lines", "gzip", "UTF-16"},  # read by htslib
    "panel: PLINK 2": {"byte-order mark", "Windows", "old Mac", "blank lines", "UTF-16"},  # .pvar, read by pgenlib
    "panel: VCF": {"byte-order mark", "Windows", "old Mac", "blank lines", "gzip", "UTF-16"},  # read by htslib
    "FASTA": {"byte-order mark", "Windows", "old Mac", "gzip", "UTF-16", "no last line end", "blank lines"},  # and .fai
    "FASTA in bgzip": set(DRESSES),  # its .fai
    "config and sheets": {"gzip", "UTF-16"},
}
"""Dresses that a reader may refuse; all others refuse UTF-16 alone."""


def is_text(content):
    try:
        return "\0" not in content.decode() and b"\n" in content
    except UnicodeDecodeError:
        return False


def joined(value):
    """The value of a reader; pieces of a table, in which line ends count, as one table."""
    import pandas as pd

    pieces = isinstance(value, list) and value and all(isinstance(one, pd.DataFrame) for one in value)
    return digest(pd.concat(value, ignore_index=True) if pieces else value)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
@pytest.mark.filterwarnings("ignore")
def test_text_is_read_alike_or_named(name, tmp_path):
    reader = READERS[name]
    warnings.simplefilter("ignore")
    reader.build(tmp_path)
    expected = joined(reader.read(tmp_path))
    there = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for file in (one for one in reader.files if is_text(there[one])):
        for dress, put_on in DRESSES.items():
            for path in tmp_path.iterdir():  # indexes that were made
                if path.is_file() and path.name not in there:
                    path.unlink()
            (tmp_path / file).write_bytes(put_on(there[file]))
            said = None
            try:
                assert joined(reader.read(tmp_path)) == expected, (file, dress)
            except InputError as error:
                said = str(error)
            if said is not None:
                assert dress in NAMED.get(name, {"UTF-16"}), (file, dress, said)
                assert "\n" not in said
                if dress in {"byte-order mark", "UTF-16"} and not file.endswith(".fai"):
                    assert any(word in said for word in ("byte-order mark", "UTF-")), (file, said)
        (tmp_path / file).write_bytes(there[file])
