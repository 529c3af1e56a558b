"""Files of one locus as programs save them: what is read alike, and what is named; loci of a batch."""

import gzip

import numpy as np
import pandas as pd
import pytest

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.finemap import locus_input as module
from fineprior.finemap.correlation import PanelCorrelation
from fineprior.finemap.locus_input import BatchInput, read_correlations, read_locus, read_prior, read_z
from fineprior.genotypes.ld_store import LocusLd, write_ld

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


TRIPLE = np.array([[1, 0.5, 0.2], [0.5, 1, -0.3], [0.2, -0.3, 1]])
ABC = pd.Series(["a", "b", "c"])


def test_z_is_taken_or_made_of_beta_and_se(tmp_path):
    (tmp_path / "z.tsv").write_text("variant_id\tbeta\tse\tn\n1:5:A:G\t0.3\t0.1\t900\nX:7:C:CT\t-2\t0.5\t800\n")
    found = read_z(tmp_path / "z.tsv", None)
    assert found["z"].tolist() == pytest.approx([3, -4])
    assert found["n"].tolist() == [900, 800]
    assert found[["chrom", "pos", "ref", "alt"]].to_numpy().tolist() == [["1", 5, "A", "G"], ["X", 7, "C", "CT"]]
    assert found["neg_log10_p"].tolist() == pytest.approx(-np.log10([0.0026997960632602, 6.334248366624e-05]))
    (tmp_path / "z.tsv").write_text("variant_id\tz\tbeta\tse\na\t1.5\t9\t1\n")
    found = read_z(tmp_path / "z.tsv", 100)
    assert found[["z", "n", "pos"]].to_numpy().tolist() == [[1.5, 100, 0]]
    assert found["chrom"].isna().all()


@pytest.mark.parametrize(
    ("text", "n", "message"),
    [
        ("variant_id\tbeta\na\t1\n", 10, "a column z is needed, or beta and se; it has variant_id, beta"),
        ("variant_id\tz\na\t1\n", None, "no column n; give the sample size with --n"),
        ("variant_id\tz\na\t1\n", 1, "--n: 1, a sample size above 1 is needed"),
        ("variant_id\tz\na\tone\n", 10, "line 2: z of a is 'one', a number is needed"),
        ("variant_id\tbeta\tse\na\t1\t0\n", 10, "line 2: se of a is '0', above 0 is needed"),
        ("variant_id\tz\na\t1\na\t2\n", 10, "variant a is there more than once"),
        ("variant_id\tz\n\t1\n", 10, "line 2: the variant has no name"),
        ("variant_id\tz\n", 10, "no variants"),
    ],
)
def test_wrong_z_are_named(tmp_path, text, n, message):
    (tmp_path / "z.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_z(tmp_path / "z.tsv", n)


def test_ld_is_put_in_the_order_of_the_variants(tmp_path):
    np.savez(tmp_path / "r.npz", R=TRIPLE, variant_id=np.array(["c", "a", "b"]), panel_size=500)
    found, size = read_correlations(tmp_path / "r.npz", ABC)
    np.testing.assert_array_equal(found, TRIPLE[np.ix_([1, 2, 0], [1, 2, 0])])
    assert size == 500
    np.savetxt(tmp_path / "r.txt", TRIPLE)
    (tmp_path / "names").write_text("b\nc\na\n")
    found, size = read_correlations(tmp_path / "r.txt", ABC, tmp_path / "names")
    np.testing.assert_array_equal(found, TRIPLE[np.ix_([2, 0, 1], [2, 0, 1])])
    assert size is None
    np.save(tmp_path / "r.npy", TRIPLE)
    np.testing.assert_array_equal(read_correlations(tmp_path / "r.npy", ABC)[0], TRIPLE)


def test_ld_of_other_variants_is_named(tmp_path):
    np.savez(tmp_path / "r.npz", R=TRIPLE, variant_id=np.array(["c", "a", "x"]))
    with pytest.raises(InputError, match=r"no LD of variant b$"):
        read_correlations(tmp_path / "r.npz", ABC)
    np.save(tmp_path / "r.npy", TRIPLE[:2, :2])
    with pytest.raises(InputError, match="2 variants, but 3 z-scores; say which they are with --ld-variants"):
        read_correlations(tmp_path / "r.npy", ABC)
    np.save(tmp_path / "r.npy", TRIPLE[:2])
    with pytest.raises(InputError, match=r"shape \(2, 3\) of float64, a square matrix of numbers is needed"):
        read_correlations(tmp_path / "r.npy", ABC)


def test_a_prior_is_in_the_order_of_the_variants(tmp_path, caplog):
    (tmp_path / "prior.tsv").write_text("variant_id\tprior\nc\t3\nfurther\t9\na\t1\nb\t0.5\n")
    assert read_prior(tmp_path / "prior.tsv", ABC).tolist() == [1, 0.5, 3]
    assert "1 variants that have no z are passed over" in caplog.text
    (tmp_path / "prior.tsv").write_text("variant_id\tprior\nc\t3\n")
    with pytest.raises(InputError, match="no prior of variant a and 1 more; every variant needs one"):
        read_prior(tmp_path / "prior.tsv", ABC)


def test_a_z_of_minus_nine_among_others_with_more_digits_is_a_code(tmp_path):
    exact = "variant_id\tz\tn\n" + "".join(f"{name}\t{i - 3.51234}\t1000\n" for i, name in enumerate(IDS))
    for code in ("-9", "-9.0", "-99"):
        with pytest.raises(InputError, match=rf"line 2: z of {IDS[0]} is {float(code):g}, which stands for a missing"):
            read_z(save(tmp_path / "z.tsv", exact.replace("-3.51234", code)), None)
    assert read_z(save(tmp_path / "z.tsv", exact.replace("-3.51234", "-9.0001")), None)["z"].iloc[0] == -9.0001
    assert read_z(save(tmp_path / "z.tsv", Z.replace("-3.5", "-9")), None)["z"].iloc[0] == -9


def test_a_z_beside_another_beta_over_se_is_said(tmp_path, caplog):
    head = "variant_id\tz\tbeta\tse\tn\n"
    rows = [f"{name}\t{i - 3.5}\t{(i - 3.5) / 10:.2f}\t0.1\t1000\n" for i, name in enumerate(IDS)]
    read_z(save(tmp_path / "z.tsv", head + "".join(rows)), None)
    assert not caplog.messages
    rows[6] = rows[6].replace("\t0.25\t", "\t-0.25\t")
    assert read_z(save(tmp_path / "z.tsv", head + "".join(rows)), None)["z"].iloc[6] == 2.5
    assert "z is not beta / se in 1 of 8 rows, first in line 8, most in line 8 (2.5 and -2.5); z counts" in caplog.text


def test_a_z_beyond_the_root_of_n_and_a_column_twice_are_named(tmp_path, caplog):
    read_z(save(tmp_path / "z.tsv", Z.replace("1000", "11")), None)
    assert (
        f"larger than the root of n in 2 rows, as if one variant explained most of the trait; the strongest: {IDS[0]}"
        in (caplog.text)
    )
    twice = Z.replace("\tz\tn", "\tz\tz").replace("\t1000", "\t1")
    with pytest.raises(InputError, match="column z is there twice"):
        read_z(save(tmp_path / "z.tsv", twice), 1000)


def test_a_locus_of_files_has_a_prior_that_sums_to_1_and_weights_as_given(tmp_path):
    z, prior = save(tmp_path / "z.tsv", Z), "variant_id\tprior\n" + "".join(f"{name}\t2\n" for name in IDS)
    np.save(tmp_path / "r.npy", R)
    uniform = read_locus(z, tmp_path / "r.npy", None)
    assert uniform.prior_weights is None
    assert uniform.variants["prior"].tolist() == [1 / 8] * 8
    assert np.array_equal(uniform.R, R)
    assert uniform.fitted.all()
    found = read_locus(z, None, None, prior=save(tmp_path / "p.tsv", prior), locus="here")
    assert (found.R, found.panel_size, found.lost, found.ld_note) == (None, None, None, "")
    assert (found.name, set(found.variants["locus"])) == ("here", {"here"})
    assert found.prior_weights.tolist() == [2.0] * 8
    assert found.variants["prior"].tolist() == [1 / 8] * 8


@pytest.fixture
def batch(tmp_path):
    """Two loci, in the first of which LD has another order and lacks one variant; the second has no LD."""
    table = pd.DataFrame({
        "variant_id": IDS, "chrom": "1", "pos": [10 * i + 5 for i in range(8)], "ref": "A", "alt": "C", "beta": 0.1,
        "se": 0.1, "z": 1.0, "neg_log10_p": 1.0, "eaf": 0.3, "n": 1000.0, "panel_af": 0.3, "panel_index": range(8),
        "locus": ["chr1_0_45"] * 5 + ["chr1_45_90"] * 3,
    })  # fmt: skip
    tables.LOCUS_VARIANTS.write(table, tmp_path / "0.tsv.gz")
    prior = table[["locus", "variant_id"]].assign(score=np.nan, log_odds=0.0, softmax=0.1, weight=0.0)
    tables.PRIOR.write(prior.assign(prior=np.arange(8.0)), tmp_path / "prior.tsv.gz")
    order = np.array([3, 0, 4, 2])
    left_out = {IDS[1]: "no_ld", "another": "trimmed"}
    first = LocusLd("chr1_0_45", R[np.ix_(order, order)], np.array(IDS)[order], left_out, "a note")
    second = LocusLd("chr1_45_90", np.empty((0, 0)), np.array([], str), dict.fromkeys(IDS[5:], "no_ld"), "none")
    write_ld(tmp_path / "ld.npz", [first, second], 300)
    return tmp_path


def test_loci_of_a_batch_are_joined_by_name(batch):
    loci = BatchInput(batch / "0.tsv.gz", batch / "ld.npz", batch / "prior.tsv.gz")
    assert loci.loci == ["chr1_0_45", "chr1_45_90"]
    first, second = (loci.locus(name) for name in loci.loci)
    kept = [0, 2, 3, 4]
    assert np.array_equal(first.R, R[np.ix_(kept, kept)].astype(np.float32))
    assert first.fitted.tolist() == [True, False, True, True, True]
    assert (first.without_ld, first.ld_note, first.panel_size) == ({IDS[1]: "no_ld"}, "a note", 300)
    assert first.prior_weights.tolist() == first.variants["prior"].tolist() == [0, 1, 2, 3, 4]
    assert (second.R, second.without_ld, second.ld_note) == (None, {}, "none")
    assert second.fitted.all()
    assert (first.lost, second.lost) == (None, None)


def test_genotypes_of_a_batch_are_joined_by_name(batch):
    order = np.array([3, 0, 4, 2])
    counts = np.random.default_rng(1).integers(0, 3, (4, 30)).astype(np.int8)
    write_ld(batch / "ld.npz", [LocusLd("chr1_0_45", counts, np.array(IDS)[order], {IDS[1]: "no_ld"})], 30)
    found = BatchInput(batch / "0.tsv.gz", batch / "ld.npz").locus("chr1_0_45")
    assert isinstance(found.R, PanelCorrelation)
    np.testing.assert_allclose(found.R.dense(), np.corrcoef(counts)[np.ix_(*[[1, 3, 0, 2]] * 2)], atol=2e-7)
    assert found.prior_weights.tolist() == [0.2] * 5


COUNTS = np.random.default_rng(2).integers(-1, 3, (3, 40)).astype(np.int8)


@pytest.mark.parametrize("folder", ["", "here/"])
def test_genotypes_in_an_archive_are_put_in_order(tmp_path, folder):
    arrays = {f"{folder}genotypes": COUNTS, f"{folder}variant_id": np.array(["c", "a", "b"])}
    np.savez(tmp_path / "r.npz", **arrays)
    found, size = read_correlations(tmp_path / "r.npz", ABC, locus="here")
    assert size == 40
    filled = np.where(COUNTS < 0, np.nan, COUNTS)
    filled = np.where(COUNTS < 0, np.nanmean(filled, 1, keepdims=True), filled)
    np.testing.assert_allclose(found.dense(), np.corrcoef(filled)[np.ix_([1, 2, 0], [1, 2, 0])], atol=2e-7)
    np.savez(tmp_path / "r.npz", **arrays, panel_size=35)
    assert read_correlations(tmp_path / "r.npz", ABC, locus="here")[1] == 35


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (COUNTS.astype(float), r"genotypes of shape \(3, 40\) and float64; whole numbers, a row for each"),
        (COUNTS[:, :1], r"genotypes of shape \(3, 1\) and int8"),
        (COUNTS[0], r"genotypes of shape \(40,\)"),
        (COUNTS + np.int8(1), "genotypes hold 3; 0, 1, 2, and -1 where missing, are allowed"),
        (COUNTS - np.int8(1), "genotypes hold -2;"),
        (COUNTS[:2], "2 variants, but 3 z-scores"),
    ],
)
def test_genotypes_that_are_none_are_named(tmp_path, counts, message):
    np.savez(tmp_path / "r.npz", genotypes=counts)
    with pytest.raises(InputError, match=rf"r\.npz: {message}"):
        read_correlations(tmp_path / "r.npz", ABC)


def test_rows_that_harmonising_lost_are_read_from_beside_the_variants(batch):
    frame = pd.DataFrame({"locus": ["chr1_45_90"], "row": 2, "variant": "x", "pos": 1, "neg_log10_p": 9.0,
                          "reason": "low_maf"})  # fmt: skip
    tables.LOST.write(frame, tables.lost_beside(batch / "0.tsv.gz"))
    tables.LOST.write(frame.assign(locus="chr1_0_45"), batch / "other.tsv.gz")
    paths = (batch / "0.tsv.gz", batch / "ld.npz", batch / "prior.tsv.gz")
    assert BatchInput(*paths).locus("chr1_45_90").lost["variant"].tolist() == ["x"]
    assert BatchInput(*paths).locus("chr1_0_45").lost is None
    assert len(BatchInput(*paths, batch / "other.tsv.gz").locus("chr1_0_45").lost) == 1


def test_variants_of_a_batch_without_ld_or_prior_are_named(batch):
    prior = tables.PRIOR.read(batch / "prior.tsv.gz")
    tables.PRIOR.write(prior.drop(index=[2, 4]), batch / "prior.tsv.gz")
    loci = BatchInput(batch / "0.tsv.gz", batch / "ld.npz", batch / "prior.tsv.gz")
    with pytest.raises(InputError, match=rf"prior.tsv.gz: no prior of variant {IDS[2]} and 1 more"):
        loci.locus("chr1_0_45")
    tables.PRIOR.write(prior, batch / "prior.tsv.gz")
    write_ld(batch / "ld.npz", [LocusLd("chr1_0_45", R[:2, :2], np.array(IDS[:2]))])
    loci = BatchInput(batch / "0.tsv.gz", batch / "ld.npz", batch / "prior.tsv.gz")
    with pytest.raises(InputError, match=rf"ld.npz: no LD of variant {IDS[2]} and 2 more"):
        loci.locus("chr1_0_45")
    with pytest.raises(InputError, match=r"ld.npz: no LD of locus 'chr1_45_90'"):
        loci.locus("chr1_45_90")


def many(tmp_path, **columns):
    """A table of 400 variants over 2 Mb with frequencies, F_ST 1%, and a matrix that is none of theirs."""
    rng, names = np.random.default_rng(9), [f"2:{5_000 * i + 5}:A:C" for i in range(400)]
    p, drift = rng.uniform(0.1, 0.9, 400), 0.02
    eaf = rng.beta(p * (1 / drift - 1), (1 - p) * (1 / drift - 1))
    table = pd.DataFrame({"variant_id": names, "z": rng.normal(size=400), "n": 50_000, "eaf": eaf, "panel_af": p})
    table.assign(**columns).to_csv(tmp_path / "z.tsv", sep="\t", index=False, na_rep="NA")
    np.savez(tmp_path / "r.npz", R=np.eye(400), panel_size=10_000)
    return tmp_path / "z.tsv", tmp_path / "r.npz"


def test_fst_of_the_frequencies_in_the_table(tmp_path):
    files = many(tmp_path)
    value, error = read_locus(*files, None).fst
    assert value == pytest.approx(0.01, abs=4 * error)
    assert 0 < error < 0.002
    smaller = read_locus(*files, None, panel_size=100).fst[0]
    assert smaller == pytest.approx(value - 1 / 400, rel=0.03)  # 1/(4 B) is the sampling of the panel
    assert read_locus(files[0], None, None).fst is None
    half = pd.read_csv(files[0], sep="\t")["eaf"].where(np.arange(400) % 2 == 0)
    assert read_locus(*many(tmp_path, eaf=half), None).fst is not None


def test_fst_that_is_given_comes_before_that_of_the_file_and_this_before_frequencies(tmp_path):
    z, ld = many(tmp_path)
    np.savez(ld, R=np.eye(400), panel_size=10_000, fst=0.003, fst_error=0.0004)
    assert read_locus(z, ld, None).fst == (0.003, 0.0004)
    assert read_locus(z, ld, None, fst=0.02).fst[0] == 0.02
    np.savez(ld, R=np.eye(400), fst=[0.1, 0.2], fst_error=0.1)
    with pytest.raises(InputError, match=r"r\.npz: not a readable LD file"):
        read_locus(z, ld, None)


def test_frequencies_that_say_nothing_are_said(tmp_path, caplog):
    files = many(tmp_path)
    copied = many(tmp_path, eaf=pd.read_csv(files[0], sep="\t")["panel_af"])
    assert read_locus(*copied, None).fst is None
    assert "z.tsv: How far the panel is from the GWAS (F_ST) is not known: the allele frequencies of the" in caplog.text


def test_frequencies_beside_a_panel_of_unknown_size_are_said_not_to_be_used(tmp_path, caplog):
    z, ld = many(tmp_path)
    np.savez(ld, R=np.eye(400))
    assert read_locus(z, ld, None).fst is None
    assert "z.tsv: F_ST by eaf and panel_af needs the number of samples in the panel (--panel-size)" in caplog.text
    caplog.clear()
    assert read_locus(z, None, None).fst is None
    assert read_locus(z, ld, None, fst=0.002).fst[0] == 0.002
    assert not caplog.text


@pytest.mark.parametrize("ld_of", ["in_sample", "none"])
def test_an_fst_is_of_a_panel_alone(tmp_path, caplog, monkeypatch, ld_of):
    def fails(*_):
        raise AssertionError("F_ST by frequencies")

    monkeypatch.setattr(module, "panel_fst", fails)
    z, ld = many(tmp_path)
    assert read_locus(z, ld, None, ld_of=ld_of).fst is None
    assert not caplog.text
    with pytest.raises(AssertionError, match="F_ST by frequencies"):
        read_locus(z, ld, None)
    assert read_locus(z, ld, None, ld_of=ld_of, fst=0.02).fst is None
    what = {"in_sample": "that of the GWAS itself", "none": "none"}[ld_of]
    assert caplog.messages == [f"--fst: 0.02 is not used: it is of a panel, and the LD is {what}"]


def test_without_positions_there_are_no_blocks_for_an_error(tmp_path, caplog):
    files = many(tmp_path, variant_id=[f"rs{i}" for i in range(400)])
    assert read_locus(*files, None).fst is None
    assert "not known: only 400 variants in 1 block can be compared" in caplog.text


@pytest.mark.parametrize("wrong", ["1.2", "-9", "-0.001"])
def test_a_frequency_that_is_none_is_named(tmp_path, wrong):
    z, ld = many(tmp_path)
    lines = z.read_text().splitlines()
    lines[3] = "\t".join([*lines[3].split("\t")[:3], wrong, "0.5"])
    z.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=rf"line 4: eaf of 2:10005:A:C is '{wrong}', a frequency from 0 to 1 is"):
        read_locus(z, ld, None)
