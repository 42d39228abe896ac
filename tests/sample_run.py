"""A run folder as the runner writes it, made of the real models, for working on the report.

``sample`` has the picture of the seed assessment. ``hostile`` has every status and reason, and the
target says the worst in every text it controls.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from readiness import decision, record, validity
from readiness import policy as policies
from readiness.documents import ROOT
from readiness.evidence import Evidence
from readiness.finding import (
    AREAS,
    Calibration,
    EvidenceFile,
    Finding,
    Reason,
    Severity,
    SpecimenResult,
    Status,
    Strength,
    area_of,
)
from readiness.report.look import Figure
from readiness.waivers import Considered, Scope

STARTED = datetime(2026, 2, 16, 9, 58, 4, tzinfo=UTC)
ANSWERS = {
    "DEP-COMPOSE-VALID": (Status.PASS, "2 files merge into a valid project of 7 services", 7),
    "DEP-COMPOSE-SERVICES": (Status.PASS, "all 7 defined; scanner is a declared stub", 7),
    "DEP-COMPOSE-HEALTH": (Status.FAIL, "2 of 7 services: telegram-bot has no healthcheck", 7),
    "DEP-COMPOSE-EXPOSURE": (Status.FAIL, "postgres publishes 5432 on every interface", 2),
    "DEP-INIT-SQL": (Status.PASS, "loads twice without an error: 12 tables, 31 indexes", 2),
    "DEP-CI": (Status.FAIL, "no workflow: nothing runs the tests on push", 1),
    "SEC-ENC-REST": (Status.PASS, "412 values: AES-256-GCM, PBKDF2 600,000, all decrypt", 412),
    "SEC-ENC-NONCE": (Status.PASS, "412 nonces, none used twice", 412),
    "SEC-AUTHN": (Status.PASS, "38 forged, expired and default credentials refused", 38),
    "SEC-AUTHZ-ANON": (Status.PASS, "24 of 24 protected operations answer 401", 24),
    "SEC-HEADERS-CSP": (Status.PASS, "sound on all 9 classes of response", 9),
    "SEC-HEADERS-HSTS": (Status.PASS, "sound on all 9 classes, seen over plain HTTP", 9),
    "SEC-HEADERS-XCTO": (Status.PASS, "sound on all 9 classes of response", 9),
    "SEC-HEADERS-XFO": (Status.PASS, "sound on all 9 classes of response", 9),
    "SEC-HEADERS-REFERRER": (Status.PASS, "sound on all 9 classes of response", 9),
    "SEC-HEADERS-PERMISSIONS": (Status.PASS, "sound on all 9 classes of response", 9),
    "SEC-CORS": (Status.PASS, "no foreign origin is allowed with credentials", 12),
    "SEC-SCORE": (Status.PASS, "12/28", 28),
    "PERF-BASELINE": (Status.PASS, "all 9 met; the closest: POST /api/oracle/question p95", 1_800),
    "OPS-HEALTH": (Status.PASS, "2 endpoints answer as documented", 4),
    "OPS-METRICS": (Status.FAIL, "no Prometheus is running that scrapes /metrics", 14),
    "OPS-BACKUP": (Status.PASS, "dump of 184 kB restored: 12 tables, counts and sums agree", 12),
    "DAT-SCHEMA-ORM": (Status.PASS, "12 tables, no difference that breaks or risks", 118),
    "DAT-SCHEMA-INIT": (Status.PASS, "12 tables, no difference", 118),
    "DAT-ENC-ROUNDTRIP": (Status.PASS, "14 texts survive, 96 tamperings refused", 110),
    "DAT-PLAINTEXT": (Status.PASS, "6 columns hold only ciphertext; canary found nowhere", 2_960),
    "DAT-CONSTRAINTS": (Status.PASS, "14 foreign keys enforced, no orphan", 29),
    "TEST-UNIT": (Status.PASS, "61 of 61 pass at this commit", 61),
    "TEST-INTEGRATION": (Status.PASS, "24 of 24 pass at this commit", 24),
    "TEST-E2E": (Status.FAIL, "8 of 14 pass; adjusted for 5 declared failures 8 of 9", 14),
    "TEST-STUBS": (Status.PASS, "2 stubs, both declared", 4),
}
SEVERITIES = {"TEST-E2E": Severity.LOW}
REMEDIES = {
    "DEP-COMPOSE-HEALTH": "Give telegram-bot a healthcheck and wait for it with service_healthy.",
    "DEP-COMPOSE-EXPOSURE": "Publish 127.0.0.1:5432:5432, or no port at all.",
    "DEP-CI": "Add a workflow that runs the unit tests on every push.",
    "OPS-METRICS": "Run Prometheus with infrastructure/monitoring/prometheus.yml.",
}
WHY = "What nobody has tried in time is tried for the first time in an outage."
STUBS = [
    {
        "operation": "GET /api/scanner/status",
        "status": 501,
        "reason": "The scanner, which generates the data, is built separately.",
        "critical": True,
    },
    {
        "operation": "POST /api/oracle/multi-user",
        "status": 503,
        "reason": "The multi-user engines are not built again yet.",
        "critical": False,
    },
]
EXPIRED = Considered(
    check="SEC-CORS",
    environment="demo",
    reason="one partner origin, until it moves",
    owner="web team",
    approver="L. Auditor",
    approved_at=datetime(2025, 12, 1, tzinfo=UTC),
    expires_at=datetime(2026, 1, 1, tzinfo=UTC),
    scope=Scope(run="20251130T090000Z", severity=Severity.HIGH, offenders=1, offender_ids=[]),
    ignored="expired at 2026-01-01 00:00 UTC",
)
EVIL = (
    "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'>"
    "<iframe src='https://evil.example/frame'></iframe>"
    "<meta http-equiv=refresh content='0;url=//evil.example'>"
    "<link rel=preconnect href=//evil.example><style>*{display:none}</style></td></table></main>"
    "\x1b[31mred\x1b[0m NUL\x00 \u202eoverride `code` | pipe **bold** [text](javascript:alert(1)) "
    "<!-- sign-off:begin --> $x^2$ https://evil.example/path {{7*7}} \U000e0041 سلام دنیا"
)


def sample(run: Path, findings: list[Finding] | None = None) -> Path:
    """Write the run of a service in the state of the seed assessment; returns the folder."""
    return write(run, findings or [_answered(run, check) for check in policies.load().checks])


def hostile(run: Path) -> Path:
    """Write a run of every status, whose target is malicious in every text; returns the folder."""
    return write(run, list(_hostile(run)), EVIL, EVIL, "20260216T095804Z")


def many(run: Path, count: int) -> Path:
    """Write a run of so many findings, one in nine failed with twenty offenders; for the bench."""
    checks = list(policies.load().checks)
    found = []
    for n in range(count):
        check = checks[n] if n < len(checks) else f"{checks[n % len(checks)]}-{n}"
        one = _answered(run, check, Status.FAIL if n % 9 == 0 else Status.PASS)
        found.append(one.model_copy(update={"title": f"Question {n} is answered as it must be"}))
    return write(run, found)


def write(
    run: Path,
    findings: list[Finding],
    target: str = "nps-reference",
    text: str = "",
    previous: str | None = None,
) -> Path:
    policy = policies.load()
    finished = STARTED + timedelta(seconds=71)
    run.mkdir(parents=True, exist_ok=True)
    notebooks = [
        record.NotebookRun(area=area, seconds=6.2 + n, kernel_start_s=0.9)
        for n, area in enumerate(AREAS)
    ]
    kept = record.Record(
        environment="demo",
        run=run.name,
        stage="staging",
        started=STARTED,
        finished=finished,
        tool=record.Tool(version="0.1.0", commit="75a451b0c1d2"),
        target=record.AuditedTarget(name=target, version="4.0.0", commit="e7946d12f00d"),
        permit=["active", "passive", "write"],
        postgresql="15.14 of the system",
        notebooks=notebooks,
        areas=decision.area_results(findings, policy, "staging", finished),
        findings=findings,
        decision=decision.decide(findings, policy, finished),
        waivers=[EXPIRED],
        policy=policy.digest(),
        valid_until=validity.until(findings, [EXPIRED], policy, finished),
        previous=previous,
    )
    write_notebooks(run, text)
    (run / "findings.json").write_text(kept.to_json(), encoding="utf-8")
    (run / "params").mkdir(exist_ok=True)
    source = ROOT / "params" / "policy.yaml"
    (run / "params" / "policy.yaml").write_bytes(source.read_bytes())
    return run


def finding(check: str, status: Status, **more: object) -> Finding:
    """A finding of a check that policy expects."""
    expected = policies.load().check(check)
    values = {
        "check": check,
        "area": area_of(check),
        "title": expected.title,
        "severity": SEVERITIES.get(check, expected.severity),
        "status": status,
        "reason": Reason.NO_SAMPLES if status is Status.NOT_MEASURED else None,
        "strength": _strength(check),
        "measured_at": STARTED + timedelta(seconds=20),
        **more,
    }
    return Finding.model_validate(values)


def _strength(check: str) -> Strength:
    configured = check.startswith("DEP-COMPOSE") or check in ("DEP-CI", "SEC-HEADERS-HSTS")
    return Strength.CONFIGURED if configured else Strength.MEASURED


def _answered(run: Path, check: str, given: Status | None = None) -> Finding:
    if check not in ANSWERS and given is None:
        said = "this version cannot measure it yet"
        return finding(check, Status.NOT_MEASURED, reason=Reason.NO_CHECK, observed=said)
    sound = (Status.PASS, "sound on all 9 classes of response", 9)
    status, observed, samples = ANSWERS.get(check, sound)
    status = given or status
    failed = status is Status.FAIL
    offenders = [{"service": "telegram-bot", "problem": "no healthcheck"}] if failed else []
    offenders *= 20 if given else 1
    return finding(
        check,
        status,
        expected="what the specification promises, on every place that was looked at",
        observed=observed,
        samples=samples,
        offenders=offenders,
        offenders_total=len(offenders),
        why=WHY,
        remedy=REMEDIES.get(check, "Bring it to what is expected."),
        references=["CWE-693", "OWASP ASVS 5.0 3.4", "https://www.rfc-editor.org/rfc/rfc6797"],
        evidence=[evidence(run, check, _records(check))],
        calibration=calibration(),
        criteria={"min_max_age_s": 31_536_000},
        duration_s=0.31,
    )


def calibration(holds: bool = True) -> Calibration:
    def result(name: str, shows: str, expected: Status) -> SpecimenResult:
        return SpecimenResult(
            specimen=name,
            shows=shows,
            expected=expected,
            status=expected if holds else Status.PASS,
            observed="as it must be",
            duration_s=0.021,
        )

    return Calibration(
        known_bad=[
            result("bare-error-page", "the header is on 200 and not on 404", Status.FAIL),
            result("sent-twice", "application and proxy both send it", Status.FAIL),
        ],
        known_good=[result("sound", "every class carries it once", Status.PASS)],
        unreachable=[result("closed", "nothing listens on the port", Status.NOT_MEASURED)],
    )


def evidence(run: Path, check: str, records: list[dict[str, object]]) -> EvidenceFile:
    """Write an evidence file as the audit does."""
    requests = [{"method": "GET", "path": "/", "status": 200, "ms": 1.2}] * 3
    kept = Evidence(
        f"sample.{check.lower()}",
        STARTED,
        0.2,
        records,
        {"requests": requests, "requests_sent": len(requests)},
        {"httpx": "0.28.1", "PostgreSQL": "15.14"},
    )
    path = f"evidence/{check}/records.json"
    content = kept.to_json().encode("utf-8", errors="backslashreplace")
    (run / path).parent.mkdir(parents=True, exist_ok=True)
    (run / path).write_bytes(content)
    return EvidenceFile(path=path, sha256=hashlib.sha256(content).hexdigest())


def _records(check: str) -> list[dict[str, object]]:
    if check == "TEST-STUBS":
        return [dict(stub) for stub in STUBS]
    return [{"looked at": check}]


def figures(text: str = "") -> list[Figure]:
    """Figures of the kinds that the notebooks make, with ``text`` in every place for a text."""
    import plotly.graph_objects as go

    operations = [f"GET {text}/{n}" for n in range(95)]
    roles = [f"{text}role {n}" for n in range(5)]
    grid = go.Figure(go.Heatmap(x=roles, y=operations, z=[[n % 5] * 5 for n in range(95)]))
    box = go.Figure([go.Box(y=[1.0, 2.5, 9.0], name=f"{text}before")])
    bars = [go.Bar(y=roles, x=[1, 2, 3, 4, 5], name=text + n, orientation="h") for n in "ab"]
    titled = {"title": {"text": f"{text}milliseconds"}}
    return [
        Figure(grid.update_layout(height=900), f"{text}Who may do what"),
        Figure(box.update_layout(yaxis=titled), f"{text}How long it took"),
        Figure(go.Figure(bars).update_layout(xaxis=titled), f"{text}Counted by role"),
    ]


def write_notebooks(run: Path, text: str = "") -> None:
    """The executed notebooks of a run: a title, code, what it printed and what it showed."""
    import nbformat

    (run / "notebooks").mkdir(exist_ok=True)
    for area in AREAS:
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"printed {text}")]
        for shown in figures(text) if area == "security" else []:
            data, about = shown._repr_mimebundle_()
            outputs.append(nbformat.v4.new_output("display_data", data, metadata=about))
        outputs += [nbformat.v4.new_output("display_data", {"text/html": f"<p>shown</p>{text}"})]
        cells = [
            nbformat.v4.new_markdown_cell(f"# {area} {text}", id="a-0"),
            nbformat.v4.new_code_cell(f"collect({text!r})", id="a-1", outputs=outputs),
        ]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), run / "notebooks" / f"{area}.ipynb")


def _hostile(run: Path):
    """Every check of the policy, in turn through the statuses and reasons."""
    reasons = list(Reason)
    for n, check in enumerate(policies.load().checks):
        status = list(Status)[n % 5]
        more: dict[str, object] = {}
        if status is Status.NOT_MEASURED:
            more["reason"] = reasons[n // 5 % len(reasons)]
        if status is Status.FAIL:
            more["offenders"] = [{EVIL[:40]: EVIL, "path": f"/{k}", "n": k} for k in range(20)]
            more["offenders_total"] = 1_234
            more["waiver"] = EVIL if n % 2 else None
            more["carried_over"] = "20260215T000000Z" if n % 3 == 0 else None
        records = [{"operation": EVIL, "reason": EVIL, "critical": True, "status": EVIL}]
        observed = EVIL * 20_000 if n == 1 else EVIL
        yield finding(
            check,
            status,
            **more,
            expected=EVIL,
            observed=observed,
            samples=n,
            why=EVIL,
            remedy=EVIL,
            references=[EVIL, "https://www.rfc-editor.org/rfc/rfc6797"],
            criteria={"pattern": EVIL},
            evidence=[evidence(run, check, records)],
            calibration=calibration(n % 4 != 0),
            duration_s=0.1,
        )
