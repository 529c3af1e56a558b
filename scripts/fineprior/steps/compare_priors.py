"""Rules compare_priors and compare_truth: the priors compared with each other, and with a simulated truth."""

from collections.abc import Mapping

import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.tables import (
    CALIBRATION,
    COMPARISON,
    CREDIBLE_SETS,
    FINEMAP_VARIANTS,
    TRUTH,
    TRUTH_COMPARISON,
    main_sets,
)
from fineprior.report.compare import calibration_by_bin, compare_with_truth, compare_with_uniform


def compare_priors(*, variants: Mapping[str, str], credible_sets: Mapping[str, str], output: str) -> None:
    """Write what each prior changed compared with uniform; both mappings are from a prior's name to its table."""
    COMPARISON.write(compare_with_uniform(*_read(variants, credible_sets)), output)


def compare_truth(
    *, variants: Mapping[str, str], credible_sets: Mapping[str, str], truth: str, output: str, calibration: str
) -> None:
    """Write coverage, power and false discoveries of each prior, and its claimed and observed PIPs."""
    frames, sets = _read(variants, credible_sets)
    causal = TRUTH.read(truth)
    TRUTH_COMPARISON.write(compare_with_truth(frames, sets, causal), output)
    CALIBRATION.write(calibration_by_bin(frames, causal), calibration)


def _read(
    variants: Mapping[str, str], credible_sets: Mapping[str, str]
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    if set(variants) != set(credible_sets):
        raise InputError(f"variants are of the priors {', '.join(variants)}, but sets of {', '.join(credible_sets)}")
    frames = {prior: FINEMAP_VARIANTS.read(path) for prior, path in variants.items()}
    return frames, {prior: main_sets(CREDIBLE_SETS.read(credible_sets[prior])) for prior in variants}
