"""Batches as large as memory allows."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from fineprior.foundation.errors import InputError

logger = logging.getLogger(__name__)
_CPU_MESSAGES = ("can't allocate memory", "not enough memory", "Cannot allocate memory")


class Batches:
    """Runs functions over many things in batches, in smaller ones from when memory does not suffice.

    Attributes
    ----------
    limit
        Largest size of a batch, in the unit in which things are weighed.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, function: Callable[[slice], Tensor], count: int, weight: int = 1) -> list[Tensor]:
        """Results of `function` for slices that cover `count` things of this weight.

        Raises
        ------
        InputError
            A single thing does not fit into memory.
        """
        results: list[Tensor] = []
        start = 0
        while start < count:
            stop = min(start + max(1, self.limit // weight), count)
            result = _unless_out_of_memory(function, slice(start, stop))
            if result is not None:
                results.append(result)
                start = stop
                continue
            # Here, and not where it was caught: until then the error holds the tensors of the failed batch.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if stop - start == 1:
                raise InputError(
                    "out of memory with a single window; give the job more memory, another GPU, or a smaller backbone"
                )
            self.limit = (stop - start) // 2 * weight
            logger.warning("out of memory with a batch of %d, going on with %d", stop - start, (stop - start) // 2)
        return results


def _unless_out_of_memory(function: Callable[[slice], Tensor], part: slice) -> Tensor | None:
    try:
        return function(part)
    except (RuntimeError, MemoryError) as error:
        known = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not known and not any(message in str(error) for message in _CPU_MESSAGES):
            raise
        return None
