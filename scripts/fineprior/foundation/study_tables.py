"""Tables of a study's data: association, summary statistics, loci and their variants."""

from pathlib import Path

from fineprior.foundation.table import define

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
    effect_allele_frequency | number | frequency of the effect allele in the people of the regression
    neg_log_10_p_value | number | -log10 of the p-value (t for a quantitative trait, Wald for a disease)
    rsid | text | identifier in the genotypes
    n | integer | people in the regression
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
    reason | text | how the alleles were matched, why the row was left out, or the remark
    rows | integer | number of rows
    significant | integer | of these, rows with p < 5e-8
    meaning | text | the reason in words""",
)

DROPPED = define(
    "dropped",
    "The rows of the summary statistics that were left out.",
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
    "Rows of the summary statistics in the loci of one batch that harmonising left out, by locus and position; without \
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
    """Where LOST of a batch is, by the place of its LOCUS_VARIANTS: `0.lost.tsv.gz` beside `0.tsv.gz`."""
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
