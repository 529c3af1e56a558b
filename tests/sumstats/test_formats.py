"""Each format, written here as its program writes it, against one truth; and which allele the effect is of."""

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pysam
import pytest

from fineprior.files.errors import InputError
from fineprior.sumstats.formats import FORMAT_NAMES, FORMATS
from fineprior.sumstats.metadata import SampleSizes
from fineprior.sumstats.reader import open_sumstats, read_sumstats
from fineprior.sumstats.values import neg_log10_p_of

PROSTATE = Path(__file__).parents[2].parent / "shared" / "data" / "prostate_chr17"
needs_prostate = pytest.mark.skipif(not PROSTATE.is_dir(), reason="acceptance data are not here")


def truth():
    """An ordinary variant, an insertion, one of chromosome X, and one whose p-value no float can hold."""
    frame = pd.DataFrame({
        "chrom": ["1", "1", "X", "2"], "pos": [1000.0, 2000.0, 3000.0, 4000.0],
        "effect_allele": ["A", "TG", "C", "G"], "other_allele": ["G", "T", "A", "A"],
        "beta": [0.1, -0.021, 0.004, 0.9], "se": [0.05, 0.007, 0.01, 0.02],
        "eaf": [0.3, 0.64, 0.05, 0.22], "n": [1000.0, 1001.0, 900.0, 1000.0], "rsid": ["rs1", "rs2", "rs3", "rs4"],
    })  # fmt: skip
    z = (frame["beta"] / frame["se"]).to_numpy()
    return frame.assign(z=z, neg_log10_p=neg_log10_p_of(z))


def written(template, header, between=None, **constants):
    """The text of the truth in a format: `template` names the columns of `truth`, and derived ones."""
    rows = []
    for row in truth().to_dict("records"):
        exponent = int(np.ceil(row["neg_log10_p"]))
        row |= {
            "pos": int(row["pos"]), "n": int(row["n"]), "odds": repr(float(np.exp(row["beta"]))),
            "p": f"{10 ** (exponent - row['neg_log10_p']):.12f}e-{exponent}", "chisq": row["z"] ** 2,
            "cases": row["n"] / 2, "place": f"{row['chrom']}:{int(row['pos'])}",
            "effect": row["effect_allele"], "other": row["other_allele"],
        }  # fmt: skip
        rows.append(template.format(**row, **constants))
    sep = between or "\t"
    return "\n".join(sep.join(line.split()) for line in [header, *rows]) + "\n"


WITHOUT_SE = ("beta", "se")
CASES = {
    "gwas-ssf": (
        "chromosome base_pair_location effect_allele other_allele beta standard_error effect_allele_frequency p_value "
        "rsid n", "{chrom} {pos} {effect} {other} {beta} {se} {eaf} {p} {rsid} {n}", "\t", ()),
    "gwas-ssf harmonised": (
        "chromosome base_pair_location effect_allele other_allele odds_ratio standard_error effect_allele_frequency "
        "neg_log_10_p_value rsid n variant_id hm_coordinate_conversion hm_code",
        "{chrom} {pos} {effect} {other} {odds} {se} {eaf} {neg_log10_p} {rsid} {n} {chrom}_{pos}_x lo 10", "\t", ()),
    "gwas-catalog-hm": (  # what the authors sent is turned and on another build
        "hm_variant_id hm_rsid hm_chrom hm_pos hm_other_allele hm_effect_allele hm_beta hm_odds_ratio hm_code "
        "hm_effect_allele_frequency chromosome base_pair_location effect_allele other_allele beta standard_error "
        "effect_allele_frequency p_value n",
        "id {rsid} {chrom} {pos} {other} {effect} {beta} NA 11 {eaf} {chrom} 77 {other} {effect} -0.7 {se} 0.99 {p} "
        "{n}", "\t", ()),
    "plink2": (
        "#CHROM POS ID REF ALT PROVISIONAL_REF? A1 OMITTED A1_FREQ TEST OBS_CT BETA SE T_STAT P ERRCODE",
        "{chrom} {pos} {rsid} {other} {effect} N {effect} {other} {eaf} ADD {n} {beta} {se} {z} {p} .", "\t", ()),
    "plink2 logistic, A1 is REF": (
        "#CHROM POS ID REF ALT A1 FIRTH? A1_FREQ TEST OBS_CT OR LOG(OR)_SE Z_STAT NEG_LOG10_P ERRCODE",
        "{chrom} {pos} {rsid} {effect} {other} {effect} N {eaf} ADD {n} {odds} {se} {z} {neg_log10_p} .", "\t", ()),
    "plink2 several ALT": (
        "#CHROM POS ID REF ALT A1 A1_FREQ TEST OBS_CT BETA SE T_STAT LOG10_P ERRCODE",
        "{chrom} {pos} {rsid} {other} {effect},CCC {effect} {eaf} ADD {n} {beta} {se} {z} {neg_log10_p} .", "\t", ()),
    "plink1 logistic": (
        "CHR SNP BP A1 A2 TEST NMISS OR SE L95 U95 STAT P",
        "{chrom} {rsid} {pos} {effect} {other} ADD {n} {odds} {se} 0 0 {z} {p}", "   ", ("eaf",)),
    "plink1 linear": (
        "CHR SNP BP A1 TEST NMISS BETA STAT P",
        "{chrom} {place}:{other}:{effect} {pos} {effect} ADD {n} {beta} {z} {p}", "   ", ("eaf", "rsid")),
    "plink1 assoc": (
        "CHR SNP BP A1 F_A F_U A2 CHISQ P OR SE L95 U95",
        "{chrom} {rsid} {pos} {effect} 0.5 {eaf} {other} {chisq} {p} {odds} {se} 0 0", "   ", ("n",)),
    "regenie": (
        "CHROM GENPOS ID ALLELE0 ALLELE1 A1FREQ INFO N TEST BETA SE CHISQ LOG10P EXTRA",
        "{chrom} {pos} {rsid} {other} {effect} {eaf} 1 {n} ADD {beta} {se} {chisq} {neg_log10_p} NA", " ", ()),
    "regenie cases": (
        "CHROM GENPOS ID ALLELE0 ALLELE1 A1FREQ A1FREQ_CASES A1FREQ_CONTROLS INFO N N_CASES N_CONTROLS TEST BETA SE "
        "CHISQ LOG10P EXTRA",
        "{chrom} {pos} {rsid} {other} {effect} {eaf} 0.9 0.9 1 {n} {cases} {cases} ADD {beta} {se} {chisq} "
        "{neg_log10_p} NA", " ", ()),
    "saige": (
        "CHR POS MarkerID Allele1 Allele2 AC_Allele2 AF_Allele2 imputationInfo BETA SE Tstat var p.value p.value.NA "
        "Is.SPA AF_case AF_ctrl N_case N_ctrl",
        "{chrom} {pos} {rsid} {other} {effect} 9 {eaf} 1 {beta} {se} 1 1 {p} 0.5 true 0.9 0.9 {cases} {cases}", "\t",
        ()),
    "saige old": (
        "CHR POS SNPID Allele1 Allele2 AC_Allele2 AF_Allele2 imputationInfo N BETA SE Tstat p.value varT varTstar",
        "{chrom} {pos} {rsid} {other} {effect} 9 {eaf} 1 {n} {beta} {se} 1 {p} 1 1", " ", ()),
    "bolt": (
        "SNP CHR BP GENPOS ALLELE1 ALLELE0 A1FREQ INFO CHISQ_LINREG P_LINREG BETA SE CHISQ_BOLT_LMM_INF "
        "P_BOLT_LMM_INF CHISQ_BOLT_LMM P_BOLT_LMM",
        "{rsid} {chrom} {pos} 0 {effect} {other} {eaf} 1 1 0.5 {beta} {se} {chisq} 0.5 {chisq} {p}", "\t", ("n",)),
    "fastgwa": ("CHR SNP POS A1 A2 N AF1 BETA SE P",
                "{chrom} {rsid} {pos} {effect} {other} {n} {eaf} {beta} {se} {p}", "\t", ()),
    "fastgwa binary": (
        "CHR SNP POS A1 A2 N AF1 T SE_T P_noSPA BETA SE P CONVERGE",
        "{chrom} {rsid} {pos} {effect} {other} {n} {eaf} 1 1 0.5 {beta} {se} {p} 1", "\t", ()),
    "cojo": ("SNP A1 A2 freq b se p N", "{place} {effect} {other} {eaf} {beta} {se} {p} {n}", " ", ("rsid",)),
    "cojo mlma": ("Chr SNP bp A1 A2 Freq b se p N", "{chrom} {rsid} {pos} {effect} {other} {eaf} {beta} {se} {p} {n}",
                  "\t", ()),
    "metal": (
        "MarkerName Allele1 Allele2 Freq1 FreqSE MinFreq MaxFreq Effect StdErr P-value Direction TotalSampleSize",
        "chr{place}:x {effect} {other} {eaf} 0 0 1 {beta} {se} {p} +- {n}", "\t", ("rsid",)),
    "metal sample size": (
        "MarkerName Allele1 Allele2 Weight Zscore P-value Direction Chromosome Position",
        "{rsid} {effect} {other} {n} {z} {p} ++ {chrom} {pos}", "\t", (*WITHOUT_SE, "eaf")),
    "finngen": (
        "#chrom pos ref alt rsids nearest_genes pval mlogp beta sebeta af_alt af_alt_cases af_alt_controls",
        "{chrom} {pos} {other} {effect} {rsid} GENE 0.5 {neg_log10_p} {beta} {se} {eaf} 0.9 0.9", "\t", ("n",)),
    "ldsc": ("SNP A1 A2 Z N", "{place}_{other}_{effect} {effect} {other} {z} {n}", "\t", (*WITHOUT_SE, "eaf", "rsid")),
    "polyfun": ("SNP CHR BP A1 A2 Z N MAF", "{rsid} {chrom} {pos} {effect} {other} {z} {n} 0.11", "\t",
                (*WITHOUT_SE, "eaf")),
    "gwaslab": ("SNPID rsID CHR POS EA NEA EAF BETA SE P MLOG10P N STATUS",
                "x {rsid} {chrom} {pos} {effect} {other} {eaf} {beta} {se} 0.5 {neg_log10_p} {n} 1960099", ",", ()),
}  # fmt: skip


def same_as_truth(frame, lacking=()):
    expected = truth()
    assert frame["row"].to_list()[:1] in ([1], [2])
    for name in ("chrom", "effect_allele", "other_allele", "rsid"):
        if name not in lacking:
            assert frame[name].to_list() == expected[name].to_list(), name
    assert frame["source_pos"].astype(float).to_list() == expected["pos"].to_list()
    for name in ("pos", "beta", "se", "z", "neg_log10_p", "eaf", "n"):
        if name in lacking:
            assert frame[name].isna().all() or name == "n", name
        else:
            assert frame[name].to_numpy() == pytest.approx(expected[name].to_numpy(), rel=1e-6), name


@pytest.mark.parametrize("case", CASES)
def test_every_format_is_recognised_and_gives_the_same_rows(tmp_path, case):
    header, template, between, lacking = CASES[case]
    path = tmp_path / "some.file"
    path.write_text(written(template, header, between))
    sumstats = open_sumstats(path, sizes=SampleSizes(n=7) if "n" in lacking else SampleSizes())
    assert sumstats.format == case.split()[0]
    same_as_truth(pd.concat(sumstats.chunks()), lacking)
    named = read_sumstats(path, layout=case.split()[0], sizes=SampleSizes(n=7))
    assert named["n"].eq(7).all()


def test_every_format_has_a_case():
    assert {case.split()[0] for case in CASES} | {"vcf"} == set(FORMAT_NAMES)


def test_no_header_is_of_two_formats_that_disagree():
    """A format further down the list is not taken for one further up, whose signature its columns would fulfil."""
    for case, (header, *_) in CASES.items():
        names = {name.lstrip("#").upper() for name in header.split()}
        first = next(layout for layout in FORMATS if all(names.intersection(g) for g in layout.signature)
                     and not names.intersection(layout.absent))  # fmt: skip
        assert first.name == case.split()[0]


@pytest.mark.parametrize("between", ["\t", ",", " ", "  \t "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff", "# made by me, in 2021\n##run=7\n"])
@pytest.mark.parametrize("compression", [None, "gzip", "bgzip", "zstd"])
def test_what_sets_columns_apart_line_ends_and_compression_do_not_matter(tmp_path, between, end, start, compression):
    header, template, _, _ = CASES["fastgwa"]
    path = tmp_path / "x"
    path.write_text(start + written(template, header, between), newline=end)
    if compression == "bgzip":
        pysam.tabix_compress(str(path), str(tmp_path / "y"))
        path = tmp_path / "y"
    elif compression:
        codec = {"gzip": gzip.compress, "zstd": lambda data: pa.compress(data, codec="zstd", asbytes=True)}
        path.write_bytes(codec[compression](path.read_bytes()))
    same_as_truth(read_sumstats(path).assign(row=2))
    assert read_sumstats(path)["row"].to_list() == [2 + start.count("\n") + i for i in range(4)]


def test_a_csv_with_quotes(tmp_path):
    header, template, _, _ = CASES["fastgwa"]
    rows = written(template, header, ",").splitlines()
    (tmp_path / "x.csv").write_text("\n".join(",".join(f'"{value}"' for value in row.split(",")) for row in rows))
    same_as_truth(read_sumstats(tmp_path / "x.csv"))


def write(path, case, edit=lambda text: text):
    header, template, between, _ = CASES[case]
    path.write_text(edit(written(template, header, between)))
    return path


def test_rows_of_other_tests_are_left_out_and_counted(tmp_path):
    def doubled(text):
        header, *rows = text.splitlines()
        others = [
            row.replace(" ADD ", f" {test} ") for row, test in zip(rows, ["SEX", "SEX", "DOM", "NA"], strict=True)
        ]
        return "\n".join([header, *(line for pair in zip(rows, others, strict=True) for line in pair), ""])

    sumstats = open_sumstats(write(tmp_path / "x", "regenie", doubled))
    frame = pd.concat(sumstats.chunks())
    same_as_truth(frame)
    assert frame["row"].to_list() == [2, 4, 6, 8]
    assert sumstats.skipped == {"SEX": 2, "DOM": 1, "without a name": 1}
    with pytest.raises(InputError, match=r"no row with TEST = ADD \(there are 4 DOM\)"):
        read_sumstats(write(tmp_path / "y", "regenie", lambda text: text.replace(" ADD ", " DOM ")))


def test_plink2_rows_that_failed_stay_to_be_counted(tmp_path):
    path = write(tmp_path / "x", "plink2", lambda text: re.sub("0.9\t0.02.*", "NA\tNA\tNA\tNA\tCONST_ALLELE", text))
    frame = read_sumstats(path)
    assert frame["z"].isna().to_list() == [False, False, False, True]


def test_an_effect_allele_that_is_neither_ref_nor_alt_has_no_other(tmp_path):
    path = write(tmp_path / "x", "plink2 logistic, A1 is REF", lambda text: text.replace("A\tG\tA\tN", "A\tG\tT\tN"))
    assert read_sumstats(path)["other_allele"].isna().to_list() == [True, False, False, False]


def test_lower_case_alleles_stay_as_they_are_and_find_their_partner(tmp_path):
    path = write(tmp_path / "x", "plink2 logistic, A1 is REF", lambda text: text.replace("A\tG\tA\tN", "A\tG\ta\tN"))
    assert read_sumstats(path).loc[0, ["effect_allele", "other_allele"]].to_list() == ["a", "G"]


def test_bolt_without_the_mixture_takes_the_next_p(tmp_path):
    path = write(tmp_path / "x", "bolt", lambda text: text.replace("P_BOLT_LMM\n", "SOMETHING\n"))
    assert read_sumstats(path, sizes=SampleSizes(9))["neg_log10_p"].to_numpy() == pytest.approx([-np.log10(0.5)] * 4)


def test_saige_has_its_effect_on_the_other_allele_than_metal(tmp_path):
    """Both call their alleles Allele1 and Allele2."""
    text = "CHR POS MarkerID Allele1 Allele2 AF_Allele2 BETA SE Tstat p.value N\n1 5 rs1 A C 0.2 0.1 0.05 1 0.0455 9\n"
    (tmp_path / "saige").write_text(text)
    text = "MarkerName Allele1 Allele2 Freq1 Effect StdErr P-value Direction N\n1:5 a c 0.2 0.1 0.05 0.0455 + 9\n"
    (tmp_path / "metal").write_text(text)
    assert read_sumstats(tmp_path / "saige").loc[0, ["effect_allele", "other_allele"]].to_list() == ["C", "A"]
    assert read_sumstats(tmp_path / "metal").loc[0, ["effect_allele", "other_allele"]].to_list() == ["a", "c"]


def test_effective_size_of_cases_and_controls(tmp_path):
    path = write(tmp_path / "x", "regenie cases", lambda text: text.replace("1000 500.0 500.0", "1000 100 900"))
    assert read_sumstats(path)["n"].to_list() == [360, 1001, 900, 360]


@pytest.mark.parametrize(
    ("case", "edit", "message"),
    [
        ("cojo", lambda t: re.sub(r"\n\S+", "\nrs9", t), r"name of a variant says a position \(line 2: 'rs9'\); give"),
        ("ldsc", lambda t: re.sub(r"\n\S", "\nrs9", t), "ldsc.* says a position .*; give the file that it was made"),
        ("metal", lambda t: re.sub(r"\n\S+", "\nrs9", t), "add columns for chromosome and position"),
        ("plink1 linear", lambda t: re.sub(r"(?<=\d):[ACGT]+:[ACGT]+", "", t),
         "says both alleles .*only A1 to .assoc.linear .* PLINK 2"),
        ("plink1 linear", lambda t: t.replace("A1", "R2").replace("TEST", "T"), "'A1'. is missing; PLINK 1.9 writes"),
        ("regenie", lambda t: t.replace("BETA SE CHISQ LOG10P", "BETA.Y1 SE.Y1 CHISQ.Y1 LOG10P.Y1"),
         "no effect column .*one file for each phenotype"),
        ("fastgwa", lambda t: t.replace("AF1", "FREQ9"), "no known format .*it could be fastgwa, but column 'af1'"),
        ("fastgwa", lambda t: t.replace("\tA2\t", "\tA1\t"), "it could be fastgwa, but column 'a2' is missing"),
        ("regenie", lambda t: t.replace(" CHISQ ", " beta "), "column 'BETA' is there 2 times"),
        ("finngen", lambda t: t, "no sample size"),
        ("regenie", lambda t: t + t, "line 6: the header again"),
        ("plink1 logistic", lambda t: t + t, "line 6: the header again"),
    ],
)  # fmt: skip
def test_what_a_format_lacks_is_named_with_its_remedy(tmp_path, case, edit, message):
    with pytest.raises(InputError, match=message) as caught:
        read_sumstats(write(tmp_path / "gwas.txt", case, edit))
    assert str(caught.value).startswith(str(tmp_path / "gwas.txt"))
    assert "\n" not in str(caught.value)


def test_a_minor_allele_frequency_is_not_taken_for_the_effect_alleles(tmp_path):
    path = write(tmp_path / "x", "gwaslab", lambda text: text.replace("EAF", "MAF"))
    assert read_sumstats(path)["eaf"].isna().all()


OWN = {
    "chromosome": "contig", "base_pair_location": "where", "effect_allele": "tested", "other_allele": "not tested",
    "beta": "b", "standard_error": "B", "neg_log_10_p_value": "lp", "effect_allele_frequency": "f", "n": "people",
    "rsid": "name",
}  # fmt: skip


def test_own_columns(tmp_path):
    header = "contig where tested not_tested b B lp f people name"
    text = written("{chrom} {pos} {effect} {other} {beta} {se} {neg_log10_p} {eaf} {n} {rsid}", header)
    (tmp_path / "x.tsv").write_text(text.replace("not_tested", "not tested"))
    sumstats = open_sumstats(tmp_path / "x.tsv", layout=OWN)
    assert sumstats.format == "columns"
    same_as_truth(pd.concat(sumstats.chunks()))
    with pytest.raises(InputError, match="column 'absent', which `columns:` names as info, is missing"):
        open_sumstats(tmp_path / "x.tsv", layout=OWN | {"info": "absent"})
    with pytest.raises(InputError, match="columns: 'snp' is not known; allowed: base_pair_location"):
        open_sumstats(tmp_path / "x.tsv", layout=OWN | {"snp": "name"})
    with pytest.raises(InputError, match=r"other_allele .* is missing"):
        open_sumstats(tmp_path / "x.tsv", layout={key: name for key, name in OWN.items() if key != "other_allele"})
    with pytest.raises(InputError, match="format 'plink3' is not known; allowed: gwas-catalog-hm"):
        open_sumstats(tmp_path / "x.tsv", layout="plink3")
    with pytest.raises(InputError, match="is not a VCF, but its format is given as 'vcf'"):
        open_sumstats(tmp_path / "x.tsv", layout="vcf")


def test_assembly_that_a_format_or_file_implies(tmp_path):
    assert open_sumstats(write(tmp_path / "a", "gwas-catalog-hm")).genome_assembly == "GRCh38"
    assert open_sumstats(write(tmp_path / "b", "gwas-ssf harmonised")).genome_assembly == "GRCh38"
    assert open_sumstats(write(tmp_path / "c", "gwas-ssf")).genome_assembly is None
    (tmp_path / "c-meta.yaml").write_text("genome_assembly: GRCh37")
    assert open_sumstats(tmp_path / "c").genome_assembly == "GRCh37"


@pytest.mark.parametrize("chrom", [[1, 1, 23, 2], [1.0, 1.0, 23.0, 2.0], ["1", "1", "23", "2"]])
def test_polyfun_parquet(tmp_path, chrom):
    frame = truth()
    table = pd.DataFrame({
        "SNP": frame["rsid"], "CHR": chrom, "BP": frame["pos"].astype(int), "A1": frame["effect_allele"],
        "A2": pd.Categorical(frame["other_allele"]), "Z": frame["z"].astype("float32"), "N": frame["n"].astype(int),
        "MAF": 0.1,
    })  # fmt: skip
    table.to_parquet(tmp_path / "x.parquet")
    sumstats = open_sumstats(tmp_path / "x.parquet")
    read = pd.concat(sumstats.chunks())
    assert sumstats.format == "polyfun"
    assert read["chrom"].to_list() == ["1", "1", "23", "2"]
    assert read["row"].to_list() == [1, 2, 3, 4]
    same_as_truth(read.assign(chrom=truth()["chrom"]), (*WITHOUT_SE, "eaf"))
    data = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"x\.parquet: "):
        read_sumstats(tmp_path / "x.parquet")


VCF_HEADER = """##fileformat=VCFv4.2
##FORMAT=<ID=ES,Number=A,Type=Float,Description="Effect">
##FORMAT=<ID=SE,Number=A,Type=Float,Description="Standard error">
##FORMAT=<ID=LP,Number=A,Type=Float,Description="-log10 p">
##FORMAT=<ID=AF,Number=A,Type=Float,Description="Frequency">
##FORMAT=<ID=SS,Number=A,Type=Float,Description="Sample size">
##FORMAT=<ID=NC,Number=A,Type=Float,Description="Cases">
##FORMAT=<ID=EZ,Number=A,Type=Float,Description="z">
##FORMAT=<ID=ID,Number=1,Type=String,Description="Name">
##SAMPLE=<ID=trait,TotalVariants=4,TotalCases=10,TotalControls=30,StudyType=CaseControl>
##contig=<ID=1,length=249250621,assembly=HG19/GRCh37>
##contig=<ID=2,length=243199373,assembly=HG19/GRCh37>
##contig=<ID=X,length=155270560,assembly=HG19/GRCh37>
#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT trait
"""


RECORD = "{chrom} {pos} {rsid} {other} {effect} . PASS . ES:SE:LP:AF:SS:ID {beta}:{se}:{neg_log10_p}:{eaf}:{n}:x"


def vcf(template=RECORD, header=VCF_HEADER):
    *above, names = header.splitlines()
    return "\n".join([*above, written(template, names)])


@pytest.mark.parametrize("kind", ["vcf", "vcf.gz", "bcf"])
def test_gwas_vcf(tmp_path, kind):
    path = tmp_path / "x.vcf"
    path.write_text(vcf())
    if kind == "vcf.gz":
        pysam.tabix_compress(str(path), str(tmp_path / "x.vcf.gz"))
    if kind == "bcf":
        source = pysam.VariantFile(str(path))
        with pysam.VariantFile(str(tmp_path / "x.bcf"), "wb", header=source.header) as target:
            for record in source:
                target.write(record)
    sumstats = open_sumstats(tmp_path / f"x.{kind}")
    assert (sumstats.format, sumstats.genome_assembly) == ("vcf", "GRCh37")
    same_as_truth(pd.concat(sumstats.chunks()))


def test_gwas_vcf_with_cases_with_z_and_with_several_alternatives(tmp_path):
    *above, names = VCF_HEADER.splitlines()
    rows = [
        names,
        "1 5 rs1 A C . PASS . EZ:LP:SS:NC 2:1.34:1000:100",
        "1 6 rs2 A C,G . PASS . EZ:LP:SS:NC -1,3:0.5,2.57:9,.:.,.",
    ]
    path = tmp_path / "x.vcf"
    path.write_text("\n".join([*above, *(row.replace(" ", "\t") for row in rows), ""]))
    frame = read_sumstats(path)
    assert frame["z"].to_list() == [2, -1, 3]
    assert frame["effect_allele"].to_list() == ["C", "C", "G"]
    assert frame["other_allele"].to_list() == ["A", "A", "A"]
    # 100 cases and 900 controls; a size without cases; 10 cases and 30 controls of the header
    assert frame["n"].to_list() == [360, 9, 30]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (vcf(header=VCF_HEADER.replace("=ES,", "=XX,").replace("=EZ,", "=GT,")), "a VCF without effects"),
        (vcf("{chrom} {pos} . {other} {effect} . . . ES {beta} {beta}", VCF_HEADER.replace("T trait", "T a b")),
         r"holds 2 traits \(a, b\); give one"),
        (vcf().replace("##fileformat=VCFv4.2", "##fileformat=VCFv4.2\nrubbish"), "not a VCF that can be read"),
        (vcf() + "1\tx\ty\n", "not a VCF that can be read|cut off"),
    ],
)  # fmt: skip
def test_a_vcf_that_cannot_be_read_is_named(tmp_path, text, message):
    (tmp_path / "x.vcf").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_sumstats(tmp_path / "x.vcf")
    assert "\n" not in str(caught.value)


def test_a_vcf_that_is_cut_off_is_named(tmp_path):
    (tmp_path / "x.vcf").write_text(vcf("{chrom} {pos} {rsid} {other} {effect} . . . ES:SE:SS {beta}:{se}:{n}"))
    pysam.tabix_compress(str(tmp_path / "x.vcf"), str(tmp_path / "x.vcf.gz"))
    data = (tmp_path / "x.vcf.gz").read_bytes()
    (tmp_path / "x.vcf.gz").write_bytes(data[:-60])
    with pytest.raises(InputError, match=r"x\.vcf\.gz: "):
        read_sumstats(tmp_path / "x.vcf.gz")
    (tmp_path / "x.vcf.gz").write_bytes(data[:100])
    with pytest.raises(InputError, match=r"x\.vcf\.gz: "):
        read_sumstats(tmp_path / "x.vcf.gz")


@needs_prostate
def test_the_real_gwas(tmp_path):
    sumstats = open_sumstats(PROSTATE / "gwas.tsv.gz")
    assert (sumstats.format, sumstats.genome_assembly) == ("gwas-ssf", "GRCh37")
    frame = pd.concat(sumstats.chunks())
    assert len(frame) == 314
    assert frame["n"].eq(140306).all()  # column n of the file, as it is written
    lead = frame.loc[frame["neg_log10_p"].idxmax()]
    assert (lead["rsid"], lead["pos"], lead["effect_allele"], lead["beta"]) == ("rs684232", 618965, "C", 0.0832)
    # without the column, the meta file's 79,194 cases and 61,112 controls
    text = gzip.decompress((PROSTATE / "gwas.tsv.gz").read_bytes()).decode()
    (tmp_path / "gwas.tsv").write_text("\n".join(line.rpartition("\t")[0] for line in text.splitlines()))
    (tmp_path / "gwas.tsv-meta.yaml").write_text((PROSTATE / "gwas.tsv.gz-meta.yaml").read_text())
    assert read_sumstats(tmp_path / "gwas.tsv")["n"].to_numpy() == pytest.approx([4 / (1 / 79194 + 1 / 61112)] * 314)


@needs_prostate
def test_real_effects_without_alleles_have_no_sign():
    with pytest.raises(InputError, match=r"no column holds alleles \(columns: CHR, SNP, BP, P, TYPED, EFFECT\)"):
        open_sumstats(PROSTATE / "gwas_dense_without_alleles.csv", sizes=SampleSizes(n=140306))


def test_a_header_that_begins_with_a_sign_and_a_blank_is_read(tmp_path):
    (tmp_path / "g").write_text("# chrom\tpos\tA1\tOMITTED\tOBS_CT\tBETA\tSE\n1\t10\tA\tG\t100\t0.2\t0.1\n")
    assert read_sumstats(tmp_path / "g")["z"].tolist() == [2.0]


def test_a_file_with_alleles_under_names_of_its_own_is_not_said_to_have_none(tmp_path):
    (tmp_path / "g").write_text("Chrom\tPos\teffectAllele\totherAllele\tBeta\tPval\n1\t10\tA\tG\t0.2\t0.1\n")
    with pytest.raises(InputError, match=r"columns Chrom, Pos, effectAllele, .* are those of no known format"):
        read_sumstats(tmp_path / "g")
