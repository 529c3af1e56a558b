"""Settings of each stage, as frozen dataclasses: type, default, unit, range and meaning of every key of config.yaml.

This is the one place where a setting stands. The JSON schema that a config is checked against, config/README.md and
the options of the command line are made from it (`project.schemas`, `project.dictionary`, `cli`).

Snakemake compares parameters by their `repr`, so what enters a rule is `as_params(<one of these>)`: a dict of plain
values in a fixed order, with defaults filled in and floats coerced.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from fineprior.project.data_settings import GenomeSettings, HarmoniseSettings, LdSettings, LociSettings
from fineprior.project.model_settings import (
    FEWEST_FOLDS,
    TUNING_MODES,
    BackboneSettings,
    EvaluationSettings,
    HeadSettings,
    LabelSettings,
    MaskedSettings,
    ScoreSettings,
    TrackSettings,
    WindowSettings,
)
from fineprior.project.schemas import setting

__all__ = [
    "FEWEST_FOLDS",
    "TUNING_MODES",
    "BackboneSettings",
    "CalibrateSettings",
    "EmbeddedSettings",
    "EvaluationSettings",
    "FinemapSettings",
    "GenomeSettings",
    "HarmoniseSettings",
    "HeadSettings",
    "LabelSettings",
    "LdSettings",
    "LociSettings",
    "MaskedSettings",
    "PriorSettings",
    "ReportSettings",
    "ScoreSettings",
    "Settings",
    "TrackSettings",
    "WindowSettings",
    "as_params",
    "from_dict",
]


@dataclass(frozen=True)
class PriorSettings:
    """Where the functional prior comes from, and how strong it may be."""

    source: str = setting(
        "enrichment",
        "What the functional prior is made of.",
        choices={
            "enrichment": "scores and annotations, weighted by their enrichment at this study's signals",
            "heritability": "per-SNP heritabilities",
            "supervised": "calibrated probabilities of a classifier",
            "given": "a column of a file of yours",
        },
    )
    scores: str = setting(
        "score",
        "The head's scores in the enrichment.",
        choices={"score": "one number over all its tracks", "tracks": "a number for each track"},
    )
    annotations: str = setting("", "Sheet of further annotations, with the columns name, kind, path and column.")
    controls: list[str] = setting(
        [],
        "Annotations of the sheet that each make a prior of their own, such as distance to TSS, overlap with a track, "
        "or scores of the base model. The prior has the annotation's name. They are no part of the functional prior.",
    )
    given: str = setting(
        "",
        "File of the source `given`: a table or parquet with chromosome, position and alleles (PolyFun's snpvar files "
        "as they are), or HDF5 with chr, pos, ref, alt and SAD. `*` stands for several files.",
    )
    given_column: str = setting(
        "",
        "Column of `given`. The default is the only one that is no position or allele. For HDF5 it is numbers of "
        "targets.",
    )
    given_as: str = setting(
        "prior",
        "What `given` holds.",
        choices={"prior": "weights that the prior is proportional to", "score": "a score for the enrichment"},
    )
    supervised: str = setting(
        "",
        "File of the source `supervised`, with variant_id and probability, and optionally training_rate. By default "
        "the head on labelled variants (`labels.variants`) predicts the probabilities.",
    )
    training_rate: float = setting(
        0.0,
        "Share of positives in the classifier's training data. 0 takes the column training_rate of the file.",
        at_least=0,
        below=1,
    )
    heritability_annotations: str = setting(
        "",
        "Files of annotations of the source `heritability`, PolyFun's or LDSC's (.annot.parquet, .annot.gz), one for "
        "each chromosome. {chrom} stands for the name of the chromosome.",
    )
    heritability_ld_scores: str = setting(
        "",
        "Files of LD scores of these annotations (.l2.ldscore.parquet, .l2.ldscore.gz; .l2.M beside them), with "
        "{chrom}. By default they are computed from the study's panel.",
    )
    heritability_weights: str = setting(
        "",
        "Files of LD scores that weight the regression, with {chrom}. By default these are the column L2 or base of "
        "the LD scores.",
    )
    heritability_bins: int = setting(
        20,
        "Largest number of bins of per-SNP heritability whose own heritability is estimated again (this needs a "
        "panel). 0 uses the penalised estimate itself.",
        at_least=0,
        at_most=100,
    )
    causal_per_locus: float = setting(
        1.8,
        "Expected number of causal variants in a locus. Divided by the number of its variants, it is the base rate "
        "that probabilities are moved to.",
        above=0,
    )
    rounds: int = setting(
        2,
        "Largest number of times that loci with several signals are fitted again under the prior, and the enrichment "
        "is estimated from these fits.",
        at_least=0,
        at_most=20,
    )
    ridge: float = setting(
        0.0,
        "Penalty on the squared log enrichment of a standardised score. 0 chooses it from 1, 10, 100 and 1000 by "
        "held-out likelihood.",
        at_least=0,
    )
    max_ratio: float = setting(
        100.0,
        "Largest ratio of two prior probabilities within a locus, 1 or more, before the uniform prior is mixed in. 0 "
        "sets no limit.",
        at_least=0,
    )
    uniform_weight: float = setting(0.05, "Share of the uniform prior in the functional one.", at_least=0, at_most=1)
    effect_variance: float = setting(
        0.0,
        "Prior variance of an effect in marginal Bayes factors (the first row of prior_steps), such as 0.04 for log "
        "odds ratios. 0 averages over 1, 4, 16 and 25 times the squared standard error.",
        unit="squared units of beta",
        at_least=0,
    )


@dataclass(frozen=True)
class FinemapSettings:
    """SuSiE-RSS, with susieR's defaults, and the search that follows it on LD of the GWAS itself."""

    max_effects: int = setting(10, "Largest number of causal variants in a locus (L).", at_least=1)
    coverage: float = setting(0.95, "Coverage of a credible set.", above=0, below=1)
    further_coverage: float = setting(
        0.99,
        "Coverage of a second credible set for each effect that has one. 0 makes no second set.",
        at_least=0,
        below=1,
    )
    extend_r: float = setting(
        0.0,
        "|r| with a variant of a credible set above which another variant is listed as a partner of the set, such as "
        "0.99. 0 lists no partners.",
        at_least=0,
        below=1,
    )
    min_purity: float = setting(0.5, "Smallest |r| between two variants of a credible set.", at_least=0, at_most=1)
    posterior: str = setting(
        "search",
        "Where PIPs and credible sets come from. Fits of susie_inf and of one effect without LD are never searched.",
        choices={
            "search": "a search that weighs several modes, on LD of the GWAS sample itself; SuSiE on other LD",
            "search_panel": "the search also on LD of a panel of the same population (F_ST up to 0.05%); takes longer",
            "susie": "SuSiE, which reports one mode",
        },
    )
    mean_causal: float = setting(
        1.0,
        "Mean of the Poisson prior of the number of causal variants in a locus (posterior: search).",
        above=0,
    )
    scaled_prior_variance: float = setting(
        0.2,
        "Prior variance of an effect, divided by the variance of the trait. Where it is estimated, this is the start.",
        above=0,
    )
    estimate_prior_variance: bool = setting(True, "Estimate the prior variance of each effect.")
    prior_variance_method: str = setting(
        "optim", "Method that estimates the prior variance, as in susieR.", choices=("optim", "EM", "simple")
    )
    estimate_residual_variance: bool = setting(
        False, "Estimate the residual variance. Use it only with LD of the GWAS sample itself."
    )
    max_iterations: int = setting(100, "Largest number of iterations.", at_least=1)
    tolerance: float = setting(
        1e-4, "Increase of the evidence lower bound (ELBO) below which the fit has converged.", above=0
    )
    L_greedy: int = setting(
        0,
        "Number of effects that SuSiE starts with. As many more are added, up to max_effects, while every effect makes "
        "a credible set. 0 starts with max_effects.",
        at_least=0,
    )
    refine: bool = setting(
        False,
        "Refine the fit of SuSiE from where each credible set is forbidden. Use it only with LD of the GWAS sample "
        "itself.",
    )
    null_weight: float = setting(0.0, "Prior weight of no variant in each effect of SuSiE.", at_least=0, below=1)
    z_method: str = setting(
        "wald",
        "Test that z is of.",
        choices={"wald": "beta / se", "score": "a score statistic"},
    )
    model: str = setting(
        "susie",
        "Model of the effects.",
        choices={
            "susie": "SuSiE",
            "susie_inf": "SuSiE with infinitesimal effects, in place of the error of the panel",
        },
    )
    ld: str = setting(
        "panel",
        "Source of the LD.",
        choices={
            "panel": "a reference panel",
            "in_sample": "the GWAS sample itself",
            "none": "no LD, which allows one effect per locus",
        },
    )
    panel_size: int = setting(
        0, "Number of samples in the panel. 0 takes it from the LD file.", unit="samples", at_least=0
    )
    estimate_drift: bool = setting(
        True, "Estimate for each locus, from its z, how far the panel is from the GWAS beyond their F_ST."
    )
    allele_switches: str = setting(
        "exclude",
        "Treatment of variants whose z has the wrong sign for their LD.",
        choices={"exclude": "they are excluded from the fit", "keep": "they are fitted like the others"},
    )
    min_set_z: float = setting(2.0, "Smallest |z| of the lead variant of a credible set (LD of a panel).", at_least=0)
    min_own_share: float = setting(
        0.5,
        "Smallest |z| of the lead variant of a credible set, as a share of its |z| after the other effects are "
        "subtracted (LD of a panel whose F_ST from the GWAS is not known).",
        at_least=0,
        at_most=1,
    )
    max_inconsistency: float = setting(
        0.5,
        "Largest inconsistency of z and LD (s_scaled) at which LD is used. It is 0 when z and R are consistent and 1 "
        "when they have nothing in common.",
        at_least=0,
        at_most=1,
    )
    max_fst: float = setting(
        0.05,
        "Largest F_ST between panel and GWAS, by their allele frequencies, at which LD of the panel is used. 1 uses it "
        "always.",
        above=0,
        at_most=1,
    )
    fallback: bool = setting(
        True, "Fit one effect without LD where the LD cannot be used. Otherwise such a locus fails."
    )
    min_variants: int = setting(
        10,
        "Number of fitted variants below which a locus gets a remark. A locus of one variant is `incomplete`, and so "
        "is one that is below both this number and `min_fitted`.",
        unit="variants",
        at_least=0,
    )
    min_fitted: float = setting(
        0.5,
        "Share of the GWAS's rows in the window that were fitted, below which a locus gets a remark.",
        at_least=0,
        at_most=1,
    )
    min_density: float = setting(
        1.0,
        "Density of fitted variants in the window below which a locus gets a remark. Arrays and HapMap3 have 0.2 to "
        "0.5, imputed data 2 and more.",
        unit="variants per 1000 bp",
        at_least=0,
    )
    max_empty: float = setting(
        0.1,
        "Share of the window without any variant, at an end or between neighbours, above which a locus gets a remark. "
        "0 turns these remarks off.",
        at_least=0,
        at_most=1,
    )


@dataclass(frozen=True)
class CalibrateSettings:
    """Studies simulated on a study's own LD and scores, to test whether the claims of its prior hold.

    They are made on demand, by `fineprior calibrate` or as results/{study}/calibrate/summary.tsv.
    """

    scenarios: list[str] = setting(
        ["enrichment_1", "enrichment_3", "enrichment_10", "enrichment_30", "inverted", "noise"],
        "How scores and causal variants are related. enrichment_<times>: a variant in the top tenth of the scores is "
        "that many times likelier causal; inverted: one in the lowest tenth is ten times likelier; noise: the prior "
        "gets meaningless scores.",
        pattern="^(enrichment_[0-9]+([.][0-9]+)?|inverted|noise)$",
        unique=True,
    )
    replicates: int = setting(
        10,
        "Number of studies simulated for each scenario and question. Each has all loci of the study.",
        at_least=1,
    )
    heritability: float = setting(
        0.0,
        "Share of the trait's variance that the causal variants of all loci explain together. 0 takes the share that "
        "the lead variants of the study's own GWAS explain.",
        at_least=0,
        below=1,
    )
    max_causal: int = setting(
        3, "Largest number of causal variants in a locus. Each number from 1 on is equally likely.", at_least=1
    )
    ld: list[str] = setting(
        ["in_sample", "panel"],
        "LD that simulated studies are fine-mapped with, each a question of its own. A study whose LD is not that of a "
        "panel is asked in_sample only.",
        choices={
            "in_sample": "the LD that they are simulated on, as with the LD of the GWAS itself",
            "panel": "that of a panel drawn anew, of the size of the study's panel and with its F_ST from the GWAS",
            "undrifted_panel": "the same without F_ST, which tells the error of the panel's size from that of drift",
        },
        unique=True,
    )
    fst: float = setting(
        0.0,
        "F_ST (Hudson) between GWAS and panel in the question panel, from 0.0001 on. 0 takes the study's own, and none "
        "where that is not known or smaller.",
        at_least=0,
        below=0.2,
    )

    def questions(self, ld: str) -> list[str]:
        """Those of `ld` that make sense for a study that is fine-mapped with this `finemap.ld`."""
        return [one for one in dict.fromkeys(self.ld) if one == "in_sample" or ld == "panel"]


@dataclass(frozen=True)
class ReportSettings:
    """The report page."""

    max_locus_plots: int = setting(200, "Largest number of locus plots on the page.", at_least=0)


@dataclass(frozen=True)
class EmbeddedSettings:
    """The simulated study that config.yaml comes with. These settings have no meaning for other studies."""

    chromosomes: int = setting(4, "Number of chromosomes.", at_least=4)
    chromosome_length: int = setting(3_000_000, "Length of a chromosome.", unit="bp", at_least=60_000)
    panel_size: int = setting(500, "Number of samples in the reference panel.", unit="samples", at_least=20)
    gwas_size: int = setting(12_000, "Number of samples in the GWAS.", unit="samples", at_least=50)
    causal_loci: int = setting(52, "Number of loci with causal variants (1 to 3 each).", at_least=1)
    heritability: float = setting(
        0.5, "Share of the variance of the liability that the causal variants explain.", above=0, below=1
    )
    enrichment: float = setting(
        10.0, "How many times likelier a variant that changes the disease tracks is causal.", at_least=1
    )
    disease_tracks: int = setting(3, "Number of disease tracks.", at_least=1)


@dataclass(frozen=True)
class Settings:
    """config.yaml. Every key has a default unless it is listed as required."""

    studies: str = setting("config/studies.tsv", "Sheet of studies, one row each.")
    tracks: str = setting("config/tracks.tsv", "Sheet of tracks, one row each.")
    regions: str = setting(
        "",
        "BED file of training windows, with a fourth column train, valid or test. Each is as long as "
        "backbone.context_length. A head is trained on their central backbone.target_bins bins.",
        required=True,
    )
    store: str = setting(
        "results/store",
        "Folder of finished embeddings. Projects can share one. Moving it reruns nothing, and deleting it loses no "
        "result.",
        min_length=1,
    )
    seed: int = setting(1, "Seed of everything random: simulation, training, shuffling.", at_least=0)
    columns: dict[str, dict[str, str]] = setting(
        {},
        "Formats of summary statistics of your own. Each has a name, for the column `format` of studies.tsv, and the "
        "names of your columns under those of GWAS-SSF, as in `my_format: {effect_allele: A1, other_allele: A2, ...}`.",
    )
    exports: list[str] = setting(
        [],
        "Further formats of each study's results, in results/{study}/export/ (docs/outputs.md).",
        choices=("bed", "flames", "open_targets", "polyfun", "ssf"),
        unique=True,
    )
    genome: GenomeSettings = field(default_factory=GenomeSettings)
    harmonise: HarmoniseSettings = field(default_factory=HarmoniseSettings)
    loci: LociSettings = field(default_factory=LociSettings)
    ld: LdSettings = field(default_factory=LdSettings)
    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    windows: WindowSettings = field(default_factory=WindowSettings)
    targets: TrackSettings = field(default_factory=TrackSettings)
    head: HeadSettings = field(default_factory=HeadSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    scores: ScoreSettings = field(default_factory=ScoreSettings)
    priors: PriorSettings = field(default_factory=PriorSettings)
    finemap: FinemapSettings = field(default_factory=FinemapSettings)
    calibrate: CalibrateSettings = field(default_factory=CalibrateSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    embedded: EmbeddedSettings = field(default_factory=EmbeddedSettings)
    labels: LabelSettings = field(default_factory=LabelSettings)
    masked: MaskedSettings = field(default_factory=MaskedSettings)


def from_dict(cls: type, values: dict[str, Any]) -> Any:
    """Build a settings dataclass from values that fit its schema; a whole number becomes a float where one is due."""
    types = get_type_hints(cls)
    built: dict[str, Any] = {}
    for name, value in values.items():
        kind = types[name]
        if dataclasses.is_dataclass(kind):
            built[name] = from_dict(kind, value)  # type: ignore[arg-type]
        elif isinstance(value, dict):
            # Plain dicts, whatever Snakemake made of them, for their `repr`.
            built[name] = {key: dict(inner) for key, inner in value.items()}
        else:
            built[name] = float(value) if kind is float else value
    return cls(**built)


def as_params(settings: Any) -> dict[str, Any]:
    """A settings dataclass as the dict that a rule's `params` carries."""
    return dataclasses.asdict(settings)
