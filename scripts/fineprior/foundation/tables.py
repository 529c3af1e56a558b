"""Every table that fineprior writes or reads back: its columns, their types, units and meaning.

All are found here; those of a study's data, of heads and of `fineprior calibrate` are defined in modules of their own.
`docs/outputs.md` lists exactly these columns.
"""

from collections.abc import Iterator

import pandas as pd

from fineprior.foundation import calibrate_tables, head_tables, study_tables
from fineprior.foundation.head_tables import *  # noqa: F403 (for those who look for a table here)
from fineprior.foundation.study_tables import *  # noqa: F403
from fineprior.foundation.study_tables import VARIANT
from fineprior.foundation.table import Table, define

SCORES = define(
    "scores",
    "What the head says of each variant of a batch.",
    "locus | text | name of the locus"
    + VARIANT
    + """
    status | text | scored; screened (expected to be small, score 0); or why not: too_long, not_acgt (an allele), \
unknown_base (in the FASTA), all_n (the window)
    score | number | magnitude that priors use: L2 norm of `scores.magnitude` over the tracks that the head predicts \
well enough (`evaluation.min_r`); NA when not scored""",
    open_ended="for each track, over the centre bins: `<track>.l2`, L2 norm of log2((alt + 1) / (ref + 1)), not of "
    "tracks that are predicted less well; signed, "
    "`<track>.sad`, sum of alt - ref, `<track>.log_sum`, sum of the log2 ratios, `<track>.central`, mean of alt - ref "
    "in the `scores.central_bins` central bins, `<track>.max`, alt - ref where it is largest in magnitude",
)

VARIANT_SCORES = define(
    "variant_scores",
    "The scores of all variants of a study, beside those of common variants.",
    "locus | text | name of the locus"
    + VARIANT
    + """
    status | text | as in scores
    score | number | as in scores
    quantile | number | share of the study's common variants that have a smaller score (ties count half)
    common | flag | whether the variant is one of them: scored, and frequent enough (`scores.background_maf`)""",
    open_ended="`pc1`, ...: principal components of the tracks' `sad`, signed; `<track>.quantile`: as quantile, of the "
    "magnitude of the track's `scores.magnitude`",
)

WINDOW_COMPARISON = define(
    "window_comparison",
    "Scores in windows that variants share beside those in centred ones, of a sample; only with `windows.max_offset`.",
    """
    variant_id | text | chrom:pos:ref:alt
    offset | integer | bases between the variant and the middle of the window that it shares; negative: left of it
    score_shared | number | as in scores
    score_centred | number | the same with the variant in the middle of its window""",
)

ANNOTATIONS = define(
    "annotations",
    "Annotations of the variants of a batch; only where the config asks for any.",
    """
    locus | text | name of the locus
    variant_id | text | chrom:pos:ref:alt""",
    open_ended="one for each annotation, by its name, as in its file (tss: distance in base pairs), NA where it has no "
    "value; `given`, `probability` (at its training rate, `training_rate`) or `heritability`, the value of the source",
)

HERITABILITY_COEFFICIENTS = define(
    "heritability_coefficients",
    "Coefficients of the stratified LD-score regression; only for the source heritability.",
    """
    step | text | penalised (on annotations), or bins (non-negative, on bins of the penalised heritability)
    left_out | text | chromosome that the row is used for, and whose GWAS it has not seen
    annotation | text | annotation, or bin (bin_1 the lowest)
    coefficient | number | tau: per-SNP heritability for one unit of the annotation
    size | number | sum of the annotation over all annotated variants (of a bin: variants of it on the chromosome)
    share | number | share of the heritability of these variants that the annotated ones have; NA when it is 0 or less
    enrichment | number | share over the annotation's share of the variants""",
)

HERITABILITY = define(
    "heritability",
    "Per-SNP heritabilities of the variants of loci, each from other chromosomes; only for the source heritability.",
    """
    variant_id | text | chrom:pos:ref:alt
    chrom | text | chromosome, as the FASTA names it
    pos | integer | position, 1-based
    heritability | number | the prior is proportional to it; at least the chromosome's largest / max_ratio; NA: unknown
    penalised | number | from the penalised regression alone; may be below 0; NA without annotations
    bin | number | bin, 1 the lowest; NA where bins are not used""",
)

ENRICHMENT = define(
    "enrichment",
    "What each prior is worth, leaving out one chromosome at a time; all but weight and reason is of the others.",
    """
    prior | text | functional, or the name of a control
    left_out | text | chromosome that the row is used for, and whose GWAS it has not seen; none: all chromosomes
    loci | integer | loci with signals that it rests on
    signals | integer | signals in them
    ridge | number | penalty, chosen by leaving out parts of these chromosomes
    rounds | integer | times that loci were fitted again under the prior
    log_enrichment | number | log ratio of prior odds for one standard deviation of the log odds, on parts left out
    lower | number | lower end of its 95% bootstrap interval over loci
    upper | number | upper end
    weight | number | share of the functional part in the prior, one for the study: 0 means uniform
    reason | text | why the weight is 0; NA when it is not
    held_out_gain | number | log10 likelihood gained over uniform on the chromosome left out, as used; NA for none""",
)

COEFFICIENTS = define(
    "coefficients",
    "Coefficients of the log prior odds: sum over features of log_enrichment times (t - mean) / sd.",
    """
    prior | text | functional, or the name of a control
    left_out | text | chromosome that the estimate is used for, and whose GWAS it has not seen; none: all loci
    feature | text | score, track or annotation; prior: the log of the source's own value
    kind | text | score: t = |v| / (|v| + scale); ramp: t = v^4 / (v^4 + scale^4), of the same column; value: t = v; \
distance: t = 1 / (1 + v / 10 kb); log: t = log v
    scale | number | ninth decile of the positive values of the study, for kind score; quantile .75, .9 or .97 for ramp
    mean | number | mean of t over the study's variants
    sd | number | its standard deviation; 0: does not vary, and is not used
    log_enrichment | number | log ratio of prior odds for one standard deviation of t
    standard_error | number | its standard error: bootstrap over loci for none, curvature of the likelihood else""",
)

PRIOR_STEPS = define(
    "prior_steps",
    "What each step of the enrichment bought, on chromosomes left out; all are judged by the uniform fits' signals.",
    """
    step | text | marginal (one signal a locus, from z), signals (SuSiE's), annotations (added), shaped (scores with \
ramps), iterated (fitted again)
    features | integer | scores and annotations in it
    signals | integer | signals that it was estimated on
    weight | number | share of the functional part, one for the study
    held_out_gain | number | log10 likelihood gained over uniform, as used
    unmixed_gain | number | the same with weight 1 everywhere
    difference | number | held_out_gain less that of signals (annotations where there are any) or shaped, the larger one
    difference_error | number | its standard error over signals; only a larger difference changes the step used
    used | flag | whether it is the functional prior""",
)

VERDICT = define(
    "verdict",
    "What the annotation is worth for this study.",
    """
    prior | text | functional, or the name of a control
    log_enrichment | number | log ratio of prior odds for one SD of the log odds, on chromosomes left out
    lower | number | lower end of its 95% bootstrap interval over loci
    upper | number | upper end
    weight | number | share of the functional part in the prior, one for the study: 0 means uniform
    held_out_gain | number | sum over chromosomes of the log10 likelihood gained when left out, with the prior as used
    unmixed_gain | number | the same with weight 1 everywhere
    shuffled_gain | number | as held_out_gain with the log odds shuffled within locus and bin of MAF and LD, mean of ten
    top_decile_ratio | number | mean prior odds of the top tenth of variants over that of the rest, before capping
    loci | integer | loci with signals
    signals | integer | signals in them
    sentence | text | the verdict in words""",
)

PRIOR = define(
    "prior",
    "Prior causal probabilities of the variants of a batch; they sum to 1 within a locus.",
    """
    locus | text | name of the locus
    variant_id | text | chrom:pos:ref:alt
    score | number | first feature's value (for the shuffled prior: after shuffling); NA when missing or uniform
    log_odds | number | log prior odds up to a constant of the locus; 0 when missing or uniform
    softmax | number | probability from the log odds alone, capped
    weight | number | share of that in the prior, the mixture `priors.uniform_weight` included
    prior | number | prior causal probability, given one causal variant in the locus""",
)

FINEMAP_VARIANTS = define(
    "finemap_variants",
    "The fine-mapped variants.",
    "locus | text | name of the locus"
    + VARIANT
    + """
    z | number | z of the GWAS
    neg_log10_p | number | -log10 of the p-value
    r_lead | number | correlation with the variant of the largest |z| in the locus
    prior | number | prior causal probability
    pip | number | posterior inclusion probability; NA when the variant was left out or the locus failed
    pip_credible | number | the same over the effects that have a credible set only
    posterior_mean | number | posterior mean effect of the standardised genotype
    posterior_sd | number | its standard deviation
    credible_set | text | credible set that holds the variant (L1, ...), NA when none
    z_expected | number | z that the other variants and the LD let expect (kriging); NA when LD was not used
    ld_flag | text | switched (z has the wrong sign for its LD), discordant (its twin has another z), no_ld, trimmed""",
)

CREDIBLE_SETS = define(
    "credible_sets",
    "The credible sets, of the main coverage and (`main` is FALSE) of a further one.",
    """
    locus | text | name of the locus
    credible_set | text | number of the effect (L1, ...), as susieR names it
    requested_coverage | number | coverage that was asked for
    main | flag | whether that is `finemap.coverage`: what all counts of sets are about
    variants | integer | variants in the set
    coverage | number | posterior probability that the set holds its effect's causal variant
    min_abs_r | number | smallest |r| between two variants of the set (purity); above 2,000 variants, of 2,000 of them
    mean_abs_r | number | mean |r| between the same variants (above 2,000, of 2,000 evenly spaced ones)
    median_abs_r | number | median |r| between the same variants
    log10_bf | number | log10 Bayes factor of the effect, under the prior of the fit
    lead_variant | text | variant with the largest posterior probability
    lead_pip | number | its PIP
    chrom | text | chromosome
    start | integer | start of the span, 0-based
    end | integer | end of the span, exclusive
    variant_ids | text | variants in decreasing posterior probability, separated by commas
    shared_with | text | sets of the locus, of the same coverage, that share a variant with it; NA when none
    partners | text | further variants, of |r| above `finemap.extend_r` with one of the set; NA when none""",
)

LOCI_STATUS = define(
    "loci_status",
    "How fine-mapping went, locus by locus.",
    """
    locus | text | name of the locus
    status | text | ok, corrected (for the LD), single_effect (one effect, without LD), incomplete (what is \
missing decides the result), no_signal (no set), failed
    reason | text | what was done and why, why there is no set, or what failed; NA when ok
    remarks | text | what else is to be known of z, LD, prior and what the locus does not hold; NA when nothing
    variants | integer | variants of the locus
    left_out | integer | of these, left out because their alleles look switched, or for want of LD
    credible_sets | integer | number of credible sets
    lost_sets | integer | credible sets of SuSiE without corrections that share no variant with one of these
    panel_size | number | people in the panel that LD is of; NA for LD of the GWAS itself, none, or a size not known
    s | number | inconsistency of z and LD: 0 to 1 (null-mle of Zou et al. 2022); NA when LD was not used
    s_scaled | number | the same with the variance of z free, which strong signals leave near 0
    drift | number | estimated drift (lambda) between the populations of panel and GWAS; NA when not estimated
    discordant_pairs | integer | pairs of variants of |r| > 0.95 with z that do not fit to one another
    duplicates | integer | variants with an earlier one of |r| = 1
    iterations | integer | iterations of the fit
    elbo | number | evidence lower bound at the end
    lead_variant | text | variant with the largest |z|
    lead_z | number | its z
    max_pip | number | largest PIP
    gwas_rows | integer | rows of the GWAS in the window (a variant's once), with those that harmonising left out \
where they are known
    fitted | integer | of these, variants that were fitted
    fitted_share | number | their share
    lost_rows | integer | rows in the window that were not fitted
    lost | text | why, `reason:rows` separated by semicolons (reasons of sumstats_qc, or switched, no_ld, trimmed); NA \
when none was lost
    lost_lead | text | of these, the row with the smallest p-value: chrom:pos:other:effect allele as in the source, or \
variant_id; NA when none has one
    lost_neg_log10_p | number | its -log10 p, inf for p = 0
    variants_per_kb | number | fitted variants per 1000 bp of the window; NA without positions
    empty_start | number | bp of the window before its first fitted variant; NA when the window is not known
    empty_end | number | bp after the last one
    largest_gap | number | largest distance (bp) of two neighbouring fitted variants; NA for fewer than two""",
)

COMPARISON = define(
    "comparison",
    "What the prior changed, locus by locus: each prior beside uniform.",
    """
    locus | text | name of the locus
    prior | text | functional, shuffled, or the name of a control
    sets_uniform | integer | credible sets under the uniform prior
    sets | integer | credible sets under this prior
    mean_size_uniform | number | mean number of variants in a set, uniform; NA without sets
    mean_size | number | the same under this prior
    top_variant_uniform | text | variant with the largest PIP, uniform
    top_pip_uniform | number | its PIP
    top_variant | text | variant with the largest PIP under this prior
    top_pip | number | its PIP
    top_prior_ratio | number | its prior over the uniform prior
    max_pip_change | number | largest |change of a PIP| in the locus
    high_pip_uniform | integer | variants with PIP > 0.9, uniform
    high_pip | integer | variants with PIP > 0.9""",
)

TRUTH = define(
    "truth",
    "The simulated truth of the embedded study: its causal variants.",
    VARIANT
    + """
    effect | number | effect of one alternative allele on the liability
    track_effect | number | L2 norm of the true change of the disease tracks
    functional | flag | among the variants that change the disease tracks""",
)

TRUTH_COMPARISON = define(
    "truth_comparison",
    "The three priors against the simulated truth.",
    """
    prior | text | uniform, functional or shuffled
    loci | integer | loci that were fine-mapped
    causal | integer | causal variants in these loci
    sets | integer | credible sets
    coverage | number | share of sets that hold a causal variant
    power | number | share of causal variants in a set
    mean_size | number | mean number of variants in a set
    hits_50 | integer | variants with PIP > 0.5
    false_50 | integer | of these, not causal
    hits_90 | integer | variants with PIP > 0.9
    false_90 | integer | of these, not causal""",
)

CALIBRATION = define(
    "calibration",
    "Claimed against observed: variants by PIP.",
    """
    prior | text | uniform, functional or shuffled
    pip_lower | number | lower end of the bin of PIP
    pip_upper | number | upper end
    variants | integer | variants in the bin
    mean_pip | number | mean claimed PIP
    observed | number | share that is causal
    lower | number | lower end of the 95% (Wilson) interval
    upper | number | upper end""",
)

USED_FILES = define(
    "used_files",
    "The files that a project's results rest on.",
    """
    role | text | weights (of the backbone), genome, regions, tracks, or studies (what their rows name)
    file | text | path, as the config or a sheet has it
    bytes | integer | size
    read | text | whole, or sampled: of a large file its size and 64 pieces of 256 KiB, evenly spaced
    sha256 | text | digest of what was read""",
)

SOFTWARE = define(
    "software",
    "Versions of the environment that Snakemake runs in.",
    """
    package | text | name
    version | text | version, NA when it is not installed there""",
)

RULE_CODE = define(
    "rule_code",
    "The code behind each rule: when the digest is another one, the rule's results may be.",
    """
    rule | text | rule
    digest | text | digest of its step and of all library code that this imports""",
)

MODULE_CODE = define(
    "module_code",
    "The source files of this program: `fineprior explain` says by them which one changed.",
    """
    module | text | place below scripts/fineprior
    digest | text | digest of its content""",
)


def main_sets(credible_sets: pd.DataFrame) -> pd.DataFrame:
    """Rows of CREDIBLE_SETS of the main coverage: each effect once."""
    return credible_sets[credible_sets["main"]].reset_index(drop=True)


def all_tables() -> Iterator[Table]:
    """Every table, in the order of the pipeline."""
    places = (vars(study_tables), vars(head_tables), globals(), vars(calibrate_tables))
    found = (value for place in places for value in place.values() if isinstance(value, Table))
    yield from dict.fromkeys(found)
