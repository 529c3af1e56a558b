"""Command finemap: one locus from files of the user's own (z-scores, LD, perhaps a prior), without the workflow."""

from pathlib import Path

from fineprior.files.table_parts import stacked
from fineprior.files.tables import CREDIBLE_SETS, FINEMAP_VARIANTS, LOCI_STATUS
from fineprior.finemap.fits import save_fits
from fineprior.finemap.locus import LocusFit
from fineprior.finemap.locus_input import read_locus
from fineprior.finemap.locus_tables import fine_map
from fineprior.finemap.rds import write_rds
from fineprior.project.settings import FinemapSettings


def finemap_files(
    *,
    z: str | Path,
    ld: str | Path | None,
    out: str,
    n: float | None,
    settings: FinemapSettings,
    ld_variants: str | Path | None = None,
    prior: str | Path | None = None,
    locus: str = "locus",
    fst: float | None = None,
    seed: int = 1,
) -> LocusFit:
    """Fine-map a locus and write its tables and its fit.

    Parameters
    ----------
    z
        Table with variant_id, and z or beta and se; perhaps n, and chrom, pos, ref, alt (otherwise taken from names
        of the form chrom:pos:ref:alt).
    ld
        Signed correlations: .npy; .npz with `R` (or `<locus>/R`), perhaps `variant_id` and `panel_size`; or text.
        None for one effect without LD.
    out
        Written are <out>.variants.tsv.gz, .credible_sets.tsv, .loci_status.tsv, .fits.npz and .fits.rds.
    n
        Sample size, where the table has no column n.
    settings
        Settings of the fit.
    ld_variants
        Names of the variants of `ld`, one on each line; without them (here or in the .npz) the order is that of z.
    prior
        Table with variant_id and prior, of every variant of `z`.
    locus
        Name of the locus in the tables, and in an .npz of several loci.
    fst
        F_ST between the panel of `ld` and the GWAS. By default it is taken from `ld` (`fst` in an .npz), or from the
        columns eaf and panel_af of `z`.
    seed
        Of the search.

    Raises
    ------
    InputError
        A file cannot be read, or files do not belong together.
    """
    given = read_locus(
        z,
        ld,
        n,
        ld_variants=ld_variants,
        prior=prior,
        locus=locus,
        panel_size=settings.panel_size or None,
        fst=fst,
        ld_of=settings.ld,
    )
    done = fine_map(given, settings, seed)
    FINEMAP_VARIANTS.write(done.variants, f"{out}.variants.tsv.gz")
    CREDIBLE_SETS.write(stacked(CREDIBLE_SETS, [done.credible_sets]), f"{out}.credible_sets.tsv")
    LOCI_STATUS.write(done.status, f"{out}.loci_status.tsv")
    fit, names = done.fit.fit, done.fit.variant_ids
    save_fits(f"{out}.fits.npz", {} if fit is None else {locus: fit}, {locus: names})
    write_rds(f"{out}.fits.rds", {} if fit is None else {locus: (fit, names)})
    return done.fit
