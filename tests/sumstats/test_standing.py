import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats.outcomes import LOW_MAF, MONOMORPHIC_IN_PANEL, number_of
from fineprior.sumstats.rows import gather_rows
from fineprior.sumstats.standing import Standing
from sumstats.test_rows import frame


@pytest.fixture
def standing():
    return Standing(gather_rows([frame(5, info=[0.9, 0.1, 0.9, 0.9, 0.9])], HarmoniseSettings(), "g.tsv"))


def test_only_rows_without_a_reason_stand(standing):
    assert standing.index.tolist() == [0, 2, 3, 4]
    assert standing["pos"].tolist() == [10, 30, 40, 50]


def test_columns_follow_their_rows_when_these_are_left_out_or_moved(standing):
    standing["mine"] = np.array(list("acde"))
    standing.take(np.array([3, 2, 1, 0]))
    standing.drop(standing["pos"] == 40, LOW_MAF)
    assert standing["mine"].tolist() == ["e", "c", "a"]
    assert standing.number("n").tolist() == [100] * 3
    assert standing.rows.reason[3] == number_of(LOW_MAF)
    assert len(standing) == 3


def test_the_last_row_does_not_go_without_a_word(standing):
    standing.drop(standing["pos"] < 50, LOW_MAF)
    with pytest.raises(InputError, match=r"none of 5 rows is left \(3 low_maf, 1 low_info, 1 mono.*for example line 2, "
                                         "chromosome 1, position 10, alleles A and G"):  # fmt: skip
        standing.drop(np.array([True]), MONOMORPHIC_IN_PANEL)
