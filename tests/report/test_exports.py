import numpy as np
import pandas as pd
import pytest
import yaml

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.report import exports
from fineprior.sumstats.reader import open_sumstats
from small_study import CAUSAL, P, write_results

LOCUS, EMPTY = CAUSAL


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    results = write_results(tmp_path_factory.mktemp("exports"), "mine")
    variants = tables.FINEMAP_VARIANTS.read(results / "functional/variants.tsv.gz")
    sets = tables.main_sets(tables.CREDIBLE_SETS.read(results / "functional/credible_sets.tsv"))
    return results / "sumstats.parquet", variants, sets, tables.LOCI.read(results / "loci.tsv")


@pytest.mark.parametrize(
    ("neg_log10_p", "text"),
    [(0.0, "1.00000e+00"), (2.0, "1.00000e-02"), (7.30103, "5.00000e-08"), (400.5, "3.16228e-401"), (np.nan, None),
     (3.000000001, "1.00000e-03")],
)  # fmt: skip
def test_p_values_as_text(neg_log10_p, text):
    found = exports.p_texts(pd.Series([neg_log10_p])).iloc[0]
    assert found == text if text else pd.isna(found)


@pytest.mark.slow
def test_bed_has_the_variants_of_the_sets_with_pips_as_scores(study, tmp_path):
    _, variants, sets, _ = study
    long_ref = variants.assign(ref=variants["ref"].mask(variants["pos"] == 9001, "ACG"))
    exports.write_bed(tmp_path / "x.bed", long_ref, sets)
    bed = pd.read_csv(tmp_path / "x.bed", sep="\t", header=None, names=["chrom", "start", "end", "name", "score", "s"])
    assert len(bed) == sets["variants"].sum()
    assert bed["start"].is_monotonic_increasing
    assert bed["score"].between(0, 1000).all()
    top = bed.loc[bed["score"].idxmax()]
    variant, place = top["name"].split(";")
    assert place in {f"{LOCUS}:L{effect}" for effect in range(1, 11)}
    row = variants.set_index("variant_id").loc[variant]
    assert (top["start"], top["score"]) == (row["pos"] - 1, round(1000 * row["pip"]))
    assert (bed.set_index("start").loc[9000, "end"] == 9003).all()
    exports.write_bed(tmp_path / "none.bed", variants, sets.iloc[:0])
    assert (tmp_path / "none.bed").read_text() == ""


def test_flames_index_names_files_of_two_columns(study, tmp_path):
    _, variants, sets, loci = study
    prefixed = variants.assign(chrom="chr" + variants["chrom"])
    exports.write_flames(tmp_path, prefixed, sets, loci)
    index = pd.read_csv(tmp_path / "indexfile.txt", sep="\t")
    assert list(index) == ["Filename", "GenomicLocus"]
    assert set(index["GenomicLocus"]) == {LOCUS}
    regions = pd.read_csv(tmp_path / "loci.txt", sep="\t", dtype={"chr": "str"}).set_index("GenomicLocus")
    assert regions.loc[LOCUS].to_list() == ["1", 1001, 50_000]
    pips = variants.set_index("variant_id")["pip"]
    for file, (_, found) in zip(index["Filename"], sets.iterrows(), strict=True):
        own = pd.read_csv(tmp_path / file, sep="\t")
        assert list(own) == ["cred1", "prob1"]
        chrom, pos, effect, other = own["cred1"].str.split(":", expand=True).T.to_numpy()
        ids = [":".join(parts) for parts in zip(chrom, pos, other, effect, strict=True)]
        assert ids == found["variant_ids"].split(",")
        np.testing.assert_allclose(own["prob1"], pips[ids], rtol=1e-6)


def test_polyfun_columns_values_and_names_of_sets(study, tmp_path):
    sumstats, variants, sets, loci = study
    missing = variants.assign(pip=variants["pip"].mask(variants["pos"] == 1001))
    exports.write_polyfun(tmp_path / "p.tsv.gz", missing, sets, loci, sumstats)
    table = pd.read_csv(tmp_path / "p.tsv.gz", sep="\t", dtype={"CREDIBLE_SET": "str", "CHR": "str"})
    assert list(table) == ["CHR", "SNP", "BP", "A1", "A2", "SNPVAR", "Z", "N", "P", "PIP", "BETA_MEAN", "BETA_SD",
                           "CREDIBLE_SET"]  # fmt: skip
    kept = variants[variants["pos"] != 1001].reset_index(drop=True)
    assert len(table) == len(kept) == 2 * P - 2
    np.testing.assert_allclose(table["Z"], kept["z"], rtol=1e-5)
    np.testing.assert_allclose(-np.log10(table["P"]), kept["neg_log10_p"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(table["SNPVAR"], kept["prior"], rtol=1e-5)
    assert (table["A1"] == kept["alt"]).all()
    assert set(table["N"]) == {20_000}
    assert table["SNP"].str.startswith("rs").sum() == 64
    names = set(table["CREDIBLE_SET"])
    assert names == {"0", *(f"chr1:1001-50000:{name[1:]}" for name in sets["credible_set"])}


def test_ssf_read_back_is_the_same_table(study, tmp_path):
    sumstats, *_ = study
    exports.write_ssf(tmp_path / "mine.tsv.gz", sumstats, "mine", "GRCh38")
    opened = open_sumstats(tmp_path / "mine.tsv.gz")
    assert (opened.format, opened.genome_assembly) == ("gwas-ssf", "GRCh38")
    back = pd.concat(opened.chunks(), ignore_index=True)
    table = tables.SUMSTATS.read(sumstats)
    assert back["chrom"].to_list() == table["chrom"].replace("X", "23").to_list()
    assert back["pos"].to_list() == table["pos"].to_list()
    assert back["effect_allele"].to_list() == table["alt"].to_list()
    assert back["other_allele"].to_list() == table["ref"].to_list()
    for name in ("beta", "se", "z", "neg_log10_p", "eaf", "n"):
        np.testing.assert_allclose(back[name], table[name], rtol=1e-8)
    assert back["rsid"].fillna("#NA").to_list() == table["rsid"].fillna("#NA").to_list()
    header = pd.read_csv(tmp_path / "mine.tsv.gz", sep="\t", nrows=1)
    assert list(header)[:8] == ["chromosome", "base_pair_location", "effect_allele", "other_allele", "beta",
                                "standard_error", "effect_allele_frequency", "neg_log_10_p_value"]  # fmt: skip
    meta = yaml.safe_load((tmp_path / "mine.tsv.gz-meta.yaml").read_text())
    assert (meta["sample_size"], meta["coordinate_system"]) == (20_000, "1-based")
    first = (tmp_path / "mine.tsv.gz").read_bytes()
    exports.write_ssf(tmp_path / "mine.tsv.gz", sumstats, "mine", "GRCh38")
    assert (tmp_path / "mine.tsv.gz").read_bytes() == first


def test_ssf_without_betas_has_z_scores(study, tmp_path):
    table = tables.SUMSTATS.read(study[0]).assign(beta=np.nan, se=np.nan, eaf=np.nan)
    tables.SUMSTATS.write(table, tmp_path / "z.parquet")
    exports.write_ssf(tmp_path / "z.tsv.gz", tmp_path / "z.parquet", "z", "GRCh38")
    back = pd.concat(open_sumstats(tmp_path / "z.tsv.gz").chunks())
    np.testing.assert_allclose(back["z"], table["z"], rtol=1e-8)
    assert back["beta"].isna().all()


def test_variants_must_be_among_the_summary_statistics(study, tmp_path):
    with pytest.raises(InputError, match="variant 9:1:A:C of the results is not in it"):
        exports.of_variants(study[0], ["9:1:A:C"], ["n"])
    (tmp_path / "odd.parquet").write_text("no parquet")
    with pytest.raises(InputError, match="not a readable sumstats table"):
        exports.of_variants(tmp_path / "odd.parquet", ["9:1:A:C"], ["n"])
