-- What carries each network's frames between hosts, the ranges that segments of projects' own networks come out
-- of, and what hosts have said that they can carry. Networks that were there before go on as they are.

-- A kind, and with it the name of a physical network ('' without) and a number (0 without). The name is NULL where
-- nothing carries the network: of these there may be many.
ALTER TABLE networks ADD COLUMN segment TEXT NOT NULL DEFAULT 'local';
ALTER TABLE networks ADD COLUMN physical TEXT;
ALTER TABLE networks ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
-- Grows with each change of what all its hosts are told.
ALTER TABLE networks ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
-- 0, or its place among those that wait for their first use: the lowest is taken first.
ALTER TABLE networks ADD COLUMN waits BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX one_network_on_a_segment ON networks (segment, physical, number);
CREATE INDEX networks_waiting ON networks (waits, created_at, id) WHERE waits > 0;

CREATE TABLE segment_ranges (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    kind        TEXT NOT NULL,
    physical    TEXT NOT NULL,
    minimum     BIGINT NOT NULL,
    maximum     BIGINT NOT NULL,
    -- The one project that may use it; NULL when all may.
    project     TEXT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
-- Ranges are made and changed one after the other, so that no two overlap.
CREATE TABLE segment_kinds (
    kind TEXT PRIMARY KEY
);
INSERT INTO segment_kinds (kind) VALUES ('vlan');
INSERT INTO segment_kinds (kind) VALUES ('vxlan');

ALTER TABLE services ADD COLUMN carries TEXT NOT NULL DEFAULT '{}';
