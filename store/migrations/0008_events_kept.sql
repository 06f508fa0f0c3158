-- Events are followed by their project, and not kept for ever.

CREATE INDEX events_of_project ON events (project, seq);

-- The number of the newest event that was removed for its age; 0 while all are there.
INSERT INTO counters (name, value) VALUES ('events_removed', 0);
