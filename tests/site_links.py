"""What is wrong with the links of a built site: `python -m tests.site_links site` (`.ci/run` calls it).

Sphinx warns of what a page's source points at in vain. This reads the pages as a browser gets them: every
link to another page or picture must lead to a file, every part of a page that is named must exist, and no
page may load a script, a style sheet or a picture from elsewhere.
"""

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The names in a page, what it loads, and what it links to."""

    def __init__(self, text):
        super().__init__()
        self.names, self.loaded, self.linked = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.names |= {found[key] for key in ("id", "name") if found.get(key)}
        if found.get("src"):
            self.loaded.append(found["src"])
        if found.get("href"):
            (self.linked if tag == "a" else self.loaded).append(found["href"])


@cache
def page(path):
    return Page(path.read_text(encoding="utf-8"))


def faults(folder):
    """Return one line per fault of the pages below a folder."""
    found = []
    for path in sorted(folder.rglob("*.html")):
        if "_static" in path.relative_to(folder).parts:  # templates of the theme
            continue
        for kind, addresses in (("loads", page(path).loaded), ("links to", page(path).linked)):
            found += [
                f"{path.relative_to(folder)} {kind} {address}"
                for address in addresses
                if not leads_somewhere(path, address, loaded=kind == "loads")
            ]
    return found


def leads_somewhere(path, address, *, loaded):
    parts = urlsplit(address)
    if parts.scheme == "data":
        return True
    if parts.scheme or parts.netloc:  # not followed: that needs the network
        return not loaded
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return False
    return not parts.fragment or target.suffix != ".html" or unquote(parts.fragment) in page(target).names


if __name__ == "__main__":
    lines = faults(Path(sys.argv[1]).resolve())
    print("\n".join(lines) or "every link of the site leads somewhere, and nothing is loaded from elsewhere")
    sys.exit(bool(lines))
