"""A backbone of the hub is fetched once, checked, and found again without a network."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from fineprior.engine.hub import fetch_backbone, find_folder
from fineprior.files.errors import InputError
from fineprior.project.settings import BackboneSettings
from fineprior.steps import score_variants as annotate

REVISION = "0123abc"


class Hub:
    """Stands in for the hub: files with content, the digests that it gives for large ones, what was downloaded."""

    def __init__(self, **files):
        self.files = {name.replace("_json", ".json").replace("_st", ".safetensors").replace("_bin", ".bin"): content
                      for name, content in files.items()}  # fmt: skip
        self.digests = {}
        self.downloads = []

    def model_info(self, name, *, revision, files_metadata):
        assert (name, revision, files_metadata) == ("owner/model", REVISION, True)
        return SimpleNamespace(siblings=[self._sibling(file) for file in self.files])

    def _sibling(self, file):
        digest = self.digests.get(file) or hashlib.sha256(self.files[file]).hexdigest()
        lfs = None if file.endswith(".json") else SimpleNamespace(sha256=digest)
        return SimpleNamespace(rfilename=file, lfs=lfs)

    def download(self, name, file, *, revision, local_dir):
        assert (name, revision) == ("owner/model", REVISION)
        self.downloads.append(file)
        Path(local_dir).mkdir(parents=True, exist_ok=True)
        Path(local_dir, file).write_bytes(self.files[file])


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    hub = Hub(config_json=b"{}", model_st=b"safetensors", pytorch_model_bin=b"pickled", README_json=b"")
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub.download)
    return hub


FOLDER = Path(f"resources/backbones/owner--model@{REVISION}")
SETTINGS = BackboneSettings(weights="owner/model", revision=REVISION)


def fetch(**changes):
    annotate.fetch_backbone(
        **{"name": "owner/model", "revision": REVISION, "folder": str(FOLDER), "sha256": ""} | changes
    )


def test_configuration_and_one_form_of_the_weights(hub):
    with pytest.raises(InputError, match=r"has not been fetched into resources/.*; run the rule fetch_backbone"):
        find_folder(SETTINGS)
    fetch()
    assert hub.downloads == ["config.json", "model.safetensors"]
    assert find_folder(SETTINGS) == FOLDER
    record = json.loads((FOLDER / "fetched.json").read_text())
    assert record["name"] == "owner/model"
    assert record["revision"] == REVISION
    assert record["sha256"]["model.safetensors"] == hashlib.sha256(b"safetensors").hexdigest()


def test_what_is_there_is_not_downloaded_again(hub):
    fetch()
    first = (FOLDER / "fetched.json").read_bytes()
    fetch()
    assert hub.downloads == ["config.json", "model.safetensors", "config.json"]
    assert (FOLDER / "fetched.json").read_bytes() == first
    (FOLDER / "model.safetensors").write_bytes(b"half")
    fetch()
    assert hub.downloads[-1] == "model.safetensors"


def test_other_form(hub):
    del hub.files["model.safetensors"]
    fetch()
    assert hub.downloads == ["config.json", "pytorch_model.bin"]


@pytest.mark.parametrize(("expected", "source"), [("f" * 64, "backbone.sha256"), ("", "the hub says so")])
def test_other_content(hub, expected, source):
    hub.digests["model.safetensors"] = "e" * 64
    with pytest.raises(InputError, match=rf"SHA-256 is \w+, but must be {'f' if expected else 'e'}+ \({source}\)"):
        fetch(sha256=expected)
    assert not (FOLDER / "model.safetensors").exists()
    assert not (FOLDER / "fetched.json").exists()


@pytest.mark.parametrize("missing", [["config.json"], ["model.safetensors", "pytorch_model.bin"]])
def test_a_repository_of_something_else(hub, missing):
    for name in missing:
        del hub.files[name]
    with pytest.raises(InputError, match=r"has no config\.json with model\.safetensors or pytorch_model\.bin; it has"):
        fetch()


@pytest.mark.parametrize("where", ["model_info", "download"])
def test_without_a_network(hub, monkeypatch, where):
    def offline(*_, **__):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(hub, where, offline)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub.download)
    with pytest.raises(InputError, match=r"owner/model at 0123abc could not be fetched .*: no route to host; without"):
        fetch()


def test_a_folder_wins_over_the_hub(hub):
    Path("owner/model").mkdir(parents=True)
    Path("owner/model/config.json").write_text("{}")
    assert find_folder(SETTINGS) == Path("owner/model")
    fetch_backbone("owner/model", REVISION, FOLDER)
    assert find_folder(SETTINGS) == Path("owner/model")
