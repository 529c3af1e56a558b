"""What a job requires of a cluster: memory in MB and time in minutes. No result depends on it.

Each function of this module returns a resource function of a rule. Both grow with the attempt; how often a job is tried
again is the profile's business.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any


def growing(start: int) -> Callable[[Any, int], int]:
    """`start` at the first attempt, twice as much at each further one."""

    def grown(wildcards: Any, attempt: int) -> int:
        return start * 2 ** (attempt - 1)

    return grown


def memory_of_files(start: float, factor: float, *names: str, most: float = math.inf) -> Callable[[Any, Any, int], int]:
    """`start` MB, and `factor` times the size of the inputs of these names, of which at most `most` MB count."""

    def memory(wildcards: Any, input: Any, attempt: int) -> int:
        # Before a job's turn some of its inputs are not there yet; Snakemake asks again when they are.
        files = [Path(file) for name in names for file in _several(input.get(name))]
        size = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
        return int(start + factor * min(size, most)) * 2 ** (attempt - 1)

    return memory


def memory_of_ld(max_memory_mb: int) -> Callable[[Any, int, int], int]:
    """LD of one locus in each process, which `ld.max_memory_mb` limits whatever the numbers of variants and samples."""

    def memory(wildcards: Any, threads: int, attempt: int) -> int:
        return (500 + threads * max_memory_mb) * 2 ** (attempt - 1)

    return memory


def memory_of_windows(batch_size: int, context_length: int) -> Callable[[Any, int], int]:
    """The model on its way to the GPU, and the letters of a batch of windows (16 bytes each, twice).

    With a `batch_size` of 0 as many windows are in a batch as fit, which are rarely more than 64.
    """
    return growing(8000 + int((batch_size or 64) * context_length * 32 / 1e6))


def _several(files: Any) -> list[str]:
    return [files] if isinstance(files, str) else files or []
