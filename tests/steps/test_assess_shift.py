import dataclasses

import numpy as np
import pandas as pd
import pytest

from fineprior.engine.region_embeddings import RegionEmbeddings, read_region_embeddings
from fineprior.engine.variant_embeddings import VariantEmbeddings, write_embeddings
from fineprior.files.tables import LOCUS_VARIANTS, SCORES, SHIFT
from fineprior.heads.head import Head, write_head
from fineprior.heads.variant_head import VariantHead, write_variant_head
from fineprior.steps.assess_shift import assess_shift

LENGTH, BIN, DIM, LOCI, SIZE = 400, 20, 4, 24, 30
CHROMOSOMES = ("chr1", "chr2", "chr3")


@pytest.fixture
def study(tmp_path):
    """Training on chr1, test on chr2; variants of all chromosomes, in two batches; bins are alike everywhere."""
    rng = np.random.default_rng(1)
    long = LENGTH * 60
    bases = {name: "".join(rng.choice(list("ACGT"), long)) for name in CHROMOSOMES}
    (tmp_path / "genome.fa").write_text("".join(f">{name}\n{text}\n" for name, text in bases.items()))
    split = {"chr1": "train", "chr2": "test"}
    regions = [(name, i * LENGTH, (i + 1) * LENGTH, which) for name, which in split.items() for i in range(60)]
    (tmp_path / "regions.bed").write_text("".join("\t".join(map(str, row)) + "\n" for row in regions))
    starts = np.concatenate([begin + BIN * np.arange(8, 12) for _, begin, _, _ in regions])
    chrom, which = (np.repeat([row[i] for row in regions], 4) for i in (0, 3))
    embedding = rng.normal(size=(len(starts), DIM)).astype(np.float32)
    write_embeddings(RegionEmbeddings(chrom, starts, which, embedding, "b", BIN), tmp_path / "regions.npz")
    head = Head(rng.normal(size=(1, DIM)).astype(np.float32), np.zeros(1, np.float32), ("t",), "b", BIN)
    write_head(head, tmp_path / "head")
    for batch in (0, 1):
        rows = []
        for locus in range(batch, LOCI, 2):
            name, begin = CHROMOSOMES[locus % 3], 1000 + 900 * (locus // 3)
            causal = rng.integers(SIZE)
            for i in range(SIZE):
                pos = begin + 10 * i
                rows.append({"locus": f"L{locus}", "variant_id": f"{name}:{pos}:A:C", "chrom": name, "pos": pos,
                             "ref": "A", "alt": "C", "z": 9.0 if i == causal else 0.0, "beta": 0.0, "se": 1.0,
                             "neg_log10_p": 1.0, "n": 10.0, "panel_af": 0.3, "panel_index": pos,
                             "score": 3.0 if i == causal else rng.random()})  # fmt: skip
        frame = pd.DataFrame(rows)
        LOCUS_VARIANTS.write(
            frame.drop(columns="score").assign(eaf=0.3)[LOCUS_VARIANTS.names], tmp_path / f"v{batch}.tsv"
        )
        SCORES.write(frame.assign(status="scored")[SCORES.names], tmp_path / f"s{batch}.tsv")
        reference = rng.normal(size=(len(frame), 2, 4, DIM)).astype(np.float32)
        ids = frame["variant_id"].to_numpy(np.str_)
        write_embeddings(VariantEmbeddings(ids, np.full(len(ids), "scored"), reference, 0 * reference, "b", BIN),
                         tmp_path / f"e{batch}.npz")  # fmt: skip
    return tmp_path, head


def shift_of(folder, **more):
    paths = {
        kind: [str(folder / f"{letter}{batch}{end}") for batch in (0, 1)]
        for kind, letter, end in (("variants", "v", ".tsv"), ("scores", "s", ".tsv"), ("embeddings", "e", ".npz"))
    }
    assess_shift(**paths, fasta=str(folder / "genome.fa"), regions=str(folder / "regions.bed"),
                 region_embeddings=str(folder / "regions.npz"), head=str(folder / "head"),
                 output=str(folder / "shift.tsv"), context_length=LENGTH, effect_variance=0.0, seed=1,
                 **more)  # fmt: skip
    return SHIFT.read(folder / "shift.tsv").set_index("measure")


@pytest.mark.slow
def test_each_kind_of_shift_is_assessed(study):
    folder, _ = study
    found = shift_of(folder)
    assert found["kind"].tolist() == ["covariate"] * 5 + ["prior"] + ["concept"] * 5
    assert set(found["verdict"]) <= {"fine", "not applicable"}
    assert found["sentence"].str.endswith(".").all()
    assert found.loc["base rate of causal variants", "scored"] == pytest.approx(1 / SIZE)
    assert found.loc["told from training windows", ["training", "scored"]].tolist() == pytest.approx(
        [0.5, 0.5], abs=0.15
    )
    strata = found[found["kind"] == "concept"]
    assert (strata["scored"] > 0.3).all()


@pytest.mark.slow
def test_variants_in_training_bins_are_counted(study):
    folder, _ = study
    position = np.concatenate(
        [LOCUS_VARIANTS.read(folder / f"v{b}.tsv").query("chrom == 'chr1'")["pos"] for b in (0, 1)]
    )
    inside = ((position - 1) % LENGTH // BIN >= 8) & ((position - 1) % LENGTH // BIN < 12)
    share = shift_of(folder).loc["variants in training bins", "scored"]
    assert share == pytest.approx(inside.sum() / (LOCI * SIZE), abs=1e-6)
    assert share > 0


@pytest.mark.slow
def test_regions_that_spell_a_chromosome_in_two_ways_are_all_counted(study):
    folder, _ = study
    expected = shift_of(folder).loc["variants in training bins", "scored"]
    cached = read_region_embeddings(folder / "regions.npz")
    chrom = np.where((cached.chrom == "chr1") & (cached.start > 2 * LENGTH), "1", cached.chrom)
    write_embeddings(dataclasses.replace(cached, chrom=chrom), folder / "regions.npz")
    assert shift_of(folder).loc["variants in training bins", "scored"] == expected


@pytest.mark.slow
def test_windows_of_another_kind_are_seen(study):
    folder, _ = study
    with np.load(folder / "e0.npz") as arrays:
        fields = dict(arrays)
    fields["reference"] = fields["reference"] + 6
    np.savez(folder / "e0.npz", **fields)
    assert shift_of(folder).loc["far from training windows", "verdict"] == "shifted"


@pytest.mark.slow
def test_a_trunk_of_its_own_cannot_be_compared(study):
    folder, head = study
    write_head(dataclasses.replace(head, backbone="tuned"), folder / "head")
    for batch in (0, 1):
        with np.load(folder / f"e{batch}.npz") as arrays:
            fields = dict(arrays) | {"backbone": "tuned"}
        np.savez(folder / f"e{batch}.npz", **fields)
    found = shift_of(folder)
    assert found.loc["embedding", "verdict"] == "unknown"
    assert "trunk of its own" in found.loc["embedding", "sentence"]


@pytest.mark.slow
def test_labels_of_another_base_rate_are_shifted(study):
    folder, _ = study
    empty = np.zeros((1, DIM))
    head = VariantHead(np.array([""]), empty, empty + 1, empty, *np.zeros((3, 1)), np.zeros((1, 2, 0)), 0.5, "b")
    write_variant_head(head, folder / "labels.npz")
    row = shift_of(folder, labels=str(folder / "labels.npz")).loc["base rate of causal variants"]
    assert (row["training"], row["verdict"]) == (0.5, "shifted")
    assert row["difference"] == pytest.approx(-np.log(SIZE - 1), abs=1e-5)


@pytest.mark.slow
def test_too_few_loci_say_nothing_of_concept(study):
    folder, _ = study
    for batch in (0, 1):
        frame = LOCUS_VARIANTS.read(folder / f"v{batch}.tsv")
        LOCUS_VARIANTS.write(frame[frame["locus"].isin(["L0", "L1", "L2"])], folder / f"v{batch}.tsv")
    found = shift_of(folder)
    assert found.loc["enrichment", "verdict"] == "unknown"
    assert "3 loci" in found.loc["enrichment", "sentence"]
