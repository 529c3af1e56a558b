import dataclasses
import re

import pandas as pd
import pytest

from fineprior.files import tables
from fineprior.project.settings import FinemapSettings, Settings, from_dict
from fineprior.report.methods import CITATIONS, StudyFacts, methods_page


@pytest.fixture
def facts(study_tables):
    study = study_tables()
    return StudyFacts(
        study="crc", sumstats_format="regenie", source={"panel": "kg"},
        settings=from_dict(Settings, {"backbone": {"weights": "Owner/enformer-official-rough", "revision": "abc"}}),
        versions={"fineprior": "0.1.0", "snakemake": "9.27.1"}, qc=study.qc, loci=study.loci,
        status=study.status["functional"].assign(panel_size=503.0), credible_sets=study.credible_sets["functional"],
        uniform_sets=study.credible_sets["uniform"], verdict=study.verdict, head_metrics=study.head_metrics,
        fst=study.fst,
    )  # fmt: skip


def changed(facts, **blocks):
    return dataclasses.replace(facts, settings=dataclasses.replace(facts.settings, **blocks))


def test_it_says_what_was_run(facts):
    page = methods_page(facts)
    kept, dropped = 11_800 + 9_120, 310 + 2_041
    for text in (
        "Summary statistics (regenie)", f"Of {kept + dropped:,} rows, {kept:,} were kept", "4 loci with 240 variants",
        "a reference panel of 503 samples",
        "By the allele frequencies of 9,000 variants it differed from the GWAS by an F_ST (Hudson's [1]) of 0.4% (95% "
        "interval 0.3 to 0.5).", "enformer-official-rough, revision abc", "window of 196,608 bp",
        "weight of the functional part 0.95", "at most 10 effects", "95% credible sets",
        "purity (smallest |r|) of at least 0.5",
        "1 failed, 1 no_signal, 2 ok", "There were 2 credible sets", "fineprior 0.1.0 and Snakemake 9.27.1",
        "The MHC was excluded.", "head for 3 tracks", "over held-out regions 0.63",
    ):  # fmt: skip
        assert text in page
    assert methods_page(facts) == page


def test_every_reference_is_cited_and_has_a_doi(facts):
    for page in (methods_page(facts), methods_page(changed(facts, finemap=FinemapSettings(model="susie_inf")))):
        body, references = page.split("## References")
        cited = {int(number) for group in re.findall(r"\[([\d, ]+)\]", body) for number in group.split(",")}
        listed = re.findall(r"^(\d+)\. .*doi:10\.\d+/\S+$", references, flags=re.MULTILINE)
        assert cited == {int(number) for number in listed} == set(range(1, len(listed) + 1))
    assert all(re.search(r"doi:10\.\d{4,}/\S+$", text) for text in CITATIONS.values())


@pytest.mark.parametrize(
    ("change", "there", "not_there"),
    [
        ({"verdict": 0.0}, "did not support a functional prior, and the prior was uniform", "PolyFun"),
        ({"source": {"genotypes": "g", "covariates": "c"}}, "of the phenotype on each variant with covariates",
         "reference panel of"),
        ({"source": {"ld": "ukb"}}, "precomputed matrices of 503 samples", "computed from a reference"),
        ({"source": {"panel": "k", "build": "hg19", "chain": "c"}}, "lifted from hg19 to GRCh38", "published. Alleles"),
        ({"sumstats_format": "gwas-ssf"}, "Summary statistics (GWAS-SSF [1])", "regenie"),
    ],
)  # fmt: skip
def test_other_studies_read_otherwise(facts, change, there, not_there):
    if "verdict" in change:
        change = {"verdict": facts.verdict.assign(weight=change["verdict"])}
    page = methods_page(dataclasses.replace(facts, **change))
    assert there in page
    assert not_there not in page


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        ({"ld": "none"}, "LD was not used"),
        ({"ld": "in_sample"}, "LD was that of the GWAS itself"),
        ({"model": "susie_inf"}, "fine-mapped with SuSiE-inf"),
        ({"estimate_prior_variance": False}, "fixed at 0.2"),
        (
            {"estimate_drift": False, "allele_switches": "keep", "fallback": False},
            "the panel and for drift between the populations, by F_ST. Outcome",
        ),
        (
            {"allele_switches": "keep", "fallback": False},
            "drift between the populations, by F_ST and z-scores. Outcome",
        ),
        ({"max_fst": 0.003}, "As the F_ST was above 0.003, LD of the panel was not used, and a single effect"),
    ],
)
def test_settings_of_the_fit(facts, settings, there):
    assert there in methods_page(changed(facts, finemap=FinemapSettings(**settings)))


def test_drift_is_by_what_is_known(facts):
    facts = dataclasses.replace(facts, fst=facts.fst.assign(state="copied", fst=float("nan")))
    plain = {"allele_switches": "keep", "fallback": False}
    page = methods_page(changed(facts, finemap=FinemapSettings(**plain)))
    assert "drift between the populations, by z-scores. Outcome" in page
    page = methods_page(changed(facts, finemap=FinemapSettings(**plain, estimate_drift=False)))
    assert "sampling error of the panel. Outcome" in page


@pytest.mark.parametrize(("error", "by"), [(0.0009, "F_ST and z-scores"), (0.003, "z-scores")])
def test_an_fst_that_is_too_uncertain_is_given_and_said_not_to_be_used(facts, error, by):
    facts = dataclasses.replace(facts, fst=facts.fst.assign(fst_error=error))
    plain = {"allele_switches": "keep", "fallback": False, "max_fst": 0.003 if error > 0.001 else 0.05}
    page = methods_page(changed(facts, finemap=FinemapSettings(**plain)))
    assert f"drift between the populations, by {by}. Outcome" in page
    assert "of 0.4% (95% interval" in page
    assert ("This is too uncertain, and fits did not use it." in page) == (error > 0.001)


def test_the_file_of_genes_is_named_where_there_is_one(facts):
    assert "transcript" not in methods_page(facts).split("## References")[0]
    genome = dataclasses.replace(facts.settings.genome, genes="/data/gencode.v46.gtf.gz")
    body, references = methods_page(changed(facts, genome=genome)).split("## References")
    assert "Genes and transcripts were those of gencode.v46.gtf.gz; the consequence" in body
    assert "The Ensembl Variant Effect Predictor" in references


def test_a_search_is_named_where_there_was_one(facts):
    assert "by a search" not in methods_page(facts)
    status = facts.status.assign(posterior=["search", *["susie"] * (len(facts.status) - 1)])
    rules = FinemapSettings(ld="in_sample", mean_causal=2.5, max_effects=7)
    page = methods_page(changed(dataclasses.replace(facts, status=status), finemap=rules))
    assert "credible sets of 1 locus were then obtained by a search" in page
    assert "(mean 2.5, at most 7)" in page


def test_the_shipped_backbone_is_not_enformer(facts):
    backbone = dataclasses.replace(facts.settings.backbone, weights="resources/backbone", revision="")
    assert "it is not Enformer" in methods_page(changed(facts, backbone=backbone))


@pytest.mark.slow
def test_a_study_without_loci(facts):
    empty = dataclasses.replace(
        facts, loci=tables.LOCI.empty(), status=tables.LOCI_STATUS.empty(), credible_sets=tables.CREDIBLE_SETS.empty(),
        uniform_sets=tables.CREDIBLE_SETS.empty(), head_metrics=tables.HEAD_METRICS.empty(),
        verdict=facts.verdict.assign(weight=0.0, loci=0), qc=facts.qc.iloc[:0],
    )  # fmt: skip
    page = methods_page(empty)
    assert "0 loci with 0 variants" in page
    assert not pd.Series(page.splitlines()).str.contains("nan").any()
