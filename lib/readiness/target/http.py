"""The service as it answers: endpoints, roles, and what may be asked of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ..variables import Deferred, Secret
from .access import Account, AuditLog, Lockout, Logout, Permissions, RateLimit, WebSocket
from .section import Operation, Request, SafeOperation, Section


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


class Outage(Section):
    """Something that readiness stands on, and the commands that take it away and give it back.

    They are run, in the repository's folder and without a shell, only where ``write`` is permitted,
    and with nothing else of the audit beside them. ``give_back`` must do no harm where nothing is
    missing; it is run even when the audit dies meanwhile.
    """

    name: str
    take_away: list[Deferred] = Field(min_length=1)
    give_back: list[Deferred] = Field(min_length=1)
    environment: dict[str, Deferred] = {}
    timeout_s: float = Field(default=60, gt=0, le=600)  # of each command
    within_s: float = Field(default=30, gt=0, le=600)  # until readiness says that it is away
    back_within_s: float = Field(default=60, gt=0, le=600)  # until readiness says that it is back


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
    also: list[SafeOperation] = []  # such as one that is cached where ``protected`` is not
    websocket: WebSocket | None = None
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


class SoftDelete(Section):
    """A resource whose deletion must leave its row and hide it everywhere.

    One is created, looked for with each of ``lists`` and ``item`` and counted by ``counts``, then
    removed and looked for again. ``{unique}`` in a text of the body or in a path is something that
    was never there before (a name to search for), ``{id}`` what ``id_field`` of the answer says.
    The row stays in the database; nothing but an administrator can take it away.
    """

    operation: Operation
    json_body: dict[str, Any] = Field(alias="json")
    as_role: str
    id_field: str = "id"
    remove: Operation
    item: SafeOperation | None = None  # GET /users/{id}
    lists: list[SafeOperation] = []  # also searches: GET /users?name={unique}
    counts: dict[SafeOperation, str] = {}  # operation -> the field of its answer, dots lead further
    table: str  # [schema.]table
    key: str = "id"  # the column of {id}
    column: str = "deleted_at"
    deleted_when: Literal["not null", "true", "false"] = "not null"  # what the column then is


class Tls(Section):
    """The TLS endpoint; without it the one of ``base_url``, where that is https."""

    endpoint: Deferred | None = None  # host:port
    server_name: str | None = None  # asked for, and expected on the certificate
    configuration: list[str] = []  # nginx files of the repository, read where nothing is live


class Probing(Section):
    """How far the probes for injection and cross-site scripting go; they need ``active``."""

    max_requests: int = Field(default=3000, ge=1)
    delay_s: float = Field(default=1.5, ge=0.5, le=10)  # that a database is asked to sleep
    operations: list[Operation] = []  # only these; without, every operation of the API document
    sqlmap_requests: int = Field(default=0, ge=0)  # that sqlmap may send; with none it is not run


class Http(Section):
    base_url: Deferred
    direct_url: Deferred | None = None  # the application behind the proxy, where it can be reached
    timeout_s: float = Field(default=10, gt=0, le=120)
    requests_per_minute: int = Field(default=1200, gt=0)
    max_requests: int = Field(default=20_000, gt=0)  # of one notebook, all its sources together
    stop_at_errors: float = Field(default=0.5, gt=0, le=1)  # share of 5xx in the latest answers
    stop_at_slowdown: float = Field(default=10, gt=1)  # times what an operation took at first
    max_body_bytes: int = Field(default=2_000_000, gt=0)
    max_wait_s: float = Field(default=300, ge=0)  # in all, for a rate limiter, by each source
    ca_file: Deferred | None = None
    openapi: str | None = None  # /path of the service, or a file of the repository (else of ours)
    # What stands before the document's paths, where its own ``servers`` do not say it: /api
    api_base: str | None = Field(default=None, pattern=r"^(/[^\s?#]*[^\s?#/])?$")
    operations: list[Operation] = []  # for a service without an OpenAPI document
    public: list[Operation] = []
    never_call: list[Operation] = []
    examples: dict[str, Any] = {}  # path parameter -> value, e.g. {user_id: 1}
    origins: list[str] = []  # front ends that may call from a browser, e.g. https://app.example.org
    response_classes: list[ResponseClass] = []
    health: list[HealthEndpoint] = []
    outages: list[Outage] = []
    latency: list[LatencyTarget] = []
    latency_sampling: LatencySampling = LatencySampling()
    workers: int = Field(default=8, ge=1, le=64)  # at most so many processes answer
    worker_header: str | None = None  # names the process in its answer, where the service says it
    roles: dict[str, Role] = {}
    authentication: Authentication | None = None
    sacrificial_account: Account | None = None
    logout: Logout | None = None
    lockout: Lockout | None = None
    permissions: Permissions | None = None
    rate_limits: list[RateLimit] = []
    audit_log: AuditLog | None = None
    metrics: Metrics | None = None
    stubs: list[Stub] = []
    canaries: list[Canary] = []
    soft_deletes: list[SoftDelete] = []
    tls: Tls | None = None
    probing: Probing = Probing()
    documentation: Literal["on", "off"] | None = None  # whether interactive docs are to be served
