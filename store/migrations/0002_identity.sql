-- Identity: who there is, who may what in which project, and what must not be forgotten about requests.

CREATE TABLE domains (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    enabled     BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE projects (
    id          TEXT PRIMARY KEY,
    domain      TEXT NOT NULL REFERENCES domains (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    enabled     BIGINT NOT NULL DEFAULT 1,
    created_at  BIGINT NOT NULL,
    UNIQUE (domain, name)
);

-- A token made at or before tokens_after is no longer good: the password changed, the user was disabled.
CREATE TABLE users (
    id              TEXT PRIMARY KEY,
    domain          TEXT NOT NULL REFERENCES domains (id),
    name            TEXT NOT NULL,
    description     TEXT,
    email           TEXT,
    password        TEXT,
    enabled         BIGINT NOT NULL DEFAULT 1,
    default_project TEXT,
    tokens_after    BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    UNIQUE (domain, name)
);

CREATE TABLE roles (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT
);

CREATE TABLE assignments (
    project TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (project, user_id, role)
);

CREATE INDEX assignments_by_user ON assignments (user_id);
CREATE INDEX assignments_by_role ON assignments (role);

-- Tokens that were given back before their time; a row goes when the token would have ended anyway.
CREATE TABLE revoked_tokens (
    audit   TEXT PRIMARY KEY,
    ends_at BIGINT NOT NULL
);

CREATE INDEX revoked_tokens_by_end ON revoked_tokens (ends_at);

-- One row per Idempotency-Key of a project. answer is NULL while the first request runs; claim is that
-- run's own word, so that a run which was given up cannot answer later.
CREATE TABLE idempotency (
    scope       TEXT NOT NULL,
    idem_key    TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    claim       TEXT NOT NULL,
    started_at  BIGINT NOT NULL,
    answer      TEXT,
    PRIMARY KEY (scope, idem_key)
);

CREATE INDEX idempotency_by_start ON idempotency (started_at);
