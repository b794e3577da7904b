"""page - one HTML file with charts, readable without a network.

1. page.html is the page with gaps: the title, the data as JSON, page.js, and
   Chart.js itself, from Debian's libjs-chart.js.
2. All numbers come from stats.py; the page only draws. Of the samples only
   memory over time goes into it.
"""
import html
import json
import os

from . import documents, files

CHART = "/usr/share/javascript/chart.js/chart.min.js"
HERE = os.path.dirname(__file__)
TEMPLATE = os.path.join(HERE, "page.html")
SCRIPT = os.path.join(HERE, "page.js")


def data_of(document, analysis, judgements):
    series = {row["name"]: {name: result["series"]
            for name, result in row["results"].items()
            if result.get("series")}
        for row in document["rows"]}
    rows = [dict(row, series=series.get(row["name"], {}))
        for row in analysis["rows"]]
    kept = {key: document[key] for key in ("started", "seconds", "rounds",
        "quick", "interrupted", "machine", "allocators", "missing")}
    return dict(kept, rows=rows, means=analysis["means"],
        parts=documents.parts(document), targets=judgements)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, document, analysis, judgements):
    text = read(TEMPLATE)
    data = json.dumps(data_of(document, analysis, judgements),
        separators=(",", ":"))
    # Inside <script> only "</" would end it.
    gaps = {"TITLE": html.escape(f"zbmalloc, measured "
            f"{document['started'][:10]}"),
        "CHART": read(CHART).replace("</script", "<\\/script"),
        "DATA": data.replace("</", "<\\/"),
        "SCRIPT": read(SCRIPT)}
    for name, value in gaps.items():
        before, gap, after = text.partition(f"@@{name}@@")
        if not gap:
            raise ValueError(f"{TEMPLATE}: no @@{name}@@")
        text = before + value + after
    files.write(path, text)
