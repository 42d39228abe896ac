"""The assessment: one file that asks nobody, believes no text, and says the same everywhere."""

import hashlib
import json
import re
import shutil

import nbformat
import pytest
import sample_run
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from opened import PHONE, SIGNATURES, opened
from readiness import policy as policies
from readiness.finding import AREAS, Status, Strength
from readiness.parameters import ROOT
from readiness.policy import STAGES
from readiness.record import Record
from readiness.report import render, text
from readiness.report.assessment import Assessment
from readiness.report.page import page_of
from readiness.report.runs import History
from readiness.report.sections import stands_in_the_way
from readiness.report.sign_off import BEGIN, END, empty_sign_off, with_sign_off
from readiness.standing import Colour, colour

LARGEST = 5_000_000  # bytes of an assessment of a full run
OPENS_S = 2.0
pytestmark = pytest.mark.xdist_group("report")  # rendered once for two modules


# The harness itself: each thing it looks for, it must be able to find.


def test_the_harness_sees_requests_violations_and_scripts(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"img-src 'none'\">"
        "<iframe src='http://127.0.0.1:9/frame'></iframe><img src='http://127.0.0.1:9/x'>"
        "<script>window.hacked = 1; console.error('said')</script>"
    )
    with opened(browser, bad) as page:
        assert any("frame" in url for url in page.asked)
        assert page.evaluate("window.violations")
        assert page.evaluate("window.hacked") == 1
        assert "said" in page.said


# One file that asks nobody.


@pytest.mark.parametrize("name", ["sample", "hostile"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_opens_without_a_request_a_violation_or_a_complaint(
    outputs, browser, request, name, scheme
):
    run = request.getfixturevalue(name)
    with opened(browser, run / "assessment.html", color_scheme=scheme) as page:
        assert page.asked == []
        assert page.evaluate("window.violations") == []
        assert page.said == []
        assert page.evaluate("window.hacked") is None
        assert page.url == (run / "assessment.html").as_uri()


@pytest.mark.parametrize("name", ["sample", "hostile"])
def test_is_small_enough_to_send(outputs, request, name):
    page = (request.getfixturevalue(name) / "assessment.html").read_bytes()
    assert len(page) < LARGEST
    assert page.count(b"plotly.js (cartesian - minified)") == 1


def test_opens_at_once(outputs, sample, browser):
    """In time of the processor, from the empty page to everything drawn: others use it too."""
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto((sample / "assessment.html").as_uri(), wait_until="load")
    page.wait_for_selector(".plot svg")
    told = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    context.close()
    assert 0.05 < told["TaskDuration"] < OPENS_S


def test_the_policy_names_everything_inline_and_comes_first(sample):
    page = (sample / "assessment.html").read_text()
    head = page[page.index("<head>") :]
    assert head.startswith('<head>\n<meta http-equiv="Content-Security-Policy"')
    policy = re.search(r'content="([^"]+)"', head)[1]
    assert "default-src 'none'" in policy
    assert re.findall(r"unsafe-\w+|https?:|\*", policy) == ["unsafe-hashes"]  # named values only


def test_the_vendored_script_is_the_one_that_is_named_and_plotly_writes_for():
    from plotly.offline import get_plotlyjs_version

    folder = ROOT / "lib" / "readiness" / "report" / "template"
    bundle = (folder / "plotly-cartesian.min.js").read_bytes()
    named = (folder / "README.md").read_text()
    assert hashlib.sha256(bundle).hexdigest() in named
    assert f"| {get_plotlyjs_version()}, the version that plotly.py" in named
    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}".encode() in bundle[:200]


def test_every_figure_is_drawn_as_it_was_meant(outputs, sample, browser):
    with opened(browser, sample / "assessment.html") as page:
        drawn = page.evaluate(
            """[...document.querySelectorAll('figure.chart')].map((figure) => ({
              wanted: JSON.parse(figure.querySelector('script').textContent).data
                .map((t) => t.type || 'scatter'),
              got: figure.querySelector('.plot')._fullData.map((t) => t.type),
              marks: figure.querySelectorAll(
                '.plot .point, .plot .bars path, .plot path.box, .plot .heatmaplayer image').length,
              label: figure.querySelector('.plot').getAttribute('aria-label'),
              height: figure.querySelector('.plot svg').getBoundingClientRect().height,
            }))"""
        )
    assert {kind for figure in drawn for kind in figure["got"]} == {"bar", "box", "heatmap"}
    assert len(drawn) == 1 + len(sample_run.figures())
    for figure in drawn:
        assert figure["got"] == figure["wanted"]
        assert figure["marks"] > 0
        assert figure["label"]
        assert figure["height"] > 200


# What the target says is hostile.


def test_nothing_of_the_target_becomes_markup(outputs, hostile, browser):
    selector = (
        "iframe, object, embed, base, form, img, link, svg script, main style, main [onerror], "
        "meta[http-equiv=refresh], main script:not([type='application/json'])"
    )
    with opened(browser, hostile / "assessment.html") as page:
        assert page.locator(selector).count() == 0
        links = page.evaluate("[...document.links].map((a) => a.getAttribute('href'))")
        assert page.locator("main").count() == 1
        said = page.locator("main").inner_text()
        for shown in ("<script>window.hacked=1</script><img src=x onerror=", "\\x1b[31mred"):
            assert said.count(shown) > 100  # shown, not obeyed
        assert "سلام دنیا" in page.locator("main").text_content()
    allowed = ("#", "evidence/", "notebooks/", "https://www.rfc-editor.org/")
    assert [href for href in links if not href.startswith(allowed)] == []
    assert len(links) > 100


def test_markup_that_got_through_the_escaping_is_taken_out(browser, tmp_path):
    evil = sample_run.EVIL + (
        "<a href='javascript:window.hacked=3'>j</a><a href='//evil.example'>p</a>"
        "<form action='//evil.example'><input name=a autofocus onfocus='window.hacked=4'></form>"
        "<svg onload='window.hacked=5'><base href='//evil.example'></svg>"
        "<div style='position:fixed;inset:0'>over</div><details open ontoggle='window.hacked=6'>"
        "<p class='sign-off box verdict'>fake</p><main id=content><h2>Stays inside"
    )
    figure = {
        "data": [{"type": "bar", "x": [1], "y": [evil], "name": evil}],
        "layout": {
            "title": {"text": evil},
            "images": [{"source": "https://evil.example/i.png"}],
            "xaxis": {"title": {"text": "<a href='https://evil.example'>a</a></script>" + evil}},
        },
    }
    outputs = [
        nbformat.v4.new_output("display_data", {"text/html": evil}),
        nbformat.v4.new_output("display_data", {"text/markdown": evil}),
        nbformat.v4.new_output("display_data", {"text/plain": evil}),
        nbformat.v4.new_output("display_data", {"application/javascript": "window.hacked=7"}),
        nbformat.v4.new_output("display_data", {"application/vnd.plotly.v1+json": figure}),
        nbformat.v4.new_output("stream", name="stdout", text=evil),
    ]
    cells = [nbformat.v4.new_markdown_cell(evil), nbformat.v4.new_code_cell("x", outputs=outputs)]
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_markdown_cell("# The end")])
    path = tmp_path / "evil.html"
    path.write_text(page_of(notebook), encoding="utf-8")
    with opened(browser, path) as page:
        assert page.asked == []
        assert page.evaluate("window.violations") == []
        assert page.evaluate("window.hacked") is None
        assert page.locator("iframe, form, input, base, main svg:not(.plot svg), link").count() == 0
        assert page.locator("main [style]:not(.plot, .plot *)").count() == 0
        assert page.locator("main").count() == 1
        assert page.locator("main > h1").inner_text() == "The end"  # outside every open tag
        assert page.locator(".plot").evaluate("(p) => p._fullData.length") == 1
        hrefs = page.evaluate("[...document.links].map((a) => a.getAttribute('href'))")
        assert [
            h for h in hrefs if h and not h.startswith(("#", "https://evil.example/path"))
        ] == []


hostile_text = st.text(
    alphabet=st.one_of(
        st.sampled_from("`|*_<>[]()#&@\\~!-+.:/\"'\n\t 1"),
        st.characters(),
        st.sampled_from("\x00\x1b\x7f\x9b\u202e\u2066\u200b\ufeff\ud83d"),
    ),
    max_size=80,
)


@settings(deadline=None)  # the machine may be busy
@given(hostile_text)
@example("1. no list\n- nor here\n# nor heading\n***")
@example("<b>&lt;</b> www.evil.example https://evil.example me@evil.example")
def test_markdown_of_any_text_is_that_text(said):
    made = text.as_markdown(text.line(said, 500))
    made.encode()
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(made)
    assert {t.type for t in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    children = [c for t in tokens for c in t.children or []]
    assert {c.type for c in children} <= {"text", "text_special"}
    shown = "".join(c.content for c in children)
    assert " ".join(shown.split()) == " ".join(text.line(said, 500).split())


@settings(deadline=None)  # the machine may be busy
@given(hostile_text)
def test_nothing_unseen_reaches_a_terminal(said):
    shown = text.clean(said)
    shown.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


def test_a_long_text_is_cut_with_the_count_said():
    assert text.clean("x" * 10_000_000).endswith("x … (10,000,000 characters in all)")
    assert text.clean("one two three four", 16) == "one two three … (18 characters in all)"
    assert text.clean("one twothreefour", 11) == "one twothre … (16 characters in all)"
    assert len(text.as_html("&" * 10_000_000)) < 20_000


# It says what was found, the same in every format.


@pytest.mark.parametrize("name", ["sample", "hostile"])
def test_page_and_markdown_state_the_same(outputs, browser, request, name):
    run = request.getfixturevalue(name)
    with opened(browser, run / "assessment.html", java_script_enabled=False) as page:
        in_page = page.locator("main .mark").all_text_contents()
    markdown = (run / "assessment.md").read_text(encoding="utf-8")
    words = "PASS|FAIL|NOT MEASURED|NOT APPLICABLE|ERROR|GREEN|YELLOW|RED|[0-9]+ UNKNOWN"
    words = rf"[●▲■○–✕] (?:GO\\\*|CONDITIONAL GO|NO-GO|GO\b|(?:{words})\b)"
    in_markdown = [m.replace("\\", "") for m in re.findall(words, markdown)]
    in_page = [m for m in in_page if m != "○ NOT SIGNED"]
    in_page = [m.strip() for m in in_page]
    assert len(in_page) > 200
    assert in_markdown == in_page


def test_markdown_holds_no_html(hostile):
    markdown = (hostile / "assessment.md").read_text(encoding="utf-8")
    assert not re.search(r"(?<!\\)<", markdown)


def test_states_every_finding_and_the_decision_as_recorded(outputs, sample):
    record = Record.read(sample)
    markdown = (sample / "assessment.md").read_text(encoding="utf-8")
    for finding in record.findings:
        assert f"`{finding.check}`" in markdown
        if finding.status.known:
            assert text.as_markdown(text.line(finding.observed)) in markdown
    for result in record.areas:
        assert f"{100 * result.confidence:.1f}" in markdown
    for stage in STAGES:
        assert f"{getattr(record.decision, stage)} for {stage}." in markdown
    for section in (
        *("Summary", "Go / no-go", "Top risks", "What to do next", "Deployment", "Testing"),
        *("Evidence", "What works", "What is missing", "Required for GREEN", "Minor gaps"),
        *("Known limitations", "Go / no-go decision matrix", "Recommendation"),
        *("How it was measured", "Every finding in full", "Glossary", "Sign-off"),
    ):
        assert re.search(rf"^#+ .*{re.escape(section)}", markdown, re.M), section
    assert "GET /api/scanner/status is a stub." in markdown


def test_same_run_same_bytes(outputs, sample, tmp_path_factory):
    again = tmp_path_factory.mktemp("again") / "demo" / sample.name
    shutil.copytree(sample, again)
    for name in ("assessment.html", "assessment.md"):
        (again / name).unlink()
    render.assessment(again)
    for name in ("assessment.html", "assessment.md"):
        assert (again / name).read_bytes() == (sample / name).read_bytes()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("area", AREAS)
def test_required_for_green_is_exactly_what_green_requires(sample, area, stage):
    policy = policies.load()
    own = [f for f in Record.read(sample).findings if f.area == area]
    in_the_way = [f for f in own if stands_in_the_way(f, policy, stage)]

    def settled(some):
        best = {"status": Status.PASS, "reason": None, "strength": Strength.MEASURED}
        return [f.model_copy(update=best) if f in some else f for f in own]

    assert colour(settled(in_the_way), policy, stage) is Colour.GREEN
    for one in in_the_way:
        rest = [f for f in in_the_way if f is not one]
        assert colour(settled(rest), policy, stage) is not Colour.GREEN


def test_a_run_that_breaks_its_report_is_no_document(tmp_path):
    run = sample_run.sample(tmp_path / "20260216T095804Z")
    (run / "findings.json").write_text("{}")
    with pytest.raises(render.RenderError, match=r"findings\.json"):
        render.assessment(run)
    assert not (run / "assessment.html").exists()


def test_the_executed_notebook_holds_no_path_and_no_script(sample):
    executed = (sample / "notebooks" / "assessment.ipynb").read_text(encoding="utf-8")
    assert str(sample.parent) not in executed
    assert "<script" not in executed.replace("\\u003cscript", "")
    shown = [
        output
        for cell in json.loads(executed)["cells"]
        for output in cell.get("outputs", [])
        if "application/vnd.plotly.v1+json" in output.get("data", {})
    ]
    assert len(shown) == 1 + len(sample_run.figures())
    assert all(len(json.dumps(output)) < 60_000 for output in shown)


# Sign-off.


def test_an_unsigned_page_says_so_and_a_signed_one_by_whom(outputs, sample, browser, tmp_path):
    page = (sample / "assessment.html").read_text(encoding="utf-8")
    assert "○</span> NOT SIGNED</span> Nobody has taken responsibility" in page
    signed = with_sign_off(page, SIGNATURES)
    path = tmp_path / "signed.html"
    path.write_text(signed, encoding="utf-8")
    with opened(browser, path) as shown:
        block = shown.locator(".sign-off").inner_text()
        assert shown.evaluate("window.violations") == []
        override = shown.locator(".override").inner_text()
        assert shown.locator(".override").bounding_box()["y"] < 600  # on page one
    assert "■ OVERRIDE A. Auditor" in override
    assert "the <i>old</i> service is worse" in override
    for said in ("A. Auditor", "lead auditor", "▲ CONDITIONAL GO", "<b>read</b>", "ab" * 32):
        assert said in block
    for said in ("E. Engineer", "■ NO-GO", "2026-02-17T09:00:00+00:00"):
        assert said in block


def test_signing_changes_the_block_and_nothing_else(sample):
    page = (sample / "assessment.html").read_text(encoding="utf-8")
    empty = empty_sign_off(page)
    assert f"{BEGIN}{END}" in empty
    for signatures in ([], SIGNATURES[:1], SIGNATURES):
        signed = with_sign_off(page, signatures)
        assert empty_sign_off(signed) == empty
        assert with_sign_off(signed, []) == page
        assert with_sign_off(empty, signatures) == signed
    assert with_sign_off(page, SIGNATURES) != with_sign_off(page, SIGNATURES[::-1])


@pytest.mark.parametrize("page", ["", "no block", END + BEGIN, 2 * (BEGIN + END), BEGIN])
def test_a_page_without_exactly_one_block_stays_as_it_is(page):
    assert empty_sign_off(page) == page
    assert with_sign_off(page, SIGNATURES) == page


def test_the_target_cannot_open_a_block(hostile):
    page = (hostile / "assessment.html").read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1


# The index and the history.


def test_the_index_shows_every_environment(outputs, browser):
    with opened(browser, outputs / "index.html") as page:
        assert page.asked == page.said == page.evaluate("window.violations") == []
        rows = page.locator("tbody tr").all_inner_texts()
        assert "cannot be read" in rows[0]
        assert "■ NO-GO" in rows[1]
        assert "not signed" in rows[1]
        trends = page.locator("tbody .trail, tbody svg").evaluate_all(
            "all => all.map(one => one.getAttribute('aria-label'))"
        )
        assert "last runs: CONDITIONAL GO, NO-GO" in trends
        assert len(trends) == 2 + len(AREAS) + 1
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert "ago)" in rows[1]
        assert page.locator("tbody a").get_attribute("href") == (
            "demo/20260217T095804Z/assessment.html"
        )


def test_history_tells_what_changed(outputs):
    history = History("demo", outputs)
    said = repr(history.verdicts())
    assert said.index("20260217T095804Z") < said.index("20260216T095804Z")
    changes = history.flips()._repr_markdown_()
    assert "| `20260217T095804Z` | `DEP-COMPOSE-SERVICES` | ● PASS → ■ FAIL" in changes
    assert "Staging" in repr(history.outcomes()) or "staging" in repr(history.outcomes())
    for figure in (history.colours(), history.confidence(), history.counts()):
        assert figure._repr_mimebundle_()[0]["application/vnd.plotly.v1+json"]["data"]


def test_history_of_nothing_is_a_sentence(tmp_path):
    history = History("nowhere", tmp_path)
    shown = [history.read(), history.verdicts(), history.colours(), history.confidence()]
    shown += [history.counts(), history.percentiles(), history.outcomes(), history.flips()]
    for one in shown:
        assert re.search("no run|0 runs|No latency|Fewer than two", repr(one))


def test_history_of_one_run_and_of_some_areas_only(outputs, tmp_path):
    home = tmp_path / "demo"
    shutil.copytree(outputs / "demo" / "20260216T095804Z", home / "20260216T095804Z")
    history = History("demo", tmp_path)
    assert "Fewer than two" in repr(history.flips())
    assert history.confidence()._repr_mimebundle_()[0]
    partial = Record.read(home / "20260216T095804Z").model_copy(
        update={"run": "20260218T095804Z", "areas": history.runs[0].areas[:1]}
    )
    (home / "20260218T095804Z").mkdir()
    (home / "20260218T095804Z" / "findings.json").write_text(partial.to_json())
    shutil.copytree(home / "20260216T095804Z", home / "20260219T095804Z")  # says it is another run
    history = History("demo", tmp_path)
    assert "1 were of some areas only" in repr(history.read())
    assert "20260219T095804Z" in repr(history.read())
    assert "Fewer than two" in repr(history.flips())
    assert history.verdicts()._repr_html_()


def test_an_assessment_without_a_run_says_what_to_do(tmp_path, monkeypatch):
    from readiness import record

    monkeypatch.setattr(record, "OUTPUTS", tmp_path)
    monkeypatch.setattr(record, "latest", lambda *_: None)
    with pytest.raises(record.RecordError, match="readiness audit"):
        Assessment()
