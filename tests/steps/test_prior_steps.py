"""Which step of a prior's estimate is used."""

import numpy as np
import pytest

from fineprior.priors.strength import Support
from fineprior.steps.prior_steps import Step, Worth, chosen_step


@pytest.mark.parametrize(
    ("gains", "used"),
    [
        ({"marginal": [3, 3, 3, 3], "signals": [1, 1, 1, 1.1]}, "marginal"),  # more, with certainty
        ({"marginal": [9, -3, 3, -3], "signals": [1, 1, 1, 1]}, "signals"),  # more, by chance
        ({"marginal": [0, 0, 0, 0.1], "signals": [1, 1, 1, 1]}, "signals"),
        ({"marginal": [2, 2, 2, 2.1], "signals": [1, 1, 1, 1], "iterated": [3, 3, 3, 3.1]}, "iterated"),
        ({"marginal": [2], "signals": [1]}, "signals"),  # one signal says nothing of chance
        ({"marginal": [], "signals": []}, "signals"),
    ],
)
def test_a_step_is_used_where_it_clearly_gains_more(gains, used):
    support = Support(0.0, 0.0, 0.0, 4, 4, 1.0, "")
    steps = {
        name: Step(name, [], None, {}, {}, Worth({}, {"chr1": np.array(values, dtype=float)}, 0.0, support))
        for name, values in gains.items()
    }
    assert chosen_step(list(steps.values()), steps["signals"]) is steps[used]
