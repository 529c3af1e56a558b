import pytest

from fineprior.files.tables import (
    HEAD_BASELINES,
    HEAD_FOLDS,
    HEAD_METRICS,
    HEAD_SCATTER,
    LEARNING_CURVE,
)
from fineprior.heads import baselines as evaluate
from fineprior.project.settings import EvaluationSettings
from fineprior.steps.evaluate_head import evaluate_head
from head_study import inputs, train, write_study
from toy_enformer import TARGET_BINS


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("transfer"))


def evaluated(folder, settings, paths, evaluation, **events):
    outputs = {name: str(folder / f"{name}.tsv") for name in ("baselines", "curve", "folds", "scatter")} | events
    evaluate_head(fasta=str(folder / "genome.fa"), regions=str(folder / "regions.bed"), head=paths["head"],
                  metrics=paths["metrics.tsv"], history=paths["history.tsv"], outputs=outputs, backbone=settings,
                  evaluation=evaluation, threads=1, **inputs(folder))  # fmt: skip
    return outputs


@pytest.mark.slow
def test_head_beside_simpler_models(study, monkeypatch):
    folder, settings = study
    monkeypatch.setattr(evaluate, "SCRATCH_EPOCHS", 1)
    monkeypatch.setattr(evaluate, "KMER", 3)
    paths = train(folder, "three")
    outputs = evaluated(folder, settings, paths, EvaluationSettings(curve_sizes=3))
    table = HEAD_BASELINES.read(outputs["baselines"])
    metrics = HEAD_METRICS.read(paths["metrics.tsv"])
    assert table.loc[table["model"] == "transfer", "pearson_r"].tolist() == pytest.approx(
        metrics.loc[metrics["split"] == "test", "pearson_r"].tolist(), abs=1e-6
    )
    kmers = table[(table["model"] == "kmer_ridge") & (table["track"] == "gc")]
    assert kmers["pearson_r"].item() > 0.3
    curve = LEARNING_CURVE.read(outputs["curve"])
    assert curve["regions"].tolist() == [10, 10, 20, 20, 40, 40]
    assert curve["pearson_r"].tolist()[-2:] == pytest.approx(table["pearson_r"].tolist()[:2], abs=1e-6)
    assert HEAD_FOLDS.read(outputs["folds"]).empty
    scatter = HEAD_SCATTER.read(outputs["scatter"])
    assert scatter.groupby("track").size().tolist() == [10 * TARGET_BINS] * 2


@pytest.mark.slow
def test_folds_and_events_when_asked_for(study, monkeypatch):
    folder, settings = study
    monkeypatch.setattr(evaluate, "SCRATCH_EPOCHS", 1)
    monkeypatch.setattr(evaluate, "KMER", 3)
    paths = train(folder, "five")
    asked = EvaluationSettings(curve_sizes=0, folds=4, tensorboard=True)
    outputs = evaluated(folder, settings, paths, asked, events=str(folder / "events"))
    folds = HEAD_FOLDS.read(outputs["folds"])
    assert folds.groupby("fold")["chosen"].sum().tolist() == [1] * 4
    assert set(folds["mode"]) == {"linear", "mlp"}
    assert folds["inner_r"].notna().all()
    assert LEARNING_CURVE.read(outputs["curve"]).empty
    assert len(list((folder / "events").iterdir())) == 1
