"""Heads that are not the default, through the workflow: one that changes the backbone, one on labelled variants."""

import shutil

import pytest

from fineprior.engine.variant_embeddings import read_variant_embeddings
from fineprior.files import tables
from fineprior.heads.head import load_head
from workflow_runs import edit_config, planned_jobs, snakemake

pytestmark = pytest.mark.workflow
LORA = {"mode": "lora", "epochs": 1, "freeze_epochs": 3, "batch_regions": 32, "rank": 2}
SCORES = "results/embedded/scores.tsv.gz"
CAUSAL = "results/embedded/causal_probabilities.tsv.gz"
PRIOR = "results/embedded/prior/functional/0.tsv.gz"


def run(folder, target):
    done = snakemake(folder, "--cores", "2", target)
    if done.returncode:
        pytest.fail(done.stdout[-6000:])
    assert not planned_jobs(folder, target)


def rules(planned):
    return {rule for rule, _ in planned}


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def test_a_head_that_changes_the_backbone_embeds_variants_with_it(copy):
    edit_config(copy, {"head": {"mode": "mlp"}})
    assert rules(planned_jobs(copy, SCORES)) == {"train_head", "score_variants", "gather_scores"}
    edit_config(copy, {"head": LORA})
    expected = {"train_head", "embed_variants", "score_variants", "gather_scores"}
    assert rules(planned_jobs(copy, SCORES)) == expected
    before = read_variant_embeddings(copy / "results/embedded/embeddings/0.npz").backbone
    run(copy, SCORES)
    head = load_head(copy / "results/heads/disease/head.safetensors")
    after = read_variant_embeddings(copy / "results/embedded/embeddings/0.npz").backbone
    assert (head.base, head.backbone) == (before, after)
    assert before != after
    assert all(".lora_" in name for name in head.trunk)
    metrics = tables.HEAD_METRICS.read(copy / "results/heads/disease/metrics.tsv")
    assert metrics.loc[metrics["split"] == "test", "pearson_r"].min() > 0.3


def test_labelled_variants_lead_to_a_prior(copy):
    scores = tables.VARIANT_SCORES.read(copy / SCORES).dropna(subset=["score"]).sort_values("score")
    by_chrom = scores.groupby("chrom")["variant_id"]
    causal, controls = by_chrom.tail(30), by_chrom.head(60)
    lines = [f"{name}\t{label}" for label, names in ((1, causal), (0, controls)) for name in names]
    (copy / "config/labels.tsv").write_text("\n".join(["variant_id\tlabel", *lines]) + "\n")
    labels = {"variants": "config/labels.tsv"}
    edit_config(copy, {"labels": labels, "priors": {"source": "supervised", "max_ratio": 1000.0}})
    planned = rules(planned_jobs(copy, PRIOR))
    assert {"embed_labels", "train_labels", "predict_causal", "annotate_variants"} <= planned
    assert not planned & {"train_head", "embed_variants", "score_variants"}
    run(copy, PRIOR)
    figures = tables.VARIANT_HEAD_METRICS.read(copy / "results/labels/metrics.tsv").set_index("measure")["value"]
    assert figures["variants"] == len(lines)
    assert figures["base_rate"] == pytest.approx(1 / 3, abs=0.02)
    assert figures["auroc"] > 0.8
    found = tables.CAUSAL_PROBABILITIES.read(copy / CAUSAL)
    assert found["training_rate"].unique() == pytest.approx([figures["base_rate"]], rel=1e-6)
    prior = tables.PRIOR.read(copy / PRIOR)
    assert prior.groupby("locus")["softmax"].sum().to_numpy() == pytest.approx(1, abs=1e-4)
    named = prior.set_index("variant_id")["softmax"]
    high, low = (named[named.index.isin(names)].mean() for names in (causal, controls))
    assert high > 2 * low
