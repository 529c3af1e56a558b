"""Backbones of the Hugging Face hub: fetched once where there is a network, checked, then read offline."""

import json
import logging
import re
from pathlib import Path
from typing import Any

from fineprior.engine.tensor_files import parse_json
from fineprior.files.errors import InputError
from fineprior.files.reading import reading, text_of
from fineprior.files.whole import atomic_path, sha256
from fineprior.project.project import FETCHED, hub_folder
from fineprior.project.settings import BackboneSettings

CONFIG, SAFETENSORS, TORCH_BIN = "config.json", "model.safetensors", "pytorch_model.bin"

logger = logging.getLogger(__name__)


def fetch_backbone(name: str, revision: str, folder: str | Path, expected: str = "") -> None:
    """Download a backbone's configuration and weights, and record their digests in the folder (fetched.json).

    A file whose digest is the hub's is not downloaded again. Of two forms of the weights the safetensors are taken.

    Parameters
    ----------
    name, revision
        Owner and model, and the commit.
    expected
        SHA-256 that the weights must have (`backbone.sha256`); the hub's own when empty.

    Raises
    ------
    InputError
        The hub cannot be reached, has no such model or no weights in it, or a file is not what its digest says.
    """
    folder = Path(folder)
    try:
        files = _listed(name, revision)
    except Exception as error:  # the hub's client raises errors of four libraries when it is offline
        raise InputError(_not_fetched(name, revision, error)) from None
    weights = next((file for file in (SAFETENSORS, TORCH_BIN) if file in files), None)
    if weights is None or CONFIG not in files:
        raise InputError(
            f"backbone.weights: {name} at {revision} has no {CONFIG} with {SAFETENSORS} or {TORCH_BIN}; it has "
            f"{', '.join(sorted(files))}"
        )
    record = {}
    for file in (CONFIG, weights):
        wanted = (expected if file == weights else "") or files[file]
        if not (wanted and (folder / file).is_file() and sha256(folder / file) == wanted):
            _download(name, revision, file, folder)
        record[file] = sha256(folder / file)
        if wanted and record[file] != wanted:
            (folder / file).unlink()
            raise InputError(
                f"{folder / file}: SHA-256 is {record[file]}, but must be {wanted} "
                f"({'backbone.sha256' if wanted == expected else 'the hub says so'}); the file was removed"
            )
        logger.info("%s: sha256 %s", folder / file, record[file])
    with atomic_path(folder / FETCHED) as temporary:
        content = {"name": name, "revision": revision, "sha256": record}
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def find_folder(settings: BackboneSettings) -> Path:
    """Folder of a backbone's files: the one that the settings name, or the one that a hub's was fetched into.

    Never reaches for a network.

    Raises
    ------
    InputError
        There is none, or the hub's has not been fetched.
    """
    name = settings.weights
    if name and (Path(name) / CONFIG).is_file():
        return Path(name)
    if Path(name).is_dir() or not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name):
        raise InputError(
            f"backbone.weights: '{name}' has no {CONFIG}; allowed: a directory with {CONFIG} and {SAFETENSORS} or "
            f"{TORCH_BIN}, or a hub name (owner/model)"
        )
    folder = Path(hub_folder(name, settings.revision))
    if not (folder / FETCHED).is_file():
        raise InputError(
            f"backbone.weights: {name} has not been fetched into {folder}; run the rule fetch_backbone where there is "
            f"a network (snakemake --cores 1 {folder / FETCHED}), or give the path of a copy"
        )
    return folder


def weights_file(folder: Path) -> Path:
    """The file with the weights in a backbone's folder.

    Raises
    ------
    InputError
        There is none.
    """
    for name in (SAFETENSORS, TORCH_BIN):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder}: neither {SAFETENSORS} nor {TORCH_BIN}")


def check_digest(weights: Path, found: str, settings: BackboneSettings) -> None:
    """Compare the digest of a weights file with the settings' and with the record of its download.

    Raises
    ------
    InputError
        It is another.
    """
    recorded = ""
    if (weights.parent / FETCHED).is_file():
        record = read_json(weights.parent / FETCHED)
        with reading(weights.parent / FETCHED, "the record of a download", "delete it and fetch the backbone again"):
            recorded = str(record.get("sha256", {}).get(weights.name, ""))
    for wanted, source in ((settings.sha256, "backbone.sha256"), (recorded, f"{weights.parent / FETCHED}")):
        if wanted and wanted != found:
            raise InputError(f"{weights}: SHA-256 is {found}, but {source} says {wanted}; are these the right weights?")


def read_json(path: Path) -> dict[str, Any]:
    """Read a file with one JSON object.

    Raises
    ------
    InputError
        It is not that.
    """
    with text_of(path, "JSON") as text:
        return parse_json(text.read(), str(path))


def _listed(name: str, revision: str) -> dict[str, str]:
    """Files of a model and what the hub has as their SHA-256 (empty for small ones, which git keeps)."""
    from huggingface_hub import HfApi

    siblings = HfApi().model_info(name, revision=revision, files_metadata=True).siblings or []
    return {sibling.rfilename: sibling.lfs.sha256 if sibling.lfs else "" for sibling in siblings}


def _download(name: str, revision: str, file: str, folder: Path) -> None:
    from huggingface_hub import hf_hub_download

    logger.info("fetching %s of %s at %s", file, name, revision)
    try:
        hf_hub_download(name, file, revision=revision, local_dir=folder)
    except Exception as error:  # as above
        raise InputError(_not_fetched(name, revision, error)) from None


def _not_fetched(name: str, revision: str, error: Exception) -> str:
    reason = str(error).strip().split("\n")[0]
    return (
        f"backbone.weights: {name} at {revision} could not be fetched from the hub: {type(error).__name__}: {reason}; "
        "without a network, give the path of a downloaded copy"
    )
