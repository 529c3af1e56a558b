"""Step assign_prior: prior causal probabilities of the variants of a batch."""

from collections.abc import Mapping

from fineprior.files.errors import InputError
from fineprior.files.tables import COEFFICIENTS, ENRICHMENT, PRIOR
from fineprior.plan.inputs import all_priors
from fineprior.priors.prior import assigned_prior, log_odds_of_batch, shuffled, unknown_log_odds, weights_of_batch
from fineprior.priors.study import BatchFiles, read_batch, read_variants
from fineprior.project.settings import PriorSettings


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
