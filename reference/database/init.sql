-- The schema, exactly as app.models declares it. Loading it twice changes nothing.
-- Needs PostgreSQL 13 or newer and no extension: gen_random_uuid() is built in.

BEGIN;

CREATE TABLE IF NOT EXISTS users (
    id            uuid         NOT NULL DEFAULT gen_random_uuid(),
    username      varchar(64)  NOT NULL,
    password_hash text         NOT NULL,
    role          varchar(16)  NOT NULL DEFAULT 'user',
    is_active     boolean      NOT NULL DEFAULT true,
    created_at    timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_username_key UNIQUE (username),
    CONSTRAINT users_role_check CHECK (role IN ('admin', 'moderator', 'user', 'readonly'))
);

-- Only the SHA-256 of a key is kept.
CREATE TABLE IF NOT EXISTS api_keys (
    id         uuid         NOT NULL DEFAULT gen_random_uuid(),
    user_id    uuid         NOT NULL,
    name       varchar(100) NOT NULL,
    key_hash   varchar(64)  NOT NULL,
    scopes     text[]       NOT NULL DEFAULT '{}',
    created_at timestamptz  NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash)
);
CREATE INDEX IF NOT EXISTS ix_api_keys_user_id ON api_keys (user_id);

-- A token (jti) or a session (sid) that is refused until it would have expired anyway.
CREATE TABLE IF NOT EXISTS revoked_tokens (
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT revoked_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT revoked_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
        ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS ix_revoked_tokens_user_id ON revoked_tokens (user_id);
CREATE INDEX IF NOT EXISTS ix_revoked_tokens_expires_at ON revoked_tokens (expires_at);

-- People whom readings are about. mother_name* hold ENC4 envelopes only.
CREATE TABLE IF NOT EXISTS oracle_users (
    id                  uuid         NOT NULL DEFAULT gen_random_uuid(),
    owner_id            uuid,
    name                varchar(200) NOT NULL,
    birthday            date         NOT NULL,
    mother_name         text,
    mother_name_persian text,
    created_at          timestamptz  NOT NULL DEFAULT now(),
    updated_at          timestamptz  NOT NULL DEFAULT now(),
    deleted_at          timestamptz,
    CONSTRAINT oracle_users_pkey PRIMARY KEY (id),
    CONSTRAINT oracle_users_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id),
    CONSTRAINT oracle_users_birthday_check CHECK (birthday >= '1000-01-01'::date)
);
CREATE INDEX IF NOT EXISTS ix_oracle_users_owner_id ON oracle_users (owner_id);
CREATE UNIQUE INDEX IF NOT EXISTS oracle_users_owner_name_birthday_key
    ON oracle_users (owner_id, name, birthday) WHERE deleted_at IS NULL;

-- question* and ai_interpretation* hold ENC4 envelopes only.
CREATE TABLE IF NOT EXISTS oracle_readings (
    id                        uuid        NOT NULL DEFAULT gen_random_uuid(),
    owner_id                  uuid,
    oracle_user_id            uuid,
    question_type             varchar(16) NOT NULL,
    question                  text,
    question_persian          text,
    ai_interpretation         text,
    ai_interpretation_persian text,
    reading_result            jsonb       NOT NULL DEFAULT '{}',
    created_at                timestamptz NOT NULL DEFAULT now(),
    deleted_at                timestamptz,
    CONSTRAINT oracle_readings_pkey PRIMARY KEY (id),
    CONSTRAINT oracle_readings_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id),
    CONSTRAINT oracle_readings_oracle_user_id_fkey FOREIGN KEY (oracle_user_id)
        REFERENCES oracle_users (id),
    CONSTRAINT oracle_readings_question_type_check
        CHECK (question_type IN ('time', 'question', 'reading'))
);
CREATE INDEX IF NOT EXISTS ix_oracle_readings_owner_id_created_at
    ON oracle_readings (owner_id, created_at DESC);
CREATE INDEX IF NOT EXISTS ix_oracle_readings_oracle_user_id ON oracle_readings (oracle_user_id);

-- *_enc hold ENC4 envelopes only.
CREATE TABLE IF NOT EXISTS findings (
    id                       uuid           NOT NULL DEFAULT gen_random_uuid(),
    owner_id                 uuid,
    chain                    varchar(8)     NOT NULL,
    address                  varchar(100)   NOT NULL,
    balance                  numeric(28, 8) NOT NULL DEFAULT 0,
    private_key_enc          text,
    seed_phrase_enc          text,
    wif_enc                  text,
    extended_private_key_enc text,
    found_at                 timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT findings_pkey PRIMARY KEY (id),
    CONSTRAINT findings_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id),
    CONSTRAINT findings_address_key UNIQUE (address),
    CONSTRAINT findings_chain_check CHECK (chain IN ('btc', 'eth')),
    CONSTRAINT findings_balance_check CHECK (balance >= 0)
);
CREATE INDEX IF NOT EXISTS ix_findings_owner_id ON findings (owner_id);

-- Rows are only ever added: roles.sql leaves the application no right to change them.
CREATE TABLE IF NOT EXISTS oracle_audit_log (
    id            bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    timestamp     timestamptz NOT NULL DEFAULT now(),
    user_id       uuid,
    action        varchar(64) NOT NULL,
    resource_type varchar(64),
    resource_id   varchar(64),
    success       boolean     NOT NULL,
    ip_address    varchar(45),
    details       jsonb       NOT NULL DEFAULT '{}',
    CONSTRAINT oracle_audit_log_pkey PRIMARY KEY (id),
    CONSTRAINT oracle_audit_log_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX IF NOT EXISTS ix_oracle_audit_log_timestamp ON oracle_audit_log (timestamp);
CREATE INDEX IF NOT EXISTS ix_oracle_audit_log_user_id ON oracle_audit_log (user_id);

-- Counters that every worker shares; UNLOGGED, as a crash may forget them.
CREATE UNLOGGED TABLE IF NOT EXISTS login_failures (
    username     varchar(64) NOT NULL,
    failures     integer     NOT NULL,
    last_failure timestamptz NOT NULL,
    CONSTRAINT login_failures_pkey PRIMARY KEY (username)
);

CREATE UNLOGGED TABLE IF NOT EXISTS rate_counters (
    bucket       varchar(80) NOT NULL,
    window_start timestamptz NOT NULL,
    hits         integer     NOT NULL,
    CONSTRAINT rate_counters_pkey PRIMARY KEY (bucket)
);

COMMIT;
