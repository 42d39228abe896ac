"""The assessment and the notebooks' pages, read on a phone, on paper, without scripts or eyes."""

import re
import shutil
import subprocess

import pytest
from conftest import CHROMIUM, program
from opened import PHONE, SIGNATURES, opened
from readiness.record import Record
from readiness.report import render
from readiness.report.sign_off import with_sign_off

PAGES = ("assessment.html", "notebooks/security.html")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
pytestmark = pytest.mark.xdist_group("report")  # rendered once for two modules


def test_is_readable_without_javascript(outputs, sample, browser):
    with opened(browser, sample / "assessment.html", java_script_enabled=False) as page:
        said = page.locator("main").inner_text()
        assert "▲ CONDITIONAL GO" in said
        assert "■ NO-GO" in said
        assert page.locator("figure.chart table").first.is_visible()
        page.locator("summary", has_text="DEP-CI").click()
        assert page.get_by_text("Add a workflow that runs the unit tests").last.is_visible()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("name", ["sample", "hostile"])
def test_fits_a_phone(outputs, browser, request, name, path):
    run = request.getfixturevalue(name)
    with opened(browser, run / path, viewport=PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        wider = page.evaluate(
            """[...document.querySelectorAll('main *')].filter((e) =>
                 !e.closest('.scroll table, .plot')
                 && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML)"""
        )
        assert wider == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 900}, PHONE], ids=["screen", "phone"])
@pytest.mark.parametrize("path", [*PAGES, "../../index.html"])
def test_axe_finds_no_violation(outputs, sample, browser, path, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"]}
    file = (sample / path).resolve()
    if path == PAGES[0]:
        file = _signed(sample)
    with opened(browser, file, viewport=size, color_scheme=scheme) as page:
        found = Axe().run(page, options=options)
    assert found.response["violations"] == [], found.generate_report()


def _signed(run):
    """The page as it is when two have signed, one against the decision."""
    signed = run.parent / "signed.html"
    page = (run / "assessment.html").read_text(encoding="utf-8")
    signed.write_text(with_sign_off(page, SIGNATURES), encoding="utf-8")
    return signed


def test_axe_would_find_one(browser, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    bad = tmp_path / "bad.html"
    bad.write_text("<html lang=en><title>x</title><p style='color:#bbb'>pale</p><img src=x>")
    with opened(browser, bad) as page:
        found = {one["id"] for one in Axe().run(page).response["violations"]}
    assert {"color-contrast", "image-alt"} <= found


@pytest.mark.parametrize("size", ["A4", "Letter"])
@pytest.mark.parametrize("name", ["sample", "hostile"])
def test_the_first_page_is_the_summary(outputs, browser, request, tmp_path, name, size):
    with opened(browser, request.getfixturevalue(name) / "assessment.html") as page:
        page.pdf(path=tmp_path / "x.pdf", format=size)
    first, second = pages_of(tmp_path / "x.pdf")[:2]
    for said in ("Staging", "Summary", "Go / no-go", "Top risks", "What to do next"):
        assert said in first
    assert "How to read this" in second
    assert re.search(r"demo, run \d{8}T\d{6}Z\s+1 / \d+", first)


def test_the_pdf_of_a_run_is_the_same_document(sample, tmp_path):
    program(*CHROMIUM)
    run = tmp_path / "run"
    shutil.copytree(sample, run)
    assert render.pdf(run)
    text = " ".join(" ".join(pages_of(run / "assessment.pdf")).split())
    for said in ("NOT SIGNED", "before anybody can sign", "Glossary", "CONDITIONAL GO"):
        assert said in text
    assert all(f.check in text for f in Record.read(sample).findings)


def test_without_a_browser_there_is_no_pdf(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not render.pdf(sample)
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert not render.pdf(sample)
    assert not (sample / "assessment.pdf").exists()


def pages_of(pdf):
    text = subprocess.run(
        [program("pdftotext"), "-layout", str(pdf), "-"], capture_output=True, check=True, text=True
    ).stdout
    return text.split("\f")


# The notebooks' pages.


def test_a_notebooks_page_shows_its_code_on_demand(outputs, sample, browser):
    with opened(browser, sample / "notebooks" / "security.html") as page:
        assert page.asked == page.said == page.evaluate("window.violations") == []
        code = page.get_by_text("collect(")
        assert not code.is_visible()
        page.locator("summary", has_text="Code").click()
        assert code.is_visible()
        assert page.get_by_text("printed").is_visible()
        drawn = page.evaluate(
            "[...document.querySelectorAll('.plot')].map((p) => p._fullData[0].type)"
        )
        assert drawn == ["heatmap", "box", "bar"]
        page.get_by_text("The assessment of this run").click()
        assert page.url.endswith("assessment.html")


def test_a_notebooks_page_believes_no_text(outputs, hostile, browser):
    with opened(browser, hostile / "notebooks" / "security.html") as page:
        assert page.asked == page.said == page.evaluate("window.violations") == []
        assert page.evaluate("window.hacked") is None
        assert page.locator("iframe, form, base, link, img, main style").count() == 0
        assert page.locator("main").count() == 1


def test_what_is_no_notebook_gets_a_sentence(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "security.ipynb").write_text("{")
    render.notebooks(tmp_path, "")
    assert "cannot be shown" in (tmp_path / "notebooks" / "security.html").read_text()


def test_prints_whole(outputs, sample, browser, tmp_path):
    with opened(browser, sample / "assessment.html") as page:
        closed = page.locator("details:not([open])").count()
        assert closed > 30
        pdf = page.pdf(format="A4", prefer_css_page_size=True)
        assert page.locator("details:not([open])").count() == closed  # as it was, afterwards
    assert pdf.startswith(b"%PDF")
    with opened(
        browser,
        sample / "assessment.html",
        java_script_enabled=False,
        viewport={"width": 657, "height": 900},  # A4 within its margins
    ) as page:
        page.emulate_media(media="print")
        folded = page.locator("details.fold .facts").first
        assert folded.bounding_box()["height"] > 50  # open on paper without any script
        assert page.locator("nav.contents").is_hidden()
    with opened(
        browser, sample / "assessment.html", viewport={"width": 657, "height": 900}
    ) as page:
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        cut = page.evaluate(
            """[...document.querySelectorAll('.scroll, .plot svg, main p, main dd')].filter((e) =>
                 e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > 658)
                 .map((e) => e.outerHTML.slice(0, 300))"""
        )
        assert cut == []


def test_has_the_structure_that_readers_without_eyes_need(outputs, sample, browser):
    with opened(browser, sample / "assessment.html") as page:
        found = page.evaluate(
            """({
              lang: document.documentElement.lang, title: document.title,
              mains: document.querySelectorAll('main').length,
              navs: document.querySelectorAll('nav[aria-label]').length,
              heads: [...document.querySelectorAll('h1,h2,h3,h4')].map((h) => +h.tagName[1]),
              bare: [...document.querySelectorAll('th')].filter((t) => !t.scope).length,
              empty: [...document.querySelectorAll('th')].filter((t) => !t.innerText).length,
              ids: [...document.querySelectorAll('[id]')].map((e) => e.id),
              dead: [...document.links].map((a) => a.getAttribute('href'))
                .filter((h) => h[0] === '#' && !document.getElementById(h.slice(1))),
            })"""
        )
    assert found["lang"] == "en"
    assert "nps-reference" in found["title"]
    assert (found["mains"], found["navs"], found["bare"]) == (1, 1, 0)
    assert found["heads"][0] == 1
    assert found["heads"].count(1) == 1
    steps = zip(found["heads"], found["heads"][1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)
    assert len(set(found["ids"])) == len(found["ids"])
    assert found["dead"] == []
