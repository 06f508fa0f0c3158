-- The core: what the control plane promises to remember.
-- Portable between SQLite and PostgreSQL: TEXT and BIGINT only; flags are 0/1, times are microseconds.

CREATE TABLE outbox (
    id          TEXT PRIMARY KEY,
    exchange    TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    kind        TEXT NOT NULL,
    body        TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    made_at     BIGINT NOT NULL
);

CREATE TABLE hosts (
    name            TEXT PRIMARY KEY,
    zone            TEXT NOT NULL,
    hypervisor      TEXT NOT NULL,
    version         TEXT NOT NULL,
    vcpus           BIGINT NOT NULL,
    ram_mib         BIGINT NOT NULL,
    disk_gib        BIGINT NOT NULL,
    used_vcpus      BIGINT NOT NULL DEFAULT 0,
    used_ram_mib    BIGINT NOT NULL DEFAULT 0,
    used_disk_gib   BIGINT NOT NULL DEFAULT 0,
    servers         BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL
);

CREATE TABLE services (
    id              TEXT PRIMARY KEY,
    host            TEXT NOT NULL,
    service         TEXT NOT NULL,
    zone            TEXT NOT NULL,
    version         TEXT NOT NULL,
    epoch           BIGINT NOT NULL,
    enabled         BIGINT NOT NULL DEFAULT 1,
    disabled_reason TEXT,
    forced_down     BIGINT NOT NULL DEFAULT 0,
    last_seen       BIGINT NOT NULL,
    UNIQUE (host, service)
);

CREATE TABLE servers (
    id           TEXT PRIMARY KEY,
    project      TEXT NOT NULL,
    owner        TEXT NOT NULL,
    name         TEXT NOT NULL,
    description  TEXT,
    hostname     TEXT NOT NULL,
    vm_state     TEXT NOT NULL,
    task_state   TEXT,
    power        TEXT NOT NULL,
    desired      TEXT NOT NULL,
    generation   BIGINT NOT NULL,
    epoch        BIGINT NOT NULL DEFAULT 0,
    seq          BIGINT NOT NULL DEFAULT 0,
    host         TEXT REFERENCES hosts (name),
    zone         TEXT,
    vcpus        BIGINT NOT NULL,
    ram_mib      BIGINT NOT NULL,
    disk_gib     BIGINT NOT NULL,
    flavor       TEXT NOT NULL,
    image        TEXT NOT NULL,
    image_source TEXT NOT NULL,
    key_name     TEXT,
    key_public   TEXT,
    user_data    TEXT,
    admin_pass   TEXT,
    config_drive BIGINT NOT NULL DEFAULT 0,
    metadata     TEXT NOT NULL,
    fault        TEXT,
    fault_at     BIGINT,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    launched_at  BIGINT,
    deleted_at   BIGINT
);
CREATE INDEX servers_of_project ON servers (project, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX servers_by_time ON servers (created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX servers_of_host ON servers (host) WHERE deleted_at IS NULL;

CREATE TABLE operations (
    id          TEXT PRIMARY KEY,
    server      TEXT NOT NULL REFERENCES servers (id),
    kind        TEXT NOT NULL,
    step        TEXT NOT NULL,
    generation  BIGINT NOT NULL,
    project     TEXT NOT NULL,
    actor       TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    host        TEXT,
    tried       TEXT NOT NULL DEFAULT '[]',
    alternates  TEXT NOT NULL DEFAULT '[]',
    restart     TEXT,
    fault       TEXT,
    lease       TEXT,
    wake_at     BIGINT NOT NULL,
    deadline    BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT
);
CREATE INDEX operations_of_server ON operations (server, started_at);
CREATE INDEX operations_awake ON operations (wake_at) WHERE ended_at IS NULL;

CREATE TABLE hops (
    operation TEXT NOT NULL REFERENCES operations (id),
    at        BIGINT NOT NULL,
    who       TEXT NOT NULL,
    what      TEXT NOT NULL,
    detail    TEXT NOT NULL,
    PRIMARY KEY (operation, at, who, what)
);

CREATE TABLE events (
    seq        BIGINT PRIMARY KEY,
    at         BIGINT NOT NULL,
    project    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    server     TEXT NOT NULL,
    request_id TEXT NOT NULL,
    payload    TEXT NOT NULL
);

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('events', 0);
