"""Methods text of a study for a paper: what was done, with its numbers and citations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fineprior.files.tables import main_sets
from fineprior.project.settings import FinemapSettings, Settings
from fineprior.project.sheets import plain_build
from fineprior.sumstats.formats import OWN_COLUMNS
from fineprior.sumstats.panel_fst import percents, usable_fst

CITATIONS = {
    "enformer": "Avsec Ž et al. (2021) Effective gene expression prediction from sequence by integrating long-range "
    "interactions. Nature Methods 18:1196-1203. doi:10.1038/s41592-021-01252-x",
    "susie": "Wang G et al. (2020) A simple new approach to variable selection in regression, with application to "
    "genetic fine mapping. J R Stat Soc B 82:1273-1300. doi:10.1111/rssb.12388",
    "susie_rss": "Zou Y et al. (2022) Fine-mapping from summary data with the \"Sum of Single Effects\" model. PLoS "
    "Genetics 18:e1010299. doi:10.1371/journal.pgen.1010299",
    "susie_inf": "Cui R et al. (2024) Improving fine-mapping by modeling infinitesimal effects. Nature Genetics "
    "56:162-169. doi:10.1038/s41588-023-01597-3",
    "polyfun": "Weissbrod O et al. (2020) Functionally informed fine-mapping and polygenic localization of complex "
    "trait heritability. Nature Genetics 52:1355-1363. doi:10.1038/s41588-020-00735-5",
    "abf": "Wakefield J (2009) Bayes factors for genome-wide association studies: comparison with P-values. Genetic "
    "Epidemiology 33:79-86. doi:10.1002/gepi.20359",
    "fst": "Bhatia G et al. (2013) Estimating and interpreting FST: the impact of rare variants. Genome Research "
    "23:1514-1521. doi:10.1101/gr.154831.113",
    "snakemake": "Mölder F et al. (2021) Sustainable data analysis with Snakemake. F1000Research 10:33. "
    "doi:10.12688/f1000research.29032.2",
    "ssf": "Hayhurst J et al. (2022) A community driven GWAS summary statistics standard. bioRxiv. "
    "doi:10.1101/2022.07.15.500230",
    "vep": "McLaren W et al. (2016) The Ensembl Variant Effect Predictor. Genome Biology 17:122. "
    "doi:10.1186/s13059-016-0974-4",
    "jaspar": "Rauluseviciute I et al. (2024) JASPAR 2024: 20th anniversary of the open-access database of "
    "transcription factor binding profiles. Nucleic Acids Research 52:D174-D182. doi:10.1093/nar/gkad1059",
}  # fmt: skip
_HUMAN = ("grch37", "grch38")
"""Builds for which the regions to exclude are known."""
SHIPPED_BACKBONE = "resources/backbone"


@dataclass(frozen=True)
class StudyFacts:
    """Settings, tables and versions from which the methods of a study are written.

    sumstats_format: as `open_sumstats` names it, empty for own genotypes; source: the filled columns of the study's
    row; tables: qc (SUMSTATS_QC), loci, status, credible_sets (both of the functional prior), uniform_sets, verdict,
    head_metrics and fst (PANEL_FST, empty without a panel); versions: of `software_versions`.
    """

    study: str
    sumstats_format: str
    source: Mapping[str, str]
    settings: Settings
    versions: Mapping[str, str]
    qc: pd.DataFrame
    loci: pd.DataFrame
    status: pd.DataFrame
    credible_sets: pd.DataFrame
    uniform_sets: pd.DataFrame
    verdict: pd.DataFrame
    head_metrics: pd.DataFrame
    fst: pd.DataFrame


class _Cited:
    """Numbers references in the order in which they are cited."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, *keys: str) -> str:
        self.keys += [key for key in keys if key not in self.keys]
        return "[" + ", ".join(str(self.keys.index(key) + 1) for key in keys) + "]"


def methods_page(facts: StudyFacts) -> str:
    """Write the methods as Markdown; the same facts give the same text."""
    cite = _Cited()
    version, snakemake = facts.versions["fineprior"], facts.versions.get("snakemake", "")
    parts = [section(facts, cite) for section in (_data, _loci, _sequence, _prior, _finemapping)]
    parts.append(
        f"Analyses were run with fineprior {version} and Snakemake {snakemake} {cite('snakemake')}; the random seed "
        f"was {facts.settings.seed}."
    )
    references = [f"{number}. {CITATIONS[key]}" for number, key in enumerate(cite.keys, start=1)]
    return "\n\n".join([f"# Methods: {facts.study}", *parts, "## References", "\n".join(references)]) + "\n"


def _data(facts: StudyFacts, cite: _Cited) -> str:
    rules, genome, source = facts.settings.harmonise, facts.settings.genome, facts.source
    kept = facts.qc.loc[facts.qc["outcome"] == "kept", "rows"].sum()
    dropped = facts.qc.loc[facts.qc["outcome"] == "dropped", "rows"].sum()
    if source.get("genotypes"):
        origin = (
            "Summary statistics were computed from the study's own genotypes by regression of the phenotype on each"
        )
        origin += " variant" + (" with covariates." if source.get("covariates") else " without covariates.")
    else:
        kind = "with its own column names" if facts.sumstats_format == OWN_COLUMNS else facts.sumstats_format
        kind = f"GWAS-SSF {cite('ssf')}" if facts.sumstats_format == "gwas-ssf" else kind
        origin = f"Summary statistics ({kind}) were taken as published."
    if source.get("chain"):
        origin += f" Positions were lifted from {source['build']} to {genome.build}."
    frequencies = {
        "frequency": "palindromic variants were oriented by frequency where the minor allele frequency was at most "
        f"{rules.palindromic_max_maf:g} and excluded otherwise",
        "drop": "palindromic variants were excluded",
        "trust": "palindromic variants were assumed to be on the forward strand",
        "keep": "palindromic variants were kept unchanged",
    }[rules.palindromic]
    return (
        f"{origin} Alleles were matched to the reference genome ({genome.build}) and to the variants with LD; "
        f"{frequencies}; variants with a minor allele frequency below {rules.min_maf:g} or an imputation quality below "
        f"{rules.min_info:g}, where these were known, were excluded. Of {kept + dropped:,} rows, {kept:,} were kept."
    )


def _loci(facts: StudyFacts, cite: _Cited) -> str:
    rules, loci = facts.settings.loci, facts.loci
    sources = set(loci["source"])
    how = {
        "window": f"windows of {rules.flank:,} bp on each side of variants with P ≤ {rules.p_threshold:g}, at most "
        f"{rules.max_width:,} bp wide",
        "block": f"blocks of LD with a variant of P ≤ {rules.p_threshold:g}",
        "bed": "regions given by the user",
    }
    what = " or ".join(how[source] for source in sorted(sources)) or how["window"]
    text = f"Loci were {what}: {_count(len(loci), 'locus', 'loci')} with {loci['variants'].sum():,} variants."
    if "bed" not in sources and rules.exclude != "none" and plain_build(facts.settings.genome.build) in _HUMAN:
        text += " The MHC" + (" and regions of long-range LD were" if rules.exclude == "long_range" else " was")
        text += " excluded."
    panel_sizes = facts.status["panel_size"].dropna()
    source = facts.source
    if source.get("genotypes"):
        return f"{text} LD was that of the study's own genotypes."
    of = f" of {int(panel_sizes.iloc[0]):,} samples" if len(panel_sizes) else ""
    if source.get("ld"):
        return f"{text} LD was taken from precomputed matrices{of}."
    return f"{text} LD was computed from a reference panel{of}.{_fst(facts.fst, cite)}"


def _fst(table: pd.DataFrame, cite: _Cited) -> str:
    """The sentence on the population of the panel, where it is known."""
    known = table[table["state"] == "known"]
    if known.empty:
        return ""
    one = known.iloc[0]
    value, low, high = percents(one["fst"], one["fst_error"])
    unused = "" if _usable(table) is not None else " This is too uncertain, and fits did not use it."
    return (
        f" By the allele frequencies of {one['variants']:,} variants it differed from the GWAS by an F_ST (Hudson's "
        f"{cite('fst')}) of {value}% (95% interval {low} to {high}).{unused}"
    )


def _usable(table: pd.DataFrame) -> float | None:
    """F_ST as fits took it, by the row of PANEL_FST; None when they took none."""
    known = table[table["state"] == "known"]
    return None if known.empty else usable_fst((float(known["fst"].iloc[0]), float(known["fst_error"].iloc[0])))


def _sequence(facts: StudyFacts, cite: _Cited) -> str:
    backbone, windows = facts.settings.backbone, facts.settings.windows
    if backbone.weights.rstrip("/").endswith(SHIPPED_BACKBONE):
        name = (
            "the small demonstration backbone that comes with fineprior (trained on JASPAR motifs "
            f"{cite('jaspar')} and regulatory elements; it is not Enformer) in the architecture of Enformer "
            f"{cite('enformer')}"
        )
    else:
        revision = f", revision {backbone.revision}" if backbone.revision else ""
        weights = f"weights: {backbone.weights}{revision}"
        name = f"a frozen backbone in the architecture of Enformer {cite('enformer')} ({weights})"
    test = facts.head_metrics[facts.head_metrics["split"] == "test"]
    quality = ""
    if len(test):
        quality = f" (mean Pearson correlation over held-out regions {test['pearson_r'].mean():.2f})"
    strands = "averaged over both strands" if windows.reverse_complement else "of the forward strand"
    return (
        f"A linear head for {_count(test['track'].nunique(), 'track', 'tracks')} was trained on {name}{quality}. "
        f"Both alleles of each variant were scored in a window of {backbone.context_length:,} bp, {strands}: the "
        "score is the L2 norm over tracks of the log2 ratios of the predictions, over the "
        f"{windows.centre_bins} bins at the variant."
    )


def _prior(facts: StudyFacts, cite: _Cited) -> str:
    verdict, rules = facts.verdict.iloc[0], facts.settings.priors
    estimate = (
        "The enrichment of causal variants in the scores was estimated by penalised maximum likelihood from "
        f"approximate Bayes factors {cite('abf')}, with one chromosome held out at a time"
    )
    if not verdict["weight"] > 0:
        return f"{estimate}; the held-out data did not support a functional prior, and the prior was uniform."
    return (
        f"{estimate} (log odds for one standard deviation {verdict['log_enrichment']:.2f}, 95% interval "
        f"{verdict['lower']:.2f} to {verdict['upper']:.2f}; gain in log10 likelihood on held-out chromosomes "
        f"{verdict['held_out_gain']:.1f}). Prior causal probabilities were proportional to the resulting odds, as in "
        f"functionally informed fine-mapping {cite('polyfun')}, mixed with a uniform prior (weight of the "
        f"functional part {verdict['weight']:.2f}), and capped at a ratio of {rules.max_ratio:g}."
    )


def _finemapping(facts: StudyFacts, cite: _Cited) -> str:
    rules = facts.settings.finemap
    model = f"SuSiE-inf {cite('susie_inf')}" if rules.model == "susie_inf" else f"SuSiE {cite('susie', 'susie_rss')}"
    variance = "estimated" if rules.estimate_prior_variance else f"fixed at {rules.scaled_prior_variance:g}"
    sets, uniform = main_sets(facts.credible_sets), main_sets(facts.uniform_sets)
    outcomes = facts.status["status"].value_counts().sort_index()
    counted = ", ".join(f"{count} {name}" for name, count in outcomes.items())
    text = (
        f"Each locus was fine-mapped with {model} from z-scores, with at most {rules.max_effects} effects, the prior "
        f"variance of effects {variance}, {rules.coverage:.0%} credible sets and a purity (smallest |r|) of at least "
        f"{rules.min_purity:g}. {_of_ld(rules, facts.fst)} {_of_posterior(rules, facts.status)}"
        f"Outcome of the loci: {counted}. There were {_count(len(sets), 'credible set', 'credible sets')}"
    )
    if len(sets):
        text += f" with a median of {sets['variants'].median():g} variants"
    return f"{text}; with a uniform prior there were {len(uniform)}.{_genes(facts, cite)}"


def _genes(facts: StudyFacts, cite: _Cited) -> str:
    path = facts.settings.genome.genes
    if not path:
        return ""
    return (
        f" Genes and transcripts were those of {Path(path).name}; the consequence of a variant is the most severe "
        f"one in any transcript, in Ensembl's order {cite('vep')}."
    )


def _of_posterior(rules: FinemapSettings, status: pd.DataFrame) -> str:
    searched = int((status["posterior"] == "search").sum())
    if not searched:
        return ""
    return (
        f"Posterior inclusion probabilities and credible sets of {_count(searched, 'locus', 'loci')} were then "
        "obtained by a search that sums the posterior over the configurations of causal variants that it finds, with a "
        f"Poisson prior on their number (mean {rules.mean_causal:g}, at most {rules.max_effects}) and effects of one "
        "variance, the mean over those that SuSiE found and one of a genome-wide hit. "
    )


def _of_ld(rules: FinemapSettings, fst: pd.DataFrame) -> str:
    drift = _usable(fst) if rules.ld == "panel" else None
    if drift is not None and drift > rules.max_fst:
        return (
            f"As the F_ST was above {rules.max_fst:.2g}, LD of the panel was not used, and a single effect was fitted "
            "for each locus."
        )
    if rules.ld == "none":
        return "LD was not used: a single effect was fitted for each locus."
    if rules.ld == "in_sample":
        text = "LD was that of the GWAS itself."
    elif rules.model == "susie_inf":
        text = "LD was that of a reference panel."
    else:
        text = "LD was that of a reference panel, and the fit allowed for the sampling error of the panel"
        sources = (("F_ST", drift is not None), ("z-scores", rules.estimate_drift))
        by = " and ".join(name for name, there in sources if there)
        text += f" and for drift between the populations, by {by}." if by else "."
    if rules.allele_switches == "exclude":
        text += " Variants whose z-scores had the wrong sign for their LD were excluded."
    if rules.fallback:
        text += " Where LD and z-scores contradicted each other, a single effect was fitted without LD."
    return text


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
