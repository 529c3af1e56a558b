"""Inputs of a rule that come once for each prior."""

from typing import Any

PRIORS = ("uniform", "functional", "shuffled")


def under_each_prior(inputs: Any, name: str) -> dict[str, str]:
    """Return the paths of a rule's inputs `<name>_<prior>`, by prior."""
    return {prior: str(inputs[f"{name}_{prior}"]) for prior in PRIORS}


EXPORTS = {
    "bed": ("variants", "credible_sets"),
    "flames": ("variants", "credible_sets", "loci"),
    "open_targets": ("variants", "credible_sets", "loci", "sumstats", "fits"),
    "polyfun": ("variants", "credible_sets", "loci", "sumstats"),
    "ssf": ("sumstats",),
}
"""Forms of results for other programs, and what each is made of."""
EXPORTED_PRIOR = "functional"
