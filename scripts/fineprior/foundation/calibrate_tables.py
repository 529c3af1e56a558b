"""The tables of `fineprior calibrate`: counts of each simulated study, and what they say together."""

from fineprior.foundation.table import define

_SCENARIO = """
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
    weight | number | mean share of the functional part in the prior""",
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
    sets | integer | credible sets
    coverage | number | share of sets that hold a causal variant
    coverage_lower | number | lower end of its 95% (Wilson) interval
    coverage_upper | number | upper end
    power | number | share of causal variants in a set
    mean_size | number | mean number of variants in a set
    """
    + _THRESHOLDS
    + """
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
