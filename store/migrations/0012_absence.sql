-- Since when the broker is away, and when it last came back. One row, so that each absence is forgiven once,
-- however many API servers notice it and whichever of them live to see its end.

CREATE TABLE absence (
    name     TEXT PRIMARY KEY,
    since    BIGINT,
    noted_at BIGINT NOT NULL DEFAULT 0,
    ended_at BIGINT NOT NULL DEFAULT 0
);
INSERT INTO absence (name) VALUES ('broker');
