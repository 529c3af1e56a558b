import pandas as pd
import yaml

from fineprior.files import tables
from fineprior.files.whole import sha256
from fineprior.plan import provenance as found
from fineprior.project.project import settings_alone
from fineprior.project.settings import Settings
from fineprior.steps.write_provenance import provenance

FILES = ("config.yaml", "sheets.yaml", "files.tsv", "software.tsv", "code.tsv", "modules.tsv")


def run(folder, inputs):
    paths = [str(folder / name) for name in FILES]
    provenance(
        settings=Settings(seed=7), sheets={"studies": [{"study": "é"}], "tracks": []}, files=inputs,
        software={"numpy": "2.0", "torch": ""}, code={"finemap": "0123456789ab"}, output=paths[0],
        output_sheets=paths[1], output_files=paths[2], output_software=paths[3], output_code=paths[4],
        modules={"finemap/susie.py": "ba9876543210"}, output_modules=paths[5],
    )  # fmt: skip


def test_what_is_left(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("A")
    (tmp_path / "b").write_bytes(bytes(range(256)) * 4096)
    monkeypatch.setattr(found, "WHOLE_UP_TO", 1000)
    monkeypatch.setattr(found, "_PIECE", 100)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    for name in ("one", "two"):
        run(tmp_path / name, {"weights": [b], "genome": [a, a], "studies": [b]})
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in FILES)
    assert settings_alone(yaml.safe_load((tmp_path / "one/config.yaml").read_text())) == Settings(seed=7)
    files = tables.USED_FILES.read(tmp_path / "one/files.tsv")
    assert files[["role", "read"]].to_numpy().tolist() == [
        ["weights", "whole"],
        ["genome", "whole"],
        ["studies", "sampled"],
    ]
    assert files["sha256"].to_list()[:2] == [sha256(b), sha256(a)]
    assert files["sha256"][2] != sha256(b)
    software = tables.SOFTWARE.read(tmp_path / "one/software.tsv").set_index("package")["version"]
    assert software["numpy"] == "2.0"
    assert pd.isna(software["torch"])
    assert tables.RULE_CODE.read(tmp_path / "one/code.tsv")["digest"].to_list() == ["0123456789ab"]
    assert tables.MODULE_CODE.read(tmp_path / "one/modules.tsv").to_numpy().tolist() == [
        ["finemap/susie.py", "ba9876543210"]
    ]
