//! The `OS_*` variables.

use super::{Found, Named};

/// Reads them; `variable` gives a variable's value when it is set and not empty.
pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Found {
    let either = |a: &str, b: &str| variable(a).or_else(|| variable(b));
    let domain_id = variable("OS_DEFAULT_DOMAIN_ID");
    Found {
        auth_url: variable("OS_AUTH_URL"),
        user: Named {
            id: variable("OS_USER_ID"),
            name: variable("OS_USERNAME"),
            domain_id: variable("OS_USER_DOMAIN_ID").or_else(|| domain_id.clone()),
            domain_name: either("OS_USER_DOMAIN_NAME", "OS_DEFAULT_DOMAIN"),
        },
        password: variable("OS_PASSWORD"),
        token: either("OS_TOKEN", "OS_AUTH_TOKEN"),
        project: Named {
            id: either("OS_PROJECT_ID", "OS_TENANT_ID"),
            name: either("OS_PROJECT_NAME", "OS_TENANT_NAME"),
            domain_id: variable("OS_PROJECT_DOMAIN_ID").or(domain_id),
            domain_name: either("OS_PROJECT_DOMAIN_NAME", "OS_DEFAULT_DOMAIN"),
        },
        region: variable("OS_REGION_NAME"),
        source: "the OS_* variables".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_names_are_read() {
        let set = |name: &str| match name {
            "OS_AUTH_URL" => Some("http://c/identity".to_owned()),
            "OS_TENANT_NAME" => Some("demo".to_owned()),
            "OS_USERNAME" => Some("me".to_owned()),
            "OS_USER_DOMAIN_NAME" => Some("Default".to_owned()),
            _ => None,
        };
        let found = read(&set);
        assert_eq!(found.project.name.as_deref(), Some("demo"));
        assert_eq!(found.user.domain_name.as_deref(), Some("Default"));
        assert_eq!(found.password, None);
    }
}
