//! Signing in: an account is exchanged for a token and the catalog of the cloud's services.

use serde_json::{Value, json};
use ureq::http::Method;

use super::{Account, Named, Proof};
use crate::{
    failure::Failure,
    http::{Body, Http, Request, url},
    output::cell::plain,
};

/// A token, and what it is good for.
pub(crate) struct Token {
    /// The token itself; it is as good as a password until it expires.
    pub(crate) id: String,
    /// What Keystone says about it: user, project, roles, catalog.
    pub(crate) body: Value,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

impl Token {
    /// The project that it is for.
    pub(crate) fn project(&self) -> &str {
        plain(&self.body["project"], "id")
    }

    /// The public address of a service by its catalog type.
    pub(crate) fn endpoint(&self, kinds: &[&str], region: Option<&str>) -> Option<&str> {
        let service = |kind: &&str| {
            let catalog = self.body["catalog"].as_array()?;
            catalog.iter().find(|entry| plain(entry, "type") == *kind)
        };
        let entry = kinds.iter().find_map(service)?;
        let fits = |e: &&Value| {
            let place = e["region_id"].as_str().or_else(|| e["region"].as_str());
            plain(e, "interface") == "public" && (region.is_none() || region == place)
        };
        entry["endpoints"].as_array()?.iter().find(fits)?["url"].as_str()
    }
}

/// Signs in.
pub(crate) fn sign_in(http: &Http, account: &Account) -> Result<Token, Failure> {
    let base = url::versioned(&account.auth_url, "v3");
    let answer = http.send(Request {
        method: Method::POST,
        url: format!("{base}/auth/tokens"),
        headers: Vec::new(),
        body: Body::Json(&body(account)),
    })?;
    let Some(id) = answer.subject_token.clone() else {
        return match answer.success() {
            Ok(_) => Err(Failure::NotSignedIn {
                problem: format!("{base} does not answer like an identity service (v3)"),
                next: "OS_AUTH_URL should look like http://127.0.0.1:8774/identity/v3".to_owned(),
            }),
            Err(failure) => Err(failure),
        };
    };
    let mut body = answer.success()?;
    Ok(Token {
        id,
        body: body["token"].take(),
    })
}

fn body(account: &Account) -> Value {
    let identity = match &account.proof {
        Proof::Password { user, password } => {
            let mut user = reference(user);
            user["password"] = json!(password);
            json!({"methods": ["password"], "password": {"user": user}})
        }
        Proof::Token(token) => json!({"methods": ["token"], "token": {"id": token}}),
    };
    if account.project.is_given() {
        json!({"auth": {"identity": identity, "scope": {"project": reference(&account.project)}}})
    } else {
        json!({"auth": {"identity": identity}})
    }
}

/// By id alone, or by name in its domain; the domain is `default` unless another is named.
fn reference(named: &Named) -> Value {
    if let Some(id) = &named.id {
        return json!({"id": id});
    }
    let domain = match (&named.domain_id, &named.domain_name) {
        (Some(id), _) => json!({"id": id}),
        (None, Some(name)) => json!({"name": name}),
        (None, None) => json!({"id": "default"}),
    };
    json!({"name": named.name, "domain": domain})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_a_password_sign_in() {
        let account = Account {
            auth_url: "http://c".to_owned(),
            proof: Proof::Password {
                user: Named {
                    name: Some("demo".to_owned()),
                    ..Named::default()
                },
                password: "p".to_owned(),
            },
            project: Named {
                name: Some("demo".to_owned()),
                domain_name: Some("Default".to_owned()),
                ..Named::default()
            },
            region: None,
        };
        assert_eq!(
            body(&account),
            json!({"auth": {
                "identity": {"methods": ["password"], "password": {"user":
                    {"name": "demo", "domain": {"id": "default"}, "password": "p"}}},
                "scope": {"project": {"name": "demo", "domain": {"name": "Default"}}},
            }})
        );
    }

    #[test]
    fn endpoints_are_public_and_of_the_region() {
        let endpoint = |interface: &str, region: &str, url: &str| json!({"interface": interface, "region_id": region, "region": region, "url": url});
        let token = Token {
            id: "t".to_owned(),
            body: json!({"catalog": [{"type": "compute", "endpoints": [
                endpoint("internal", "One", "http://i"),
                endpoint("public", "One", "http://1"),
                endpoint("public", "Two", "http://2"),
            ]}]}),
        };
        assert_eq!(token.endpoint(&["compute"], None), Some("http://1"));
        assert_eq!(token.endpoint(&["compute"], Some("Two")), Some("http://2"));
        assert_eq!(token.endpoint(&["compute"], Some("Three")), None);
        assert_eq!(token.endpoint(&["image"], None), None);
    }
}
