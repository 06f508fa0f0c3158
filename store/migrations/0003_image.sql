-- Images: what is known of them. Their bytes are files in the data directory.

CREATE TABLE images (
    id               TEXT PRIMARY KEY,
    project          TEXT NOT NULL,
    name             TEXT,
    status           TEXT NOT NULL,
    visibility       TEXT NOT NULL,
    disk_format      TEXT,
    container_format TEXT,
    min_disk         BIGINT NOT NULL DEFAULT 0,
    min_ram          BIGINT NOT NULL DEFAULT 0,
    protected        BIGINT NOT NULL DEFAULT 0,
    hidden           BIGINT NOT NULL DEFAULT 0,
    size             BIGINT,
    virtual_size     BIGINT,
    md5              TEXT,
    sha512           TEXT,
    tags             TEXT NOT NULL,
    properties       TEXT NOT NULL,
    -- The upload that is going on, and when it last showed that it is alive.
    upload           TEXT,
    upload_beat      BIGINT,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    deleted_at       BIGINT
);
CREATE INDEX images_of_project ON images (project, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX images_by_visibility ON images (visibility, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX images_uploading ON images (upload_beat) WHERE upload IS NOT NULL;

CREATE TABLE image_members (
    image      TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    member     TEXT NOT NULL,
    status     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (image, member)
);
CREATE INDEX images_of_member ON image_members (member);
