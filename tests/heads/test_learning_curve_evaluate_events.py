import builtins

import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.heads.learning_curve import write_events

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


def test_without_the_package(tmp_path, monkeypatch):
    imported = builtins.__import__

    def missing(name, *rest, **more):
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match="tensorboard is not installed"):
        write_events(HISTORY, METRICS, str(tmp_path))
