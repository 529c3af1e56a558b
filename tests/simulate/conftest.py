from pathlib import Path

import pytest

from fineprior.sequence.motifs import read_motifs

MOTIFS = Path(__file__).parents[2] / "resources" / "backbone" / "motifs.meme"


@pytest.fixture(scope="session")
def motifs():
    return read_motifs(MOTIFS)
