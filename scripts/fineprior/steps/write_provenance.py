"""Rule provenance: write what a project's results rest on."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd
import yaml

from fineprior.files.tables import MODULE_CODE, RULE_CODE, SOFTWARE, USED_FILES
from fineprior.files.whole import atomic_path
from fineprior.plan.provenance import UsedFile, used_file
from fineprior.project.settings import Settings, as_params


def provenance(
    *,
    settings: Settings,
    files: Mapping[str, Sequence[str]],
    software: Mapping[str, str],
    code: Mapping[str, str],
    output: str,
    output_sheets: str,
    output_files: str,
    output_software: str,
    output_code: str,
    output_modules: str,
    modules: Mapping[str, str],
    sheets: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write the effective config and sheets (yaml), and the tables USED_FILES, SOFTWARE, RULE_CODE, MODULE_CODE.

    Nothing in them changes from run to run by itself: no time, no machine, no number of cores.

    Parameters
    ----------
    settings
        All of them; written with their defaults, as a config.yaml that leaves nothing out.
    files
        By role the files that results rest on; weights are read whole, others above 64 MiB are sampled.
    software, code, modules
        Version of each package, digest of the code of each rule and of each source file.
    output, output_sheets, output_files, output_software, output_code, output_modules
        Files to write.
    sheets
        Rows of studies.tsv and tracks.tsv.
    """
    for path, content in ((output, as_params(settings)), (output_sheets, sheets)):
        with atomic_path(path) as temporary:
            temporary.write_text(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True))
    rows = [used_file(role, path) for role, paths in files.items() for path in dict.fromkeys(paths)]
    USED_FILES.write(pd.DataFrame(rows, columns=list(UsedFile._fields)), output_files)
    versions = [(name, version or None) for name, version in software.items()]
    SOFTWARE.write(pd.DataFrame(versions, columns=SOFTWARE.names, dtype="str"), output_software)
    for table, digests, path in ((RULE_CODE, code, output_code), (MODULE_CODE, modules, output_modules)):
        table.write(pd.DataFrame(list(digests.items()), columns=table.names, dtype="str"), path)
