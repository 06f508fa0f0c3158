-- The machines that a cloud runs on: who was invited, who has joined, who is being removed.

CREATE TABLE machines (
    name       TEXT PRIMARY KEY,
    role       TEXT NOT NULL,
    state      TEXT NOT NULL,
    -- The hash of the token's secret, and until when the token is good.
    secret     TEXT,
    expires_at BIGINT,
    -- Whose the token is: the hash of the key of the machine that used it first.
    joiner     TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX machines_by_state ON machines (state);
