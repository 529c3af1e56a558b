"""Rule diagnose_ld: whether z and LD of each locus of a batch belong together, for all fits of the locus."""

from collections.abc import Sequence
from pathlib import Path

from fineprior.finemap.diagnoses import diagnosis_of, save_diagnoses
from fineprior.finemap.ld_mismatch import LdDiagnostics
from fineprior.finemap.locus_input import BatchInput
from fineprior.finemap.workers import fit_loci
from fineprior.project.settings import FinemapSettings


def diagnose_ld(
    *, variants: str | Path, ld: str | Path, output: str | Path, settings: FinemapSettings, workers: int = 1
) -> None:
    """Diagnose each locus of a batch. A locus without LD, or whose LD cannot be read, is not in the file.

    Parameters
    ----------
    variants, ld
        LOCUS_VARIANTS and LD of the batch.
    output
        Diagnoses (npz) to write.
    settings
        `ld` (with none there are no diagnoses) and `panel_size`; no other setting counts.
    workers
        Processes; the result does not depend on their number.

    Raises
    ------
    InputError
        A file cannot be read, or a variant has neither LD nor a reason why it has none.
    """
    batch = BatchInput(variants, ld)

    def diagnosed(name: str) -> tuple[LdDiagnostics | None, list[str]]:
        locus = batch.locus(name)
        table = locus.variants[locus.fitted]
        found = diagnosis_of(table["z"].to_numpy(), locus.R, table["n"].to_numpy(), settings, locus.panel_size)
        return found, table["variant_id"].tolist()

    found = zip(batch.loci, fit_loci(diagnosed, batch.loci, workers), strict=True)
    save_diagnoses(output, {name: (one, ids) for name, (one, ids) in found if one is not None})


def diagnose_batches(
    variants: Sequence[str], ld: Sequence[str], folder: str, settings: FinemapSettings, workers: int
) -> list[str]:
    """Diagnose all batches of a study into files of a folder; these, in the order of the batches."""
    paths = [f"{folder}/{batch}.diagnoses.npz" for batch in range(len(variants))]
    for table, correlations, path in zip(variants, ld, paths, strict=True):
        diagnose_ld(variants=table, ld=correlations, output=path, settings=settings, workers=workers)
    return paths
