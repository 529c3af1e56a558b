"""Rules find_signals, fit_prior and assign_prior: from the scores of a study to its priors."""

import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.tables import COEFFICIENTS, ENRICHMENT, LOCUS_VARIANTS, PRIOR, PRIOR_STEPS, VERDICT
from fineprior.finemap.fits import save_fits
from fineprior.plan.results import all_priors
from fineprior.priors.batches import BatchFiles, read_batch, read_variants
from fineprior.priors.candidates import PriorOptions
from fineprior.priors.estimate import estimate_prior, remark_on_zeros
from fineprior.priors.features import feature_kinds
from fineprior.priors.prior import assigned_prior, log_odds_of_batch, shuffled, unknown_log_odds, weights_of_batch
from fineprior.priors.signals import fits_of_batch
from fineprior.priors.study import read_study
from fineprior.project.settings import FinemapSettings, PriorSettings

log = logging.getLogger(__name__)


def find_signals(
    *, variants: str, ld: str, output: str, settings: FinemapSettings, workers: int = 1, diagnoses: str | None = None
) -> None:
    """Fit each locus of a batch under the uniform prior, for its signals.

    The prior is estimated on these fits. They are made with SuSiE's default settings, whatever `finemap` of the config
    says: how the results are fine-mapped does not change what the scores gain.

    Parameters
    ----------
    variants, ld
        LOCUS_VARIANTS and LD of the batch.
    output
        Fits (npz) to write.
    settings
        SuSiE's defaults, with whose LD it is.
    workers
        Processes; the result does not depend on their number.
    diagnoses
        Diagnoses (npz) of the batch, of `diagnose_ld`; without them each fit makes its own.
    """
    found = fits_of_batch(LOCUS_VARIANTS.read(variants), ld, settings, workers, diagnoses)
    fits = {name: one.fit for name, one in found.items() if one.fit is not None}
    save_fits(output, fits, {name: one.variant_ids for name, one in found.items()})


def fit_prior(
    *,
    variants: Sequence[str],
    fits: Sequence[str],
    ld: Sequence[str],
    scores: Sequence[str] | None,
    annotations: Sequence[str] | None,
    kinds: Mapping[str, str],
    enrichment: str,
    coefficients: str,
    verdict: str,
    steps: str,
    settings: PriorSettings,
    finemap: FinemapSettings,
    seed: int = 0,
    workers: int = 1,
    remark: str = "",
    diagnoses: Sequence[str] | None = None,
) -> None:
    """Estimate what scores and annotations gain at this study's signals, leaving out each chromosome.

    Parameters
    ----------
    variants, fits, ld, scores, annotations
        LOCUS_VARIANTS, fits of find_signals, LD, SCORES and ANNOTATIONS of all batches, in the same order;
        None where the source needs none.
    kinds
        Name to kind of the annotations.
    enrichment, coefficients, verdict, steps
        ENRICHMENT, COEFFICIENTS, VERDICT and PRIOR_STEPS to write.
    settings, finemap
        Settings of the prior; of SuSiE (those of find_signals), for loci that are fitted again.
    seed
        Of the bootstrap, and of the shuffled scores that the prior is compared with.
    workers
        Threads, and processes that fit loci; the result does not depend on their number.
    remark
        A further remark on the source: the end of the functional prior's sentence.
    diagnoses
        Of all batches in the same order, of `diagnose_ld`; without them each fit makes its own.
    """
    count = len(variants)
    if not all(files is None or len(files) == count for files in (fits, ld, scores, annotations, diagnoses)):
        raise InputError(
            f"{count} files of variants; fits, LD, scores, annotations and diagnoses must be as many, in their order"
        )
    none = [None] * count
    batches = [BatchFiles(*files) for files in zip(variants, scores or none, annotations or none, strict=True)]
    study = read_study(batches, fits, ld, settings, kinds, diagnoses or ())
    options = PriorOptions(settings, finemap, seed, workers)
    remarks = {"functional": [remark, remark_on_zeros(study.variants, settings)]}
    found = [
        estimate_prior(study, prior, columns, options, remarks.get(prior, ()))
        for prior, columns in feature_kinds(study.variants, settings, kinds).items()
    ]
    for one in found:
        log.info("%s: %s", one.verdict["prior"], one.verdict["sentence"])
    ENRICHMENT.write(pd.DataFrame([row for one in found for row in one.enrichment]), enrichment)
    COEFFICIENTS.write(pd.DataFrame([row for one in found for row in one.coefficients]), coefficients)
    VERDICT.write(pd.DataFrame([one.verdict for one in found]), verdict)
    PRIOR_STEPS.write(pd.DataFrame(found[0].candidates), steps)


def assign_prior(
    *,
    prior: str,
    variants: str,
    scores: str | None = None,
    annotations: str | None = None,
    kinds: Mapping[str, str] | None = None,
    enrichment: str | None = None,
    coefficients: str | None = None,
    ld: str | None = None,
    output: str,
    settings: PriorSettings | None = None,
    seed: int = 0,
) -> None:
    """Give each variant of a batch its prior causal probability.

    `prior` is uniform (which needs nothing else), functional, a control, or shuffled: the functional log odds on
    other variants of the same locus and bin of MAF and LD (which needs `ld`), with the weight of functional.
    """
    allowed = all_priors(settings.controls if settings else [])
    if prior not in allowed:
        raise InputError(f"prior '{prior}' is unknown; allowed: {', '.join(allowed)}")
    if prior == "uniform":
        frame = read_variants(variants)
        PRIOR.write(assigned_prior(frame, unknown_log_odds(frame), PriorSettings()), output)
        return
    if enrichment is None or coefficients is None or settings is None or (prior == "shuffled" and ld is None):
        raise InputError(f"the {prior} prior needs enrichment, coefficients and settings, and if shuffled LD")
    frame = read_batch(BatchFiles(variants, scores, annotations), settings, kinds or {})
    model = "functional" if prior == "shuffled" else prior
    log_odds = log_odds_of_batch(frame, COEFFICIENTS.read(coefficients), model, coefficients)
    if prior == "shuffled" and ld is not None:
        log_odds = shuffled(log_odds, frame, ld, seed)
    weights = weights_of_batch(frame, ENRICHMENT.read(enrichment), model)
    PRIOR.write(assigned_prior(frame, log_odds, settings, weights), output)
