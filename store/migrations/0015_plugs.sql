-- A port that is being plugged into a server that exists (1), or unplugged from one (2).

ALTER TABLE ports ADD COLUMN plug BIGINT NOT NULL DEFAULT 0;
