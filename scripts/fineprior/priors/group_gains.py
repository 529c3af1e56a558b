"""What each group of scores earns on chromosomes that it was not estimated on, alone and beside the other groups.

The log odds of a chromosome come from an estimate that leaves it out, scales of groups included
(`grouped_enrichment`). The gain is the log10 likelihood of the chromosome's signals over that under the uniform prior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.genome.contigs import natural_order
from fineprior.priors.blocks import Block, Flags, log_odds_of, signal_likelihood
from fineprior.priors.grouped_enrichment import RATE, GroupedEnrichment, fit_groups


@dataclass(frozen=True)
class GroupGain:
    """What a group earns in all, log10: alone; beside the others, being what all groups earn less what the others do.

    `error` is the standard error of `beside` over signals, and `scale` the group's scale on all chromosomes.
    """

    group: str
    scale: float
    alone: float
    beside: float
    error: float


def leave_out_groups(
    chromosomes: Mapping[str, Sequence[Block]],
    groups: npt.ArrayLike,
    *,
    nonnegative: Flags | None = None,
    rate: float = RATE,
    scales: Floats | None = None,
) -> tuple[GroupedEnrichment, dict[str, GroupedEnrichment]]:
    """The estimate of all chromosomes, and for each chromosome the one without it.

    Parameters
    ----------
    chromosomes
        Blocks of loci by chromosome.
    groups, nonnegative, rate, scales
        See `fit_groups`.
    """

    def fit(left_out: str | None, start: GroupedEnrichment | None) -> GroupedEnrichment:
        blocks = [block for name, here in chromosomes.items() if name != left_out for block in here]
        return fit_groups(blocks, groups, nonnegative=nonnegative, rate=rate, scales=scales, start=start)

    whole = fit(None, None)
    return whole, {name: fit(name, whole) for name in sorted(chromosomes, key=natural_order)}


def group_gains(
    chromosomes: Mapping[str, Sequence[Block]],
    groups: npt.ArrayLike,
    names: Sequence[str],
    *,
    nonnegative: Flags | None = None,
    rate: float = RATE,
    scales: Floats | None = None,
) -> list[GroupGain]:
    """What each group earns; a group that is the only one earns beside the others what it earns alone.

    Parameters
    ----------
    names
        Of the groups 0, 1, ...

    Raises
    ------
    InputError
        Fewer than two chromosomes, or a number of names that is not that of the groups.
    """
    group = np.asarray(groups, dtype=np.int64)
    if len(chromosomes) < 2:
        raise InputError(f"the gain of groups needs two chromosomes or more, not {len(chromosomes)}")
    if len(names) != int(group.max(initial=-1)) + 1:
        raise InputError(f"{int(group.max(initial=-1)) + 1} groups must have as many names, not {len(names)}")

    def gains(kept: Sequence[int]) -> tuple[GroupedEnrichment, Floats]:
        inside = np.isin(group, kept)
        fewer = {
            name: [Block(one.features[:, inside], one.starts, one.signals, one.keys, one.log_weight) for one in here]
            for name, here in chromosomes.items()
        }
        sign = None if nonnegative is None else np.asarray(nonnegative)[inside]
        own = None if scales is None else np.asarray(scales)[list(kept)]
        number = np.searchsorted(np.asarray(kept), group[inside])
        whole, folds = leave_out_groups(fewer, number, nonnegative=sign, rate=rate, scales=own)
        return whole, np.concatenate([_gains(here, folds[name].coefficients) for name, here in fewer.items()])

    every = list(range(len(names)))
    whole, total = gains(every)
    found = []
    for g in every:
        others = [other for other in every if other != g]
        alone = total if not others else gains([g])[1]
        added = total - gains(others)[1] if others else total
        error = float(np.sqrt(len(added)) * added.std(ddof=1)) if len(added) > 1 else float("nan")
        found.append(GroupGain(names[g], float(whole.scales[g]), float(alone.sum()), float(added.sum()), error))
    return found


def _gains(blocks: Sequence[Block], coefficients: Floats) -> Floats:
    """Log10 likelihood of each signal (signals,) over that under the uniform prior."""
    found: list[Floats] = [np.zeros(0)]
    for block, odds in zip(blocks, log_odds_of(blocks, coefficients), strict=True):
        for after, before in zip(
            signal_likelihood(block, odds), signal_likelihood(block, np.zeros(len(odds))), strict=True
        ):
            found.append((after - before) / np.log(10))
    return np.concatenate(found)
