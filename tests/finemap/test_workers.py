import os
import signal

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.susie import susie_rss
from fineprior.finemap.workers import fit_loci

R = 0.9 ** np.abs(np.subtract.outer(np.arange(50), np.arange(50)))


def fit(position):
    return susie_rss(9 * R[position], R, 5000)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_order_and_do_not_depend_on_the_number_of_processes(workers):
    positions = [3, 40, 20, 3]
    fits = list(fit_loci(fit, positions, workers))
    assert [int(found.pip.argmax()) for found in fits] == positions
    assert [found.alpha.tobytes() for found in fits] == [fit(position).alpha.tobytes() for position in positions]


def test_two_processes_work_and_hold_what_this_one_holds():
    held = R.copy()
    found = list(fit_loci(lambda _: (os.getpid(), held.sum()), range(8), 2))
    assert os.getpid() not in {process for process, _ in found}
    assert {total for _, total in found} == {held.sum()}


def test_no_loci():
    assert list(fit_loci(fit, [], 2)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_arrive(workers):
    with pytest.raises(InputError, match="z: 1 of 1 values"):
        list(fit_loci(lambda z: susie_rss([z], [[1.0]], 100), [1.0, np.nan], workers))


def test_a_killed_process_is_named():
    with pytest.raises(ChildProcessError, match="fewer workers need less"):
        list(fit_loci(lambda _: os.kill(os.getpid(), signal.SIGKILL), [1, 2], 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_fits_of_other_processes_cannot_be_written_to(workers):
    for found in fit_loci(fit, [3, 40], workers):
        with pytest.raises(ValueError, match="read-only"):
            found.pip[0] = 1
