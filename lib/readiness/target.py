"""The description of a target: ``target:`` of a params file, section by section.

Every section is optional. What is left out leaves its checks not measured, and they say which key
is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from .documents import ROOT
from .finding import NotMeasured, Reason
from .variables import Deferred, Secret

Safety = Literal["passive", "active", "load", "write"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


Operation = Annotated[str, Field(pattern=r"^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE) /\S*$")]

SafeOperation = Annotated[str, Field(pattern=r"^(GET|HEAD) /\S*$")]

Column = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+){1,2}$")]  # [schema.]table.column


class Request(Section):
    """A request the audit may send as it stands."""

    operation: Operation
    json_body: Any = Field(default=None, alias="json")
    form: dict[str, str] | None = None
    headers: dict[str, Deferred] = {}
    as_role: str | None = None  # send the token of this role (http.roles)


class ResponseClass(Request):
    """A request that provokes one class of response (success, 404, redirect, ...)."""

    name: str
    status: int | list[int]


class HealthEndpoint(Section):
    """What a health endpoint must answer: ``body`` for JSON, ``text`` for anything else.

    ``body`` maps a dotted path to its value or to what it must be: ``{type: string}`` (also number,
    boolean, object, array), ``{one_of: [...]}``. A number that must differ when asked again
    is ``{type: number, varies: true}``; one that may well be nought ``{type: number, zero: true}``.
    """

    path: str
    kind: Literal["liveness", "readiness"]
    status: int = 200
    content_type: str | None = "application/json"  # null where none is promised
    body: dict[str, Any] = {}
    text: str | None = None  # the whole body, without the white space around it; may be empty
    as_role: str | None = None
    again_after_s: float = Field(default=1.1, ge=0, le=60)  # a clock in whole seconds moves by then


class LatencyTarget(Request):
    """An endpoint with its latency targets in milliseconds, one user, in sequence.

    It is sent several hundred times. ``{unique}`` in a text of the body is different each time;
    ``remove`` takes away what a request made, ``{id}`` being ``id_field`` of the answer.
    """

    tier: str = "crud"
    p50_ms: float | None = None
    p95_ms: float
    p99_ms: float | None = None
    status: int = 200
    contains: str | None = None  # text that a real answer holds
    remove: Operation | None = None
    id_field: str = "id"


class LatencySampling(Section):
    """How much is asked of each endpoint; a percentile near its target takes more."""

    confidence: float = Field(default=0.95, gt=0.5, lt=1)  # of each bound of a percentile
    warm_up: int = Field(default=5, ge=1)  # requests that are not counted
    max_samples: int = Field(default=1800, ge=1)
    max_seconds: float = Field(default=60, gt=0)
    # The audit's own client, asking for nothing, is timed too. Where its slowest twentieth takes
    # more than so many times its quickest, the machine is busy and misses are believed less.
    quiet_within: float = Field(default=5, ge=1)


class Role(Section):
    """How the audit obtains credentials for a role: a login that answers a token, or a header."""

    login: Operation | None = None
    login_as: Literal["json", "form"] = "json"  # how the login wants its fields
    username_field: str = "username"
    password_field: str = "password"
    username: Secret | None = None
    password: Secret | None = None
    token_field: str = "access_token"  # of the answer; dots lead further in
    header: str = "Authorization"
    scheme: str = "Bearer"
    credential: Secret | None = None  # sent as it is: an API key, a long-lived token


class Authentication(Section):
    """What the audit may use to try the doors.

    Whether an expired token is refused can be seen in two ways only: with one that has expired, or
    with the key that signs them. Without either that part stays open, and says so.
    """

    protected: SafeOperation  # answers 2xx with credentials and refuses without
    token: Literal["jwt", "opaque"] = "jwt"
    token_role: str = "user"
    max_lifetime_minutes: int = 60
    expired_token: Secret | None = None  # any that was valid once
    signing_key: Secret | None = None  # only to sign an expired token with it
    jwks: str | None = None  # a path of the service; for tokens signed by a private key
    api_key_header: str | None = None
    default_secrets: list[str] = []  # further known defaults, beside the shipped list
    secrets_files: list[str] = [".env.example"]  # in the repository; placeholders tried as keys


class Metrics(Section):
    """Where the service shows its metrics, which of them are wanted, and who is to scrape them.

    A series is a metric's name, with labels if need be: ``http_requests_total{status="500"}``.
    """

    path: str = "/metrics"
    base_url: Deferred | None = None  # where metrics have an address of their own
    headers: dict[str, Secret] = {}
    series: list[str] = []
    settle_s: float = Field(default=1.0, ge=0, le=60)  # until a request shows in the figures
    prometheus_config: str | None = None  # in the repository
    # A job's target as the configuration writes it -> the address the audit reaches it at.
    reachable: dict[str, Deferred] = {}


class Stub(Request):
    """An operation that answers 501 or 503 by design; without ``as_role``, every role is tried."""

    status: Literal[501, 503]
    reason: str
    critical: bool = False


class Canary(Section):
    """A write through the API that carries a unique value in each of ``fields`` of its body, which
    the service is expected to store encrypted.

    ``{unique}`` in any text of the body is replaced by something that was never there before, for
    a field that must be unique. ``remove`` is the operation that takes it away again; ``{id}`` is
    read from ``id_field`` of the answer (``person.id`` where it stands deeper).
    """

    operation: Operation
    json_body: dict[str, Any] = Field(alias="json")
    fields: list[str]
    as_role: str
    remove: Operation | None = None
    id_field: str = "id"
    table: str | None = None


class Http(Section):
    base_url: Deferred
    timeout_s: float = Field(default=10, gt=0, le=120)
    requests_per_minute: int = Field(default=1200, gt=0)
    max_requests: int = Field(default=5000, gt=0)
    max_body_bytes: int = Field(default=2_000_000, gt=0)
    max_wait_s: float = Field(default=300, ge=0)  # in all, for a rate limiter, by each source
    ca_file: Deferred | None = None
    openapi: str | None = None  # /path of the service, or a file of the repository (else of ours)
    operations: list[Operation] = []  # for a service without an OpenAPI document
    public: list[Operation] = []
    never_call: list[Operation] = []
    examples: dict[str, Any] = {}  # path parameter -> value, e.g. {user_id: 1}
    origins: list[str] = []  # front ends that may call from a browser, e.g. https://app.example.org
    response_classes: list[ResponseClass] = []
    health: list[HealthEndpoint] = []
    latency: list[LatencyTarget] = []
    latency_sampling: LatencySampling = LatencySampling()
    roles: dict[str, Role] = {}
    authentication: Authentication | None = None
    metrics: Metrics | None = None
    stubs: list[Stub] = []
    canaries: list[Canary] = []


class Database(Section):
    url: Secret
    schemas: list[str] = ["public"]
    statement_timeout_s: float = Field(default=60, gt=0)
    lock_timeout_s: float = Field(default=2, gt=0)
    connect_timeout_s: int = Field(default=5, gt=0)
    ignore_tables: list[str] = []  # a table of a tool and not of the application, with * and ?


class Orm(Section):
    """The target's models, asked for their DDL in the target's own interpreter."""

    interpreter: Deferred
    path: list[Deferred] = []  # put on sys.path
    imports: list[str] = []  # modules to import first, so that every model is registered
    metadata: str = Field(pattern=r"^[\w.]+:[\w.]+$")  # module:object, Base or MetaData
    environment: dict[str, Deferred] = {}
    timeout_s: float = Field(default=60, gt=0)


class Compose(Section):
    """The Compose project; without ``files`` it is what Docker would take by default."""

    files: list[str] = []  # in the repository, in the order of -f
    services: list[str] = []  # the containers that must be defined
    stubs: list[str] = []  # services that are placeholders, by declaration
    stores: list[str] = []  # data stores, beside those recognised by image or port
    variables: dict[str, str] = {}  # values the environment gives to ${NAME} there; no secrets


class Repository(Section):
    path: Deferred
    compose: Compose | None = None
    init_sql: str | None = None
    init_roles: list[str] = []  # roles that the platform makes before init.sql is loaded

    @property
    def folder(self) -> Path:
        """Where it lies; a relative path counts from this project's folder."""
        return ROOT / self.path.value()


class CipherCode(Section):
    """The service's own cipher, run in its own interpreter.

    ``derive_key(password, salt)``, ``encrypt(text, key)`` and ``decrypt(value, key)`` are functions
    of ``module``, or ``Class.method`` there; where the service's own are called otherwise, name a
    module of yours under ``path`` that calls them. Text or bytes will do.
    """

    interpreter: Deferred
    path: list[Deferred] = []
    module: str
    derive_key: str | None = "derive_key"  # null: the code has none, and a key is given to it
    encrypt: str = "encrypt_aes256gcm"
    decrypt: str = "decrypt_aes256gcm"
    environment: dict[str, Deferred] = {}
    timeout_s: float = Field(default=60, gt=0)


class Encryption(Section):
    """The ciphertext format that the specification promises, and where ciphertexts stand."""

    columns: list[Column]
    prefix: str = "ENC4:"
    nonce_bytes: int = 12
    tag_bytes: int = 16
    key_bytes: int = 32
    kdf: Literal["pbkdf2-hmac-sha256"] = "pbkdf2-hmac-sha256"
    iterations: int = 600_000
    salt_bytes: int = 32  # the salt's UTF-8 is padded with NUL or cut to this
    key: Secret
    salt: Secret
    legacy_prefixes: list[str] = []  # of older ciphertexts, in hexadecimal or base64
    clear_prefixes: list[str] = []  # that mark a text in clear, such as PLAIN:
    code: CipherCode | None = None


class Backup(Section):
    """How the target takes a backup and restores it: the commands as they are run in earnest.

    ``{file}`` is the backup, in a folder of the run's own; a script that names its file itself is
    given ``{folder}`` instead. URLs go by environment and never by argument, under the variables
    named here and as libpq's PGHOST, PGUSER and so on; ``{database}`` is the database's bare name.
    """

    dump: list[Deferred] = []
    restore: list[Deferred] = []
    source_url: Secret
    source_variable: str = "DATABASE_URL"
    target_variable: str = "DATABASE_URL"
    environment: dict[str, Deferred] = {}
    folder: Deferred | None = None  # where the commands are run; the repository if there is one
    timeout_s: float = Field(default=300, gt=0)
    ignore_tables: list[str] = []  # whose rows are left out on purpose, with * and ?
    stored: list[Deferred] = []  # files with * and ?: the backups kept; the newest one is dated


class ExpectedFailure(Section):
    """Tests that are known to fail; ``test`` is an id with * and ?."""

    test: str
    reason: str
    expires: date  # the last day (UTC) on which it excuses anything


class Reports(Section):
    """Test reports; each entry is a file or a pattern below ``path``."""

    path: Deferred
    unit: list[str] = []
    integration: list[str] = []
    e2e: list[str] = []
    commit: Deferred | None = None  # under assessment; without it, target.commit
    commit_file: str | None = None  # below path; for reports that do not name their commit
    max_age_hours: float = Field(default=168, gt=0)
    min_tests: dict[Literal["unit", "integration", "e2e"], int] = {}  # fewer: a suite was lost
    expected_failures: list[ExpectedFailure] = []


class Target(Section):
    """``target:`` of a params file, with what may be done to it.

    A section that is missing leaves its checks not measured: sources ask with ``need``.
    """

    name: str
    version: Deferred | None = None
    commit: Deferred | None = None
    http: Http | None = None
    database: Database | None = None
    orm: Orm | None = None
    repository: Repository | None = None
    encryption: Encryption | None = None
    backup: Backup | None = None
    reports: Reports | None = None
    not_applicable: dict[str, str] = {}  # check -> why it does not apply
    _permit: frozenset[Safety] = PrivateAttr(default=frozenset({"passive"}))
    _answers: Callable[[], list[dict[str, Any]]] | None = PrivateAttr(default=None)

    @property
    def permit(self) -> frozenset[Safety]:
        """The safety classes that the environment allows."""
        return self._permit

    def allowing(self, permit: Iterable[Safety]) -> Target:
        """The same target with these safety classes allowed."""
        copy = self.model_copy()
        copy._permit = frozenset(permit)
        return copy

    @property
    def answers(self) -> list[dict[str, Any]] | None:
        """What this audit has found out about the target so far; None outside of an audit."""
        return self._answers() if self._answers else None

    def answered_by(self, answers: Callable[[], list[dict[str, Any]]]) -> Target:
        """The same target with a way to ask for the answers of its audit."""
        copy = self.model_copy()
        copy._answers = answers
        return copy


T = TypeVar("T")


def need(value: T | None, key: str) -> T:
    """``value``, or NOT_MEASURED ``no_parameter`` naming the key that is missing."""
    if value is None or value == [] or value == {}:
        raise NotMeasured(Reason.NO_PARAMETER, f"{key} is not set in the parameters")
    return value
