//! The name that a guest gives itself, made from what people called the server.

/// The longest label of a host's name (RFC 1035).
const LONGEST: usize = 63;

/// A host name for a server called `name`: letters, digits and hyphens of it; `fallback` when nothing is
/// left of it.
pub(crate) fn from_name(name: &str, fallback: &str) -> String {
    let kept: String = name
        .chars()
        .map(|c| if matches!(c, ' ' | '_' | '.') { '-' } else { c })
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let kept = kept.trim_matches('-');
    let cut: String = kept.chars().take(LONGEST).collect();
    let cut = cut.trim_end_matches('-');
    if cut.is_empty() {
        fallback.chars().take(LONGEST).collect()
    } else {
        cut.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::from_name;

    #[test]
    fn any_name_gives_a_host_name() {
        for (name, wanted) in [
            ("vm1", "vm1"),
            ("My Web_server.1", "my-web-server-1"),
            ("--x--", "x"),
            ("ääh", "h"),
            ("日本", "server-1"),
        ] {
            assert_eq!(from_name(name, "server-1"), wanted);
        }
        assert_eq!(from_name(&"a".repeat(200), "x").len(), 63);
    }
}
