"""The shipped backbone's card and its figures."""

import json
import re
from pathlib import Path

from backbone.card import model_card
from fineprior.files.whole import sha256

SHIPPED = Path(__file__).parents[2] / "resources" / "backbone"


def test_card_metrics_and_weights_belong_together():
    metrics = json.loads((SHIPPED / "metrics.json").read_text())
    card = (SHIPPED / "MODEL_CARD.md").read_text()
    weights = SHIPPED / "model.safetensors"
    assert sha256(weights) == metrics["sha256"]
    assert metrics["sha256"] in card
    assert "not Enformer, no disease claims" in card
    assert f"{metrics['figures']['auroc_lowest']:.3f}" in card
    assert weights.stat().st_size < 3_000_000


def test_the_card_is_written_from_the_figures():
    metrics, config = (json.loads((SHIPPED / f"{name}.json").read_text()) for name in ("metrics", "config"))
    card = (SHIPPED / "MODEL_CARD.md").read_text()
    date = re.search(r"\d{4}-\d\d-\d\d", card).group()
    assert model_card(metrics, config, date) == card
    other = model_card(metrics | {"figures": metrics["figures"] | {"auroc_lowest": 0.123}}, config, "1999-12-31")
    assert "| auroc_lowest | 0.123 |" in other
    assert "1999-12-31" in other
