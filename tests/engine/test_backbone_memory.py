import pytest
import torch

from fineprior.engine.backbone import Batches
from fineprior.files.errors import InputError

SHORT = [
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
]


def run(batches, count, fits, error, weight=1):
    """Sizes of the batches that were tried, and the things that came out."""
    tried = []

    def function(part):
        tried.append(part.stop - part.start)
        if tried[-1] > fits:
            raise error
        return torch.arange(part.start, part.stop)

    results = batches(function, count, weight)
    return tried, torch.cat(results).tolist() if results else []


def test_batches_cover_everything_in_order():
    assert run(Batches(4), 10, 99, None) == ([4, 4, 2], list(range(10)))
    assert run(Batches(4), 0, 99, None) == ([], [])
    assert run(Batches(10), 5, 99, None, weight=4) == ([2, 2, 1], list(range(5)))
    assert run(Batches(10), 2, 99, None, weight=40) == ([1, 1], [0, 1])


@pytest.mark.parametrize("error", SHORT, ids=["cuda", "python", "cpu"])
def test_batches_shrink_and_stay_small(error, caplog):
    batches = Batches(8)
    assert run(batches, 10, 3, error) == ([8, 4, 2, 2, 2, 2, 2], list(range(10)))
    assert "out of memory with a batch of 8; continuing with 4" in caplog.text
    assert run(batches, 3, 3, error) == ([2, 1], [0, 1, 2])


def test_one_that_does_not_fit_is_the_users_to_solve():
    with pytest.raises(InputError, match="out of memory with a single window"):
        run(Batches(4), 4, 0, SHORT[0])


def test_other_errors_are_not_taken_for_it():
    with pytest.raises(RuntimeError, match="shapes"):
        run(Batches(4), 4, 0, RuntimeError("shapes do not fit"))
