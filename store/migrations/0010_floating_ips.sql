-- Addresses of the outside: the networks that have them, the projects that hold one, and the port that each
-- leads to. What a port is at present (its fixed IP, whether a host serves it) is said by the port alone.

ALTER TABLE networks ADD COLUMN external BIGINT NOT NULL DEFAULT 0;
CREATE INDEX networks_external ON networks (created_at) WHERE external = 1;

CREATE TABLE floating_ips (
    id          TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    network     TEXT NOT NULL REFERENCES networks (id),
    subnet      TEXT NOT NULL REFERENCES subnets (id),
    address     BIGINT NOT NULL,
    description TEXT NOT NULL,
    -- Taken away in the transaction that removes the port.
    port        TEXT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (subnet, address)
);
CREATE INDEX floating_ips_of_project ON floating_ips (project, created_at, id);
CREATE INDEX floating_ips_of_port ON floating_ips (port) WHERE port IS NOT NULL;
