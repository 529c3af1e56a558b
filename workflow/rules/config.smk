# Before Snakemake reads the config: values that its own reader would silently take as something else are refused here.
import sys
from pathlib import Path

REPOSITORY = Path(
    str(workflow.current_basedir.get_path_or_uri(secret_free=True))
).parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))

from fineprior.files.yaml_files import read_yaml
from fineprior.plan.check import or_stop

CONFIG = "config/config.yaml"

# A workflow that uses this one as a module has a config of its own.
if not workflow.modifier.skip_configfile:
    for config_file in (CONFIG, *workflow.overwrite_configfiles):
        if Path(config_file).exists():
            or_stop(read_yaml, config_file)
