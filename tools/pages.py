"""Make the parts of the documentation that are drawn from the code, or from other pages.

    python tools/pages.py

docs/images/architecture.svg   the rooms of the library in order, with their questions, modules and imports
docs/architecture.md           the table of rooms, between two marks; the rest of the page is written by hand
docs/decisions/index.md        title and status of each decision

Nothing but the standard library is needed. tests/test_docs.py compares the committed pages with what this makes.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "scripts/fineprior"
MARKS = ("<!-- rooms: python tools/pages.py -->", "<!-- end of rooms -->")
WALKS = {"z to PIP": "a", "window to score": "b", "score to prior": "c"}
"""Heading of each walk in docs/architecture.md -> its class in the picture's style."""


@dataclass(frozen=True)
class Room:
    """One package of the library."""

    name: str
    question: str
    entry: str
    modules: int
    imports: Counter[str]
    """Room -> import statements of it."""


def room_order() -> list[str]:
    """The rooms' order, which tests/test_house.py holds the imports to."""
    tree = ast.parse((ROOT / "tests/test_house.py").read_text())
    (value,) = (node.value for node in tree.body if isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "ROOMS")  # fmt: skip
    return [str(name) for name in ast.literal_eval(value)]


def _imported(path: Path) -> Iterator[str]:
    """Rooms that a module imports, one for each statement."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "fineprior":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fineprior."):
            yield str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("fineprior."))


def rooms() -> list[Room]:
    """Every room in order, read from the code."""
    order, found = room_order(), []
    for name in order:
        docstring = ast.get_docstring(ast.parse((LIBRARY / name / "__init__.py").read_text())) or ""
        question, _, rest = docstring.partition("\n")
        modules = [path for path in sorted((LIBRARY / name).glob("*.py")) if path.stem != "__init__"]
        imports = Counter(room for path in modules for room in _imported(path) if room != name and room in order)
        entry = re.sub(r"^Entry: ", "", " ".join(rest.strip().partition("\n\n")[0].split()))
        found.append(Room(name, question, entry[:1].upper() + entry[1:], len(modules), imports))
    return found


def table(found: list[Room]) -> str:
    """The table of rooms in docs/architecture.md."""
    lines = ["| | room | question | entry |", "| ---: | --- | --- | --- |"]
    lines += [f"| {number} | `{room.name}` | {room.question} | {room.entry} |" for number, room in enumerate(found, 1)]
    return "\n".join(lines)


def walks(page: str) -> dict[str, list[tuple[str, str, str]]]:
    """Walk -> (room, module, name) of each step: the first name in backticks of each line of its numbered list.

    Names are `module.function` or `room.module.function`.

    Raises
    ------
    LookupError
        A heading is missing, or a module is in no room.
    """
    modules = {path.stem: path.parent.name for path in LIBRARY.glob("*/*.py") if path.stem != "__init__"}
    found = {}
    for walk in WALKS:
        section = re.search(rf"^### {walk}\n(.*?)(?=^##|\Z)", page, flags=re.MULTILINE | re.DOTALL | re.IGNORECASE)
        if section is None:
            raise LookupError(f"docs/architecture.md: no heading '### {walk}'")
        steps = []
        for name in re.findall(r"^\d+\. .*?`([\w.]+)`", section.group(1), flags=re.MULTILINE):
            module, function = name.split(".")[-2:]
            if module not in modules:
                raise LookupError(f"docs/architecture.md: {name}: no module {module}")
            steps.append((modules[module], module, function))
        found[walk] = steps
    return found


STYLE = """
  .card { fill: #ffffff; stroke: #d5d9e0; } .band { fill: #f4f6f9; }
  text { font-family: system-ui, "DejaVu Sans", sans-serif; font-size: 13px; fill: #1c2430; }
  .name { font-weight: 600; font-size: 15px; font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
  .soft { fill: #5b6675; font-size: 12px; } .bar { fill: #9dbfdd; } .dot { fill: #1f6fb4; } .self { fill: #d5d9e0; }
  .a { stroke: #c0392b; fill: #c0392b; } .b { stroke: #2e8b57; fill: #2e8b57; } .c { stroke: #b9770e; fill: #b9770e; }
  text.a, text.b, text.c { stroke: none; } line { stroke-width: 3; opacity: .45; }
  @media (prefers-color-scheme: dark) {
    .card { fill: #171b22; stroke: #39424f; } .band { fill: #1f252e; } text { fill: #e6eaf0; } .soft { fill: #9aa6b5; }
    .bar { fill: #35618a; } .dot { fill: #6fb1ea; } .self { fill: #39424f; }
    .a { stroke: #ff8a7a; fill: #ff8a7a; } .b { stroke: #6fd39b; fill: #6fd39b; } .c { stroke: #f0b860; fill: #f0b860; }
  }
"""
TOP, ROW, WIDTH = 112, 40, 1170
NAME, BAR, MATRIX, TRACK = 24, 528, 644, 1020
CELL = 24
RADII = ((15, 8), (5, 6), (1, 4))
"""Import statements at least -> radius of the dot; three sizes, so that one import more seldom changes the picture."""


def _slanted(x: float) -> str:
    """Place of a heading above the column at x."""
    return f'transform="translate({x:g} {TOP - 12}) rotate(-55)"'


def picture(found: list[Room], walked: dict[str, list[str]]) -> str:
    """The rooms as an SVG: a row each, its imports as dots in the columns of the imported rooms, and the walks."""
    names = [room.name for room in found]
    height = TOP + ROW * len(found) + 48
    centre = {name: TOP + ROW * row + ROW / 2 for row, name in enumerate(names)}
    column = {name: MATRIX + CELL * place + CELL / 2 for place, name in enumerate(names)}
    title = "Rooms of fineprior, in order: " + "; ".join(f"{room.name}: {room.question}" for room in found)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>',
        f'<text class="soft" x="{NAME}" y="{TOP - 16}">room and its question</text>',
        f'<text class="soft" x="{BAR}" y="{TOP - 16}">modules</text>',
        f'<text class="soft" x="{MATRIX}" y="26">imports of these rooms</text>',
        f'<text class="soft" x="{TRACK - 8}" y="26">walks</text>',
    ]
    lines += [f'<rect class="band" x="12" y="{centre[name] - ROW / 2:g}" width="{WIDTH - 24}" height="{ROW}" rx="4"/>'
              for name in names[::2]]  # fmt: skip
    for number, room in enumerate(found, 1):
        y = centre[room.name]
        lines += [
            f'<text class="soft" x="{NAME + 18}" y="{y + 5:g}" text-anchor="end">{number}</text>',
            f'<text class="name" x="{NAME + 30}" y="{y - 2:g}">{room.name}</text>',
            f'<text class="soft" x="{NAME + 30}" y="{y + 14:g}">{escape(room.question)}</text>',
            f'<rect class="bar" x="{BAR}" y="{y - 7:g}" width="{2.6 * room.modules:g}" height="14" rx="2"/>',
            f'<text x="{BAR + 2.6 * room.modules + 6:g}" y="{y + 5:g}">{room.modules}</text>',
            f'<text class="soft" {_slanted(column[room.name] + 4)}>{room.name}</text>',
            f'<rect class="self" x="{column[room.name] - 4:g}" y="{y - 4:g}" width="8" height="8" rx="1"/>',
        ]
        for other, count in sorted(room.imports.items()):
            radius = next(radius for least, radius in RADII if count >= least)
            lines.append(f'<circle class="dot" cx="{column[other]:g}" cy="{y:g}" r="{radius}"/>')
    for place, (walk, visited) in enumerate(walked.items()):
        x, style = TRACK + 28 * place, WALKS[walk]
        ys = sorted({centre[name] for name in visited})
        lines.append(f'<text class="{style}" {_slanted(x + 4)} font-size="12">{walk}</text>')
        if ys:
            lines.append(f'<line class="{style}" x1="{x}" x2="{x}" y1="{ys[0]:g}" y2="{ys[-1]:g}"/>')
        lines += [f'<circle class="{style}" cx="{x}" cy="{y:g}" r="5"/>' for y in ys]
    total = sum(room.modules for room in found)
    lines += [
        f'<text class="soft" x="{NAME}" y="{height - 18}">{total} modules in {len(found)} rooms. A dot: the room of '
        "this row imports that of the column; larger for 5 and for 15 imports. No dot is right of the diagonal: "
        "imports only look up.</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Decision:
    """One page of docs/decisions/."""

    file: str
    number: str
    title: str
    topic: str
    status: str
    """Markdown, without what follows a colon."""


_HEAD = r"# (\d{4})\. (.+)\n\nTopic: \[([^]]+)\]\(index\.md#[\w-]+\)\. Status: (.+)\n\n"
_HEAD_IN_WORDS = "# NUMBER. TITLE\n\nTopic: [TOPIC](index.md#topic). Status: accepted"


def decisions() -> list[Decision]:
    """Every decision, in order of its number.

    Raises
    ------
    LookupError
        A page does not begin with its number and title, its topic and its status.
    """
    found = []
    for path in sorted((ROOT / "docs/decisions").glob("[0-9]*.md")):
        head = re.match(_HEAD, path.read_text())
        if head is None or head.group(1) != path.name[:4]:
            raise LookupError(f"docs/decisions/{path.name}: its first lines must be\n{_HEAD_IN_WORDS}")
        number, title, topic, status = head.groups()
        found.append(Decision(path.name, number, title, topic, status.partition(": ")[0]))
    return found


def decisions_page(found: list[Decision]) -> str:
    """The page that lists all decisions by topic."""
    lines = [
        "# Decisions",
        "",
        "Why fineprior is built as it is, one page each. An overturned decision stays, crossed out here, with its",
        "successor named. `python tools/pages.py` makes this list from the pages.",
    ]
    for topic in dict.fromkeys(one.topic for one in found):
        lines += ["", f"## {topic}", "", "| | decision | status |", "| --- | --- | --- |"]
        for one in found:
            if one.topic == topic:
                link = f"[{one.title}]({one.file})"
                shown = f"~~{link}~~" if one.status.startswith("overturned") else link
                lines.append(f"| {one.number} | {shown} | {one.status} |")
    return "\n".join([*lines, ""])


def pages() -> dict[str, str]:
    """Path -> text of every page that is made here."""
    found, path = rooms(), ROOT / "docs/architecture.md"
    page = path.read_text()
    before, rest = page.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    page = f"{before}{MARKS[0]}\n\n{table(found)}\n\n{MARKS[1]}{after}"
    walked = {walk: [room for room, _, _ in steps] for walk, steps in walks(page).items()}
    return {
        "docs/architecture.md": page,
        "docs/images/architecture.svg": picture(found, walked),
        "docs/decisions/index.md": decisions_page(decisions()),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (ROOT / name).write_text(text)
        sys.stdout.write(f"{name}\n")
