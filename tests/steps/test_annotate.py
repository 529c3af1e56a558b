import numpy as np
import pandas as pd
import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import ScoreSettings, WindowSettings
from fineprior.foundation.tables import LOCUS_VARIANTS, SCORES, VARIANT_SCORES, WINDOW_COMPARISON
from fineprior.model.backbone import load_backbone
from fineprior.model.delta import AlleleEmbedder
from fineprior.model.head import Head, write_head
from fineprior.steps import annotate
from fineprior.steps.annotate import compare_windows, embed_variants, extract_sequences, gather_scores, score_variants
from toy_enformer import BIN_SIZE, CONTEXT, DIM, save_toy


@pytest.fixture
def study(tmp_path):
    """One locus of SNVs and an indel, a toy backbone, a random head on it."""
    rng = np.random.default_rng(1)
    bases = "".join(rng.choice(list("ACGT"), 3000))
    (tmp_path / "genome.fa").write_text(f">chr1\n{bases}\n")
    rows = []
    for pos in (40, 1000, 1001, 2999):
        ref = bases[pos - 1]
        alt = {"A": "C", "C": "G", "G": "T", "T": "A"}[ref] if pos != 1001 else ref + "AC"
        rows.append(
            {"locus": "L", "variant_id": f"chr1:{pos}:{ref}:{alt}", "chrom": "chr1", "pos": pos, "ref": ref, "alt": alt}
            | {"z": 1.0, "neg_log10_p": 1.0, "n": 10.0, "panel_af": 0.2, "panel_index": pos}
        )
    variants = pd.DataFrame(rows).reindex(columns=LOCUS_VARIANTS.names)
    LOCUS_VARIANTS.write(variants, tmp_path / "variants.tsv.gz")
    settings = save_toy(tmp_path / "toy")
    weight = rng.normal(size=(2, DIM)).astype(np.float32) / DIM
    digest = load_backbone(settings).digest
    write_head(Head(weight, np.zeros(2, np.float32), ("liver", "kidney"), digest, BIN_SIZE), tmp_path / "head")
    return tmp_path, variants, settings


WINDOWS = WindowSettings()


def run(folder, settings, variants="variants.tsv.gz", out="", windows=WINDOWS):
    names = {name: str(folder / f"{out}{name}") for name in ("sequences.npz", "embeddings.npz", "scores.tsv.gz")}
    source = str(folder / variants)
    extract_sequences(variants=source, fasta=str(folder / "genome.fa"), output=names["sequences.npz"],
                      context_length=CONTEXT, windows=windows)  # fmt: skip
    embed_variants(sequences=names["sequences.npz"], output=names["embeddings.npz"], store=str(folder / f"{out}store"),
                   backbone=settings, windows=windows, batch=0, batch_size=4, threads=1)  # fmt: skip
    score_variants(variants=source, embeddings=names["embeddings.npz"], head=str(folder / "head"),
                   output=names["scores.tsv.gz"], settings=ScoreSettings())  # fmt: skip
    return names


def test_from_variants_to_scores(study):
    folder, variants, settings = study
    scores = SCORES.read(run(folder, settings)["scores.tsv.gz"])
    assert scores["variant_id"].tolist() == variants["variant_id"].tolist()
    assert scores["status"].tolist() == ["scored"] * 4
    assert (scores["score"] > 0).all()
    assert {"liver.l2", "kidney.sad", "liver.log_sum", "liver.central", "kidney.max"} <= set(scores.columns)


def test_indels_beyond_the_longest_are_not_scored(study):
    folder, _, settings = study
    scores = SCORES.read(run(folder, settings, windows=WindowSettings(max_indel_length=1))["scores.tsv.gz"])
    assert scores["status"].tolist() == ["scored", "scored", "too_long", "scored"]
    assert scores["score"].isna().tolist() == [False, False, True, False]


def test_same_input_same_bytes(study):
    """From a store of its own, and from one that has everything."""
    folder, _, settings = study
    first = run(folder, settings)
    for out in ("again.", "again."):
        second = run(folder, settings, out=out)
        for name, path in first.items():
            with open(path, "rb") as one, open(second[name], "rb") as two:
                assert one.read() == two.read(), name


def test_a_second_run_embeds_nothing(study, monkeypatch):
    folder, _, settings = study
    run(folder, settings)
    monkeypatch.setattr(AlleleEmbedder, "embed", None)
    run(folder, settings)


def test_scores_of_a_study(study):
    folder, variants, settings = study
    scores = run(folder, settings)["scores.tsv.gz"]
    (folder / "regions.bed").write_text(f"chr1\t0\t{CONTEXT}\ttrain\nchr1\t600\t{600 + CONTEXT}\ttest\n")
    gather_scores(variants=[str(folder / "variants.tsv.gz")], scores=[scores], regions=str(folder / "regions.bed"),
                  output=str(folder / "all.tsv.gz"), context_length=CONTEXT, settings=ScoreSettings())  # fmt: skip
    table = VARIANT_SCORES.read(folder / "all.tsv.gz")
    assert table["variant_id"].tolist() == variants["variant_id"].tolist()
    assert table["common"].all()
    assert sorted(table["quantile"]) == [0.125, 0.375, 0.625, 0.875]
    assert {"pc1", "pc2", "liver.quantile"} <= set(table.columns)


@pytest.mark.parametrize("count", [80, 3, 0])
def test_windows_beside_centred_ones(study, monkeypatch, count):
    """The scores are those of a run with either setting; the offset is that of the variant in its window."""
    folder, variants, settings = study
    monkeypatch.setattr(annotate, "_COMPARED", count)
    windows = WindowSettings(max_offset=2 * BIN_SIZE)
    scores = run(folder, settings, windows=windows)["scores.tsv.gz"]
    compare_windows(variants=[str(folder / "variants.tsv.gz")], scores=[scores], fasta=str(folder / "genome.fa"),
                    head=str(folder / "head"), output=str(folder / "windows.tsv"), backbone=settings, windows=windows,
                    settings=ScoreSettings(), seed=1, threads=1)  # fmt: skip
    table = WINDOW_COMPARISON.read(folder / "windows.tsv").set_index("variant_id")
    assert len(table) == min(count, 4)
    for column, path in (("shared", scores), ("centred", run(folder, settings, out="centred.")["scores.tsv.gz"])):
        expected = SCORES.read(path).set_index("variant_id")["score"][table.index]
        assert np.allclose(table[f"score_{column}"], expected, rtol=1e-4)
    assert not count or not np.allclose(table["score_shared"], table["score_centred"], rtol=1e-2)
    middle = variants.set_index("variant_id")["pos"][table.index] - 1 - table["offset"]
    assert ((middle - CONTEXT // 2) % (4 * BIN_SIZE) == 0).all()
    assert (table["offset"].abs() <= 2 * BIN_SIZE).all()


def test_batch_without_loci(study):
    folder, _, settings = study
    LOCUS_VARIANTS.write(LOCUS_VARIANTS.empty(), folder / "none.tsv.gz")
    scores = SCORES.read(run(folder, settings, "none.tsv.gz")["scores.tsv.gz"])
    assert len(scores) == 0


def test_reference_alleles_of_another_genome(study):
    folder, variants, settings = study
    swapped = variants.assign(ref=variants["alt"], alt=variants["ref"])
    LOCUS_VARIANTS.write(swapped, folder / "swapped.tsv.gz")
    with pytest.raises(InputError, match=r"genome\.fa: the reference allele of \d of 4 variants"):
        run(folder, settings, "swapped.tsv.gz")
