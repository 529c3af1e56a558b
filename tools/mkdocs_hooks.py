"""Hooks of mkdocs: pages from outside docs/, the pages of the API, and no resources of other hosts."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "scripts/fineprior"
OUTSIDE = {"config.md": "config/README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
"""Pages of the site that lie elsewhere in the repository, where GitHub looks for them."""

_RESOURCE = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc\s*=\s*["']?(?:https?:)?//[^>]*>"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|icon|preload|preconnect|dns-prefetch))[^>]*\bhref=["']?(?:https?:)?//[^>]*>"""
    r"""|(?:@import|url\()\s*["']?(?:https?:)?//[^\s)]*"""
)


def rooms() -> dict[str, str]:
    """Room of the library -> its docstring, in the order of tests/test_house.py's list, which architecture.md shows."""
    order = re.findall(r"^\| \d+ \| `(\w+)`", (ROOT / "docs/architecture.md").read_text(), flags=re.MULTILINE)
    return {name: (LIBRARY / name / "__init__.py").read_text().split('"""')[1] for name in order}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put a page for each room of the library below Reference."""
    reference = next(entry["Reference"] for entry in config.nav or [] if "Reference" in entry)
    reference.append({"API": [{name: f"api/{name}.md"} for name in rooms()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for name, path in OUTSIDE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    for name, docstring in rooms().items():
        question, _, more = docstring.partition("\n")
        text = f"# {name}\n\n**{question}**\n{more}\n"
        modules = sorted(path.stem for path in (LIBRARY / name).glob("*.py") if path.stem != "__init__")
        text += "".join(f"\n## {module}\n\n::: fineprior.{name}.{module}\n    options: {{heading_level: 3}}\n"
                        for module in modules)  # fmt: skip
        files.append(File.generated(config, f"api/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to files outside docs/, and those in them, to their pages of the site."""
    if page.file.src_uri in OUTSIDE:
        markdown = markdown.replace("](docs/", "](")
    up = "../" * page.file.src_uri.count("/")
    for name, path in OUTSIDE.items():
        markdown = re.sub(rf"\]\((?:\.\./)+{re.escape(path)}", f"]({up}{name}", markdown)
    return markdown


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that needs another host to be shown.

    Raises
    ------
    PluginError
        The page has a script, style, font or image of another host.
    """
    found = _RESOURCE.search(output)
    if found:
        raise PluginError(f"{page.file.src_uri}: a resource of another host: {found.group()[:200]}")
    return output
