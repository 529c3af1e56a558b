import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fineprior.files.errors import InputError
from fineprior.genotypes import plink_panel
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.simulate.population import write_panel


def bim(count):
    return pd.DataFrame({"chrom": "1", "pos": np.arange(1, count + 1), "snp_id": [f"rs{i}" for i in range(count)],
                         "a1": "A", "a2": "c"})  # fmt: skip


@pytest.fixture
def prefix(tmp_path):
    write_panel(tmp_path / "p", bim(3), [np.array([[0, 1, 2], [1, -1, 2], [2, 0, 2], [2, 0, -1], [1, 1, 2]], np.int8)])
    return tmp_path / "p"


def test_a_file_written_by_hand_reads_as_the_format_says(tmp_path):
    # five people, one variant: 00 hom A1, 01 missing, 10 het, 11 hom A2, then 10 in the second byte
    (tmp_path / "p.bed").write_bytes(bytes([0x6C, 0x1B, 0x01, 0b11_10_01_00, 0b00_00_00_10]))
    (tmp_path / "p.bim").write_text("7 rs1 0 55 g A\n")
    (tmp_path / "p.fam").write_text("f i 0 0 0 -9\n" * 5)
    panel = PlinkPanel(tmp_path / "p")
    assert panel.samples == 5
    assert panel.variants.to_dict("records") == [{"chrom": "7", "pos": 55, "snp_id": "rs1", "a1": "G", "a2": "A"}]
    assert np.array_equal(panel.dosages([0])[:, 0], [2, np.nan, 1, 0, 1], equal_nan=True)
    assert panel.genotype_counts().tolist() == [[1, 2, 1, 1]]
    assert panel.allele_frequencies().tolist() == [4 / 8]


def test_padding_bits_count_nobody(prefix):
    raw = bytearray((prefix.parent / "p.bed").read_bytes())
    clean = PlinkPanel(prefix).genotype_counts()
    raw[4] |= 0b1111_1100  # the second byte of the first variant holds one person only
    (prefix.parent / "p.bed").write_bytes(bytes(raw))
    assert PlinkPanel(prefix).genotype_counts().tolist() == clean.tolist()
    assert PlinkPanel(prefix).dosages([0])[:, 0].tolist() == [0, 1, 2, 2, 1]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(tmp_path_factory, people, count, seed):
    rng = np.random.default_rng(seed)
    dosages = rng.integers(-1, 3, (people, count)).astype(np.int8)
    folder = tmp_path_factory.mktemp("panel")
    cut = rng.integers(0, count + 1)
    write_panel(folder / "p", bim(count), [dosages[:, :cut], dosages[:, cut:]])
    panel = PlinkPanel(folder / "p")
    expected = np.where(dosages < 0, np.nan, dosages).astype(np.float32)
    order = rng.permutation(count)
    assert np.array_equal(panel.dosages(order), expected[:, order], equal_nan=True)
    counts = np.stack([(dosages == genotype).sum(0) for genotype in (2, 1, 0, -1)], 1)
    assert np.array_equal(panel.genotype_counts(order), counts[order])
    called = (dosages >= 0).sum(0)
    frequencies = np.where(called > 0, np.maximum(dosages, 0).sum(0) / np.maximum(2 * called, 1), np.nan)
    assert np.allclose(panel.allele_frequencies(), frequencies, equal_nan=True)


def test_chunks_do_not_show(prefix, monkeypatch):
    whole = PlinkPanel(prefix)
    dosages, counts = whole.dosages([2, 0, 1]), whole.genotype_counts()
    monkeypatch.setattr(plink_panel, "_VALUES_AT_ONCE", 1)
    assert np.array_equal(whole.dosages([2, 0, 1]), dosages, equal_nan=True)
    assert np.array_equal(whole.genotype_counts(), counts)
    assert dosages.flags.f_contiguous


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".bed", None, r"p\.bed: no such file"),
        (".bim", None, r"p\.bim: no such file"),
        (".fam", None, r"p\.fam: no such file"),
        (".bed", b"", "not a PLINK 1 .bed file"),
        (".bed", b"\x1f\x8b\x08" + bytes(6), "begins with 0x1f8b08"),
        (".bed", b"\x6c\x1b\x00" + bytes(6), "individual-major"),
        (".bed", b"\x6c\x1b\x01" + bytes(5), r"8 bytes, but 3 variants \(.bim\) of 5 samples \(.fam\) make 9"),
        (".bed", b"\x6c\x1b\x01" + bytes(7), "10 bytes"),
        (".fam", b"", "no samples"),
        (".fam", b"\n \n", "no samples"),
        (".fam", b"a a 0 0 0 -9\n" * 9, "of 9 samples"),
        (".bim", b"", "no variants"),
        (".bim", b"1 rs 0 5 A C\n", "1 variants"),
        (".bim", b"1 rs 0 5 A C\n1 rs 0 6 A\n", "line 2: not 6 columns"),
        (".bim", b"1 rs 0 5 A C\n1 rs 0 6 A C G\n", "not a .bim file"),
        (".bim", b"1 rs 0 5 A C G\n", "line 1: not 6 columns"),
        (".bim", b"1 rs 0 5 A C\n1 rs 0 x A C\n", "line 2: position 'x'"),
        (".bim", b"1 rs 0 5.5 A C\n", "line 1: position '5.5'"),
        (".bim", b"1 rs 0 -5 A C\n", "line 1: position '-5'"),
        (".bim", b"1 rs 0 5 A \xff\xfe\n", "not a .bim file"),
    ],
)
def test_a_damaged_panel_is_named(prefix, suffix, content, message):
    path = prefix.parent / f"p{suffix}"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        PlinkPanel(prefix).dosages([0])


@pytest.mark.parametrize("opened", [False, True])
def test_a_bed_that_shrinks_while_it_is_read_is_an_error(tmp_path, opened):
    """Not the end of the process, as of a file that is mapped into memory."""
    write_panel(tmp_path / "p", bim(9999), [np.ones((9, 9999), np.int8)])  # larger than what is read ahead
    panel = PlinkPanel(tmp_path / "p")
    assert panel.count == 9999
    if opened:
        panel.dosages([0])
    (tmp_path / "p.bed").write_bytes(b"\x6c\x1b\x01" + bytes(2))
    for read in (panel.dosages, panel.genotype_counts):
        with pytest.raises(InputError, match=r"p\.bed: not a (whole|PLINK 1) \.bed file, or damaged"):
            read([9998])


@pytest.mark.parametrize("index", [[3], [-1], [0, 99]])
def test_a_variant_beyond_the_panel_is_named(prefix, index):
    with pytest.raises(InputError, match="there are 3; was the panel changed"):
        PlinkPanel(prefix).dosages(index)


def test_alleles_named_na_are_text(tmp_path):
    write_panel(tmp_path / "p", bim(1).assign(a1="NA", snp_id="NA", chrom="X"), [np.zeros((2, 1), np.int8)])
    assert PlinkPanel(tmp_path / "p").variants.iloc[0].to_list() == ["X", 1, "NA", "NA", "C"]


BIM_SPELLINGS = {
    "byte-order mark and CRLF": lambda text: ("\ufeff" + text).replace("\n", "\r\n"),
    "CR alone": lambda text: text.replace("\n", "\r"),
    "empty lines": lambda text: text.replace("\n", "\n\n"),
    "quoted by R": lambda text: re.sub(r"(?m)^7\t(rs.)\t0\t(\d+)\tA\tC$", r'"7"\t"\1"\t0\t\2\t"A"\t"C"', text),
    "all quoted": lambda text: "".join('"' + line.replace("\t", '"\t"') + '"\n' for line in text.splitlines()),
    "exponents": lambda text: text.replace("\t200000\t", "\t2e+05\t"),
    "trailing blanks": lambda text: text.replace("\n", " \t\n"),
}  # fmt: skip


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("spelling", BIM_SPELLINGS)
def test_a_bim_of_every_program_is_read(tmp_path, monkeypatch, spelling, large):
    variants = bim(4).assign(chrom="7", pos=[200000, 200001, 200002, 300000], a2="C")
    write_panel(tmp_path / "p", variants, [np.array([[0, 1, 2, 1], [2, 1, 0, 0]], np.int8)])
    path = tmp_path / "p.bim"
    path.write_bytes(BIM_SPELLINGS[spelling](path.read_text()).encode())
    if large:
        monkeypatch.setattr(plink_panel, "_WHOLE_BIM", 0)
    panel = PlinkPanel(tmp_path / "p")
    order = [2, 0, 3]
    found = panel.find(pd.DataFrame({"panel_index": order}))
    assert found.to_numpy().tolist() == variants.iloc[order][["chrom", "pos", "snp_id", "a1", "a2"]].to_numpy().tolist()
    assert panel.dosages(order).tolist() == [[2, 0, 1], [0, 2, 0]]


@pytest.mark.parametrize("position", ["4294967396", r"1e\+300", "2.5", "-1", "NA", "0x10"])
def test_positions_that_are_none_are_named(prefix, position):
    path = prefix.with_suffix(".bim")
    path.write_text(path.read_text().replace("\t2\t", f"\t{position}\t".replace("\\", "")))
    with pytest.raises(
        InputError, match=rf"p\.bim, line 2: position '{position}.*' is not a whole number from 0 to 2147483646"
    ):
        PlinkPanel(prefix).variants  # noqa: B018
