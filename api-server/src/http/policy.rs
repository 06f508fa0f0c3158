//! Who may do what: one table.
//!
//! Each line is an action, its name in the words of the OpenStack policy files where those have one,
//! and who may. Whose server, image or port it is, is not said here: handlers look for things among
//! those that the caller's project can see, and what is not there is answered with 404.

use super::{Auth, Error};

/// Who may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Everyone, without a token.
    Anyone,
    /// Everyone with a token that is good now, for a project or not.
    Token,
    /// Everyone with any of the roles reader, member, admin in the token's project.
    Reader,
    /// Everyone with the role member or admin in the token's project.
    Member,
    /// Everyone with the role admin.
    Admin,
}

macro_rules! actions {
    ($($rule:ident { $($action:ident = $name:literal,)* })*) => {
        /// Something that can be asked of an API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the name beside each says what it is")]
        pub enum Action { $($($action,)*)* }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$($(Self::$action,)*)*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$action => $name,)*)* }
            }

            /// Who may.
            #[must_use]
            pub const fn rule(self) -> Rule {
                match self { $($(Self::$action)|* => Rule::$rule,)* }
            }
        }
    };
}

actions! {
    Anyone {
        Versions = "versions:get",
        Authenticate = "identity:authenticate",
        Signed = "internal:signed",
        // The secret of a token lets a machine in, and the handler looks at it.
        Join = "skybus:join",
    }
    Token {
        TokenSelf = "identity:validate_token",
        TokenRevoke = "identity:revoke_token",
        Catalog = "identity:get_auth_catalog",
        OwnProjects = "identity:get_auth_projects",
        // Users see and change themselves; the handlers see to the rest.
        UserShow = "identity:get_user",
        UserPassword = "identity:change_password",
        UserProjects = "identity:list_user_projects",
        ProjectShow = "identity:get_project",
        RolesRead = "identity:list_roles",
        DomainsRead = "identity:list_domains",
        CatalogRead = "identity:list_services",
    }
    Reader {
        ServersRead = "os_compute_api:servers:index",
        FlavorsRead = "os_compute_api:flavors:index",
        KeypairsRead = "os_compute_api:os-keypairs:index",
        QuotaRead = "os_compute_api:os-quota-sets:show",
        LimitsRead = "os_compute_api:limits",
        ZonesRead = "os_compute_api:os-availability-zone:list",
        ServerActionsRead = "os_compute_api:os-instance-actions:list",
        ServerGroupsRead = "os_compute_api:os-server-groups:index",
        ExtensionsRead = "os_compute_api:extensions",
        UsageRead = "os_compute_api:os-simple-tenant-usage:show",
        OlderFloatingIpsRead = "os_compute_api:os-floating-ips:list",
        OlderGroupsRead = "os_compute_api:os-security-groups:get",
        ImagesRead = "image:get_images",
        ImagesDownload = "image:download_image",
        ImageSchemas = "image:get_schemas",
        NetworksRead = "network:get_networks",
        SubnetsRead = "network:get_subnets",
        PortsRead = "network:get_ports",
        SecurityGroupsRead = "network:get_security_groups",
        FloatingIpsRead = "network:get_floatingip",
        NetworkExtensionsRead = "network:get_extensions",
        NetworkQuotaRead = "network:get_quota",
        ServerTrace = "skybus:servers:trace",
        EventsRead = "skybus:events:read",
    }
    Member {
        ServersCreate = "os_compute_api:servers:create",
        ServersUpdate = "os_compute_api:servers:update",
        ServersDelete = "os_compute_api:servers:delete",
        ServersAction = "os_compute_api:servers:action",
        ServersMetadata = "os_compute_api:server-metadata",
        ServersConsole = "os_compute_api:os-console-output",
        KeypairsWrite = "os_compute_api:os-keypairs:create",
        ServerInterfaces = "os_compute_api:os-attach-interfaces",
        ServerVolumes = "os_compute_api:os-volumes-attachments",
        OlderFloatingIpsWrite = "os_compute_api:os-floating-ips:create",
        OlderGroupsWrite = "os_compute_api:os-security-groups:create",
        ImagesWrite = "image:add_image",
        NetworksWrite = "network:create_network",
        SubnetsWrite = "network:create_subnet",
        PortsWrite = "network:create_port",
        SecurityGroupsWrite = "network:create_security_group",
        FloatingIpsWrite = "network:create_floatingip",
    }
    Admin {
        FlavorsWrite = "os_compute_api:flavor-manage",
        QuotaWrite = "os_compute_api:os-quota-sets:update",
        HypervisorsRead = "os_compute_api:os-hypervisors:list",
        ServicesRead = "os_compute_api:os-services:list",
        ServicesWrite = "os_compute_api:os-services:update",
        AggregatesRead = "os_compute_api:os-aggregates:index",
        ServersReset = "os_compute_api:os-admin-actions:reset_state",
        ImagesPublish = "image:publicize_image",
        NetworkAgents = "network:get_agents",
        SegmentRangesRead = "network:get_network_segment_range",
        SegmentRangesWrite = "network:create_network_segment_range",
        NetworkQuotaWrite = "network:update_quota",
        UsersRead = "identity:list_users",
        UsersWrite = "identity:update_user",
        ProjectsRead = "identity:list_projects",
        ProjectsWrite = "identity:update_project",
        RolesWrite = "identity:update_role",
        AssignmentsRead = "identity:list_role_assignments",
        AssignmentsWrite = "identity:create_grant",
        Operate = "skybus:operate",
    }
}

impl Action {
    /// Whether this caller may.
    ///
    /// # Errors
    /// 403 that names the action and what is missing.
    pub fn check(self, auth: &Auth) -> Result<(), Error> {
        let missing = match self.rule() {
            Rule::Anyone | Rule::Token => return Ok(()),
            _ if auth.is_admin() => return Ok(()),
            Rule::Admin => "the role admin",
            Rule::Member | Rule::Reader if auth.scope.is_none() => "a token for a project",
            Rule::Member if auth.has("member") => return Ok(()),
            Rule::Member => "the role member in the project",
            Rule::Reader if auth.has("member") || auth.has("reader") => return Ok(()),
            Rule::Reader => "the role reader in the project",
        };
        Err(Error::forbidden(format!("{} needs {missing}", self.name())))
    }
}
