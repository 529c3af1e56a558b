# What a job asks a cluster for: memory in MB, time in minutes, twice as much at each further attempt. How often a job is
# tried again is the profile's business. No result depends on any of it.
def growing(start):
    """Resource function: `start` at the first attempt, twice as much at each further one."""
    return lambda wildcards, attempt: start * 2 ** (attempt - 1)


def memory_of_files(start, factor, *names, most=float("inf")):
    """Resource function: `start` MB and `factor` times the size of the inputs of these names, or `most` MB of them."""

    def memory(wildcards, input, attempt):
        # Before a job's turn some of its inputs are not there yet; Snakemake asks again when they are.
        files = [Path(file) for name in names for file in as_list(input.get(name))]
        size = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
        return int(start + factor * min(size, most)) * 2 ** (attempt - 1)

    return memory


def as_list(files):
    return [files] if isinstance(files, str) else files or []


def memory_of_ld(wildcards, threads, attempt):
    """Resource function: LD of one locus in each process, which ld.max_memory_mb holds down whatever p and n are."""
    return (500 + threads * settings.ld.max_memory_mb) * 2 ** (attempt - 1)


def memory_of_windows(batch_size):
    """Resource function: the model on its way to the GPU, and the letters of a batch of windows (16 bytes, twice)."""
    # batch_size 0: as many as fit, rarely more than 64
    batch = (batch_size or 64) * settings.backbone.context_length * 32 / 1e6
    return growing(8000 + int(batch))
