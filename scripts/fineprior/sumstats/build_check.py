"""Whether the positions of summary statistics are those of the reference genome's build."""

import numpy as np
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.genome.alleles import compare
from fineprior.genome.fasta import Genome
from fineprior.genome.liftover import Liftover
from fineprior.project.sheets import plain_build
from fineprior.sumstats.standing import Standing

_ENOUGH_ROWS = 20
"""Rows from which a file as a whole is judged: fewer could look wrong by chance."""
_LEAST_AGREEMENT = 0.75
"""Share of rows with an allele of the FASTA: near 1 for the right build, near 0.5 for a wrong one."""
_RUNS, _RUN = 40, 5000
"""Of a large file these many runs of rows are looked at: a small part of the genome has to be read for them."""
_BASES = 4
_OTHER = {"grch37": "GRCh38", "grch38": "GRCh37"}


def check_assembly(source: str, assembly: str | None, build: str, source_build: str = "") -> None:
    """Check the assembly that a file names for itself against the build that was declared.

    Parameters
    ----------
    source
        Name of the file.
    assembly
        What the file or its meta file says; None when nothing.
    build, source_build
        Builds of the FASTA and, where it is another one, of the positions.

    Raises
    ------
    InputError
        They differ; hg19 is GRCh37 and hg38 GRCh38, patches (GRCh38.p14) do not count.
    """
    declared = source_build or build
    if assembly and declared and plain_build(assembly) != plain_build(declared):
        where = "`build` of the study" if source_build else "genome.build of the config"
        raise InputError(
            f"{source}: genome_assembly is '{assembly}' (meta file, header or format), but {where} is '{declared}'; "
            "name the build of the positions as `build` of the study, with a `chain` file where it is not genome.build"
        )


def check_build(
    standing: Standing, genome: Genome, build: str = "", liftover: Liftover | None = None, source_build: str = ""
) -> None:
    """Stop if the positions are not those of this genome.

    A/T and C/G rows do not depend on the strand, so they judge where there are enough of them; else the other
    single-base rows do, on the strand that most of them are on. At most 200,000 rows are looked at, in runs.

    Raises
    ------
    InputError
        If fewer than three quarters of these rows have an allele that the FASTA has at their position; it names
        the builds and the shares.
    """
    effect, other = standing["effect"], standing["other"]
    single = np.maximum(effect, other) < _BASES
    palindromic = single & (effect + other == _BASES - 1)
    judged, rows = "A/T and C/G rows", np.flatnonzero(palindromic)
    if len(rows) < _ENOUGH_ROWS:
        judged, rows = "single-base rows", np.flatnonzero(single & ~palindromic)
    if len(rows) < _ENOUGH_ROWS:
        return
    if len(rows) > _RUNS * _RUN:
        starts = np.linspace(0, len(rows) - _RUN, _RUNS).astype(np.int64)
        rows = rows[(starts[:, None] + np.arange(_RUN)).ravel()]
    share = _share(standing, genome, rows, standing["contig"], standing["pos"])
    if share >= _LEAST_AGREEMENT:
        return
    fasta = f"{genome.path} ({build})" if build else str(genome.path)
    text = f"{standing.rows.source}: only {share:.0%} of the {judged} have an allele that {fasta} has at their position"
    if liftover is not None:
        without = _share(standing, genome, rows, standing["source_contig"], standing["source_pos"])
        raise InputError(
            f"{text} when they are lifted over from {source_build or 'the declared build'} with {liftover.path}, and "
            f"{without:.0%} when they are not; "
            + (
                f"they are of {build or 'the build of the FASTA'} already: leave `build` and `chain` empty"
                if without >= _LEAST_AGREEMENT
                else "is `build` right, and is this the chain file from it?"
            )
        )
    later = _share(standing, genome, rows, standing["contig"], standing["pos"] + 1)
    if later >= _LEAST_AGREEMENT:
        raise InputError(
            f"{text}, but {later:.0%} one base further; are the positions counted from 0? Then say "
            "`coordinate_system: 0-based` in the meta file"
        )
    guess = _OTHER.get(plain_build(build), "")
    remedy = f" If of {guess}, name it as `build` of the study, with a `chain` file to {build}" if guess else ""
    raise InputError(f"{text}; are the positions of another genome build?{remedy}")


def _share(
    standing: Standing,
    genome: Genome,
    rows: NDArray[np.intp],
    contig: NDArray[np.int32],
    pos: NDArray[np.int32],
) -> float:
    """Share of single-base rows with an allele that the genome has there, on the strand that most are on."""
    rows = rows[contig[rows] >= 0]
    rows = rows[np.lexsort((pos[rows], contig[rows]))]
    if not len(rows):
        return 0.0
    effect, other = (standing[name][rows] for name in ("effect", "other"))
    here = compare(genome, contig[rows], pos[rows], effect, other, standing.rows.alleles)
    reverse = (here.base == _BASES - 1 - effect) | (here.base == _BASES - 1 - other)
    return float(max((here.first_agrees | here.second_agrees).mean(), reverse.mean()))
