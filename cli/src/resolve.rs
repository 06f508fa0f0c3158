//! Names and ids alike: finding the one thing that a word on the command line means.
//!
//! An id wins over a name. A name must be exact, and must be the only one.

use serde_json::Value;

use crate::{
    failure::Failure,
    http::url,
    output::cell::plain,
    session::{Service, Session},
};

/// A kind of thing that can be named.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// What it is called in messages.
    pub(crate) word: &'static str,
    /// The command that lists them.
    pub(crate) command: &'static str,
    service: Service,
    path: &'static str,
    key: &'static str,
    /// How one of them is wrapped when it is read alone; empty when it is not.
    one: &'static str,
    /// Whether the list may be asked for one name.
    by_name: bool,
}

/// A server.
pub(crate) const SERVER: Kind = Kind {
    word: "server",
    command: "list",
    service: Service::Compute,
    path: "/servers",
    key: "servers",
    one: "server",
    by_name: false,
};
/// A flavor.
pub(crate) const FLAVOR: Kind = Kind {
    word: "flavor",
    command: "flavor-list",
    service: Service::Compute,
    path: "/flavors",
    key: "flavors",
    one: "flavor",
    by_name: false,
};
/// An image.
pub(crate) const IMAGE: Kind = Kind {
    word: "image",
    command: "image-list",
    service: Service::Image,
    path: "/images",
    key: "images",
    one: "",
    by_name: true,
};
/// A network.
pub(crate) const NETWORK: Kind = Kind {
    word: "network",
    command: "network-list",
    service: Service::Network,
    path: "/networks",
    key: "networks",
    one: "network",
    by_name: true,
};
/// A range of segments' numbers.
pub(crate) const SEGMENT_RANGE: Kind = Kind {
    word: "segment range",
    command: "admin segment-range list",
    service: Service::Network,
    path: "/network_segment_ranges",
    key: "network_segment_ranges",
    one: "network_segment_range",
    by_name: true,
};
/// A security group.
pub(crate) const SECURITY_GROUP: Kind = Kind {
    word: "security group",
    command: "secgroup-list",
    service: Service::Network,
    path: "/security-groups",
    key: "security_groups",
    one: "security_group",
    by_name: true,
};
/// A project.
pub(crate) const PROJECT: Kind = Kind {
    word: "project",
    command: "project-list",
    service: Service::Identity,
    path: "/projects",
    key: "projects",
    one: "project",
    by_name: true,
};
/// A user.
pub(crate) const USER: Kind = Kind {
    word: "user",
    command: "user-list",
    service: Service::Identity,
    path: "/users",
    key: "users",
    one: "user",
    by_name: true,
};
/// A role.
pub(crate) const ROLE: Kind = Kind {
    word: "role",
    command: "role-list",
    service: Service::Identity,
    path: "/roles",
    key: "roles",
    one: "role",
    by_name: true,
};

impl Kind {
    /// The path of one of them.
    pub(crate) fn path_of(&self, id: &str) -> String {
        format!("{}/{}", self.path, url::encode(id))
    }
}

/// The id of what `wanted` means.
pub(crate) fn id(session: &Session, kind: Kind, wanted: &str) -> Result<String, Failure> {
    if looks_like_an_id(wanted) {
        match session.get(kind.service, &kind.path_of(wanted)) {
            Ok(_) => return Ok(wanted.to_owned()),
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(failure),
        }
    }
    let filter = kind.by_name.then_some(wanted);
    let path = url::with_query(kind.path, &[("name", filter)]);
    let mut candidates = session.list(kind.service, &path, kind.key, None)?;
    if candidates.is_empty() && filter.is_some() {
        candidates = session.list(kind.service, kind.path, kind.key, None)?;
    }
    choose(kind, wanted, &candidates)
}

/// The whole object that `wanted` means.
pub(crate) fn object(session: &Session, kind: Kind, wanted: &str) -> Result<Value, Failure> {
    if looks_like_an_id(wanted) {
        match session.get(kind.service, &kind.path_of(wanted)) {
            Ok(answer) => return Ok(unwrap(kind, answer)),
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(failure),
        }
    }
    let id = id(session, kind, wanted)?;
    Ok(unwrap(kind, session.get(kind.service, &kind.path_of(&id))?))
}

fn unwrap(kind: Kind, mut answer: Value) -> Value {
    if kind.one.is_empty() {
        answer
    } else {
        answer[kind.one].take()
    }
}

fn choose(kind: Kind, wanted: &str, candidates: &[Value]) -> Result<String, Failure> {
    let id_of = |c: &Value| plain(c, "id").to_owned();
    if let Some(same) = candidates.iter().find(|c| plain(c, "id") == wanted) {
        return Ok(id_of(same));
    }
    let named: Vec<String> = candidates
        .iter()
        .filter(|c| plain(c, "name") == wanted)
        .map(id_of)
        .collect();
    match named.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(not_found(kind, wanted, candidates)),
        _ => Err(Failure::Ambiguous {
            kind: kind.word,
            wanted: wanted.to_owned(),
            ids: named,
        }),
    }
}

fn not_found(kind: Kind, wanted: &str, candidates: &[Value]) -> Failure {
    let names = candidates.iter().map(|c| plain(c, "name"));
    let near =
        nearest(wanted, names).map_or_else(String::new, |n| format!("; did you mean {n:?}?"));
    Failure::NotFound {
        kind: kind.word,
        wanted: wanted.to_owned(),
        near,
        list: kind.command,
    }
}

/// The word that `wanted` was probably meant to be, if one is close.
pub(crate) fn nearest<'a>(wanted: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let close = |word: &&str| strsim::jaro_winkler(wanted, word) > 0.8;
    let by_closeness = |a: &&str, b: &&str| {
        strsim::jaro_winkler(wanted, a).total_cmp(&strsim::jaro_winkler(wanted, b))
    };
    words
        .filter(|w| !w.is_empty())
        .filter(close)
        .max_by(by_closeness)
}

/// Whether it could be a UUID, with or without dashes.
fn looks_like_an_id(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = word.bytes().filter(|b| *b == b'-').count();
    digits == 32 && (dashes == 0 || dashes == 4) && digits + dashes == word.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn servers() -> Vec<Value> {
        vec![
            json!({"id": "aaa", "name": "vm1"}),
            json!({"id": "bbb", "name": "twin"}),
            json!({"id": "ccc", "name": "twin"}),
            json!({"id": "vm1", "name": "an id that looks like a name"}),
        ]
    }

    #[test]
    fn an_id_wins_over_a_name() {
        assert_eq!(choose(SERVER, "vm1", &servers()).unwrap(), "vm1");
        assert_eq!(choose(SERVER, "bbb", &servers()).unwrap(), "bbb");
    }

    #[test]
    fn a_name_that_fits_several_lists_their_ids() {
        let failure = choose(SERVER, "twin", &servers()).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "2 servers are called \"twin\": bbb, ccc"
        );
        assert_eq!(failure.lines()[1], "  next: say which one by its id");
    }

    #[test]
    fn a_name_must_be_exact_and_a_near_one_is_offered() {
        let failure = choose(SERVER, "twni", &servers()).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "no server has the name or id \"twni\"; did you mean \"twin\"?"
        );
        assert_eq!(
            failure.lines()[1],
            "  next: `skybus list` shows what there is"
        );
    }

    #[test]
    fn ids_are_told_from_names() {
        assert!(looks_like_an_id("4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b"));
        assert!(looks_like_an_id("4f3c2a5e90d14e0e8f5a0c6f9f6c1a7b"));
        assert!(!looks_like_an_id("vm1"));
        assert!(!looks_like_an_id("4f3c2a5e90d14e0e8f5a0c6f9f6c1a7"));
    }
}
