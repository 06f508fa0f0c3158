//! The Identity API v3: who there is, who may what, and tokens.
//!
//! [`token`] is what a token says, [`keys`] how that is sealed, [`verify`](fn@verify) whether it is still
//! good; [`password`] checks passwords; [`bootstrap`] makes what every cloud begins with. `login` makes
//! tokens, the rest is one file per resource. Not here: groups, trusts, federation, application
//! credentials, more domains than one.

pub mod bootstrap;
mod catalog;
mod fields;
mod grants;
pub mod keys;
mod listing;
mod login;
pub mod password;
mod projects;
mod roles;
pub mod token;
mod tokens;
mod users;
mod verify;

pub use keys::Keys;
pub use password::Logins;
pub use verify::verify;

use crate::http::{Action, Routes};

/// What it serves.
pub fn routes(routes: Routes) -> Routes {
    let routes = routes
        .post("/auth/tokens", Action::Authenticate, login::create)
        .get("/auth/tokens", Action::TokenSelf, tokens::show)
        .delete("/auth/tokens", Action::TokenRevoke, tokens::revoke)
        .get("/auth/catalog", Action::Catalog, tokens::show_catalog)
        .get("/auth/projects", Action::OwnProjects, tokens::own_projects)
        .get("/auth/domains", Action::OwnProjects, tokens::own_domains)
        .get("/auth/system", Action::OwnProjects, tokens::own_system)
        .get("/services", Action::CatalogRead, catalog::list_services)
        .get("/services/{id}", Action::CatalogRead, catalog::show_service)
        .get("/endpoints", Action::CatalogRead, catalog::list_endpoints)
        .get(
            "/endpoints/{id}",
            Action::CatalogRead,
            catalog::show_endpoint,
        )
        .get("/regions", Action::CatalogRead, catalog::list_regions)
        .get("/regions/{id}", Action::CatalogRead, catalog::show_region)
        .get("/domains", Action::DomainsRead, grants::list_domains)
        .get("/domains/{id}", Action::DomainsRead, grants::show_domain);
    let routes = routes
        .get("/projects", Action::ProjectsRead, projects::list)
        .post_once("/projects", Action::ProjectsWrite, projects::create)
        .get("/projects/{id}", Action::ProjectShow, projects::show)
        .patch("/projects/{id}", Action::ProjectsWrite, projects::update)
        .delete("/projects/{id}", Action::ProjectsWrite, projects::delete)
        .get("/users", Action::UsersRead, users::list)
        .post_once("/users", Action::UsersWrite, users::create)
        .get("/users/{id}", Action::UserShow, users::show)
        .patch("/users/{id}", Action::UsersWrite, users::update)
        .delete("/users/{id}", Action::UsersWrite, users::delete)
        .post(
            "/users/{id}/password",
            Action::UserPassword,
            users::change_password,
        )
        .get(
            "/users/{id}/projects",
            Action::UserProjects,
            users::list_projects,
        );
    routes
        .get("/roles", Action::RolesRead, roles::list)
        .post_once("/roles", Action::RolesWrite, roles::create)
        .get("/roles/{id}", Action::RolesRead, roles::show)
        .patch("/roles/{id}", Action::RolesWrite, roles::update)
        .delete("/roles/{id}", Action::RolesWrite, roles::delete)
        .get("/role_assignments", Action::AssignmentsRead, grants::list)
        .get(
            "/projects/{project}/users/{user}/roles",
            Action::AssignmentsRead,
            grants::held,
        )
        .get(
            "/projects/{project}/users/{user}/roles/{role}",
            Action::AssignmentsRead,
            grants::check,
        )
        .put(
            "/projects/{project}/users/{user}/roles/{role}",
            Action::AssignmentsWrite,
            grants::give,
        )
        .delete(
            "/projects/{project}/users/{user}/roles/{role}",
            Action::AssignmentsWrite,
            grants::take,
        )
}

#[cfg(test)]
mod resource_tests;
#[cfg(test)]
mod tests;
