"""Outcomes of a row of summary statistics: one table of actions, one of reasons, one of remarks."""

KEPT, SWAPPED, STRAND, STRAND_SWAPPED = "kept", "swapped", "strand", "strand_swapped"
ACTIONS = {
    KEPT: "the effect allele is the alternative allele, the other allele the FASTA's",
    SWAPPED: "the effect allele was the FASTA's; alleles exchanged, signs and frequency turned",
    STRAND: "the alleles were those of the other strand; complemented",
    STRAND_SWAPPED: "the alleles were those of the other strand, and exchanged; both were turned",
}
"""What was done to a row that is kept: each has exactly one."""

PALINDROMIC = "palindromic"
MULTI_ALLELIC = "multi_allelic"
INDEL = "indel"
LEFT_ALIGNED = "left_aligned"
LIFTED = "lifted"
LIFTED_REVERSED = "lifted_reversed"
Z_FROM_P = "z_from_p"
TWO_VALUES = "two_values"
REMARKS = {
    PALINDROMIC: "alleles A and T, or C and G; harmonise.palindromic says how their strand was told",
    MULTI_ALLELIC: "another kept row has the same position and other alleles",
    INDEL: "alleles of more than one base, mostly an insertion or deletion",
    LEFT_ALIGNED: "written longer or further right than needed; compared as the shortest and leftmost spelling",
    LIFTED: "the position was lifted over from another genome build",
    LIFTED_REVERSED: "of the lifted rows, those on a stretch that changed its strand; alleles complemented",
    Z_FROM_P: "effect / standard error and p-value disagreed; z has the p-value's size and the effect's sign",
    TWO_VALUES: "an effect, z or p-value that the source has twice has two values; beta, effect / standard error and "
    "-log10 p count",
}
"""What else is true of rows that are kept: a row may have several, or none."""

NO_SIGN = "no_sign"
CONTRADICTION = "contradiction"
MISSING_VALUE = "missing_value"
BAD_VALUE = "bad_value"
BAD_ALLELES = "bad_alleles"
CODED_ALLELES = "coded_alleles"
LOW_INFO = "low_info"
NOT_LIFTED = "not_lifted"
LIFTED_TWICE = "lifted_twice"
LIFTED_TOGETHER = "lifted_together"
LIFTED_INDEL = "lifted_indel"
CONTIG_MISSING = "contig_missing"
POSITION_OUTSIDE = "position_outside"
REFERENCE_MISMATCH = "reference_mismatch"
ABSENT_FROM_PANEL = "absent_from_panel"
INDEL_AMBIGUOUS = "indel_ambiguous"
PANEL_DUPLICATE = "panel_duplicate"
MONOMORPHIC_IN_PANEL = "monomorphic_in_panel"
LOW_MAF = "low_maf"
PALINDROMIC_AMBIGUOUS = "palindromic_ambiguous"
OTHER_STRAND = "other_strand"
CONTRADICTORY_TWINS = "contradictory_twins"
DUPLICATE = "duplicate"
REASONS = {
    NO_SIGN: "the effect is 0, mostly a rounded one, and the p-value is not that of 0: its z has no sign",
    CONTRADICTION: "the row contradicts itself: beta and ratio, or z and effect / standard error, have opposite signs, "
    "or z does not reach the bound that is given for the p-value",
    MISSING_VALUE: "chromosome, position, an allele, the effect with its standard error or p-value (not 0 "
    "and not a bound like <2e-16), or the "
    "sample size is missing or not a number",
    BAD_VALUE: "a number is out of its range: a standard error or sample size not above 0, a p-value or frequency "
    "outside of 0 to 1, an infinite effect",
    BAD_ALLELES: "an allele is not written in A, C, G, T, or both are the same",
    CODED_ALLELES: "an insertion or deletion written as I, D, R, - or <...>, which does not tell its bases",
    LOW_INFO: "the imputation quality is below harmonise.min_info",
    NOT_LIFTED: "the chain file has no place in the new build for this position",
    LIFTED_TWICE: "the chain file has several places in the new build for this position",
    LIFTED_TOGETHER: "another position of the source has the same place in the new build",
    LIFTED_INDEL: "alleles of more than one base on a stretch that changed its strand between the builds",
    CONTIG_MISSING: "the FASTA has no such chromosome",
    POSITION_OUTSIDE: "the position is not a whole number within the chromosome",
    REFERENCE_MISMATCH: "neither allele is the FASTA's, on either strand",
    ABSENT_FROM_PANEL: "the panel has no variant with this position and these alleles",
    INDEL_AMBIGUOUS: "these alleles can be an insertion or a deletion; the panel has both and the frequencies do not "
    "tell which it is, or they say that the panel has the other one",
    PANEL_DUPLICATE: "the panel has several variants with this position and these alleles",
    MONOMORPHIC_IN_PANEL: "everybody in the panel has the same genotype",
    LOW_MAF: "the minor allele frequency in the panel is below harmonise.min_maf",
    PALINDROMIC_AMBIGUOUS: "alleles A and T, or C and G, and harmonise.palindromic drops them, or the frequencies do "
    "not tell the strand",
    OTHER_STRAND: "another row is the same variant as the FASTA's strand has it; this one only as its complement",
    CONTRADICTORY_TWINS: "several rows are the same variant with effects that contradict one another; all are left out",
    DUPLICATE: "another row is the same variant and has a larger sample, or else a smaller p-value",
}
"""Why a row is excluded: the first that applies, in this order."""

_NUMBER = {name: number for number, name in enumerate(("", *REASONS))}
_NAMES = tuple(_NUMBER)


def number_of(reason: str) -> int:
    """A reason as a small number; 0 is none (the row is still in)."""
    return _NUMBER[reason]


def reason_names() -> tuple[str, ...]:
    """The reasons by their number; the first is empty."""
    return _NAMES
