import runpy
from pathlib import Path

import pytest

_SYNTHETIC = runpy.run_path(str(Path(__file__).with_name("study_tables.py")))


@pytest.fixture(scope="session")
def study_tables():
    return _SYNTHETIC["study_tables"]


@pytest.fixture(scope="session")
def without_optional():
    return _SYNTHETIC["without_optional"]
