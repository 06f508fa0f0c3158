//! How a value of the API's JSON is shown in a cell.

use serde_json::Value;

/// The field `name` as text; `-` when it is absent or null.
pub(crate) fn word(object: &Value, name: &str) -> String {
    text(&object[name])
}

/// A field that is text, for use rather than for show; empty when it is absent.
pub(crate) fn plain<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}

/// Any value as text: `-` for nothing, lists with commas, objects as `key=value`.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(yes) => if *yes { "True" } else { "False" }.to_owned(),
        Value::String(s) if s.is_empty() => "-".to_owned(),
        Value::String(s) => s.clone(),
        Value::Number(n) => n.to_string(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(map) if map.is_empty() => "-".to_owned(),
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| format!("{k}={}", text(v)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// The addresses of a server: `private=10.1.0.3, 10.1.0.4; public=…`.
pub(crate) fn addresses(server: &Value) -> String {
    let Some(networks) = server["addresses"].as_object() else {
        return "-".to_owned();
    };
    let each = networks.iter().map(|(name, list)| {
        let ips: Vec<&str> = list
            .as_array()
            .into_iter()
            .flatten()
            .map(|a| plain(a, "addr"))
            .collect();
        format!("{name}={}", ips.join(", "))
    });
    let all = each.collect::<Vec<_>>().join("; ");
    if all.is_empty() { "-".to_owned() } else { all }
}

/// Nova's number for a power state, in words.
pub(crate) fn power(server: &Value) -> String {
    match server["OS-EXT-STS:power_state"].as_i64() {
        Some(1) => "Running",
        Some(3) => "Paused",
        Some(4) => "Shutdown",
        Some(6) => "Crashed",
        Some(7) => "Suspended",
        _ => "NOSTATE",
    }
    .to_owned()
}

/// Bytes as people read them.
pub(crate) fn size(value: &Value) -> String {
    let Some(bytes) = value.as_f64() else {
        return "-".to_owned();
    };
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = (0..units.len() - 1).find(|n| bytes < 1024_f64.powi(*n as i32 + 1));
    let n = step.unwrap_or(units.len() - 1);
    let digits = usize::from(n > 0);
    format!("{:.digits$} {}", bytes / 1024_f64.powi(n as i32), units[n])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_are_grouped_by_network() {
        let server =
            json!({"addresses": {"private": [{"addr": "10.1.0.2"}, {"addr": "10.1.0.3"}]}});
        assert_eq!(addresses(&server), "private=10.1.0.2, 10.1.0.3");
        assert_eq!(addresses(&json!({"addresses": {}})), "-");
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size(&json!(512)), "512 B");
        assert_eq!(size(&json!(17_825_792)), "17.0 MiB");
        assert_eq!(size(&json!(5_368_709_120_i64)), "5.0 GiB");
        assert_eq!(size(&json!(null)), "-");
    }

    #[test]
    fn nothing_is_a_dash() {
        assert_eq!(word(&json!({}), "x"), "-");
        assert_eq!(text(&json!([])), "-");
        assert_eq!(text(&json!({"a": 1, "b": true})), "a=1, b=True");
    }
}
