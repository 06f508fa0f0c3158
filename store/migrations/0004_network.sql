-- Networks, their subnets and ports, and the groups of rules that guard the ports.
-- IPv4 addresses are numbers, so that "the next free one" is arithmetic.

CREATE TABLE networks (
    id          TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    shared      BIGINT NOT NULL,
    mtu         BIGINT NOT NULL,
    -- Set on the network that the configuration asks for, so that it is made once.
    bootstrap   TEXT UNIQUE,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE INDEX networks_of_project ON networks (project);
CREATE INDEX networks_shared ON networks (created_at) WHERE shared = 1;

CREATE TABLE subnets (
    id          TEXT PRIMARY KEY,
    network     TEXT NOT NULL UNIQUE REFERENCES networks (id) ON DELETE CASCADE,
    project     TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    cidr        TEXT NOT NULL,
    gateway     BIGINT NOT NULL,
    dns         TEXT NOT NULL,
    dhcp        BIGINT NOT NULL,
    pools       TEXT NOT NULL,
    -- The address that was given out last; the search for a free one goes on after it.
    cursor      BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE INDEX subnets_of_project ON subnets (project);

CREATE TABLE ports (
    id           TEXT PRIMARY KEY,
    network      TEXT NOT NULL REFERENCES networks (id),
    subnet       TEXT NOT NULL REFERENCES subnets (id),
    project      TEXT NOT NULL,
    name         TEXT NOT NULL,
    description  TEXT NOT NULL,
    mac          TEXT NOT NULL,
    address      BIGINT NOT NULL,
    device       TEXT NOT NULL,
    device_owner TEXT NOT NULL,
    -- The server that it is plugged into, its place among that server's ports, and the guest's name.
    server       TEXT,
    position     BIGINT NOT NULL DEFAULT 0,
    hostname     TEXT NOT NULL,
    -- 1 when it was made for its server and goes with it.
    owned        BIGINT NOT NULL DEFAULT 0,
    host         TEXT,
    status       TEXT NOT NULL,
    generation   BIGINT NOT NULL DEFAULT 1,
    epoch        BIGINT NOT NULL DEFAULT 0,
    seq          BIGINT NOT NULL DEFAULT 0,
    -- 1 when its host was asked to take it away: nothing may bring it back.
    leaving      BIGINT NOT NULL DEFAULT 0,
    -- 1 when its rules changed and its host has not been told yet.
    stale        BIGINT NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    UNIQUE (subnet, address),
    UNIQUE (network, mac)
);
CREATE INDEX ports_of_project ON ports (project, created_at, id);
CREATE INDEX ports_of_network ON ports (network);
CREATE INDEX ports_of_device ON ports (device);
CREATE INDEX ports_of_server ON ports (server, position) WHERE server IS NOT NULL;
CREATE INDEX ports_of_host ON ports (host) WHERE host IS NOT NULL;
CREATE INDEX ports_stale ON ports (id) WHERE stale = 1;

CREATE TABLE security_groups (
    id          TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE INDEX security_groups_of_project ON security_groups (project, name);
CREATE UNIQUE INDEX one_default_group ON security_groups (project) WHERE name = 'default';

CREATE TABLE security_group_rules (
    id            TEXT PRIMARY KEY,
    security_group TEXT NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE,
    project       TEXT NOT NULL,
    description   TEXT NOT NULL,
    direction     TEXT NOT NULL,
    ethertype     TEXT NOT NULL,
    protocol      TEXT,
    port_min      BIGINT,
    port_max      BIGINT,
    remote_prefix TEXT,
    remote_group  TEXT REFERENCES security_groups (id) ON DELETE CASCADE,
    -- What it allows, as one text: the same thing is not allowed twice.
    meaning       TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    UNIQUE (security_group, meaning)
);
CREATE INDEX rules_of_project ON security_group_rules (project);
CREATE INDEX rules_by_remote_group ON security_group_rules (remote_group) WHERE remote_group IS NOT NULL;

CREATE TABLE port_groups (
    port           TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    security_group TEXT NOT NULL REFERENCES security_groups (id),
    PRIMARY KEY (port, security_group)
);
CREATE INDEX ports_of_group ON port_groups (security_group);

CREATE TABLE network_quotas (
    project  TEXT NOT NULL,
    resource TEXT NOT NULL,
    most     BIGINT NOT NULL,
    PRIMARY KEY (project, resource)
);
