"""What a notebook shows: tables, figures and cards, for the keyboard, the run and the terminal."""

import json

import pandas as pd
import pytest
import sample_run
from readiness.finding import Status
from readiness.report import display, html
from readiness.report.figure_table import data_table
from readiness.report.look import Figure
from readiness.report.markdown import markdown_of


@pytest.fixture
def shown(monkeypatch):
    """What ``show`` puts out, as media types."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    InteractiveShell.instance()
    for name in (*display.AT_THE_KEYBOARD, display.UNDER_THE_RUNNER):
        monkeypatch.delenv(name, raising=False)

    def show(*arguments):
        with capture_output() as captured:
            display.show(*arguments)
        return [output.data for output in captured.outputs]

    return show


@pytest.fixture
def frame():
    import pandas as pd

    rows = [
        {"endpoint": sample_run.EVIL, "p95, ms": n / 3, "samples": n * 1000, "status": "PASS"}
        for n in range(200)
    ]
    return pd.DataFrame(rows)


def test_a_table_of_a_run_is_plain_and_cut(shown, frame, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    monkeypatch.setenv("READINESS_EVIDENCE", "/somewhere")
    (data,) = shown(frame, "Many")
    html = data["text/html"]
    assert "<script" not in html
    assert html.count("<tr>") == display.MOST_ROWS + 1
    assert "60 of 200 rows" in html
    assert '<td class="n">66.3</td>' not in html  # row 199 is cut
    assert '<th scope="col" class="n">p95, ms</th>' in html
    assert "● PASS" in data["text/plain"]
    assert "\x1b" not in data["text/plain"]


def test_a_table_at_the_keyboard_can_be_sorted(shown, frame, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    html = "".join(data.get("text/html", "") for data in shown(frame, "Many"))
    assert "<script" in html
    assert "https://www.unpkg.com" not in html.split("dt_args", 1)[-1]
    assert "window.hacked=1</script>" not in html


def test_anything_may_be_shown(shown):
    import pandas as pd
    import plotly.graph_objects as go

    for data in (None, "a sentence", {}, {"a": 1}, [], [{"a": [1, {"b": None}]}], pd.Series([1])):
        assert shown(data)
    assert shown(pd.DataFrame())
    assert "application/vnd.plotly.v1+json" in shown(go.Figure(), "Nothing")[0]


def test_a_figure_brings_its_numbers():
    import numpy as np
    import plotly.graph_objects as go

    figure = Figure(go.Figure(go.Bar(x=np.array([1.5, 2.5]), y=["a", "b"], name="n")), "Two bars")
    data, about = figure._repr_mimebundle_()
    assert "| a | 1.5 |" in data["text/markdown"]
    assert '<td class="n">2.5</td>' in data["text/html"]
    assert about["readiness"]["caption"] == "Two bars"


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ({"type": "heatmap", "x": ["u", "a"], "y": ["GET /"], "z": [[0, 2]]}, "| GET / | 0 | 2 |"),
        ({"type": "heatmap", "y": ["GET /"], "z": [[1]], "text": [["refused"]]}, "| refused |"),
        ({"type": "box", "y": [3, 1, 9], "name": "p"}, "| p | 3 | 1 | 3 | 9 |"),
        ({"type": "scatter", "x": [1, 2], "y": [3, 4], "name": "s"}, "| s | 2 | 4 |"),
        ({"type": "bar", "x": ["a", "a"], "y": [3, 4], "name": "s"}, "| s | a | 4 |"),
    ],
)
def test_every_kind_of_figure_brings_a_table_that_says_the_same(trace, said):
    assert said in markdown_of([data_table({"data": [trace]})])


def test_a_card_says_it_all_in_every_format():
    finding = sample_run.finding("SEC-CORS", Status.FAIL, observed=sample_run.EVIL, samples=3)
    card = display.Card(finding)
    assert repr(card).startswith("■ FAIL  SEC-CORS: <script>")
    assert "\x1b" not in repr(card)
    data = card._repr_mimebundle_()
    assert "<script>" not in data["text/html"]
    assert data[display.CARD_TYPE]["check"] == "SEC-CORS"


def test_half_a_character_from_the_target_stays_evidence():
    from readiness.evidence import Collected, source
    from readiness.target import Target

    @source("passive")
    def half(target):
        return Collected([json.loads('{"said": "\\ud83d"}')], {"a": "\udc00"}, {})

    evidence = half(Target(name="x"))
    assert evidence.problem is None
    assert evidence.intact
    evidence.to_json().encode()


def test_a_table_without_rows_is_a_sentence():
    said = html.html_of([display.table_of(pd.DataFrame(columns=["a"]), "Values in clear")])
    assert said == "<p><strong>Values in clear.</strong> No rows.</p>"


def test_long_words_of_a_wide_table_have_joints_and_entities_stay_whole():
    row = {**dict.fromkeys("abcd", "x"), "e": "nextval('public.visits_id_seq'::regclass) & <b>"}
    said = html.html_of([display.table_of(pd.DataFrame([row]))])
    assert "<td>nextval(<wbr>&#x27;public.<wbr>visits_<wbr>id_<wbr>seq" in said
    assert "&amp; &lt;b&gt;</td>" in said
