"""What jobs require of a cluster: it doubles with each attempt."""

import math
from pathlib import Path

import pytest

from fineprior.plan.params import growing, memory_of_files, memory_of_ld, memory_of_windows


@pytest.mark.parametrize(("attempt", "factor"), [(1, 1), (2, 2), (3, 4)])
def test_each_further_attempt_has_twice_as_much(tmp_path, attempt, factor):
    path = tmp_path / "a"
    path.write_bytes(bytes(2_000_000))
    assert growing(30)(None, attempt=attempt) == 30 * factor
    assert memory_of_files(100, 10, "a")(None, {"a": str(path)}, attempt=attempt) == 120 * factor
    assert memory_of_ld(1000)(None, threads=2, attempt=attempt) == 2500 * factor
    assert memory_of_windows(64, 1_000_000)(None, attempt=attempt) == 10_048 * factor


def test_memory_grows_with_the_files_that_are_there(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path in paths[:2]:
        path.write_bytes(bytes(1_000_000))
    files = {"one": str(paths[0]), "several": [str(path) for path in paths], "none": []}
    assert memory_of_files(100, 10, "one")(None, files, 1) == 110
    assert memory_of_files(100, 10, "one", "several", "none", "absent")(None, files, 1) == 130
    assert memory_of_files(100, 10, "several", most=0.5)(None, files, 1) == 105
    assert memory_of_files(100, math.pi, "none")(None, files, 1) == 100
    assert not Path(paths[2]).exists()


def test_a_batch_of_as_many_windows_as_fit_is_taken_as_64():
    assert memory_of_windows(0, 2048)(None, 1) == memory_of_windows(64, 2048)(None, 1) == 8004
