import builtins
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from fineprior.heads.evaluation import write_events

HISTORY = pd.DataFrame({
    "epoch": [1, 2], "train_loss": [0.5, 0.25], "valid_loss": [0.6, 0.4], "valid_pearson_r": [0.1, 0.2],
    "best": [False, True],
})  # fmt: skip
METRICS = pd.DataFrame({"track": ["a"], "split": ["test"], "pearson_r": [0.75]})


@pytest.mark.slow
def test_events_hold_the_course_of_training(tmp_path):
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    write_events(HISTORY, METRICS, str(tmp_path))
    (file,) = tmp_path.iterdir()
    events = [(v.tag, e.step, round(v.tensor.float_val[0], 6))
              for e in loader.EventFileLoader(str(file)).Load() for v in e.summary.value]  # fmt: skip
    assert ("train_loss", 2, 0.25) in events
    assert ("test_pearson_r/a", 2, 0.75) in events
    assert len(events) == 7


def test_without_the_package_training_ends_well_and_says_how_to_get_events(tmp_path, monkeypatch, caplog):
    imported = builtins.__import__

    def missing(name, *rest, **more):
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    write_events(HISTORY, METRICS, str(tmp_path / "tensorboard"))
    assert list((tmp_path / "tensorboard").iterdir()) == []  # the rule's folder is there all the same
    (record,) = caplog.records
    assert "no event files" in record.getMessage()
    assert "pip install 'fineprior[tensorboard]'" in record.getMessage()


def test_the_extra_of_that_name_has_the_package():
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert [line.split(">")[0] for line in pyproject["optional-dependencies"]["tensorboard"]] == ["tensorboard"]
    assert not [line for line in pyproject["dependencies"] if line.startswith("tensorboard")]
