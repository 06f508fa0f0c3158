-- How many ports of a network each security group has, and how many there are in all. A group that has
-- all of them has a simple set of members, the subnet itself, which stays the same as ports come and go.

ALTER TABLE subnets ADD COLUMN ports BIGINT NOT NULL DEFAULT 0;
UPDATE subnets SET ports = (SELECT COUNT(*) FROM ports WHERE ports.subnet = subnets.id);

CREATE TABLE group_members (
    security_group TEXT NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE,
    network        TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    ports          BIGINT NOT NULL,
    PRIMARY KEY (security_group, network)
);
CREATE INDEX group_members_of_network ON group_members (network, ports);
INSERT INTO group_members (security_group, network, ports)
    SELECT g.security_group, p.network, COUNT(*) FROM port_groups g JOIN ports p ON p.id = g.port
    GROUP BY g.security_group, p.network;
-- What hosts know of groups that have all ports of a network is written down in another form from now on.
UPDATE ports SET stale = 1 WHERE host IS NOT NULL;
