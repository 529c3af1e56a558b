"""What must hold of any embeddings and their file."""

import numpy as np

from fineprior.engine.variant_embeddings import write_embeddings


def same_after_round_trip(made, read, folder):
    """The same embeddings give the same bytes, and reading gives the same values and kinds."""
    for number in (1, 2):
        write_embeddings(made, folder / f"{number}.npz")
    assert (folder / "1.npz").read_bytes() == (folder / "2.npz").read_bytes()
    again = read(folder / "1.npz")
    for field, value in vars(made).items():
        assert np.array_equal(getattr(again, field), value), field
        assert type(getattr(again, field)) is type(value)
