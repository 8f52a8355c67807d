"""Draws docs/demo.svg from real output: ANSI text on stdin, SVG on stdout, standard library only.

    tagwright --color always demo --once | python3 docs/picture.py > docs/demo.svg

Takes the part of the output from FIRST to LAST as it is; long lines wrap as in a terminal.
"""

import html
import re
import sys

FIRST = re.compile(r"waits.* 6\.2\.1 waits: approval")
LAST = re.compile(r"not taken:.* went back from")
PROMPT = "$ tagwright demo --once"

COLUMNS = 112
# An em of 14 px; monospace glyphs are 0.6 em wide.
SIZE, ADVANCE, LINE = 14, 8.43, 19
LEFT, TOP = 18, 52
# Readable on the dark ground (contrast 7:1 and up), by ANSI code.
COLORS = {"31": "#ff8b8b", "32": "#7ee787", "33": "#e6c46a", "34": "#8ab8ff", "36": "#76d9e6"}
GROUND, TEXT, FRAME = "#12161c", "#d7dde5", "#3b4552"


def spans(line):
    """(text, style) pieces of a line with ANSI sequences."""
    style, pieces = "", []
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            codes = part[2:-1].split(";")
            color = next((COLORS[code] for code in codes if code in COLORS), None)
            style = (' font-weight="bold"' if "1" in codes else "") + (f' fill="{color}"' if color else "")
        elif part:
            pieces.append((part, style))
    return pieces


def rows(line):
    """The pieces of each screen row of a line."""
    row, used = [], 0
    for text, style in spans(line):
        while text:
            take = text[: COLUMNS - used]
            row.append((take, style))
            text, used = text[len(take) :], used + len(take)
            if used == COLUMNS:
                yield row
                row, used = [], 0
    if row or not line:
        yield row


def chosen(lines):
    """The lines from the first match to the last."""
    first = next(number for number, line in enumerate(lines) if FIRST.search(line))
    last = next(number for number, line in enumerate(lines) if LAST.search(line))
    return lines[first : last + 1]


def main():
    lines = [line.replace("\r", "") for line in sys.stdin.read().split("\n")]
    screen = [row for line in [PROMPT, "…", *chosen(lines), "…"] for row in rows(line)]
    width, height = round(2 * LEFT + COLUMNS * ADVANCE), TOP + len(screen) * LINE + 8
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">')
    print("<title>Output of tagwright demo --once: a commit with its diff, and two releases that are not taken</title>")
    print(f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="9" fill="{GROUND}" stroke="{FRAME}"/>')
    for number in range(3):
        print(f'<circle cx="{LEFT + 6 + 20 * number}" cy="20" r="5.5" fill="{FRAME}"/>')
    font = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
    print(f'<g font-family="{font}" font-size="{SIZE}" fill="{TEXT}" xml:space="preserve">')
    for number, row in enumerate(screen):
        text = "".join(
            f"<tspan{style}>{html.escape(part, quote=False)}</tspan>" if style else html.escape(part, quote=False)
            for part, style in row
        )
        if text.strip():
            print(f'<text x="{LEFT}" y="{TOP + number * LINE}" xml:space="preserve">{text}</text>')
    print("</g>\n</svg>")


main()
