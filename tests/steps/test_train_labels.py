import numpy as np
import pandas as pd
import pytest

from fineprior.engine.variant_embeddings import read_variant_embeddings, write_embeddings
from fineprior.files.errors import InputError
from fineprior.files.tables import CAUSAL_PROBABILITIES, LOCUS_VARIANTS, VARIANT_HEAD_METRICS
from fineprior.project.settings import WindowSettings
from fineprior.steps.train_labels import embed_labels, predict_causal, train_labels
from toy_enformer import CONTEXT, save_toy

WINDOWS = WindowSettings()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Variants on four chromosomes, of which those in a row of A are causal."""
    folder = tmp_path_factory.mktemp("labels")
    rng = np.random.default_rng(1)
    genome, rows = [], []
    for number in range(1, 5):
        bases = rng.choice(list("ACGT"), 3 * CONTEXT)
        for index, pos in enumerate(range(CONTEXT, 2 * CONTEXT, 32)):
            causal = index % 2
            if causal:
                bases[pos - 8 : pos + 8] = "A"
            rows.append((f"chr{number}", pos, causal))
        genome.append(f">chr{number}\n{''.join(bases)}\n")
        rows = [row if len(row) == 5 else (*row, bases[row[1] - 1], "C" if bases[row[1] - 1] != "C" else "G")
                for row in rows]  # fmt: skip
    (folder / "genome.fa").write_text("".join(genome))
    table = pd.DataFrame(rows, columns=["chrom", "pos", "label", "ref", "alt"])
    table["variant_id"] = table["chrom"] + ":" + table["pos"].astype(str) + ":" + table["ref"] + ":" + table["alt"]
    table[["variant_id", "label"]].to_csv(folder / "labels.tsv", sep="\t", index=False)
    settings = save_toy(folder / "toy")
    embed_labels(labels=str(folder / "labels.tsv"), fasta=str(folder / "genome.fa"), output=str(folder / "labels.npz"),
                 store=str(folder / "store"), backbone=settings, windows=WINDOWS, batch_size=0, threads=1)  # fmt: skip
    train_labels(labels=str(folder / "labels.tsv"), embeddings=str(folder / "labels.npz"),
                 head=str(folder / "head.npz"), metrics=str(folder / "metrics.tsv"), calibration="platt")  # fmt: skip
    return folder, table


@pytest.mark.slow
def test_labelled_variants_become_a_head_with_its_figures(study):
    folder, table = study
    figures = VARIANT_HEAD_METRICS.read(folder / "metrics.tsv").set_index("measure")["value"]
    assert figures["variants"] == len(table)
    assert figures["base_rate"] == pytest.approx(0.5)
    assert figures["auroc"] > 0.7


def test_probabilities_of_a_study(study):
    folder, table = study
    rows = table.assign(locus=table["chrom"], z=1.0, neg_log10_p=1.0, n=10.0, panel_af=0.2, panel_index=0)
    LOCUS_VARIANTS.write(rows.reindex(columns=LOCUS_VARIANTS.names), folder / "variants.tsv.gz")
    predict_causal(variants=[str(folder / "variants.tsv.gz")], embeddings=[str(folder / "labels.npz")],
                   head=str(folder / "head.npz"), output=str(folder / "causal.tsv.gz"))  # fmt: skip
    found = CAUSAL_PROBABILITIES.read(folder / "causal.tsv.gz")
    assert found["variant_id"].tolist() == table["variant_id"].tolist()
    assert found["training_rate"].eq(0.5).all()
    assert found["probability"].between(0, 1).all()
    causal = table["label"].to_numpy() == 1
    assert found["probability"][causal].mean() > found["probability"][~causal].mean() + 0.1


def test_another_backbone(study, tmp_path):
    folder, _ = study
    found = read_variant_embeddings(folder / "labels.npz")
    write_embeddings(type(found)(**vars(found) | {"backbone": "another"}), tmp_path / "other.npz")
    LOCUS_VARIANTS.write(LOCUS_VARIANTS.empty(), tmp_path / "variants.tsv")
    files = {"variants": [str(tmp_path / "variants.tsv")], "embeddings": [str(tmp_path / "other.npz")]}
    with pytest.raises(InputError, match=r"embedded with backbone another, but the labelled variants with \w{12}"):
        predict_causal(**files, head=str(folder / "head.npz"), output="y")
