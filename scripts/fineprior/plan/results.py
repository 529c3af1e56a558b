"""Names of results that rules and steps share: the priors, and the forms of export.

Steps import this module, so that it holds nothing else: what is in it belongs to the code of their rules.
"""

from collections.abc import Sequence
from typing import Any

PRIORS = ("uniform", "functional", "shuffled")
"""The priors of every study; `priors.controls` adds one for each of its annotations."""
EXPORTED_PRIOR = "functional"
"""The prior whose results are exported, and described in the methods."""
EXPORTS = {
    "bed": ("variants", "credible_sets"),
    "flames": ("variants", "credible_sets", "loci"),
    "open_targets": ("variants", "credible_sets", "loci", "sumstats", "fits"),
    "polyfun": ("variants", "credible_sets", "loci", "sumstats"),
    "ssf": ("sumstats",),
}
"""Forms of results for other programs, and the inputs that each is made of."""


def all_priors(controls: Sequence[str]) -> list[str]:
    """Names of all priors, the controls last."""
    return [*PRIORS, *controls]


def under_each_prior(inputs: Any, name: str) -> dict[str, str]:
    """Return the paths of a rule's inputs `<name>_<prior>`, by prior: the priors of every study first."""
    given = [key.removeprefix(f"{name}_") for key in inputs.keys() if key.startswith(f"{name}_")]  # noqa: SIM118
    return {prior: str(inputs[f"{name}_{prior}"]) for prior in [*PRIORS, *(key for key in given if key not in PRIORS)]}
