-- What the Compute API keeps besides servers: flavors, keypairs, and what a project may use.

CREATE TABLE flavors (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    vcpus         BIGINT NOT NULL,
    ram_mib       BIGINT NOT NULL,
    disk_gib      BIGINT NOT NULL,
    is_public     BIGINT NOT NULL DEFAULT 1,
    description   TEXT,
    extra_specs   TEXT NOT NULL DEFAULT '{}',
    created_at    BIGINT NOT NULL
);

CREATE TABLE flavor_access (
    flavor  TEXT NOT NULL REFERENCES flavors (id),
    project TEXT NOT NULL,
    PRIMARY KEY (flavor, project)
);

CREATE TABLE keypairs (
    owner       TEXT NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    public_key  TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (owner, name)
);

-- A project's own limits; where there is no row the built-in default holds. -1 is "no limit".
CREATE TABLE quota_limits (
    project  TEXT NOT NULL,
    resource TEXT NOT NULL,
    hard     BIGINT NOT NULL,
    PRIMARY KEY (project, resource)
);

-- What a project uses. Changed in the transaction that makes or removes the thing, by compare-and-set.
CREATE TABLE quota_usage (
    project  TEXT NOT NULL,
    resource TEXT NOT NULL,
    used     BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (project, resource)
);
