#!/usr/bin/python3
"""Sends hostile texts to every output of the program, and reads what it writes with the real reader of that format.

usage: scripts/sinks.py PROGRAM SECONDS [SEED]

PROGRAM is the built lockflight-sinks. SECONDS are for all readers together: html5lib for HTML, cmark-gfm for Markdown (tables,
lists, headings, code), bash for shell words, Python for JSON, pyte for a terminal, and, if it is installed, Chromium once at the
end for a whole page. Each must read exactly the intended text, and only text. Fails with the first text that is read differently.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata
import xml.etree.ElementTree as ElementTree

import html5lib
import pyte
from wcwidth import wcwidth

TEXTS_AT_ONCE = 400
LONGEST_TEXT = 12  # fragments
COMMAND_SECONDS = 60

FRAGMENTS = (
    # HTML
    ["<script>x()</script>", "<img src=x onerror=x()>", "<!--", "-->", "<![CDATA[", "]]>", "</td>", "</table>", "<b", "&lt;", "&#60;",
     "&copy", "&", '"', "'", "<", ">", "javascript:x()", "<svg/onload=x()>", "</title>", "</style>"]
    # Markdown
    + ["|", "\\|", "\\", "`", "``", "```", "[a](b)", "![a](b)", "[a]: b", "[a][b]", "[^1]", "*a*", "**", "_a_", "a_b_c", "~~a~~", "~",
       "# ", " #", "- ", "+ ", "* ", "1. ", "2) ", "> ", "---", "===", "    ", "$a$", "https://a.org/b", "http:/", "//", "www.a.org",
       "ftp://a", "a@a.org", "xmpp:a@b.c", "<a@b.c>", ":---", "<https://a>", "\\\\", "  ", "- [ ] "]
    # A shell
    + ["$(echo x)", "`echo x`", ";", "&&", "!", "!!", "~root", "*", "?", "{a,b}", "$'a'", "\\'", "#", "${HOME}", ">x", "'\\''", "-n", "--"]
    # A terminal
    + ["\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\r", "\n", "\r\n", "\t", "\b", "\x7f", "\x1b", "\x1b[31m", "\x00", "\x1bP", "\x85", "\u2028"]
    # Marks, joiners, directions and what shows nothing
    + ["\u0301", "\u0d4e", "\u200d", "\u0600", "\U000110bd", "\ufe0f", "\u20dd", "\u202e", "\u2066", "\u200b", "\ufeff", "\U000e0041",
       "\u061c", "\u00ad", "\u034f"]
    + ["a", "b c", "é", "漢字", "core-1", "1.5.0", " ", "0", "👩‍👩‍👧"]
)


class Misread(Exception):
    """A reader read something else than the intended text."""


def texts(chance):
    for _ in range(TEXTS_AT_ONCE):
        pieces = []
        for _ in range(chance.randint(1, LONGEST_TEXT)):
            if chance.random() < 0.15:
                scalar = chance.choice([chance.randrange(0x80), chance.randrange(0x3000), chance.randrange(0x110000)])
                # No text holds a surrogate; XML and HTML have no name for what is no character.
                if not 0xD800 <= scalar < 0xE000 and scalar & 0xFFFE != 0xFFFE and not 0xFDD0 <= scalar < 0xFDF0:
                    pieces.append(chr(scalar))
            else:
                pieces.append(chance.choice(FRAGMENTS))
        yield "".join(pieces)


def run(words, data):
    done = subprocess.run(words, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=COMMAND_SECONDS)
    if done.returncode:
        raise Misread(f"{words[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def check(reader, text, expected, read):
    if expected != read:
        raise Misread(f"{reader}: {text!r}\n  meant {expected!r}\n  read  {read!r}")


# HTML


def html_page(entries):
    rows = "".join(f'<tr><td title="{e["html"]}">{e["html"]}</td></tr>' for e in entries)
    return f'<!doctype html><meta charset="utf-8"><title>{entries[0]["html"]}</title><table>{rows}</table>'


def check_html(reader, page, entries):
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    names = {element.tag for element in tree.iter()}
    if names != {"html", "head", "meta", "title", "body", "table", "tbody", "tr", "td"}:
        raise Misread(f"{reader}: elements {names}")
    cells = list(tree.iter("td"))
    check(reader, "the number of cells", len(entries), len(cells))
    check(reader, entries[0]["text"], entries[0]["terminal"], tree.find("head/title").text or "")
    for entry, cell in zip(entries, cells):
        check(reader, entry["text"], entry["terminal"], cell.text or "")
        check(reader, entry["text"], {"title": entry["terminal"]}, cell.attrib)


def html(entries):
    check_html("html5lib", html_page(entries), entries)


def browser(entries, folder):
    page = os.path.join(folder, "page.html")
    with open(page, "w", encoding="utf-8") as file:
        file.write(html_page(entries))
    shown = run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", "--dump-dom",
                 f"file://{page}"], b"")
    check_html("chromium", shown.decode(), entries)


# Markdown

CMARK = ["cmark-gfm", "-t", "xml", "-e", "table", "-e", "autolink", "-e", "strikethrough", "-e", "tasklist"]
NAMESPACE = "{http://commonmark.org/xml/1.0}"


def markdown_text(reader, entry, node):
    """The text of a node that has nothing but text in it; readers make links of e-mail addresses however they are written."""
    words = []
    for child in node:
        name = child.tag.removeprefix(NAMESPACE)
        if name == "link" and "@" in child.get("destination", ""):
            words.append(markdown_text(reader, entry, child))
        elif name == "text":
            words.append(child.text or "")
        else:
            raise Misread(f"{reader}: {entry['text']!r} is {ElementTree.tostring(node).decode()}")
    return "".join(words)


def markdown_document(lines):
    return ElementTree.fromstring(run(CMARK, "\n".join(lines).encode()))


def markdown(entries):
    table = markdown_document(["| a | b |", "|---|---|"] + [f"| {e['markdown']} | end |" for e in entries])
    rows = [row for row in table.iter(NAMESPACE + "table_row")]
    check("cmark's table", "the number of rows", len(entries), len(rows))
    for entry, row in zip(entries, rows):
        cells = list(row)
        check("cmark's table", entry["text"], 2, len(cells))
        check("cmark's table", entry["text"], entry["terminal"].strip(" "), markdown_text("cmark's table", entry, cells[0]).strip(" "))
    filled = [e for e in entries if e["terminal"].strip(" ")]
    for start, kind in (("# ", "heading"), ("- ", "paragraph"), ("", "paragraph")):
        document = markdown_document([f"{start}{e['markdown']}\n" + ("\n<!-- -->\n" if start == "- " else "") for e in filled])
        nodes = list(document.iter(NAMESPACE + kind))
        reader = f"cmark's {kind} after {start!r}"
        check(reader, "their number", len(filled), len(nodes))
        for entry, node in zip(filled, nodes):
            check(reader, entry["text"], entry["terminal"].strip(" "), markdown_text(reader, entry, node).strip(" "))
    document = markdown_document([f"{e['code']}: end\n" for e in filled])
    for entry, node in zip(filled, document.iter(NAMESPACE + "paragraph")):
        names = [child.tag.removeprefix(NAMESPACE) for child in node]
        check("cmark's code", entry["text"], ["code", "text"], names)
        check("cmark's code", entry["text"], entry["terminal"].strip(" "), node[0].text.strip(" "))


# The others

def shell(entries):
    # No word of a command line holds NUL.
    entries = [e for e in entries if "\0" not in e["text"]]
    script = "printf '%s\\0' " + " ".join(e["shell"] for e in entries)
    for program in ("bash", "sh"):
        read = run([program], script.encode()).split(b"\0")[:-1]
        check(program, "the number of words", len(entries), len(read))
        for entry, word in zip(entries, read):
            check(program, entry["text"], entry["text"].encode(), word)


def python_json(entries):
    for entry in entries:
        check("Python's json", entry["text"], [entry["text"]], json.loads(entry["json"]))
        for scalar in entry["json"]:
            if unicodedata.category(scalar) in ("Cc", "Cf", "Zl", "Zp"):
                raise Misread(f"json: {entry['text']!r} has {scalar!r} raw")


def terminal(entries):
    columns = max(2 * len(e["terminal"]) for e in entries) + 4
    screen = pyte.Screen(columns, len(entries) + 1)
    stream = pyte.Stream(screen)
    for row, entry in enumerate(entries):
        # One at a time, as pyte forgets what follows some marks in a piece.
        for scalar in entry["terminal"] + "\r\n":
            stream.feed(scalar)
        check("pyte's cursor", entry["text"], (row + 1, 0), (screen.cursor.y, screen.cursor.x))
    check("pyte's title", "all of them", "", screen.title)
    for entry, line in zip(entries, screen.display):
        check("pyte", entry["text"], without_marks(entry["terminal"]), without_marks(line))


def without_marks(text):
    scalars = unicodedata.normalize("NFD", text)
    return "".join(c for c in scalars if wcwidth(c) != 0 and not unicodedata.category(c).startswith("M")).rstrip()


READERS = [html, markdown, shell, python_json, terminal]


def entries_of(program, chosen):
    data = "".join(text.encode().hex() + "\n" for text in chosen)
    lines = run([program], data.encode()).decode().split("\n")[:-1]
    check("lockflight-sinks", "the number of lines", len(chosen), len(lines))
    names = ("terminal", "html", "markdown", "code", "shell", "json")
    for text, line in zip(chosen, lines):
        fields = [bytes.fromhex(field).decode() for field in line.split(" ")]
        yield {"text": text, **dict(zip(names, fields, strict=True))}


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    program, seconds = sys.argv[1], float(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) == 4 else random.randrange(1_000_000)
    chance = random.Random(seed)
    counts = dict.fromkeys((reader.__name__ for reader in READERS), 0)
    spent = dict.fromkeys(counts, 0.0)
    last = []
    try:
        end = time.monotonic() + seconds
        while not last or time.monotonic() < end and min(spent.values()) < seconds / len(READERS):
            last = list(entries_of(program, list(texts(chance))))
            for reader in READERS:
                if spent[reader.__name__] >= seconds / len(READERS):
                    continue
                start = time.monotonic()
                reader(last)
                spent[reader.__name__] += time.monotonic() - start
                counts[reader.__name__] += len(last)
        if shutil.which("chromium"):
            with tempfile.TemporaryDirectory() as folder:
                browser(last, folder)
            counts["chromium"] = len(last)
    except Misread as misread:
        print(f"error: {misread}\n  again: {sys.argv[0]} {program} {seconds} {seed}", file=sys.stderr)
        sys.exit(1)
    print("; ".join(f"{name}: {count} texts" for name, count in counts.items()) + f"; seed {seed}")


main()
