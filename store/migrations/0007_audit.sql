-- What the audit needs to remember.

-- What a compute host's last inventory showed that the rows do not, and what they have that it did not show.
CREATE TABLE strays (
    host       TEXT NOT NULL,
    server     TEXT NOT NULL,
    -- 'unknown': a machine without a row. 'missing': a row without its machine.
    what       TEXT NOT NULL,
    generation BIGINT NOT NULL,
    -- The first and the last inventory in a row that said so.
    since      BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    -- When a repair told the host to do something about it.
    told_at    BIGINT,
    PRIMARY KEY (host, server)
);
CREATE INDEX strays_of_server ON strays (server);

-- The last audit: begun_at is moved with a compare-and-set, which is how one API server of many takes its turn.
CREATE TABLE audits (
    name     TEXT PRIMARY KEY,
    begun_at BIGINT NOT NULL,
    ended_at BIGINT,
    findings BIGINT NOT NULL
);
INSERT INTO audits (name, begun_at, findings) VALUES ('daily', 0, 0);

-- How many ports a server was accepted with; NULL for those that are older than this column.
ALTER TABLE servers ADD COLUMN interfaces BIGINT;

CREATE INDEX operations_open ON operations (server) WHERE ended_at IS NULL;
