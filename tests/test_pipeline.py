"""What counts as running tests, and pipelines of every shape."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readiness.parameters import validated
from readiness.sources.pipeline import jobs
from readiness.sources.pipelines import Repository
from readiness.sources.pipelines.runners import runs_in
from readiness.sources.shell import cannot_fail, commands, idles
from readiness.target import Target

FILES = {
    "Makefile": "PYTHON ?= .venv/bin/python\ntest: unit\nunit: setup\n\t@$(PYTHON) -m pytest -q\n"
    "setup:\n\tpip install x\nlint:\n\truff check\nsoft:\n\t-pytest\n",
    "package.json": '{"scripts": {"test": "vitest run", "lint": "eslint ."}}',
    "front/package.json": '{"scripts": {"test": "echo \\"no test specified\\" && exit 1"}}',
    "ci/test.sh": "#!/bin/bash\nset -e\npython -m pytest\n",
    "ci/soft.sh": "#!/bin/bash\npytest\necho done\n",
    "ci/loop.sh": "#!/bin/bash -e\n./ci/loop.sh\n",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("repository")
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return Repository(root)


@pytest.mark.parametrize(
    "script",
    [
        "pytest",
        "FOO=1 \\\n poetry run pytest -x",
        "uv run --frozen --with coverage python -m pytest",
        "python3.11 -W error -m unittest discover",
        "coverage run -m pytest",
        "make test",
        "echo 'a > b' && pytest 2>&1 > log && echo done",
        "npm test",
        "npm run test -- --run",
        "cd front && cd .. && npm t",
        "yarn vitest",
        "npx playwright test",
        "bash ci/test.sh",
        "./ci/test.sh",
        "docker compose exec -T api python -m pytest",
        "mvn -B verify",
        "./gradlew check",
        "go test ./...",
        "timeout 10m cargo nextest run",
        "if true; then pytest; fi",
        "set -o pipefail; pytest | tee log",
        "set +e\npytest\ncode=$?\ncat log\nexit $code",
        "sh -ec 'make test'",
    ],
)
def test_runs_tests(repository, script):
    found = runs_in(script, repository)
    assert found, script
    assert found[0].ignored is None


@pytest.mark.parametrize(
    "script",
    [
        "",
        "# pytest",
        "echo pytest",
        "pip install pytest",
        "which pytest",
        "cat <<EOF\npytest\nEOF\n",
        "pytest --collect-only",
        "uv run --with pytest mypy .",
        "make lint",
        "make no-such-target",
        "npm run lint",
        "cd front && npm test",
        "npm --prefix front test",
        "npx playwright install",
        "cargo test --no-run",
        "mvn -DskipTests package",
        "./gradlew build -x test",
        "./ci/missing.sh",
        "./ci/loop.sh",
        "../../bin/test.sh",
        "'unbalanced",
    ],
)
def test_runs_no_tests(repository, script):
    assert runs_in(script, repository) == []


@pytest.mark.parametrize(
    "script",
    [
        "pytest || true",
        "pytest || echo failed",
        "pytest | tee log",
        "pytest > log 2>&1 | cat",
        "set +e\npytest\necho done",
        "make soft",
        "bash ci/soft.sh",
    ],
)
def test_runs_tests_without_effect(repository, script):
    assert all(run.ignored for run in runs_in(script, repository))
    assert runs_in(script, repository)


@pytest.mark.parametrize(
    ("script", "waits"),
    [
        ("sleep infinity", True),
        ("while true; do sleep 3600; done", True),
        ("exec tail -f /dev/null", True),
        ("tini -- sleep 1d", True),
        ("tini -- server", False),
        ("sleep 5 && exec server", False),
        ("tail -f /var/log/app.log", False),
        ("", False),
    ],
)
def test_what_only_waits(script, waits):
    assert idles(script) is waits


@pytest.mark.parametrize(
    ("script", "blind"),
    [
        ("true", True),
        ("exit 0", True),
        ("curl -f http://x || true", True),
        ("pg_isready | cat", True),
        ("curl x; exit 0", True),
        ("curl -f http://x || exit 1", False),
        ("redis-cli ping | grep -q PONG", False),
        ("pg_isready -U app", False),
        ("exec 3<>/dev/tcp/127.0.0.1/80 && grep -q ok <&3", False),
        ("pg_isready > /dev/null 2>&1 || true", True),
        ("curl -f x || (echo no; exit 1)", False),
    ],
)
def test_what_cannot_fail(script, blind):
    assert cannot_fail(script) is blind


@given(st.text(alphabet="ab '\"\\|&;()#\n<>$=-", max_size=40))
def test_no_text_breaks_the_reading_of_shell(script):
    for command in commands(script):
        assert command.words
    idles(script)
    cannot_fail(script)


KEYS = st.sampled_from(
    ["on", "push", "branches", "tags", "jobs", "test", "steps", "run", "uses", "if", "needs",
     "defaults", "shell", "include", "local", "extends", "rules", "script", "only", "when",
     "workflows", "filters", "stages", "pipelines", "default", "step", "commands", "trigger", "x"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["push", "pytest", "x", "./.github/workflows/a.yml", "./.github/actions/a", "/.*/", "$A", "\0"]
)
SHAPES = st.recursive(
    st.one_of(VALUES, st.none(), st.booleans(), st.integers()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=14,
)
PLACES = [".github/workflows/a.yml", ".github/actions/a/action.yml", ".gitlab-ci.yml",
          ".circleci/config.yml", "azure-pipelines.yml", "bitbucket-pipelines.yml",
          ".woodpecker.yml", ".travis.yml", ".buildkite/pipeline.yml", "Jenkinsfile"]  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(SHAPES, st.dictionaries(KEYS, SHAPES, max_size=4)))
def test_no_shape_of_a_pipeline_breaks_the_source(tmp_path, content):
    for place in PLACES:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(yaml.safe_dump(content))
    raw = {"name": "x", "repository": {"path": str(tmp_path)}}
    evidence = jobs(validated(Target, raw, "test", {}))
    assert evidence.problem is None, evidence.problem
