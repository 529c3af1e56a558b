"""Real loci through each reader: every format of the prostate GWAS and every form of a panel gives the same numbers."""

import subprocess
from shutil import which

import numpy as np
import pandas as pd
import pysam
import pytest
import yaml
from scipy import sparse

from fineprior.files.tables import LOCUS_VARIANTS, SUMSTATS
from fineprior.finemap.contents import contents_of, with_contents
from fineprior.finemap.locus import fit_locus
from fineprior.finemap.susie import susie_rss
from fineprior.genome.fasta import Genome
from fineprior.genotypes.ld import panel_ld
from fineprior.genotypes.ld_store import read_ld
from fineprior.genotypes.panels import open_panel
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import FinemapSettings, HarmoniseSettings, LdSettings, LociSettings
from fineprior.steps.compute_ld import compute_ld
from fineprior.steps.define_loci import define_loci
from fineprior.steps.harmonise_sumstats import harmonise_sumstats
from fineprior.sumstats.reader import open_sumstats

LEAD, N = "17:618965:T:C", 140_306
PIPS = {"rs684232": 0.717, "rs461251": 0.283}
"""susie_rss (susieR 0.12.35) with L = 1 on these data."""
HARMONISE = HarmoniseSettings(min_maf=0.0)

# Names of the columns of `Prostate.table` in each format.
FORMATS = {
    "gwas-ssf": "chromosome base_pair_location effect_allele other_allele beta standard_error effect_allele_frequency "
    "p_value rsid n",
    "plink2": "#CHROM POS A1 OMITTED BETA SE A1_FREQ P ID OBS_CT",
    "plink1": "CHR BP A1 A2 BETA SE . P SNP NMISS",
    "regenie": "CHROM GENPOS ALLELE1 ALLELE0 BETA SE A1FREQ LOG10P ID N",
    "saige": "CHR POS Allele2 Allele1 BETA SE AF_Allele2 p.value MarkerID N",
    "bolt": "CHR BP ALLELE1 ALLELE0 BETA SE A1FREQ P_BOLT_LMM SNP N",
    "fastgwa": "CHR POS A1 A2 BETA SE AF1 P SNP N",
    "cojo": ". . A1 A2 b se freq p SNP N",
    "metal": ". . Allele1 Allele2 Effect StdErr Freq1 P-value MarkerName Weight",
    "finngen": "#chrom pos alt ref beta sebeta af_alt mlogp rsids n",
    "gwas-catalog-hm": "hm_chrom hm_pos hm_effect_allele hm_other_allele hm_beta standard_error "
    "hm_effect_allele_frequency p_value hm_rsid n",
    "gwaslab": "CHR POS EA NEA BETA SE EAF MLOG10P SNPID N",
    "ldsc": ". . A1 A2 Z . FRQ . SNP N",
    "polyfun": "CHR BP A1 A2 Z . FRQ . SNP N",
}
MINUS_LOG10_P = {"LOG10P", "mlogp", "MLOG10P"}
NAMED_BY_PLACE = {"cojo", "metal", "ldsc"}


@pytest.fixture(scope="module")
def data(shared_data):
    return shared_data / "prostate_chr17"


def harmonised(data, sumstats, folder, panel=None, ld="", **further):
    outputs = {"output": "sumstats.parquet", "qc": "qc.tsv", "dropped": "dropped.tsv.gz", "liftover": "liftover.tsv.gz"}
    harmonise_sumstats(
        sumstats=str(sumstats), fasta=str(data / "reference.fa"), settings=HARMONISE, ld=str(ld),
        panel="" if ld else str(panel or data / "panel"), **further,
        **{name: str(folder / "out" / file) for name, file in outputs.items()},
    )  # fmt: skip
    return SUMSTATS.read(folder / "out/sumstats.parquet")


@pytest.fixture(scope="module")
def expected(data, tmp_path_factory):
    return harmonised(data, data / "gwas.tsv.gz", tmp_path_factory.mktemp("ssf"), build="GRCh37")


@pytest.fixture(scope="module")
def r(data, expected):
    return panel_ld(expected, PlinkPanel(data / "panel")).astype(float)


def check(table, expected, r, rtol=1e-9):
    """The table is the expected one, and so is its posterior with one effect; `rtol` is of z."""
    assert len(table) == 314
    for name in ("variant_id", "n", "panel_af", "panel_index"):
        assert table[name].to_list() == expected[name].to_list(), name
    assert np.allclose(table["z"], expected["z"], rtol=rtol, atol=1e-6)
    assert table.loc[table["z"].abs().idxmax(), "variant_id"] == LEAD
    pip = susie_rss(table["z"].to_numpy(), r, N, L=1).pip
    found = dict(zip(expected["rsid"], pip, strict=True))
    assert {name: found[name] for name in PIPS} == pytest.approx(PIPS, abs=5e-4)


def test_the_gwas_as_it_comes(expected, r):
    check(expected, expected, r)


def written(data, name, path):
    """The GWAS in a format."""
    table = pd.read_csv(data / "gwas.tsv.gz", sep="\t", dtype="str")
    z = table["beta"].astype(float) / table["standard_error"].astype(float)
    out = pd.DataFrame()
    for own, theirs in zip(FORMATS["gwas-ssf"].split(), FORMATS[name].split(), strict=True):
        if theirs in MINUS_LOG10_P:
            out[theirs] = -np.log10(table[own].astype(float))
        elif theirs != ".":
            out[theirs] = z if theirs == "Z" else table[own]
    if name in NAMED_BY_PLACE:
        names = table["chromosome"] + ":" + table["base_pair_location"]
        out["MarkerName" if name == "metal" else "SNP"] = (
            names + ":" + table["other_allele"] + ":" + table["effect_allele"]
        )
    if name == "plink1":
        out["TEST"] = "ADD"
    if name == "polyfun":
        out["CHR"], out["BP"] = out["CHR"].astype(int), out["BP"].astype(int)
        out["N"], out["FRQ"] = out["N"].astype(int), out["FRQ"].astype(float)
        out.to_parquet(path)
    else:
        out.to_csv(path, sep=" " if name == "plink1" else "\t", index=False)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_table(data, expected, r, tmp_path, name):
    path = written(data, name, tmp_path / "gwas")
    assert open_sumstats(path).format == name
    check(harmonised(data, path, tmp_path), expected, r)


def test_gwas_vcf_gives_the_same_table(data, expected, r, tmp_path):
    table = pd.read_csv(data / "gwas.tsv.gz", sep="\t", dtype={"chromosome": "str"})
    with Genome(data / "reference.fa") as genome, pysam.VariantFile(str(tmp_path / "gwas.vcf.gz"), "w") as file:
        file.header.contigs.add("17", length=genome.contigs["17"])
        for field in ("ES", "SE", "LP", "AF", "SS"):
            file.header.formats.add(field, "A", "Float", field)
        file.header.add_samples("prostate")
        for row in table.itertuples():
            reference = "ACGT"[genome.codes("17", row.base_pair_location - 1, row.base_pair_location)[0]]
            swap = row.effect_allele == reference
            alleles = (row.effect_allele, row.other_allele) if swap else (row.other_allele, row.effect_allele)
            record = file.new_record(contig="17", start=row.base_pair_location - 1, alleles=alleles, id=row.rsid)
            sample, sign = record.samples[0], -1 if swap else 1
            frequency = row.effect_allele_frequency
            values = {"ES": sign * row.beta, "SE": row.standard_error, "LP": -np.log10(row.p_value),
                      "AF": 1 - frequency if swap else frequency, "SS": row.n}  # fmt: skip
            for field, value in values.items():
                sample[field] = (float(value),)
            file.write(record)
    assert open_sumstats(tmp_path / "gwas.vcf.gz").format == "vcf"
    check(harmonised(data, tmp_path / "gwas.vcf.gz", tmp_path), expected, r, rtol=1e-5)  # float32


def test_own_columns_give_the_same_table(data, expected, r, tmp_path):
    table = pd.read_csv(data / "gwas.tsv.gz", sep="\t", dtype="str")
    table.columns = [f"mine{i}" for i in range(len(table.columns))]
    table.to_csv(tmp_path / "gwas.csv", index=False)
    names = pd.read_csv(data / "gwas.tsv.gz", sep="\t", nrows=0).columns
    layout = {theirs: f"mine{i}" for i, theirs in enumerate(names)}
    check(harmonised(data, tmp_path / "gwas.csv", tmp_path, layout=layout), expected, r)


def test_a_lifted_gwas_gives_the_same_table(data, expected, tmp_path):
    """GRCh38 positions of chr17:400,000-1,000,000 are 96,760 further; an own chain file brings them back."""
    shift, first, last = 96_760, 400_000, 1_000_000
    table = pd.read_csv(data / "gwas.tsv.gz", sep="\t")
    inside = table["base_pair_location"].between(first + 1, last)
    table["base_pair_location"] += shift
    table[inside].to_csv(tmp_path / "gwas.tsv", sep="\t", index=False)
    width = last - first
    (tmp_path / "back.chain").write_text(
        f"chain 1 chr17 2000000 + {first + shift} {last + shift} 17 1000000 + {first} {last} 1\n{width}\n\n"
    )
    found = harmonised(data, tmp_path / "gwas.tsv", tmp_path, build="GRCh37", source_build="GRCh38",
                       chain=str(tmp_path / "back.chain"))  # fmt: skip
    same = expected[expected["variant_id"].isin(found["variant_id"])].reset_index(drop=True)
    assert len(found) == inside.sum()
    pd.testing.assert_frame_equal(found, same)


def plink2(*arguments):
    subprocess.run(["plink2", "--allow-extra-chr", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def forms(shared_data, tmp_path_factory):
    """Both real panels in every form that plink2 writes."""
    if which("plink2") is None:
        pytest.skip("plink2 is not here")
    folder, found = tmp_path_factory.mktemp("forms"), {}
    for name in ("prostate_chr17", "panel_chr20"):
        source = shared_data / name / "panel"
        plink2("--bfile", source, "--threads", 1, "--make-pgen", "--out", folder / name)
        for form in (("vcf", "bgz"), ("bcf",)):
            plink2("--bfile", source, "--threads", 1, "--export", *form, "id-paste=iid", "--out", folder / name)
        pysam.tabix_index(str(folder / f"{name}.vcf.gz"), preset="vcf")
        found[name] = {"bed": source, "pgen": folder / name, "vcf": folder / f"{name}.vcf.gz",
                       "bcf": folder / f"{name}.bcf"}  # fmt: skip
    return found


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pgen", "vcf", "bcf"])
def test_every_form_of_a_panel_gives_the_same_table_and_ld(data, forms, expected, r, tmp_path, form):
    panel = forms["prostate_chr17"][form]
    found = harmonised(data, data / "gwas.tsv.gz", tmp_path, panel=panel)
    check(found, expected, r)
    assert np.array_equal(panel_ld(found, open_panel(str(panel))).astype(float), r)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pgen", "vcf", "bcf"])
def test_every_form_of_a_panel_with_indels_has_the_same_genotypes(forms, form):
    """All 7,568 variants of 503 people; A1 may be either allele in a .bed."""
    bed, other = open_panel(str(forms["panel_chr20"]["bed"])), open_panel(str(forms["panel_chr20"][form]))
    index = np.arange(0, 7_568, 4)
    assert (bed.count, other.count, other.sample_ids) == (7_568, 7_568, bed.sample_ids)
    one, two = bed.variants.iloc[index], other.variants.iloc[index]
    assert (one[["chrom", "pos", "snp_id"]].to_numpy() == two[["chrom", "pos", "snp_id"]].to_numpy()).all()
    turned = (one["a1"] == two["a2"]).to_numpy() & (one["a2"] == two["a1"]).to_numpy()
    assert (turned | ((one["a1"] == two["a1"]) & (one["a2"] == two["a2"])).to_numpy()).all()
    dosages = other.dosages(index)
    assert np.array_equal(np.where(turned, 2 - dosages, dosages), bed.dosages(index))


def test_the_reference_alleles_of_the_second_panel(shared_data):
    folder = shared_data / "panel_chr20"
    variants = PlinkPanel(folder / "panel").variants
    with Genome(folder / "reference.fa") as genome:
        bases = ["".join("ACGTN"[code] for code in genome.codes("20", pos - 1, pos - 1 + len(a2)))
                 for pos, a2 in zip(variants["pos"], variants["a2"], strict=True)]  # fmt: skip
    assert sum(one == two for one, two in zip(bases, variants["a2"], strict=True)) == 7_568


def write_polyfun(folder, variants, r):
    lower = np.tril(r).astype(float)
    np.fill_diagonal(lower, 0.5)
    folder.mkdir()
    sparse.save_npz(folder / "chr17_1_3000001.npz", sparse.coo_matrix(lower))
    pd.DataFrame({
        "rsid": variants["snp_id"], "chromosome": variants["chrom"], "position": variants["pos"],
        "allele1": variants["a1"], "allele2": variants["a2"],
    }).to_csv(folder / "chr17_1_3000001.gz", sep="\t", index=False)  # fmt: skip
    return folder


def write_matrix(folder, variants, r, save):
    folder.mkdir()
    variants.assign(cm=0)[["chrom", "snp_id", "cm", "pos", "a1", "a2"]].to_csv(
        folder / "ld.bim", sep="\t", header=False, index=False
    )
    matrix = save(folder, r)
    (folder / "ld.tsv").write_text(f"chrom\tstart\tend\tmatrix\tvariants\n17\t0\t1000000\t{matrix}\tld.bim\n")
    return folder / "ld.tsv"


def as_npy(folder, r):
    np.save(folder / "r.npy", r)
    return "r.npy"


def as_text(folder, r):
    np.savetxt(folder / "r.ld", r, fmt="%.7g", delimiter="\t")
    return "r.ld"


def as_triangle(folder, r):
    (folder / "r.ld").write_text("".join("\t".join(map(str, row[: i + 1])) + "\n" for i, row in enumerate(r)))
    return "r.ld"


@pytest.mark.slow
@pytest.mark.parametrize("form", [write_polyfun, as_npy, as_text, as_triangle])
def test_ld_that_is_computed_already_gives_the_same_posterior(data, expected, r, tmp_path, form):
    """LD of all 441 variants of the panel, counted as the .bim counts; without frequencies palindromes are left out."""
    panel = PlinkPanel(data / "panel")
    dosages = panel.dosages(np.arange(panel.count)).astype(float)
    whole = np.corrcoef(dosages.T)
    place = (write_polyfun(tmp_path / "ld", panel.variants, whole) if form is write_polyfun
             else write_matrix(tmp_path / "ld", panel.variants, whole, form))  # fmt: skip
    table = harmonised(data, data / "gwas.tsv.gz", tmp_path, ld=place)
    assert set(table["variant_id"]) <= set(expected["variant_id"])
    define_loci(
        sumstats=str(tmp_path / "out/sumstats.parquet"), fasta=str(data / "reference.fa"), bed=None,
        output=str(tmp_path / "loci.tsv"), excluded=str(tmp_path / "excluded.tsv"), build="GRCh37",
        batches=[str(tmp_path / "0.tsv.gz")],
        settings=LociSettings(flank=500_000, max_width=1_000_000, exclude="none", batches=1),
    )  # fmt: skip
    compute_ld(
        variants=str(tmp_path / "0.tsv.gz"), ld=str(place), output=str(tmp_path / "0.npz"), settings=LdSettings()
    )
    variants = LOCUS_VARIANTS.read(tmp_path / "0.tsv.gz")
    found = read_ld(tmp_path / "0.npz", variants["locus"].iloc[0]).r
    rows = pd.Index(expected["variant_id"]).get_indexer(variants["variant_id"])
    assert np.allclose(found, r[np.ix_(rows, rows)], atol=2e-6)
    assert len(variants) == len(table)
    pip = dict(zip(table["rsid"], susie_rss(variants["z"].to_numpy(), found.astype(float), N, L=1).pip, strict=True))
    assert {name: pip[name] for name in PIPS} == pytest.approx(PIPS, abs=5e-4)


def test_the_meta_file_of_the_real_gwas_is_read(data):
    meta = yaml.safe_load((data / "gwas.tsv.gz-meta.yaml").read_text())
    assert open_sumstats(data / "gwas.tsv.gz").genome_assembly == meta["genome_assembly"] == "GRCh37"


@pytest.mark.parametrize(("flank", "most"), [(None, 1), (250_000, 0)], ids=["published window", "500 kb"])
def test_imputed_loci_are_dense_and_thinned_ones_are_remarked_upon(shared_data, flank, most):
    """The 37 published prostate regions as they are, and thinned to 0.5 variants per kb, HapMap3's densest."""
    settings = FinemapSettings(ld="in_sample")
    fit = fit_locus(["a", "b", "c"], np.array([9.0, 0.1, 0.1]), np.eye(3), 20_000, None, settings)
    rng = np.random.default_rng(1)

    def is_thin(locus, table):
        found = with_contents(fit, contents_of(locus, table, {}), settings)
        return any("nearer to an array or HapMap3" in remark for remark in found.remarks)

    imputed, thinned = [], []
    gwas = pd.read_csv(shared_data / "prostate_regions/gwas.tsv.gz", sep="\t")
    for locus, rows in gwas.sort_values("pos").groupby("region"):
        table = rows.drop_duplicates("pos").reset_index(drop=True)
        table = table.assign(variant_id=table.index.astype("str"), neg_log10_p=-np.log10(table["p_value"]))
        if flank:
            lead = table["pos"][table["neg_log10_p"].idxmax()]
            table = table[(table["pos"] > lead - flank) & (table["pos"] <= lead + flank)]
            locus = f"{locus.split('_')[0]}_{lead - flank}_{lead + flank}"
        start, end = map(int, locus.split("_")[1:])
        few = np.sort(rng.choice(len(table), min(round((end - start) / 2000), len(table)), replace=False))
        imputed.append(is_thin(locus, table))
        thinned.append(is_thin(locus, table.iloc[few]))
    assert len(imputed) == 37
    assert sum(imputed) <= most
    assert sum(thinned) >= 36
