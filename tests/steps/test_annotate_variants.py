"""Annotations of a batch from files of every kind."""

import pytest

from fineprior.files.tables import (
    ANNOTATIONS,
    LOCUS_VARIANTS,
)
from fineprior.steps.annotate_variants import annotate_variants

pytestmark = pytest.mark.slow


def test_annotations_of_a_batch(fitted, tmp_path):
    frame = LOCUS_VARIANTS.read(fitted["variants"][0])
    pos = int(frame["pos"][5])
    (tmp_path / "peaks.bed").write_text(f"{frame['chrom'][5]}\t{pos - 1}\t{pos}\n")
    frame[["variant_id"]].assign(p=0.25).to_csv(tmp_path / "p.tsv", sep="\t", index=False)
    source = {"source": "supervised", "supervised": str(tmp_path / "q.tsv"), "training_rate": 0.1}
    frame[["variant_id"]].assign(probability=0.5).to_csv(tmp_path / "q.tsv", sep="\t", index=False)
    rows = [{"name": "peaks", "kind": "bed", "path": str(tmp_path / "peaks.bed"), "column": ""},
            {"name": "tss", "kind": "tss", "path": str(tmp_path / "peaks.bed"), "column": ""},
            {"name": "cadd", "kind": "value", "path": str(tmp_path / "p.tsv"), "column": "p"}]  # fmt: skip
    annotate_variants(variants=fitted["variants"][0], output=str(tmp_path / "a.tsv.gz"), rows=rows, source=source)
    table = ANNOTATIONS.read(tmp_path / "a.tsv.gz")
    assert list(table)[2:] == ["peaks", "tss", "cadd", "probability", "training_rate"]
    assert (table["peaks"].sum(), table["tss"][5]) == (1, 0)
    assert (table["cadd"].eq(0.25).all(), table["training_rate"].eq(0.1).all()) == (True, True)
    known = source | {"supervised": ""}
    annotate_variants(variants=fitted["variants"][0], output=str(tmp_path / "b.tsv.gz"), rows=rows, source=known,
                      causal=str(tmp_path / "q.tsv"))  # fmt: skip
    assert (tmp_path / "b.tsv.gz").read_bytes() == (tmp_path / "a.tsv.gz").read_bytes()
