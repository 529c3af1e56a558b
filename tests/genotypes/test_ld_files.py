import gzip
import subprocess
from shutil import which

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from fineprior.files.errors import InputError
from fineprior.genotypes.ld import panel_ld
from fineprior.genotypes.ld_files import LdSource, match, read_variants
from fineprior.genotypes.panels import open_panel

MEMORY = 10_000


def write_window(folder, name, r, rows):
    """A window as PolyFun's UK Biobank LD has it: lower triangle with halved diagonal, allele1 counted."""
    lower = np.tril(r).astype(np.float64)
    np.fill_diagonal(lower, 0.5)
    scipy.sparse.save_npz(folder / f"{name}.npz", scipy.sparse.coo_matrix(lower))
    text = "rsid\tchromosome\tposition\tallele1\tallele2\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows)
    with gzip.open(folder / f"{name}.gz", "wt") as handle:
        handle.write(text)


def locus(rows):
    """Variants of a locus as (pos, ref, alt), z decreasing."""
    table = pd.DataFrame(rows, columns=["pos", "ref", "alt"]).assign(chrom="chr1", z=np.arange(len(rows), 0, -1.0))
    ids = "chr1:" + table["pos"].astype(str) + ":" + table["ref"] + ":" + table["alt"]
    return table.assign(variant_id=ids, panel_index=0)


def test_the_first_allele_is_the_one_that_is_counted(tmp_path):
    # omerwe/polyfun#138: of these two variants in near-perfect LD the list's allele1 is the reference allele of dbSNP,
    # not the alternative; a third has them the other way round, as one signs z for it would have the wrong sign
    r = np.array([[1, 0.99, -0.3], [0.99, 1, -0.25], [-0.3, -0.25, 1]])
    write_window(tmp_path, "chr1_45000001_48000001", r, [
        ("rs10890343", 1, 46157922, "C", "T"), ("rs6665808", 1, 46162283, "C", "T"), ("rs3", 1, 46170000, "g", "a"),
    ])  # fmt: skip
    table = locus([(46157922, "C", "T"), (46162283, "C", "T"), (46170000, "A", "G")])
    found = LdSource(tmp_path).locus("locus", table, MEMORY)
    assert found.variant_ids.tolist() == table["variant_id"].to_list()
    assert np.allclose(found.r, [[1, 0.99, 0.3], [0.99, 1, 0.25], [0.3, 0.25, 1]], atol=1e-6)
    assert (found.left_out, found.note) == ({}, "")


def test_an_insertion_and_a_deletion_at_one_place_are_two_variants():
    known = pd.DataFrame({"chrom": "1", "pos": 5, "a1": ["T", "TG", "A"], "a2": ["TG", "T", "G"]})
    table = locus([(5, "T", "TG"), (5, "TG", "T"), (5, "A", "G"), (6, "A", "G")])
    rows, signs = match(table, known)
    assert rows.tolist() == [1, 0, 2, -1]
    assert signs.tolist()[:3] == [1, 1, -1]
    assert match(table, known.iloc[:1])[0].tolist() == [0, 0, -1, -1]
    assert match(table.iloc[2:3], known.iloc[[2, 2]])[0].tolist() == [-1], "twice in the list"


@pytest.fixture
def folder(tmp_path):
    """Three windows of 3 Mb, 1 Mb apart, each with a variant every 100 kb."""
    for start in (1, 1_000_001, 2_000_001):
        pos = np.arange(start + 50_000, start + 3_000_000, 100_000)
        r = np.exp(-np.abs(np.subtract.outer(pos, pos)) / 2e5) - 0.01 + start / 1e9
        np.fill_diagonal(r, 1)
        write_window(tmp_path, f"chr1_{start}_{start + 3_000_000}", r, [(".", 1, p, "A", "G") for p in pos])
    return tmp_path


@pytest.mark.parametrize(("first", "last", "start"), [(100_000, 200_000, 1), (1_600_000, 2_400_000, 1),
                                                     (2_100_000, 3_000_000, 1_000_001),
                                                     (3_300_000, 4_900_000, 2_000_001)])  # fmt: skip
def test_the_window_that_holds_a_locus_most_centrally_is_taken(folder, first, last, start):
    table = locus([(pos, "A", "G") for pos in (first, (first + last) // 2, last)])
    assert LdSource(folder).window_of(table).start == start - 1


def test_windows_that_spell_a_chromosome_in_two_ways_hold_each_variant_once(folder):
    for path in list(folder.glob("chr1_1000001_*")):
        path.rename(path.with_name(path.name.removeprefix("chr")))
    assert sorted(LdSource(folder).variants["pos"]) == list(range(50_001, 5_000_000, 100_000))


def test_variants_beyond_the_windows_are_listed(folder):
    source = LdSource(folder)
    assert sorted(source.variants["pos"]) == list(range(50_001, 5_000_000, 100_000))
    table = locus([(4_850_001, "A", "G"), (4_950_001, "A", "G"), (4_950_001, "A", "C"), (6_000_000, "A", "G")])
    found = source.locus("locus", table, MEMORY)
    assert found.r.shape == (2, 2)
    assert found.left_out == {"chr1:4950001:A:C": "no_ld", "chr1:6000000:A:G": "no_ld"}
    assert found.note == f"2 variants without LD in {folder}/chr1_2000001_5000001.npz"
    found = source.locus("locus", table.iloc[::-1].assign(z=table["z"]), MEMORY)
    assert found.r.shape == (2, 2)
    assert source.locus("locus", table.assign(z=[1, 1, 9, 1]), MEMORY).note.endswith("the lead chr1:4950001:A:C")
    outside = source.locus("locus", table.assign(pos=table["pos"] + 4_000_000), MEMORY)
    assert outside.r.shape == (0, 0)
    assert set(outside.left_out.values()) == {"no_ld"}
    assert outside.note == f"no window of {folder} holds its lead"
    assert source.window_of(table.assign(chrom="2")) is None


def test_gaps_and_memory_leave_variants_out(tmp_path, monkeypatch):
    r = np.array([[1, 0.1, np.nan, 0.2], [0.1, 1, np.nan, 0.3], [np.nan] * 4, [0.2, 0.3, np.nan, 1]])
    np.save(tmp_path / "r.npy", r)
    (tmp_path / "v.txt").write_text("".join(f"chr1:{pos}:A:G\n" for pos in (10, 20, 30, 40)))
    (tmp_path / "ld.tsv").write_text("chrom\tstart\tend\tmatrix\tvariants\nchr1\t0\t100\tr.npy\tv.txt\n")
    source = LdSource(tmp_path / "ld.tsv")
    table = locus([(pos, "A", "G") for pos in (10, 20, 30, 40)])
    found = source.locus("locus", table, MEMORY)
    assert found.left_out == {"chr1:30:A:G": "no_ld"}
    assert np.allclose(found.r, r[np.ix_([0, 1, 3], [0, 1, 3])], atol=1e-6)
    monkeypatch.setattr("fineprior.genotypes.ld_files.variants_that_fit", lambda *_: 2)
    found = source.locus("locus", table, MEMORY)
    assert found.left_out == dict.fromkeys(["chr1:30:A:G", "chr1:40:A:G"], "trimmed")
    assert found.note == "2 variants trimmed, the farthest from the lead, to fit ld.max_memory_mb"


@pytest.mark.parametrize(
    "text",
    ["rsid chromosome position allele1 allele2\nrs1 01 7 g A\n", "#CHROM\tPOS\tID\tREF\tALT\n01\t7\trs1\tA\tG\n",
     "01\trs1\t0\t7\tG\tA\n", "SNP\tCHR\tBP\tA1\tA2\nrs1\t01\t7\tG\tA\n", "01:7:A:G\n"],
)  # fmt: skip
def test_lists_of_variants(tmp_path, text):
    (tmp_path / "v").write_text(text)
    found = read_variants(str(tmp_path / "v"))
    name = "01:7:A:G" if text.startswith("01:") else "rs1"
    assert found.to_dict("records") == [{"chrom": "01", "pos": 7, "snp_id": name, "a1": "G", "a2": "A"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable list of variants"),
        ("a b c\n", "the columns a, b, c are neither chromosome"),
        ("rs1\nrs2\n", "line 1: no position and alleles"),
        ("chrom pos ref alt\n1 7 A G\n1 x A G\n", "line 3: no position and alleles"),
        ("chrom pos ref alt\n1 7 A G T\n", "not a readable list of variants"),
    ],
)
def test_lists_that_are_none_are_named(tmp_path, text, message):
    (tmp_path / "v").write_text(text)
    with pytest.raises(InputError, match=message):
        read_variants(str(tmp_path / "v"))


HEADER = "chrom\tstart\tend\tmatrix\tvariants\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file or folder"),
        (HEADER, "no row below the header"),
        ("chrom\tstart\n1\t0\n", "line 2: no value of 'end'"),
        (HEADER + "1\t0\tx\tr.npy\tv\n", "line 2: 0-x are not a start"),
        (HEADER + "1\t9\t9\tr.npy\tv\n", "line 2: 9-9 are not a start"),
        (HEADER + "1\t0\t9\tr.npy\tv\n", r"line 2: file '.*r\.npy' does not exist"),
    ],
)
def test_tables_of_windows_that_are_none_are_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "ld.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        LdSource(tmp_path / "ld.tsv")


def test_folders_without_windows_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no LD in this folder; files are named like chr1_1_3000001\.npz"):
        LdSource(tmp_path)
    (tmp_path / "chr1_1_3000001.npz").touch()
    with pytest.raises(InputError, match=r"chr1_1_3000001\.gz: no such file; it must list the variants"):
        LdSource(tmp_path)


@pytest.mark.skipif(which("plink1.9") is None, reason="plink1.9 is not here")
@pytest.mark.parametrize("options", [("square",), ("square", "gz"), ("triangle",), ("square", "bin"),
                                     ("triangle", "bin4"), ("square0",)])  # fmt: skip
def test_plinks_matrices_of_real_people_are_the_panels_own(shared_data, tmp_path, options):
    prefix = shared_data / "prostate_chr17" / "panel"
    subprocess.run(["plink1.9", "--bfile", prefix, "--r", *options, "--keep-allele-order", "--out", tmp_path / "r"],
                   check=True, capture_output=True)  # fmt: skip
    matrix = next(file.name for file in tmp_path.glob("r.ld*"))
    (tmp_path / "ld.tsv").write_text(f"{HEADER}17\t0\t1000000\t{matrix}\t{prefix}.bim\n")
    panel = open_panel(str(prefix))
    # as harmonisation leaves them: in another order than the panel's, and of either allele
    known = panel.variants.sample(frac=0.4, random_state=1)
    table = known.assign(panel_index=known.index, variant_id=known["snp_id"], z=1.0, ref=known["a1"], alt=known["a2"])
    table.loc[table.index[::3], ["ref", "alt"]] = known.loc[table.index[::3], ["a2", "a1"]].to_numpy()
    found = LdSource(tmp_path / "ld.tsv").locus("locus", table, MEMORY)
    assert found.left_out == {}
    assert np.allclose(found.r, panel_ld(table, panel), atol=1e-5)
