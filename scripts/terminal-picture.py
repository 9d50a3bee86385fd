#!/usr/bin/env python3
"""Draws what a command printed as an SVG picture of a terminal.

Usage: COMMAND 2>&1 | scripts/terminal-picture.py 'the prompt line' > docs/pictures/NAME.svg

Text only: no colours are invented that the command did not print.
"""

import sys
from xml.sax.saxutils import escape

CHARACTER_WIDTH = 8.43
LINE_HEIGHT = 18
MARGIN = 16
TITLE_HEIGHT = 28


def main() -> None:
    prompt = f"$ {sys.argv[1]}"
    lines = [prompt, *sys.stdin.read().rstrip("\n").split("\n")]
    width = round(2 * MARGIN + CHARACTER_WIDTH * max(map(len, lines)))
    height = TITLE_HEIGHT + 2 * MARGIN + LINE_HEIGHT * len(lines)
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">'
    )
    print(f"<title>{escape(prompt)}</title>")
    print(f'<rect width="{width}" height="{height}" rx="8" fill="#16181d"/>')
    for place, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        print(f'<circle cx="{MARGIN + 6 + 20 * place}" cy="16" r="6" fill="{colour}"/>')
    print(
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" '
        'fill="#d7dae0" xml:space="preserve">'
    )
    for number, line in enumerate(lines):
        y = TITLE_HEIGHT + MARGIN + LINE_HEIGHT * number
        bold = ' fill="#ffffff" font-weight="bold"' if number == 0 else ""
        print(f'<text x="{MARGIN}" y="{y}"{bold}>{escape(line)}</text>')
    print("</g>\n</svg>")


if __name__ == "__main__":
    main()
