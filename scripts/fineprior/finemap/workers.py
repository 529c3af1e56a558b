"""Many loci in several processes."""

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

Locus = TypeVar("Locus")
Result = TypeVar("Result")
# What a worker process does with a locus; it got it when it was forked.
_task: list[Callable[[Any], Any]] = []


def fit_loci(fit: Callable[[Locus], Result], loci: Sequence[Locus], workers: int) -> Iterator[Result]:
    """Results of `fit` for each locus, in the order of the loci, from so many processes.

    The processes are forks: what `fit` holds, such as LD in memory, is shared and not copied. A locus (its name, say)
    and its result travel between them. Where there are no safe forks (not on Linux) this process does all.

    Parameters
    ----------
    fit : callable
        Opens the files that it reads itself: a file that is open already would be read from one position by all.
    loci : sequence
    workers : int
        Each multiplies matrices with as many threads as OMP_NUM_THREADS says when numpy is loaded: 1 is right.

    Raises
    ------
    ChildProcessError
        A process was killed.
    """
    if min(workers, len(loci)) < 2 or not sys.platform.startswith("linux"):
        yield from map(fit, loci)
        return
    context = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(min(workers, len(loci)), context, initializer=_task.append, initargs=(fit,)) as pool:
            yield from pool.map(_run_task, loci)
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "a process that fitted loci was killed, as happens when memory runs out; fewer workers need less"
        ) from error


def _run_task(locus: Any) -> Any:
    return _task[-1](locus)
