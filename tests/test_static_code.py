"""Code that is read and not run: SQL from strings, raw markup, dangerous calls and their gates."""

import ast

import pytest
from readiness.sources.dangerous_calls import _calls
from readiness.sources.markup_sinks import unescaped
from readiness.sources.python_sql import built_sql
from readiness.target import Gate

GATES = [Gate(name="ALLOW", files=["*"])]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('db.execute(f"SELECT * FROM t WHERE a={x}")', 1),
        ("db.execute(\"SELECT a FROM t WHERE x='%s'\" % x)", 1),
        ('db.execute("SELECT a FROM t WHERE x=" + x)', 1),
        ('db.execute("SELECT a FROM {}".format(x))', 1),
        ('db.execute(text(f"SELECT {x}"))', 1),
        ('q = "SELECT a FROM t"\nq += " WHERE x=" + x\ndb.execute(q)', 1),
        ('def f(x):\n q = f"DELETE FROM t WHERE a={x}"\n return db.execute(text(q))', 1),
        ("Item.objects.raw(\"SELECT * FROM t WHERE n='%s'\" % n)", 1),
        ('db.execute("SELECT " + ",".join(columns) + " FROM t")', 1),
        ('query = f"SELECT a FROM {x}"', 1),  # run in another file, maybe
        ('db.execute("SELECT a FROM t WHERE x=%s", (x,))', 0),
        ('TABLE = "t"\ndb.execute(f"SELECT a FROM {TABLE}")', 0),
        ('db.execute("SELECT a " "FROM t")', 0),
        ('db.execute(sql.SQL("SELECT a FROM {}").format(sql.Identifier(x)))', 0),
        ('log.info(f"select {x} from the list")', 0),
        ('raise ValueError(f"update {x} set to {y}")', 0),
        ('print("select %s from where" % x)', 0),
        ('name = f"{first} {last}"', 0),
    ],
)
def test_sql_from_strings(code, found):
    assert len(list(built_sql(ast.parse(code)))) == found


@pytest.mark.parametrize(
    ("path", "text", "cleaned"),
    [
        ("a.tsx", "<p dangerouslySetInnerHTML={{ __html: text }} />", [None]),
        (
            "a.tsx",
            "<p dangerouslySetInnerHTML={{ __html: DOMPurify.sanitize(t) }} />",
            ["DOMPurify.sanitize"],
        ),
        (
            "a.tsx",
            "const safe = DOMPurify.sanitize(t);\n<p dangerouslySetInnerHTML={{ __html: safe }} />",
            ["DOMPurify.sanitize"],
        ),
        (
            "a.tsx",
            "let safe = DOMPurify.sanitize(t);\nsafe = t;\n"
            "<p dangerouslySetInnerHTML={{ __html: safe }} />",
            [None],
        ),
        ("a.js", "node.innerHTML = text;", [None]),
        ("a.js", "node.innerHTML = '<b>x</b>';", []),
        ("a.js", "node.innerHTML = '';", []),
        ("a.js", "// node.innerHTML = text;", []),
        ("a.js", "if (node.innerHTML == text) {}", []),
        ("a.js", "node.textContent = text;", []),
        ("a.vue", '<p v-html="text"></p>', [None]),
        ("a.html", "<p>{{ text | safe }}</p>", [None]),
        ("a.html", "<p>{{ text }}</p>", []),
        ("a.py", "x = mark_safe(text)", [None]),
        ("a.py", "x = mark_safe('<b>' + escape(text))", ["escape"]),
        ("a.py", "x = Markup('<b>%s</b>') % text", []),
        ("a.py", "t = '<b>{{ name }}</b>'\nx = render_template_string(t, name=name)", []),
        ("a.py", "t = f'<b>{name}</b>'\nx = render_template_string(t)", [None]),
        ("a.py", "x = render_template_string(\n    t,\n    name=name,\n)", [None]),
        ("a.py", "x = HTMLResponse(content=f'<b>{name}</b>')", [None]),
        ("a.py", "x = Environment(loader=y, autoescape=False)", [None]),
        ("a.py", "print mark_safe(text)", [None]),
        ("a.py", "t = ''\nt, x = y\nx = mark_safe(t)", [None]),
        ("a.py", "t = ''\nwith y as t:\n    x = mark_safe(t)", [None]),
        ("a.py", "t = ''\nif t := y():\n    x = mark_safe(t)", [None]),
    ],
)
def test_raw_markup(path, text, cleaned):
    assert [cleaner for _, _, cleaner in unescaped(path, text)] == cleaned


@pytest.mark.parametrize(
    ("code", "gates"),
    [
        ("import subprocess\nsubprocess.run(x)", [None]),
        ("from subprocess import run as go\ngo(x)", [None]),
        ("import os\nos.system(x)", [None]),
        ("eval(x)", [None]),
        ("import yaml\nyaml.load(x, Loader=yaml.SafeLoader)", []),
        ("import yaml\nyaml.load(x)", [None]),
        ("model.eval()", []),
        ("import re\nre.compile(x)", []),
        ("if ALLOW:\n eval(x)", ["ALLOW"]),
        ("if not ALLOW:\n eval(x)", [None]),
        ("if ALLOW:\n pass\nelse:\n eval(x)", [None]),
        ("def f():\n if not settings.allow:\n  raise E\n eval(x)", ["ALLOW"]),
        ("def f():\n if not settings.allow:\n  log()\n eval(x)", [None]),
        ("def f():\n if os.environ.get('ALLOW'):\n  eval(x)", ["ALLOW"]),
        ("def f():\n if ALLOW:\n  y = 1\n eval(x)", [None]),
        ("if OTHER:\n eval(x)", [None]),
    ],
)
def test_dangerous_calls_and_their_gates(code, gates):
    assert [gate for _, _, gate in _calls(ast.parse(code), GATES)] == gates
