"""Every table that fineprior writes or reads back, by stage: its columns, their types, units and meaning.

`docs/outputs.md` lists exactly these columns.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from fineprior.files.table import Table, define

# Summary statistics and loci.

VARIANT = """
variant_id | text | chrom:pos:ref:alt
chrom | text | chromosome, as the FASTA names it
pos | integer | position, 1-based
ref | text | reference allele, as in the FASTA
alt | text | alternative allele; the effect allele of every number"""
"""Columns that say which variant a row is about."""

ASSOCIATION = define(
    "association",
    "Association of each variant of a study's own genotypes with its trait, as GWAS-SSF.",
    """
    chromosome | text | chromosome without `chr`; 23, 24, 25 (as in PLINK) and 26 of the genotypes are X, Y, X and MT
    base_pair_location | integer | position, 1-based
    effect_allele | text | counted allele (A1 of the genotypes)
    other_allele | text | the other allele
    beta | number | effect of one effect allele (log odds ratio for a disease); NA when there is no result
    standard_error | number | its standard error
    effect_allele_frequency | number | frequency of the effect allele in the samples of the regression
    neg_log_10_p_value | number | -log10 of the p-value (t for a quantitative trait, Wald for a disease)
    rsid | text | identifier in the genotypes
    n | integer | samples in the regression
    status | text | ok, or why there is no result: monomorphic, collinear (with covariates), too_few, not_converged""",
)

SUMSTATS = define(
    "sumstats",
    "Harmonised summary statistics of one study, sorted by chromosome (order of the FASTA) and position.",
    VARIANT
    + """
    rsid | text | identifier of the source file, NA when it has none
    beta | number | effect of one alternative allele (log odds ratio for a disease), NA when the source has only z
    se | number | standard error of beta, NA when the source has only z
    z | number | beta / se
    neg_log10_p | number | -log10 of the p-value
    eaf | number | frequency of the alternative allele in the GWAS, NA when the source has none
    n | number | sample size
    panel_af | number | frequency of the alternative allele in the reference panel, NA for LD without frequencies
    panel_index | integer | row of the variant in the panel, from 0
    action | text | how the alleles were matched: kept, swapped, strand, strand_swapped""",
)

SUMSTATS_QC = define(
    "sumstats_qc",
    "What happened to the rows of a study's summary statistics.",
    """
    outcome | text | kept or dropped; `of those kept` counts kept rows again, by what else is true of them
    reason | text | how the alleles were matched, why the row was excluded, or the remark
    rows | integer | number of rows
    significant | integer | of these, rows with p < 5e-8
    meaning | text | the reason in words""",
)

DROPPED = define(
    "dropped",
    "The rows of the summary statistics that were excluded.",
    """
    row | integer | line of the source file, the header being line 1
    chrom | text | chromosome in the source
    pos | text | position in the source
    effect_allele | text | effect allele in the source
    other_allele | text | other allele in the source
    neg_log10_p | number | -log10 of the p-value (of one written as `<2e-16` its bound, of 0 without a z inf), NA when \
the source has none that can be used
    reason | text | why, as in sumstats_qc
    genome_chrom | text | chromosome as the FASTA names it, NA when it has none
    genome_pos | integer | position in the FASTA, 1-based, lifted over where the source is of another build (of \
several places that of the best chain); 0 when there is none""",
)

LIFTOVER = define(
    "liftover",
    "Rows whose position did not go over to the build of the FASTA, or changed its strand; empty without a chain file.",
    """
    row | integer | line of the source file, the header being line 1
    chrom | text | chromosome in the source
    pos | text | position in the source
    outcome | text | not_lifted, lifted_twice, lifted_together or lifted_indel as in sumstats_qc; or lifted_reversed
    target | text | chrom:pos in the new build (of several the one of the best chain), NA when there is none""",
)

PANEL_FST = define(
    "panel_fst",
    "How far the population of the panel is from that of the GWAS, by the allele frequencies of both. One row.",
    """
    state | text | known, or why it is not: copied (the GWAS has the frequencies of the panel), no_frequencies (GWAS \
or panel), few_variants
    fst | number | Hudson's F_ST; below 0 by chance; NA when not known
    fst_error | number | its standard error (jackknife over blocks of the genome); NA when not known
    variants | integer | variants that it is of
    exchanged | integer | variants left out: their frequency in the GWAS is that of the other allele
    blocks | integer | blocks of the jackknife
    panel_size | number | samples in the panel; NA for precomputed LD
    sentence | text | it in words""",
)

LOCI = define(
    "loci",
    "The loci of a study.",
    """
    locus | text | name: chromosome, start, end
    chrom | text | chromosome
    start | integer | start, 0-based
    end | integer | end, exclusive
    lead_variant | text | variant with the largest |z|
    lead_z | number | its z
    lead_neg_log10_p | number | its -log10 p
    variants | integer | harmonised variants in the locus
    batch | integer | batch of loci that it is computed in
    source | text | how it was found: window (around leads), block (of LD), bed (the study's BED file)
    note | text | what was done to it: trimmed to the maximum width, ...; NA when nothing""",
)

EXCLUDED_REGIONS = define(
    "excluded_regions",
    "Where no locus was looked for, and how many significant variants are in no locus therefore.",
    """
    region | text | name of the region; elsewhere: significant variants that no interval of a BED file of loci holds
    chrom | text | chromosome
    start | integer | start, 0-based
    end | integer | end, exclusive
    reason | text | the setting that leaves it out
    variants | integer | harmonised variants in it (elsewhere: significant ones)
    significant | integer | of these, variants with p at or below loci.p_threshold
    lead_variant | text | the most significant of them; NA when there is none
    lead_z | number | its z
    lead_neg_log10_p | number | its -log10 p""",
)

LOST = define(
    "lost",
    "Rows of the summary statistics in the loci of one batch that harmonising excluded, by locus and position; without \
those whose variant is there in another row (duplicate, other_strand), which are not lost.",
    """
    locus | text | name of the locus
    row | integer | line of the source file, the header being line 1
    variant | text | chrom:pos:other:effect allele, as in the source; the place is that in the FASTA
    pos | integer | position, 1-based, in the build of the FASTA
    neg_log10_p | number | as in dropped
    reason | text | as in dropped""",
)


def lost_beside(variants: str | Path) -> Path:
    """Path of LOST beside the LOCUS_VARIANTS of a batch: `0.lost.tsv.gz` beside `0.tsv.gz`."""
    variants = Path(variants)
    start, dot, suffixes = variants.name.partition(".tsv")
    return variants.with_name(f"{start}.lost{dot}{suffixes}")


LOCUS_VARIANTS = define(
    "locus_variants",
    "The variants of one batch of loci, sorted by locus (order of loci.tsv) and position.",
    "locus | text | name of the locus"
    + VARIANT
    + """
    beta | number | as in sumstats
    se | number | as in sumstats
    z | number | as in sumstats
    neg_log10_p | number | as in sumstats
    eaf | number | as in sumstats
    n | number | as in sumstats
    panel_af | number | as in sumstats
    panel_index | integer | as in sumstats""",
)

GENE_OF_VARIANT = """
gene | text | nearest gene; of several that hold the variant that of `transcript`; NA on a contig without genes, or \
without `genome.genes`
gene_distance | number | bp between the variant and that gene, 0 within it
consequence | text | what the variant does to `transcript`: terms of the Sequence Ontology, the most severe first \
(Ensembl's order), joined by &; NA without `genome.genes`
transcript | text | transcript with the most severe consequence (of several the nearest, then the canonical one, then \
that of the longest coding sequence); NA when none is within 5,000 bp"""
"""Columns that say where a variant lies among genes."""

VARIANT_GENES = define(
    "variant_genes",
    "Nearest gene and consequence of each variant of the loci. Only with `genome.genes`.",
    "variant_id | text | chrom:pos:ref:alt" + GENE_OF_VARIANT,
)

LOCUS_GENES = define(
    "locus_genes",
    "Genes that have a base in a locus, in the order of their starts. Only with `genome.genes`.",
    """
    locus | text | name of the locus
    gene | text | name, else id
    gene_id | text | id
    kind | text | type, as the file has it (protein_coding, ...); NA when it has none
    chrom | text | chromosome
    start | integer | start, 0-based
    end | integer | end, exclusive
    strand | text | + or -
    transcript | text | its canonical transcript, else the one of the longest coding sequence; NA when it has none
    exon_starts | text | starts of the exons of that transcript, 0-based, separated by commas; NA when it has none
    exon_ends | text | their ends, exclusive
    coding_start | number | start of its coding sequence, 0-based; NA when it has none
    coding_end | number | its end, exclusive""",
)


# Heads: their training, how good they are, and whether that holds for what they score.

HEAD_METRICS = define(
    "head_metrics",
    "Quality of a head by split: test regions had no part in its training, validation regions decided when it stops.",
    """
    track | text | track
    split | text | train, valid or test
    bins | integer | bins
    pearson_r | number | Pearson correlation of predicted and observed signal over bins
    poisson_loss | number | mean Poisson negative log likelihood
    regions | integer | regions
    pearson_r_regions | number | Pearson correlation over regions (means of their bins)
    r2 | number | 1 - squared error / variance over bins; below 0 where the observed mean is nearer
    auroc | number | area under the ROC curve; this and what follows: NA unless the track has two values, 0 and another
    auprc | number | average precision; a track that says nothing has the share of positive bins
    threshold | number | signal from which on a bin is called positive: the largest F1 on the validation regions
    precision | number | share of called bins that are positive
    recall | number | share of positive bins that are called
    f1 | number | harmonic mean of the two
    true_positive | number | positive bins that are called
    false_positive | number | other bins that are called
    false_negative | number | positive bins that are not called
    true_negative | number | other bins that are not called""",
)


def low_tracks(metrics: pd.DataFrame, min_r: float) -> dict[str, float]:
    """Tracks of HEAD_METRICS whose prediction is too poor to be used, with their r.

    r is Pearson's over the bins of the test regions (of the validation regions, where there are none for testing); one
    that cannot be computed counts as too low.
    """
    split = "test" if (metrics["split"] == "test").any() else "valid"
    held_out = metrics[metrics["split"] == split].set_index("track")["pearson_r"]
    return {str(track): float(r) for track, r in held_out.items() if not r >= min_r}


VARIANT_HEAD_METRICS = define(
    "variant_head_metrics",
    "A head trained on labelled variants, on chromosomes that neither model nor calibration had seen.",
    """
    measure | text | variants, causal, chromosomes, base_rate, auroc, auprc, log_loss, log_loss_base_rate, brier, ...
    value | number | its value""",
)

CAUSAL_PROBABILITIES = define(
    "causal_probabilities",
    "What a head trained on labelled variants says of a study's variants; priors read it as a supervised source.",
    """
    locus | text | name of the locus
    variant_id | text | chrom:pos:ref:alt
    probability | number | calibrated probability of being causal, at the training rate; NA when not scored
    training_rate | number | share of causal variants among the labelled ones""",
)

HEAD_HISTORY = define(
    "head_history",
    "The course of training.",
    """
    epoch | integer | epoch, from 1
    train_loss | number | mean Poisson loss on the training regions
    valid_loss | number | on the validation regions
    valid_pearson_r | number | mean over tracks, validation regions
    best | flag | epoch whose weights were kept""",
)

HEAD_BASELINES = define(
    "head_baselines",
    "A head beside simpler models, on the test regions.",
    """
    model | text | transfer (the head), scratch (small network, random start), kmer_ridge, own_track (of the backbone)
    track | text | track
    pearson_r | number | Pearson correlation over bins of the test regions
    parameters | integer | trained parameters
    pearson_r_regions | number | Pearson correlation over regions (means of their bins)
    r2 | number | as in head_metrics; the backbone's own track is not brought to the scale of the target
    auroc | number | as in head_metrics
    auprc | number | as in head_metrics
    note | text | for own_track: which track matched best on training and validation regions, or why there is none""",
)

LEARNING_CURVE = define(
    "learning_curve",
    "What more training regions gain: the same training on fewer of them, judged on the same test regions.",
    """
    mode | text | mode of training
    regions | integer | training regions; smaller sets are within the larger ones, the last is all
    track | text | track
    pearson_r | number | Pearson correlation over bins of the test regions; NA where so few regions do not do""",
)

HEAD_FOLDS = define(
    "head_folds",
    "Nested cross-validation of modes and penalties; without rows unless `evaluation.folds` asks for it.",
    """
    fold | integer | outer test fold, from 0
    mode | text | mode of training
    l2 | number | penalty
    inner_r | number | mean r (Pearson, over bins, mean over tracks) on the other folds, each held out in turn
    chosen | flag | largest inner_r of the fold
    outer_r | number | of the chosen one, r on the outer test fold, which had no say in the choice; NA for others""",
)

HEAD_SCATTER = define(
    "head_scatter",
    "Observed and predicted signal of some bins of the test regions, drawn at random.",
    """
    track | text | track
    observed | number | observed signal of a bin
    predicted | number | predicted signal""",
)

SHIFT = define(
    "shift",
    "Whether what the head was trained on is like what it scores, in plain words.",
    """
    kind | text | covariate (other sequences), prior (other base rate), concept (the score means something else)
    measure | text | what is compared
    training | number | its value in the training regions, or where the label says so; NA when there is none
    scored | number | its value in the windows of the scored variants
    difference | number | what tells the two apart: see the sentence
    verdict | text | fine, shifted, unknown (cannot be computed), or not applicable
    sentence | text | what that means""",
)


# Scores of variants.

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


# Priors.

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
    "The gain of each prior with one chromosome held out. All columns but weight and reason describe the others.",
    """
    prior | text | functional, or the name of a control
    left_out | text | chromosome that the row is used for, and whose GWAS it has not seen; none: all chromosomes
    loci | integer | loci with signals that it rests on
    signals | integer | signals in them
    ridge | number | penalty, chosen by leaving out parts of these chromosomes
    rounds | integer | times that loci were fitted again under the prior
    log_enrichment | number | log ratio of prior odds for one standard deviation of the log odds, on held-out parts
    lower | number | lower end of its 95% bootstrap interval over loci
    upper | number | upper end
    weight | number | share of the functional part in the prior, one for the study: 0 means uniform
    reason | text | why the weight is 0; NA when it is not
    held_out_gain | number | log10 likelihood gained over uniform on the held-out chromosome, as used; NA for none""",
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
    "The held-out gain of each candidate model. All are judged by the signals of the uniform fits.",
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
    "The held-out gain of each prior in this study, and whether it is used.",
    """
    prior | text | functional, or the name of a control
    log_enrichment | number | log ratio of prior odds for one SD of the log odds, on held-out chromosomes
    lower | number | lower end of its 95% bootstrap interval over loci
    upper | number | upper end
    weight | number | share of the functional part in the prior, one for the study: 0 means uniform
    held_out_gain | number | sum over chromosomes of the log10 likelihood gained when held out, with the prior as used
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


# Fine-mapping.

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
    pip | number | posterior inclusion probability (LD of the GWAS itself: by search; else pip_susie); NA when the \
variant was excluded or the locus failed
    pip_susie | number | the same of SuSiE, which reports one mode of the posterior
    pip_credible | number | the same of SuSiE, over the effects that have a credible set of SuSiE only
    posterior_mean | number | posterior mean effect of the standardised genotype
    posterior_sd | number | its standard deviation
    credible_set | text | credible set that holds the variant (L1, ...), NA when none
    z_expected | number | z that the other variants and the LD let expect (kriging); NA when LD was not used
    ld_flag | text | switched (z has the wrong sign for its LD), discordant (its twin has another z), no_ld, trimmed"""
    + GENE_OF_VARIANT,
    later=("gene", "gene_distance", "consequence", "transcript"),
)

CREDIBLE_SETS = define(
    "credible_sets",
    "The credible sets, of the main coverage and (`main` is FALSE) of a further one.",
    """
    locus | text | name of the locus
    credible_set | text | number of SuSiE's effect (L1, ...), as susieR names it; above those of all effects where a \
set of the search has none
    requested_coverage | number | coverage that was asked for
    main | flag | whether that is `finemap.coverage`: what all counts of sets are about
    variants | integer | variants in the set
    coverage | number | posterior probability that the set holds a causal variant (SuSiE: that of its effect)
    min_abs_r | number | smallest |r| between two variants of the set (purity); above 2,000 variants, of 2,000 of them
    mean_abs_r | number | mean |r| between the same variants (above 2,000, of 2,000 evenly spaced ones)
    median_abs_r | number | median |r| between the same variants
    log10_bf | number | log10 Bayes factor of SuSiE's effect, under the prior of the fit; NA when there is none
    lead_variant | text | variant with the largest posterior probability
    lead_pip | number | its PIP
    chrom | text | chromosome
    start | integer | start of the span, 0-based
    end | integer | end of the span, exclusive
    variant_ids | text | variants in decreasing posterior probability, separated by commas
    shared_with | text | sets of the locus, of the same coverage, that share a variant with it; NA when none
    partners | text | further variants, of |r| above `finemap.extend_r` with one of the set; NA when none
    gene | text | gene of the lead variant, as in finemap_variants
    genes | text | genes with a base in the span, separated by commas; NA when none, or without `genome.genes`""",
    later=("gene", "genes"),
)


def main_sets(credible_sets: pd.DataFrame) -> pd.DataFrame:
    """Rows of CREDIBLE_SETS of the main coverage: each effect once."""
    return credible_sets[credible_sets["main"]].reset_index(drop=True)


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
    left_out | integer | of these, excluded because their alleles look switched, or for want of LD
    credible_sets | integer | number of credible sets
    lost_sets | integer | credible sets of SuSiE without corrections that share no variant with one of these
    panel_size | number | samples in the panel that LD is of; NA for LD of the GWAS itself, none, or a size not known
    fst | number | F_ST between panel and GWAS, as in panel_fst; NA when it is not known or LD is not of a panel
    fst_error | number | its standard error; fits do not use an F_ST whose error is above 0.1% and a quarter of it
    s | number | inconsistency of z and LD: 0 to 1 (null-mle of Zou et al. 2022); NA when LD was not used
    s_scaled | number | the same with the variance of z free, which strong signals leave near 0
    drift | number | drift (lambda) between panel and GWAS: F_ST where fits use it, and what z adds; NA for neither
    discordant_pairs | integer | pairs of variants of |r| > 0.95 with z that do not fit to one another
    duplicates | integer | variants with an earlier one of |r| = 1
    iterations | integer | iterations of the fit
    elbo | number | evidence lower bound at the end
    lead_variant | text | variant with the largest |z|
    lead_z | number | its z
    max_pip | number | largest PIP
    posterior | text | where PIPs and sets come from: search or susie; NA when failed
    expected_causal | number | posterior mean of the number of causal variants, by the search; NA without it
    search_gap | number | largest difference of a PIP between the halves of the search's chains; NA without a search
    gwas_rows | integer | rows of the GWAS in the window (a variant's once), with those that harmonising excluded \
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


# The embedded study beside its simulated truth.

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


# Provenance of results.

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


# The command calibrate: counts of each simulated study, and their summary.

_SCENARIO = """
ld | text | LD of the fits: in_sample (that which z were drawn with), panel, undrifted_panel (of a panel drawn anew)
scenario | text | enrichment_<times> (of the top tenth of scores), inverted (the lowest tenth), noise (as scores)"""

_STUDY = (
    _SCENARIO
    + """
replicate | integer | number of the simulated study
prior | text | uniform, functional, shuffled, or true: the odds that causal variants were drawn with"""
)

_THRESHOLDS = "\n".join(
    f"""
hits_{percent} | integer | variants with PIP > 0.{percent}
false_{percent} | integer | of these, not causal
fdr_{percent} | number | false discovery rate: their share; NA without hits
fdr_lower_{percent} | number | lower end of its 95% (Wilson) interval
fdr_upper_{percent} | number | upper end
claimed_fdr_{percent} | number | 1 - mean PIP of the same variants: the share that may be false""".strip()
    for percent in (50, 90, 95)
)

CALIBRATE_COUNTS = define(
    "calibrate_counts",
    "One simulated study under each prior.",
    _STUDY
    + """
    loci | integer | loci
    causal | integer | causal variants
    failed | integer | loci that could not be fine-mapped
    sets | integer | credible sets
    covered | integer | of these, with a causal variant
    found | integer | causal variants in a credible set
    size | integer | variants in all sets together
    weight | number | mean share of the functional part in the prior
    panel_size | number | samples in the panel drawn; NA with in_sample
    fst | number | F_ST that it was drawn with; NA with in_sample""",
)

CALIBRATE_BINS = define(
    "calibrate_bins",
    "The variants of one simulated study under each prior, by PIP.",
    _STUDY
    + """
    measure | text | pip, or pip_credible: over the effects with a credible set only
    pip_lower | number | lower end of the bin of PIP
    pip_upper | number | upper end
    variants | integer | variants in the bin
    claimed | number | sum of their PIPs
    causal | integer | of them, causal""",
)

CALIBRATE_SUMMARY = define(
    "calibrate_summary",
    "What each prior finds, and whether its claims hold, in studies simulated on the study's own LD and scores.",
    _SCENARIO
    + """
    prior | text | uniform, functional, shuffled, or true: the odds that causal variants were drawn with
    measure | text | pip, or pip_credible: of which PIP hits, their FDR, found_ratio and sentence are
    studies | integer | simulated studies
    loci | integer | loci in them
    causal | integer | causal variants
    failed | integer | loci that could not be fine-mapped
    weight | number | mean share of the functional part in the prior
    panel_size | number | samples in the panel drawn; NA with in_sample
    fst | number | F_ST that it was drawn with; NA with in_sample
    sets | integer | credible sets
    coverage | number | share of sets that hold a causal variant
    coverage_lower | number | lower end of its 95% (Wilson) interval
    coverage_upper | number | upper end
    power | number | share of causal variants in a set
    mean_size | number | mean number of variants in a set
    """
    + _THRESHOLDS
    + """
    compared_ld | text | LD of the fits that the next columns compare with, of the same z; NA where there are none
    fdr_added_90 | number | fdr_90 less that of compared_ld
    fdr_added_lower_90 | number | lower end of its 95% interval (bootstrap over studies; NA with one)
    fdr_added_upper_90 | number | upper end
    cause | text | what the false discoveries beyond the claim are due to, in words
    found_ratio | number | causal variants with PIP > 0.95, over those under the uniform prior
    found_ratio_lower | number | lower end of its 95% interval (bootstrap over studies; NA with one)
    found_ratio_upper | number | upper end
    sentence | text | the row in words""",
)

CALIBRATE_PIP = define(
    "calibrate_pip",
    "Claimed against observed in the simulated studies: variants by PIP.",
    _SCENARIO
    + """
    prior | text | uniform, functional, shuffled, or true: the odds that causal variants were drawn with
    measure | text | pip, or pip_credible: over the effects with a credible set only
    pip_lower | number | lower end of the bin of PIP
    pip_upper | number | upper end
    variants | integer | variants in the bin
    mean_pip | number | mean claimed PIP
    observed | number | share that is causal
    lower | number | lower end of the 95% (Wilson) interval
    upper | number | upper end""",
)


def all_tables() -> Iterator[Table]:
    """Every table, in the order of the pipeline."""
    yield from dict.fromkeys(value for value in list(globals().values()) if isinstance(value, Table))
