"""Probabilities of a supervised classifier at the base rate of causal variants in a locus."""

import numpy as np

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError


def shifted_probabilities(probabilities: Floats, training_rate: float | Floats, base_rate: float | Floats) -> Floats:
    """Probabilities (n,) of a classifier at another base rate; NaN stays NaN.

    odds' = odds * [pi0 / (1 - pi0)] / [pit / (1 - pit)] (Saerens, Latinne and Decaestecker 2002, equation 2.4): right
    when only the share of causal variants differs between training and here.

    Parameters
    ----------
    probabilities
        (n,) calibrated probabilities in the training data, from 0 to 1.
    training_rate
        pit, share of positives in the training data, or (n,) of each variant; strictly between 0 and 1.
    base_rate
        pi0, share of causal variants here, or (n,) of each variant; strictly between 0 and 1.

    Raises
    ------
    InputError
        A number is out of its range.
    """
    values = np.asarray(probabilities, dtype=float)
    wrong = ~np.isnan(values) & ~((values >= 0) & (values <= 1))
    if wrong.any():
        raise InputError(f"a probability must be from 0 to 1, not {values[wrong][0]:g} ({wrong.sum()} are not)")
    for name, rate in (("training rate", training_rate), ("base rate", base_rate)):
        if not (np.asarray(rate) > 0).all() or not (np.asarray(rate) < 1).all():
            raise InputError(f"the {name} of a supervised prior must be above 0 and below 1")
    training, base = np.asarray(training_rate, dtype=float), np.asarray(base_rate, dtype=float)
    # Both sides of odds = p / (1 - p) multiplied out, so that p = 1 stays finite.
    positive = values * base / training
    return np.asarray(positive / (positive + (1 - values) * (1 - base) / (1 - training)), dtype=float)


def base_rates(sizes: Floats, causal_per_locus: float) -> Floats:
    """Share of causal variants (n,) in loci of so many variants (n,), at most one half.

    Raises
    ------
    InputError
        `causal_per_locus` is not above 0.
    """
    if not causal_per_locus > 0:
        raise InputError(f"causal variants per locus must be above 0, not {causal_per_locus}")
    return np.minimum(causal_per_locus / np.asarray(sizes, dtype=float), 0.5)
