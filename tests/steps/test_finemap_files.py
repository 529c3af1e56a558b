"""Files of one locus as programs save them: what is read alike, and what is named."""

import gzip

import numpy as np
import pandas as pd
import pytest

from fineprior.foundation.errors import InputError
from fineprior.steps import finemap_files as module
from fineprior.steps.finemap_files import read_correlations, read_prior, read_z

IDS = [f"1:{10 * i + 5}:A:C" for i in range(8)]
Z = "variant_id\tz\tn\n" + "".join(f"{name}\t{i - 3.5}\t1000\n" for i, name in enumerate(IDS))
R = np.corrcoef(np.random.default_rng(1).normal(size=(50, 8)), rowvar=False).round(4)

SAVED = {
    "a byte-order mark": lambda text: "\ufeff" + text,
    "Windows": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
    "old Mac": lambda text: text.replace("\n", "\r"),
    "no last line end": lambda text: text.rstrip("\n"),
    "quotation marks": lambda text: '"' + text.rstrip("\n").replace("\t", '"\t"').replace("\n", '"\n"') + '"\n',
    "gzip": lambda text: gzip.compress(text.encode()),
}


def save(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", SAVED)
def test_tables_and_lists_are_read_however_they_were_saved(tmp_path, name):
    saved = SAVED[name]
    expected = read_z(save(tmp_path / "z.tsv", Z), None)
    assert expected["pos"].tolist() == [10 * i + 5 for i in range(8)]
    pd.testing.assert_frame_equal(read_z(save(tmp_path / "z2.tsv", saved(Z)), None), expected)
    prior = "variant_id\tprior\n" + "".join(f"{name}\t0.{i + 1}\n" for i, name in enumerate(IDS))
    assert read_prior(save(tmp_path / "p.tsv", saved(prior)), pd.Series(IDS)).tolist() == [
        float(f"0.{i + 1}") for i in range(8)
    ]
    turned = list(reversed(range(8)))
    names = save(tmp_path / "names", saved("".join(f"{IDS[i]}\n" for i in turned)))
    matrix = "".join(" ".join(map(str, row)) + "\n" for row in R[np.ix_(turned, turned)].tolist())
    if name == "quotation marks":
        saved = str
    found, size = read_correlations(save(tmp_path / "r.txt", saved(matrix)), pd.Series(IDS), names)
    assert np.array_equal(found, R)
    assert size is None


def test_what_excel_leaves_behind_is_passed_over(tmp_path):
    wide = Z.replace("\n", "\t\t\n") + "\t\t\t\t\n\t\t\t\t\n"
    expected = read_z(save(tmp_path / "z.tsv", Z), None)
    pd.testing.assert_frame_equal(read_z(save(tmp_path / "z2.tsv", wide), None), expected)
    with pytest.raises(InputError, match="line 4: the variant has no name"):
        read_z(save(tmp_path / "z3.tsv", Z.replace(IDS[2], "")), None)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.npy", b"\x93NUMPY\x01\0\x10\0", "not a readable matrix, or damaged"),
        ("r.npz", b"text", "not a readable matrix, or damaged"),
        ("r.txt", Z, "not a readable matrix, or damaged"),
        ("r.txt", "", "not a readable matrix, or damaged"),
        ("r.txt", Z.encode("utf-16"), "text in UTF-16: save it as UTF-8"),
    ],
)
def test_matrices_that_cannot_be_read_are_named(tmp_path, name, content, words):
    with pytest.raises(InputError, match=rf"{name}: .*{words}"):
        read_correlations(save(tmp_path / name, content), pd.Series(IDS))


def test_a_matrix_beyond_the_memory_of_the_machine_is_not_read(tmp_path, monkeypatch):
    np.save(tmp_path / "r.npy", R)
    monkeypatch.setattr(module, "machine_memory_mb", lambda: 1e-6)
    with pytest.raises(InputError, match="more than this machine's memory"):
        read_correlations(tmp_path / "r.npy", pd.Series(IDS))
