import numpy as np
import pytest
from safetensors.numpy import save_file

from fineprior.files.errors import InputError
from fineprior.heads.head import Head, load_head, write_head


def test_round_trip(tmp_path):
    rng = np.random.default_rng(1)
    head = Head(
        rng.normal(size=(2, 12)).astype(np.float32), rng.normal(size=2).astype(np.float32), ("a", "b"), "b", 128
    )
    write_head(head, tmp_path / "head.safetensors")
    again = load_head(tmp_path / "head.safetensors")
    for name, value in vars(head).items():
        assert np.array_equal(getattr(again, name), value), name


@pytest.mark.parametrize("kind", ["absent", "text", "other weights", "wrong shape"])
def test_files_that_are_no_head(tmp_path, kind):
    path = tmp_path / "head.safetensors"
    message = "not a head written by fineprior"
    if kind == "absent":
        message = "no such file"
    elif kind == "text":
        path.write_text("weights")
    elif kind == "other weights":
        save_file({"weight": np.ones((2, 3))}, path)
    else:
        write_head(Head(np.ones((2, 3), np.float32), np.ones(2, np.float32), ("a", "b", "c"), "b", 128), path)
        message = "do not fit 3 tracks"
    with pytest.raises(InputError, match=message):
        load_head(path)


@pytest.mark.parametrize(
    "change",
    [{"tracks": ("a", "a")}, {"bin_size": 0}, {"other_strand": (5, 9)}, {"other_strand": (-1, 0)},
     {"other_strand": (1, 1)}],
)  # fmt: skip
def test_a_head_whose_parts_cannot_be(tmp_path, change):
    given = {"weight": np.ones((2, 3), np.float32), "bias": np.ones(2, np.float32), "tracks": ("a", "b"),
             "backbone": "b", "bin_size": 128} | change  # fmt: skip
    write_head(Head(**given), tmp_path / "h.safetensors")
    with pytest.raises(InputError, match="are not those of a head"):
        load_head(tmp_path / "h.safetensors")
