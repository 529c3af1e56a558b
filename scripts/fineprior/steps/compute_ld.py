"""Rule compute_ld: LD of each locus of a batch, from a panel or from LD that is computed already."""

from fineprior.files.errors import InputError
from fineprior.files.tables import LOCUS_VARIANTS, PANEL_FST
from fineprior.genotypes.ld import check_machine, locus_ld
from fineprior.genotypes.ld_files import LdSource
from fineprior.genotypes.ld_store import write_ld
from fineprior.genotypes.panels import open_panel
from fineprior.project.settings import LdSettings

_FEWEST_SAMPLES = 2


def compute_ld(
    *,
    variants: str,
    output: str,
    panel: str = "",
    samples: str | None = None,
    ld: str = "",
    fst: str | None = None,
    settings: LdSettings,
) -> None:
    """Correlations of alternative-allele dosages for each locus of a batch.

    Parameters
    ----------
    variants
        Table LOCUS_VARIANTS.
    output
        The LD file to write.
    panel, samples
        Panel that LD is computed from, and a file of the samples to keep.
    ld
        LD that is computed already, in place of a panel.
    fst
        Table PANEL_FST of the study, which goes into the LD file; None where there is none.
    settings
        `max_memory_mb`: of a locus that needs more, the variants farthest from its lead are excluded.

    Raises
    ------
    InputError
        A file cannot be read or does not fit to the variants, or the machine has less memory than the limit while a
        locus needs it.
    """
    table = LOCUS_VARIANTS.read(variants)
    by_locus = ((str(locus), rows) for locus, rows in table.groupby("locus", sort=False))
    largest = int(table["locus"].value_counts().max()) if len(table) else 0
    limit = settings.max_memory_mb
    if ld:
        source = LdSource(ld)
        check_machine(largest, 0, limit)
        write_ld(output, (source.locus(locus, rows, limit) for locus, rows in by_locus))
        return
    genotypes = open_panel(panel, samples or None)
    if genotypes.samples < _FEWEST_SAMPLES:
        raise InputError(f"{panel}: {genotypes.samples} samples; LD needs {_FEWEST_SAMPLES} or more")
    check_machine(largest, genotypes.samples, limit)
    loci = (locus_ld(locus, rows, genotypes, limit) for locus, rows in by_locus)
    write_ld(output, loci, genotypes.samples, _known_fst(fst))


def _known_fst(path: str | None) -> tuple[float, float] | None:
    """F_ST and its standard error; None when it is not known."""
    if path is None:
        return None
    row = PANEL_FST.read(path).iloc[0]
    return (float(row["fst"]), float(row["fst_error"])) if row["state"] == "known" else None
