"""No reader of a user's file ends in a traceback, a signal or a hang, nor in another value where a checksum can tell.

Each reader gets 200 spoiled inputs (`FUZZ_SEEDS` for more). `python tests/bad_inputs/fuzz.py READER` shows what became
of them.
"""

from collections import Counter

import pytest

from bad_inputs.fuzz import OTHER, REFUSED, SAME, SEEDS, Server, spoiled
from bad_inputs.fuzz_readers import READERS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    running = Server()
    yield running
    running.close()


@pytest.mark.parametrize("name", READERS)
def test_spoiled_inputs(server, name):
    rows = server(name)
    allowed = {REFUSED, SAME, *([OTHER] if READERS[name].no_checksum else [])}
    wrong = [row for row in rows if row["outcome"] not in allowed]
    assert not wrong, f"{Counter(row['outcome'] for row in rows)}; {wrong[:3]}"
    assert len(rows) == SEEDS
    assert sum(row["outcome"] == REFUSED for row in rows) > SEEDS / 20, "hardly anything was refused"


def test_what_is_spoiled_is_spoiled_in_the_same_way_again():
    content = bytes(range(256)) * 4
    made = [spoiled(content, seed) for seed in range(SEEDS)]
    assert made == [spoiled(content, seed) for seed in range(SEEDS)]
    assert sum(one != content for one in made) > 0.95 * SEEDS
