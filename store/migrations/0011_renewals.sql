-- Queues that are being made anew because nobody led them: what they held is lost. A row is written before the
-- queue is removed, and goes once it is there again and what was lost has been asked for again.
CREATE TABLE renewals (
    queue    TEXT PRIMARY KEY,
    -- How the queue was declared and bound, as JSON.
    shape    TEXT NOT NULL,
    -- The API server that does it. Another one goes on with it when it is old.
    who      TEXT NOT NULL,
    begun_at BIGINT NOT NULL
);
