"""What a built site has to be: no link leads nowhere, nothing comes from elsewhere, the search finds its words."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "link": "href", "use": "href"}
NOT_FETCHED = {"canonical", "next", "prev", "search", "index", "author", "copyright", "top", "up"}
SOUGHT = ("Eq. 9", "Pinsker")


class Page(HTMLParser):
    """The anchors of a page, where its links lead, and what it fetches."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.fetched = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if (link := found.get(FETCHED.get(tag, ""))) and found.get("rel") not in NOT_FETCHED:
            self.fetched.append(link)


def problems(folder):
    """All that is wrong with the site in a folder, a line each."""
    folder = Path(folder)
    pages = {path: Page(path.read_text()) for path in sorted(folder.rglob("*.html"))}
    found = [] if pages else [f"no page in {folder}"]
    for path, page in pages.items():
        name = path.relative_to(folder)
        found += [f"{name}: broken link {link}" for link in page.links if broken(link, path, pages)]
        found += [f"{name}: fetches {link}" for link in page.fetched if foreign(link)]
        found += [f"{name}: not there: {link}" for link in page.fetched if not foreign(link) and broken(link, path, {})]
    for path in folder.rglob("*.css"):
        urls = re.findall(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", path.read_text())
        found += [f"{path.relative_to(folder)}: fetches {url}" for pair in urls for url in pair if foreign(url)]
    index = folder / "searchindex.js"
    return found + [f"the search does not find {words}" for words in SOUGHT if not finds(index, words)]


def foreign(link):
    """Whether a resource is on another host."""
    parts = urlsplit(link)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp")


def broken(link, path, pages):
    """Whether a link to something of the site leads nowhere. pages: {path: Page}, whose anchors are known."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return True
    return bool(parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors)


def finds(index, words):
    """Whether Sphinx's search index has the words: as a heading, as an entry, or, a single word, in a text."""
    if not index.exists():
        return False
    data = json.loads(re.fullmatch(r"Search\.setIndex\((.*)\)", index.read_text(), re.DOTALL).group(1))
    named = {title.lower() for part in ("alltitles", "indexentries") for title in data[part]}
    return words.lower() in named or words.lower() in data["terms"]
