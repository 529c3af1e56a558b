import numpy as np
import pgenlib
import pyarrow as pa
import pytest

from fineprior.files.errors import InputError
from fineprior.genotypes import plink_panel
from fineprior.genotypes.plink_panel import PgenPanel

ROWS = ["1\t10\trs1\tA\tG", "1\t20\trs2\tC\tT", "1\t30\trs3\tA\tc,T"]
CALLS = np.array([[0, 0, 0, 1, 1, 1, -9, -9], [0, 1, 1, 1, 0, 0, 0, 0], [0, 1, 1, 2, 2, 2, 0, 0]], np.int32)
EXPECTED = np.array([[0, 1, 2, np.nan], [1, 2, 0, 0], [1, 1, 0, 0], [0, 1, 2, 0]], np.float32)
"""Copies of G, T, C, T of the four people."""


def write_text(prefix, rows=ROWS, header="#CHROM\tPOS\tID\tREF\tALT"):
    prefix.with_suffix(".pvar").write_text("\n".join(["##fileformat=VCFv4.2", header, *rows]) + "\n")
    prefix.with_suffix(".psam").write_text("#IID\tSEX\n" + "".join(f"p{i}\tNA\n" for i in range(4)))


@pytest.fixture
def prefix(tmp_path):
    write_text(tmp_path / "p")
    with pgenlib.PgenWriter(str(tmp_path / "p.pgen").encode(), 4, variant_ct=3, nonref_flags=False,
                            allele_ct_limit=3) as writer:  # fmt: skip
        for row, calls in enumerate(CALLS):
            writer.append_alleles(calls, allele_ct=3 if row == 2 else 2)
    return tmp_path / "p"


def test_each_alternative_is_a_row(prefix):
    panel = PgenPanel(prefix)
    assert (panel.samples, panel.count, panel.sample_ids) == (4, 4, ["p0", "p1", "p2", "p3"])
    assert panel.variants.to_numpy().tolist() == [
        ["1", 10, "rs1", "G", "A"], ["1", 20, "rs2", "T", "C"], ["1", 30, "rs3", "C", "A"], ["1", 30, "rs3", "T", "A"],
    ]  # fmt: skip
    order = np.array([3, 0, 2, 1])
    assert np.array_equal(panel.dosages(order).T, EXPECTED[order], equal_nan=True)
    assert np.array_equal(panel.dosages(order, slice(1, 3)).T, EXPECTED[order, 1:3], equal_nan=True)
    assert np.array_equal(panel.dosages(order).T, EXPECTED[order], equal_nan=True)
    assert panel.genotype_counts().tolist() == [[1, 1, 1, 1], [1, 1, 2, 0], [0, 2, 2, 0], [1, 1, 2, 0]]
    assert panel.allele_frequencies([3, 0]).tolist() == [3 / 8, 1 / 2]
    assert panel.find(panel.variants.assign(panel_index=range(4)).iloc[[2, 1]])["a1"].to_list() == ["C", "T"]


def test_parts_do_not_show(prefix, monkeypatch):
    monkeypatch.setattr(plink_panel, "_VALUES_AT_ONCE", 1)
    monkeypatch.setattr(plink_panel, "_ROWS_AT_ONCE", 3)
    panel = PgenPanel(prefix)
    assert np.array_equal(panel.dosages(np.arange(4)).T, EXPECTED, equal_nan=True)
    assert panel.variants["a1"].to_list() == ["G", "T", "C", "T"]
    assert panel.allele_frequencies().tolist() == [1 / 2, 3 / 8, 2 / 8, 3 / 8]


def test_people_of_a_list(prefix, tmp_path):
    (tmp_path / "keep").write_text("p3\np1\n")
    panel = PgenPanel(prefix, tmp_path / "keep")
    assert panel.sample_ids == ["p1", "p3"]
    assert np.array_equal(panel.dosages(np.arange(4)).T, EXPECTED[:, [1, 3]], equal_nan=True)
    assert panel.genotype_counts([0]).tolist() == [[0, 1, 0, 1]]


def test_dosages_are_read(tmp_path):
    write_text(tmp_path / "d", ROWS[:1])
    with pgenlib.PgenWriter(str(tmp_path / "d.pgen").encode(), 4, variant_ct=1, nonref_flags=False,
                            dosage_present=True) as writer:  # fmt: skip
        writer.append_dosages(np.array([0.25, 1.5, -9, 2], np.float32))
    panel = PgenPanel(tmp_path / "d")
    assert np.array_equal(panel.dosages([0])[:, 0], [0.25, 1.5, np.nan, 2], equal_nan=True)
    assert panel.allele_frequencies().tolist() == [(0.25 + 1.5 + 2) / 6]


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".pgen", None, r"p\.pgen: no such file"),
        (".psam", None, r"p\.psam: no such file"),
        (".pvar", None, r"p\.pvar: no such file, nor .*p\.pvar\.zst"),
        (".pgen", b"rubbish", r"p\.pgen: not a \.pgen file of 3 variants \(.pvar\) and 4 samples"),
        (".psam", b"#IID\na\nb\n", r"p\.pgen: not a \.pgen file of .* 2 samples"),
        (".pvar", b"#CHROM\tPOS\tID\tREF\tALT\n1\t10\trs1\tA\tG\n", r"p\.pgen: not a \.pgen file of 1 variants"),
        (
            ".pvar",
            b"\xef\xbb\xbf#CHROM\tPOS\tID\tREF\tALT\n1\t10\trs1\tA\tG\n",
            r"p\.pvar: begins with a byte-order mark",
        ),
        (".pvar", b"#CHROM\tPOS\tID\tREF\tALT\r1\t10\trs1\tA\tG\r", r"p\.pvar: lines end with CR alone"),
        (".pvar", "#CHROM\tPOS\n".encode("utf-16"), r"p\.pvar: text in UTF-16"),
        (".pvar", b"\x00\x01rubbish", r"p\.pvar: not a \.pvar file, or damaged"),
    ],
)
def test_damaged_files_are_named(prefix, suffix, content, message):
    path = prefix.with_suffix(suffix)
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        PgenPanel(prefix).dosages([0])


def test_a_variant_beyond_the_panel_is_named(prefix):
    with pytest.raises(InputError, match=r"p\.pvar: no variant 4, there are 4"):
        PgenPanel(prefix).dosages([4])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("position", ["1e+05", "1.5e+04"])
def test_positions_in_exponents_are_not_read_as_their_first_digit(prefix, position, packed):
    write_text(prefix, [ROWS[0].replace("\t10\t", f"\t{position}\t"), *ROWS[1:]])
    path = prefix.with_suffix(".pvar")
    if packed:
        with pa.CompressedOutputStream(f"{path}.zst", "zstd") as handle:
            handle.write(path.read_bytes())
        path.unlink()
    with pytest.raises(
        InputError, match=rf"p\.pvar(\.zst)?, line 3: position '{position.replace('+', '.')}' is not a whole"
    ):
        PgenPanel(prefix).variants  # noqa: B018
