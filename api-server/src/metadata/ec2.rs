//! The older dialect, `/latest/meta-data/…`: a tree of plain texts, each directory a list of names.

use std::collections::{BTreeMap, BTreeSet};

use super::{facts::Facts, guest::Text};

/// The dates under which the tree is also found.
pub(super) const VERSIONS: &[&str] = &["1.0", "2007-01-19", "2008-02-01", "2009-04-04"];

/// The text at a path, if there is one.
pub(super) fn answer(facts: &Facts, parts: &[&str]) -> Option<Text> {
    let [version, rest @ ..] = parts else {
        return None;
    };
    if *version != "latest" && !VERSIONS.contains(version) {
        return None;
    }
    match rest {
        [] => Some(Text::plain(match facts.user_data {
            Some(_) => "meta-data/\nuser-data",
            None => "meta-data/",
        })),
        ["user-data"] => facts.user_data.clone().map(Text::bytes),
        ["meta-data", rest @ ..] => at(facts, rest).map(Text::plain),
        _ => None,
    }
}

fn at(facts: &Facts, path: &[&str]) -> Option<String> {
    let tree = tree(facts);
    let path = path.join("/");
    if let Some(text) = tree.get(path.as_str()) {
        return Some(text.clone());
    }
    let below = if path.is_empty() {
        String::new()
    } else {
        format!("{path}/")
    };
    let mut names = BTreeSet::new();
    for rest in tree
        .keys()
        .filter_map(|key| key.strip_prefix(below.as_str()))
    {
        names.insert(match rest.split_once('/') {
            // A key is listed with its name, and asked for without.
            Some((number, _)) if path == "public-keys" => {
                format!(
                    "{number}={}",
                    facts.server.key_name.as_deref().unwrap_or("key")
                )
            }
            Some((directory, _)) => format!("{directory}/"),
            None => rest.to_owned(),
        });
    }
    let names: Vec<String> = names.into_iter().collect();
    (!names.is_empty()).then(|| names.join("\n"))
}

fn tree(facts: &Facts) -> BTreeMap<&'static str, String> {
    let server = &facts.server;
    let digits = server.id.uuid().simple().to_string();
    let image = server.image.uuid().simple().to_string();
    let short = |digits: &str| digits.chars().take(8).collect::<String>();
    let first = facts.interfaces.first();
    let address = first
        .map(|one| one.port.address.to_string())
        .unwrap_or_default();
    // Asked anew each time: a floating IP comes and goes while the guest runs.
    let public = facts.interfaces.iter().flat_map(|one| &one.floating).next();
    let public = public.map(ToString::to_string).unwrap_or_default();
    let hostname = facts.hostname().to_owned();
    let mut tree = BTreeMap::from([
        ("ami-id", format!("ami-{}", short(&image))),
        ("ami-launch-index", "0".to_owned()),
        ("block-device-mapping/ami", "vda".to_owned()),
        ("block-device-mapping/root", "/dev/vda".to_owned()),
        ("hostname", hostname.clone()),
        ("instance-action", "none".to_owned()),
        ("instance-id", format!("i-{}", short(&digits))),
        ("instance-type", server.flavor.name.clone()),
        ("local-hostname", hostname.clone()),
        ("local-ipv4", address),
        ("placement/availability-zone", facts.zone().to_owned()),
        ("public-hostname", hostname),
        ("public-ipv4", public),
        ("reservation-id", format!("r-{}", short(&digits))),
    ]);
    if let Some(mac) = first.map(|one| one.port.mac.clone()) {
        tree.insert("mac", mac);
    }
    if let Some(key) = &server.key_public {
        tree.insert("public-keys/0/openssh-key", format!("{}\n", key.trim_end()));
    }
    tree
}
