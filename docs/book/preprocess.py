#!/usr/bin/env python3
"""Preprocessor of the book: makes pages of the guide, which are written for rustdoc, into pages of mdBook.

It adds the title of each page, which rustdoc adds too, and turns links to items and to other pages into web links. Called by
mdBook, which passes the book as JSON; the protocol is in the chapter "Preprocessors" of its documentation.
"""

import json
import posixpath
import re
import sys

DOCS = "https://docs.rs/{package}/latest/{module}/?search={item}"
PAGE = "https://docs.rs/sansmq/latest/sansmq/{item}/index.html"
# Pages that belong to another package than `sansmq`, as links to `crate::` mean another package there.
PACKAGES = {"embedding.md": "sansmq-proto", "testing.md": "sansmq-proto"}
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
# A line that defines a reference, then `[text](crate::item)`, then `[text][reference]`, then a link by its text alone.
DEFINITION = re.compile(r"^\[([^\]]+)\]: (crate(?:::\w+)+)$\n?", re.MULTILINE)
LINK = re.compile(r"\]\((crate(?:::\w+)+)(?:\(\))?(#[\w-]+)?\)")
BY_REFERENCE = re.compile(r"\[(`[^`\]]+`)\]\[([\w:]*)\]")
BY_TEXT = re.compile(r"\[(`[^`\]]+`)\](?![(\[])")


def page_path(item):
    """Returns the path of the page `crate::guide::…`, or None for the path of another item."""
    modules = item.split("::")[1:]
    return "/".join(modules[1:]) + ".md" if modules[0] == "guide" and len(modules) > 1 else None


def convert(text, path, paths, definitions):
    """Returns one page, without its code blocks, as mdBook needs it."""
    package = PACKAGES.get(path, "sansmq")

    def link(match):
        item, anchor = match[1], match[2] or ""
        page = page_path(item)
        if page in paths:
            return f"]({posixpath.relpath(page, posixpath.dirname(path) or '.')}{anchor})"
        # A page that lists the pages of a part, such as `crate::guide::tutorial`, is their first page in the book.
        part = [other for other in paths if page and other.startswith(page.removesuffix(".md") + "/")]
        if part:
            return f"]({posixpath.relpath(part[0], posixpath.dirname(path) or '.')})"
        if page:
            # A page that this book does not have; rustdoc checks that it exists.
            return "](" + PAGE.format(item=item.removeprefix("crate::").replace("::", "/")) + ")"
        return "](" + DOCS.format(package=package, module=package.replace("-", "_"), item=item.removeprefix("crate::")) + ")"

    def by_label(match):
        item = definitions.get(match[match.lastindex])
        return f"[{match[1]}]({item})" if item else match[1]

    # First into links with a target.
    text = DEFINITION.sub("", text)
    text = BY_REFERENCE.sub(by_label, text)
    text = BY_TEXT.sub(by_label, text)
    return LINK.sub(link, text)


def pages(items):
    """Yields every page below these items of mdBook."""
    for item in items:
        if isinstance(item, dict) and "Chapter" in item:
            chapter = item["Chapter"]
            if chapter["path"]:
                yield chapter
            yield from pages(chapter["sub_items"])


def main():
    if sys.argv[1:2] == ["supports"]:
        sys.exit(0 if sys.argv[2] == "html" else 1)
    _context, book = json.load(sys.stdin)
    items = book.get("items") or book.get("sections")
    paths = [page["path"] for page in pages(items)]
    for page in pages(items):
        parts = FENCE.split(page["content"])
        definitions = dict(DEFINITION.findall(page["content"]))
        for number in range(0, len(parts), 2):
            part = convert(parts[number], page["path"], paths, definitions)
            parts[number] = re.sub(r"^(#+ )", r"#\1", part, flags=re.MULTILINE)
        page["content"] = f"# {page['name']}\n\n" + "".join(parts)
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
