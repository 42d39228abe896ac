"""Secrets of the repository: found wherever they stand, and written nowhere."""

import secrets
import string
import subprocess
import zlib

import pytest
from readiness import audit as audits
from readiness.checks.security.secrets import no_secret_in_the_repository
from readiness.parameters import validated
from readiness.sources.secret_rules import assignments_in, is_placeholder, looks_live, tokens_in
from readiness.sources.secrets import found
from readiness.target import Target

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
LETTERS = string.ascii_letters + string.digits


# As Django's startproject writes them, with signs that expressions have too.
DJANGO = "#@rbp7jb%&5alkner4bm2!jzlxq10g+u(-&%#@sqa3u4lbmtea"


def made_up(number):
    return "".join(secrets.choice(LETTERS) for _ in range(number))


def with_checksum(prefix):
    body = made_up(30)
    rest, text = zlib.crc32(body.encode()), ""
    while rest:
        rest, digit = divmod(rest, 62)
        text = BASE62[digit] + text
    return f"{prefix}_{body}{text.rjust(6, '0')}"


def test_a_checksum_tells_a_token_from_what_looks_like_one():
    token = with_checksum("ghp")
    assert [hit.rule for hit in tokens_in(f"x = '{token}'")] == ["GitHub token"]
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert not list(tokens_in(f"x = '{other}'"))


@pytest.mark.parametrize(
    ("value", "live"),
    [
        ("Zk4pR7xW2mQ9tL5vB8nC", True),
        ("change-me-please-1234", False),
        ("correct-horse-battery", False),
        ("${SECRET}", False),
        ("aaaaaaaaaaaaaaaaaaaa", False),
        ("", False),
    ],
)
def test_what_looks_live(value, live):
    assert looks_live(value) is live


@pytest.mark.parametrize(
    ("path", "line", "number"),
    [
        ("docker-compose.yml", "POSTGRES_PASSWORD: tulip-Harbour-73", 1),
        ("docker-compose.yml", "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD}", 0),
        ("docker-compose.yml", "POSTGRES_PASSWORD_FILE: /run/secrets/db", 0),
        (".env.example", "API_TOKEN=<your token>", 0),
        (".env.example", "API_TOKEN=Zk4pR7xW2mQ9", 1),
        ("app.py", "password = input('Password: ')", 0),
        ("app.py", "token = 'short'", 0),
        ("app.py", "token_url = 'https://login.example.org/token'", 0),
        (".github/workflows/ci.yml", "NPM_TOKEN: ${{ secrets.NPM_TOKEN }}", 0),
        ("settings.py", f"SECRET_KEY = 'django-insecure-{DJANGO}'", 1),
        ("settings.py", f'SECRET_KEY = "{DJANGO}"', 1),
        ("settings.py", "SECRET_KEY: str = '09d25e094faa6ca2556c818166b7a956'", 1),
        ("settings.py", "jwt_secret: SecretStr = SecretStr('09d25e094faa6ca2556c8181')", 1),
        ("settings.py", "secret: str = Field(default='09d25e094faa6ca2556c8181')", 1),
        ("settings.py", "SECRET_KEY = b'09d25e094faa6ca2556c8181'", 1),
        ("settings.py", "os.environ['JWT_SECRET'] = '09d25e094faa6ca2556c8181'", 1),
        ("settings.py", "SECRET_KEY = os.environ['SECRET_KEY']", 0),
        ("app.py", 'app.secret_key = "supersecret123"', 1),
        ("app.py", 'app.config["JWT_SECRET_KEY"] = "tulip-harbour"', 1),
        ("tests/test_app.py", 'app.secret_key = "supersecret123"', 0),
        ("app.py", 'app.secret_key = os.environ.get("FLASK_SECRET_KEY")', 0),
        ("app.py", 'JWT_SECRET = "jwt_secret"', 0),
        ("app.py", 'secret = conf.value("api_auth", "jwt_secret")', 0),
        ("settings.py", "SECRET_KEY = os.environ.get('SECRET_KEY', 'tulip-harbour')", 1),
        ("settings.py", "SECRET_KEY = os.getenv('SECRET_KEY', '')", 0),
        ("settings.py", "SECRET_KEY = os.getenv('SECRET_KEY') or 'tulip-harbour'", 1),
        ("app.py", "connection = token or 'upgrade'", 0),
        ("settings.py", "TOKEN_TTL = int(os.getenv('TOKEN_TTL', '3600000'))", 0),
        ("app.js", "const key = process.env.JWT_SECRET || 'tulip-harbour';", 1),
        ("app.js", "const token = document.querySelector('input[name=csrf_token_1]')", 0),
        ("app.py", 'if api_key == "Zk4pR7xW2mQ9tL5vB8nC":', 1),
        ("app.py", 'password_input = "form#login1 > input[name=password-2]"', 0),
        (".env", "DB_PASSWORD=p@ss#word123", 1),
        ("compose.yaml", 'DB_PASSWORD: "p@ss#word,123"', 1),
    ],
)
def test_literals_given_to_names_of_secrets(path, line, number):
    assert len(list(assignments_in(path, line))) == number


def test_placeholders():
    assert all(is_placeholder(v) for v in ("changeme", "your-key-here", "${X}", "xxxxxxxx"))
    assert not is_placeholder("tulip-Harbour-73")


def git(folder, *arguments):
    command = ["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@x", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def test_no_value_is_written_anywhere(tmp_path, monkeypatch, capfd):
    """Planted in every place that is looked at; then everything that was written is searched."""
    planted = {name: made_up(24) + "7aZ" for name in ("tree", "deleted", "built", "image", "known")}
    token = with_checksum("ghp")
    repository, folder = tmp_path / "repository", tmp_path / "evidence"
    (repository / "dist").mkdir(parents=True)
    monkeypatch.setenv("SHOP_SIGNING_KEY", planted["known"])
    monkeypatch.setenv("READINESS_EVIDENCE", str(folder))
    git(repository, "init")
    (repository / "old.py").write_text(f"API_KEY = '{planted['deleted']}'\n")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "first")
    (repository / "old.py").write_text("")
    (repository / "test_x.py").write_text(f"SECRET_KEY = '{planted['tree']}'  # {token}\n")
    (repository / "Dockerfile").write_text(f"ARG DB_PASSWORD={planted['image']}\n")
    (repository / "dist/app.js").write_text(f"a='postgresql://x:{planted['built']}@db/x'")
    (repository / "notes.md").write_text(f"signed with {planted['known']}\n")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "second")
    raw = {
        "name": "shop",
        "http": {
            "base_url": "http://127.0.0.1:1",
            "authentication": {"protected": "GET /x", "signing_key": "${SHOP_SIGNING_KEY}"},
        },
        "repository": {"path": str(repository), "assets": ["dist"]},
    }
    audit = audits.begin("security", "local", raw, ["passive"])
    card = audit.judge(no_secret_in_the_repository, found(audit.target))
    written = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    written += card._repr_html_() + repr(card) + "".join(capfd.readouterr())
    finding = audit.findings["SEC-SECRETS"]
    written += finding.model_dump_json()
    places = {offender["file"] for offender in finding.offenders}
    assert places == {"old.py", "test_x.py", "Dockerfile", "dist/app.js", "notes.md"}
    for value in (*planted.values(), token):
        assert value not in written
        assert value[:12] not in written
    assert "fingerprint" in written


def test_the_history_is_read_as_far_as_time_allows(tmp_path, monkeypatch):
    monkeypatch.setattr("readiness.sources.secrets.HISTORY_SECONDS", -1)
    git(tmp_path, "init")
    (tmp_path / "a.md").write_text("hello\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    target = validated(Target, {"name": "x", "repository": {"path": str(tmp_path)}}, "test")
    evidence = found(target.allowing(["passive"]))
    judged = no_secret_in_the_repository.assess([evidence], no_secret_in_the_repository.criteria())
    assert judged.status == "NOT_MEASURED"
    assert "time or size was used up" in judged.observed
