import numpy as np
import pandas as pd
import pytest
import torch

from fineprior.engine.allele_embedder import AlleleEmbedder
from fineprior.engine.backbone import EnformerBackbone, load_backbone
from fineprior.engine.loading import load_enformer
from fineprior.engine.variant_embeddings import embed_alleles, read_variant_embeddings
from fineprior.files.errors import InputError
from fineprior.files.tables import HEAD_METRICS, LOCUS_VARIANTS, SCORES, VARIANT_SCORES, WINDOW_COMPARISON
from fineprior.heads.head import Head, load_head, write_head
from fineprior.heads.trunk import LORA_A, LORA_B, tuned_digest
from fineprior.project.settings import ScoreSettings, WindowSettings
from fineprior.sequence.windows import read_sequences
from fineprior.steps import score_variants as annotate
from fineprior.steps.score_variants import (
    compare_windows,
    embed_variants,
    extract_sequences,
    gather_scores,
    score_variants,
)
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


def metrics(folder, **r):
    """HEAD_METRICS of a head whose tracks have these r on the test regions."""
    rows = pd.DataFrame({"track": list(r), "split": "test", "bins": 5, "regions": 1, "pearson_r": list(r.values())})
    HEAD_METRICS.write(rows.reindex(columns=HEAD_METRICS.names), folder / "metrics.tsv")
    return str(folder / "metrics.tsv")


@pytest.mark.slow
@pytest.mark.parametrize(("liver", "kidney"), [(0.1, 0.9), (np.nan, 0.9), (0.1, 0.2)])
def test_tracks_that_the_head_does_not_predict_stay_out_of_what_priors_take(study, liver, kidney):
    folder, _, settings = study
    names = run(folder, settings)
    score_variants(variants=str(folder / "variants.tsv.gz"), embeddings=names["embeddings.npz"],
                   head=str(folder / "head"), metrics=metrics(folder, liver=liver, kidney=kidney),
                   output=str(folder / "gated.tsv"), settings=ScoreSettings(), min_r=0.3)  # fmt: skip
    scores = SCORES.read(folder / "gated.tsv")
    assert "liver.l2" not in scores
    assert (scores["liver.sad"] != 0).all()
    if kidney < 0.3:
        assert scores["score"].isna().all()
    else:
        assert scores["score"].tolist() == pytest.approx(scores["kidney.l2"].tolist())


def run(folder, settings, variants="variants.tsv.gz", out="", windows=WINDOWS):
    names = {name: str(folder / f"{out}{name}") for name in ("sequences.npz", "embeddings.npz", "scores.tsv.gz")}
    source = str(folder / variants)
    extract_sequences(variants=source, fasta=str(folder / "genome.fa"), output=names["sequences.npz"],
                      context_length=CONTEXT, windows=windows)  # fmt: skip
    embed_variants(sequences=names["sequences.npz"], output=names["embeddings.npz"], store=str(folder / f"{out}store"),
                   backbone=settings, windows=windows, batch=0, batch_size=4, threads=1)  # fmt: skip
    score_variants(variants=source, embeddings=names["embeddings.npz"], head=str(folder / "head"),
                   metrics=metrics(folder, liver=0.9, kidney=0.9), output=names["scores.tsv.gz"],
                   settings=ScoreSettings(), min_r=0.3)  # fmt: skip
    return names


@pytest.mark.slow
def test_from_variants_to_scores(study):
    folder, variants, settings = study
    scores = SCORES.read(run(folder, settings)["scores.tsv.gz"])
    assert scores["variant_id"].tolist() == variants["variant_id"].tolist()
    assert scores["status"].tolist() == ["scored"] * 4
    assert (scores["score"] > 0).all()
    assert {"liver.l2", "kidney.sad", "liver.log_sum", "liver.central", "kidney.max"} <= set(scores.columns)


@pytest.mark.slow
def test_indels_beyond_the_longest_are_not_scored(study):
    folder, _, settings = study
    scores = SCORES.read(run(folder, settings, windows=WindowSettings(max_indel_length=1))["scores.tsv.gz"])
    assert scores["status"].tolist() == ["scored", "scored", "too_long", "scored"]
    assert scores["score"].isna().tolist() == [False, False, True, False]


@pytest.mark.slow
def test_same_input_same_bytes(study):
    """From a store of its own, and from one that has everything."""
    folder, _, settings = study
    first = run(folder, settings)
    for out in ("again.", "again."):
        second = run(folder, settings, out=out)
        for name, path in first.items():
            with open(path, "rb") as one, open(second[name], "rb") as two:
                assert one.read() == two.read(), name


@pytest.mark.slow
def test_a_second_run_embeds_nothing(study, monkeypatch):
    folder, _, settings = study
    run(folder, settings)
    monkeypatch.setattr(AlleleEmbedder, "embed", None)
    run(folder, settings)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_head_that_changed_the_backbone_embeds_variants_with_its_own(study):
    folder, _, settings = study
    plain = run(folder, settings)
    enformer, digest = load_enformer(settings)
    name = "transformer.1.0.fn.1.to_v.weight"
    rng = np.random.default_rng(2)
    out, width = dict(enformer.named_parameters())[name].shape
    trunk = {name + LORA_A: rng.normal(size=(2, width)).astype(np.float32),
             name + LORA_B: rng.normal(size=(out, 2)).astype(np.float32)}  # fmt: skip
    head = load_head(folder / "head")
    tuned = Head(head.weight, head.bias, head.tracks, tuned_digest(digest, trunk), BIN_SIZE, trunk=trunk, base=digest)
    write_head(tuned, folder / "tuned")
    again = load_head(folder / "tuned")
    assert (again.backbone, again.base) == (tuned.backbone, digest)
    embed_variants(sequences=plain["sequences.npz"], output=str(folder / "tuned.npz"), store=str(folder / "store"),
                   backbone=settings, windows=WINDOWS, batch=0, batch_size=4, threads=1,
                   head=str(folder / "tuned"))  # fmt: skip
    one, two = read_variant_embeddings(plain["embeddings.npz"]), read_variant_embeddings(folder / "tuned.npz")
    assert two.backbone == tuned.backbone
    assert not np.allclose(one.difference, two.difference, atol=1e-3)
    with torch.no_grad():
        weight = dict(enformer.named_parameters())[name]
        weight.add_(torch.from_numpy(trunk[name + LORA_B] @ trunk[name + LORA_A]))
    by_hand = embed_alleles(read_sequences(plain["sequences.npz"]), EnformerBackbone(enformer, "x", settings), WINDOWS)
    assert np.allclose(two.difference, by_hand.difference, atol=1e-5)
    for made_with, embeddings in (("tuned", "embeddings.npz"), ("head", "tuned.npz")):
        with pytest.raises(InputError, match="the head was trained on backbone"):
            score_variants(variants=str(folder / "variants.tsv.gz"), embeddings=str(folder / embeddings),
                           head=str(folder / made_with), metrics=metrics(folder, liver=0.9, kidney=0.9),
                           output=str(folder / "x.tsv"), settings=ScoreSettings(), min_r=0.3)  # fmt: skip
