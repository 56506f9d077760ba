"""The page opens offline in a real browser, asks nobody for anything, and nothing in it can act."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from leitstand.analysis.fuse import Inputs, fuse
from leitstand.cli import reports
from leitstand.messages import LANGUAGES, Texts
from tests.analysis.documents import Job, still, street

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOSTILE = (
    '"><script>document.title="taken"</script>',
    "<img src=x onerror=alert(1)>",
    "a\nb\r\n\x00\x1b[31m",
    "\u202egpj.exe\u2066",
    "🎬 ملف عربي Ünïcödé",
    "x" * 5_000,
    "{{ 7 * 7 }} {% raw %} --help",
    "lone \ud800 surrogate",
    "</style></script><!--",
)


def html_of(job: Job) -> str:
    return fuse(Inputs.parse(job.document), job.results, lambda: None).html


@cache
def everything(lang: str) -> str:
    job = street(lang, name=HOSTILE[0])
    still(job)
    for number, name in enumerate(HOSTILE):
        job.medium(
            f"medium_x{number}",
            name,
            None,
            state="failed",
            reason={"code": "not-media", "params": {"found": name[:200]}},
            sha256=None,
            exif={name[:300]: {name[:300]: [name, 1, None]}},
            technical={"container": name},
        )
    return html_of(job)


def test_both_forms_say_at_their_beginning_that_they_are_reports() -> None:
    job = Job()
    still(job)
    made = fuse(Inputs.parse(job.document), job.results, lambda: None)
    forms = {"report.json": json.dumps(made.report, indent=1), "report.html": made.html}
    for name, mark in reports.MARKS.items():
        assert mark in forms[name].encode()[: reports.BEGINNING_BYTES]


class Outline(HTMLParser):
    """What the page is made of."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.sources: list[str] = []
        self.policy = ""
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes |= set(given)
        if "id" in given:
            self.ids.append(given["id"])
        if "href" in given:
            self.links.append(given["href"])
        if "src" in given:
            self.sources.append(given["src"])
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    parser.close()
    return parser


@pytest.fixture(scope="module", params=LANGUAGES)
def page(request: pytest.FixtureRequest) -> tuple[str, str]:
    lang: str = request.param
    return lang, everything(lang)


def test_landmarks_headings_and_tables_are_in_order(page: tuple[str, str]) -> None:
    lang, html = page
    found = outline(html)
    assert html.startswith(f'<!DOCTYPE html>\n<html lang="{lang}">')
    for tag in ("h1", "main", "header", "footer"):
        assert found.tags.count(tag) == 1
    assert found.tags.count("table") == found.tags.count("caption")
    assert len(re.findall(r"<th(?![a-z])", html)) == len(
        re.findall(r'<th scope="(?:col|row)"', html)
    )
    assert len(re.findall(r"<img ", html)) == len(re.findall(r'<img [^>]*alt="[^"]+"', html))


def test_every_link_points_into_the_page_and_every_id_stands_once(page: tuple[str, str]) -> None:
    found = outline(page[1])
    ids = [id for id in found.ids if id != "hatch"]
    assert len(ids) == len(set(ids))
    targets = {link for link in found.links if link != "data:,"}
    assert all(link.startswith("#") and link[1:] in ids for link in targets)


def test_nothing_is_fetched_styled_inline_or_handled_inline(page: tuple[str, str]) -> None:
    found = outline(page[1])
    assert "style" not in found.attributes
    assert not [name for name in found.attributes if name.startswith("on")]
    assert all(source.startswith("data:image/jpeg;base64,") for source in found.sources)
    assert found.tags.count("script") == 1
    assert found.tags.count("style") == 1
    assert found.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in found.policy


def test_names_from_outside_are_text(page: tuple[str, str]) -> None:
    html = page[1]
    assert "<script>document.title" not in html
    assert "<img src=x" not in html
    text = "".join(outline(html).text)
    assert '"><script>document.title="taken"</script>' in text
    assert "{{ 7 * 7 }}" in text
    assert "🎬 ملف عربي Ünïcödé" in text
    assert not re.search("[\x00\x1b\u202e\u2066]", html)
    assert html.encode("utf-8")


def test_the_promises_and_the_origin_stand_in_the_page(page: tuple[str, str]) -> None:
    lang, html = page
    text = "".join(outline(html).text)
    for number in range(1, 7):
        assert Texts(lang).say(f"promise-n{number}") in text
    for word in ("detector-model 1.0", "RTX 4090, RunPod, EU-RO-1", "i-4c1e", "r-71c0"):
        assert word in text
    until = {"en": "0.04\u00a0€ booked up to 23 Nov", "de": "0,04\u00a0€ gebucht bis 23. Nov."}
    assert until[lang] in text


def test_the_heading_is_the_case_else_the_file_else_their_number() -> None:
    def heading(job: Job) -> str:
        (found,) = re.findall(r"<h1[^>]*>(.*?)</h1>", html_of(job))
        return str(found)

    def about(job: Job) -> str:
        (found,) = re.findall(r'<p class="about">(.*?)</p>', html_of(job))
        return str(found)

    one = Job("de", "K-2031")
    still(one)
    assert heading(one) == "K-2031"
    assert about(one) == "Ein Bild, ausgewertet am 23. November 2026, 09:38 bis 09:40 UTC."
    inbox = Job("en", "inbox")
    still(inbox)
    assert heading(inbox) == "bus.jpg"
    still(inbox, "medium_two", "other.jpg")
    assert heading(inbox) == "2 files"
    assert about(inbox) == (
        "Case inbox. 2 files (2 pictures), analysed on 23 November 2026, 09:38 to 09:40 UTC."
    )


# --- in Chromium ----------------------------------------------------------------------------


@dataclass
class Visit:
    """A page in Chromium with everything it asked for or complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Chromium is needed to test the report: apt install chromium"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(everything("en"), encoding="utf-8")
    return path


def visit(browser: Browser, file: Path, **options: object) -> Visit:
    opened = Visit(browser.new_context(**options).new_page())  # type: ignore[arg-type]
    opened.page.on("request", lambda request: opened.requests.append(request.url[:60]))
    opened.page.on("console", lambda message: opened.complaints.append(message.text))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.goto(file.as_uri())
    return opened


def asked_for(opened: Visit) -> set[str]:
    return {url.split(":")[0] for url in opened.requests[1:]}


def test_chromium_asks_nobody_and_complains_about_nothing(browser: Browser, file: Path) -> None:
    opened = visit(browser, file)
    assert asked_for(opened) <= {"data"}
    assert opened.complaints == []
    assert opened.page.title() != "taken"
    shown = opened.page.eval_on_selector_all(
        "img", "all => all.every(one => one.complete && one.naturalWidth > 0)"
    )
    assert shown is True
    opened.page.context.close()


def test_a_script_or_style_that_is_not_ours_is_refused(browser: Browser, tmp_path: Path) -> None:
    html = everything("en")
    smuggled = html.replace("</main>", "<script>document.title='taken'</script></main>")
    path = tmp_path / "smuggled.html"
    path.write_text(smuggled, encoding="utf-8")
    opened = visit(browser, path)
    assert opened.page.title() != "taken"
    assert opened.complaints
    opened.page.context.close()


def test_without_script_all_text_is_there_and_the_search_field_is_not(
    browser: Browser, file: Path
) -> None:
    opened = visit(browser, file, java_script_enabled=False)
    assert opened.page.get_by_text("Bitte zurücktreten, der Zug fährt durch.").first.is_visible()
    assert opened.page.locator(".find input").first.is_hidden()
    assert opened.page.locator("figure").first.is_visible()
    opened.page.context.close()


def test_a_word_is_found_marked_and_counted_and_all_comes_back(
    browser: Browser, file: Path
) -> None:
    opened = visit(browser, file)
    rows = opened.page.locator(".said tbody tr")
    before = rows.all_inner_texts()
    field = opened.page.get_by_label("Find a word")
    field.fill("ZUG")
    assert opened.page.locator(".said tbody tr:visible").count() == 1
    assert opened.page.locator(".said mark").all_inner_texts() == ["Zug"]
    assert opened.page.locator(".find [role=status]").inner_text() == "one place"
    field.fill("zug fährt durch")
    assert opened.page.locator(".said tbody tr:visible").count() == 1
    field.fill("<b>nothing</b>")
    assert opened.page.locator(".said tbody tr:visible").count() == 0
    assert opened.page.locator(".find [role=status]").inner_text() == "not found"
    field.fill("")
    assert rows.all_inner_texts() == before
    assert opened.complaints == []
    opened.page.context.close()


def test_evidence_is_reached_by_keyboard(browser: Browser, file: Path) -> None:
    opened = visit(browser, file)
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    cited = opened.page.locator("sup a").first
    cited.focus()
    opened.page.keyboard.press("Enter")
    target = cited.get_attribute("href")
    assert target and opened.page.url.endswith(target)
    assert opened.page.locator(f"tr{target}").is_visible()
    opened.page.context.close()


@pytest.mark.parametrize("width", [320, 360, 1440])
def test_nothing_runs_over_the_side(browser: Browser, file: Path, width: int) -> None:
    opened = visit(browser, file, viewport={"width": width, "height": 900})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    opened.page.context.close()


CONTRAST = """
() => {
  const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (c) => {
    const [r, g, b] = c.map((v) => {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const sheet = light(rgb(getComputedStyle(document.querySelector(".page")).backgroundColor));
  const poor = [];
  const walker = document.createTreeWalker(document.querySelector(".page"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const of = text.parentElement;
    if (!text.data.trim() || of.closest(".frame, script, mark, [hidden]")) continue;
    const style = getComputedStyle(of);
    const ink = light(rgb(of.closest("svg") ? style.fill : style.color));
    const ratio = (Math.max(ink, sheet) + 0.05) / (Math.min(ink, sheet) + 0.05);
    if (ratio < 4.5) poor.push([text.data.trim().slice(0, 40), ratio]);
  }
  return poor;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(browser: Browser, file: Path, scheme: str) -> None:
    opened = visit(browser, file, color_scheme=scheme)
    assert opened.page.evaluate(CONTRAST) == []
    opened.page.context.close()


def test_it_prints_on_a4_with_every_picture(browser: Browser, file: Path) -> None:
    opened = visit(browser, file)
    opened.page.emulate_media(media="print")
    pictures = opened.page.locator("figure")
    assert all(pictures.nth(at).is_visible() for at in range(pictures.count()))
    assert opened.page.locator(".find").first.is_hidden()
    pdf = opened.page.pdf(prefer_css_page_size=True, print_background=True)
    assert pdf.startswith(b"%PDF")
    (box,) = set(re.findall(rb"/MediaBox \[([^\]]*)\]", pdf))
    assert [round(float(value)) for value in box.split()] == [0, 0, 595, 842]
    assert opened.complaints == []
    opened.page.context.close()
