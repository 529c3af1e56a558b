import re
from pathlib import Path

import pytest

from fineprior.plan.stages import COMMANDS, STAGES, summary

RULES = Path(__file__).parents[2] / "workflow/rules"


def test_every_rule_s_function_is_a_stage():
    text = "\n".join(path.read_text() for path in RULES.glob("*.smk"))
    assert {step for steps in STAGES.values() for step in steps} == set(
        re.findall(r'code=code_digest\("([\w.]+)"\)', text)
    )


@pytest.mark.parametrize("step", COMMANDS.values())
def test_every_stage_says_what_it_does_in_one_line(step):
    assert summary(step).endswith((".", ":"))
    assert len(summary(step)) < 115


def test_the_batch_s_command_does_not_hide_the_locus_s():
    assert COMMANDS["finemap-batch"] == "finemap"
    assert "finemap" not in COMMANDS
