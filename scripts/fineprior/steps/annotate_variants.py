"""Rule annotate_variants: annotations of the variants of a batch from the user's files."""

from collections.abc import Mapping, Sequence
from typing import Any

from fineprior.files.tables import ANNOTATIONS, HERITABILITY, LOCUS_VARIANTS
from fineprior.priors.annotation import annotations_of


def annotate_variants(
    *,
    variants: str,
    output: str,
    rows: Sequence[Mapping[str, str]],
    source: Mapping[str, Any],
    heritability: str | None = None,
    causal: str | None = None,
) -> None:
    """Annotate the variants of a batch from files.

    Parameters
    ----------
    variants, output
        LOCUS_VARIANTS and ANNOTATIONS of the batch.
    rows
        Rows of the sheet of annotations: name, kind, path, column.
    source
        `source` of the settings and what belongs to it: given, given_column, given_as, supervised, training_rate.
    heritability
        HERITABILITY of the study, for that source.
    causal
        CAUSAL_PROBABILITIES of the study, for the source supervised where that names no file.
    """
    table = HERITABILITY.read(heritability) if heritability and source["source"] == "heritability" else None
    ANNOTATIONS.write(annotations_of(LOCUS_VARIANTS.read(variants), rows, source, table, causal), output)
