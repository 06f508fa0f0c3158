//! A port as a command describes it, up to the text that the host's tools read: no value of it becomes
//! a line, a word or a rule of its own.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use skybus_model::network::PortSpec;
use skybus_network::fuzzing::written;

const PLAIN: &str = include_str!("../corpus/port/plain.json");

/// What is written for a port of which every value is plain.
static LINES: LazyLock<[usize; 3]> = LazyLock::new(|| {
    let plain: PortSpec = serde_json::from_str(PLAIN).expect("a port");
    written(&plain)
        .expect("a port that can be made")
        .map(|text| text.lines().count())
});

fn plain_text(text: &str) -> bool {
    text.bytes()
        .all(|b| b == b'\n' || (b.is_ascii() && !b.is_ascii_control()))
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(spec) = serde_json::from_slice::<PortSpec>(bytes) else {
        return;
    };
    // A host keeps what it was told and reads it again.
    let again = serde_json::to_value(&spec).expect("it can be written");
    assert_eq!(
        serde_json::from_value::<PortSpec>(again).ok().as_ref(),
        Some(&spec)
    );
    let Some([filter, configuration, machines]) = written(&spec) else {
        return;
    };
    assert!(
        [&filter, &configuration, &machines]
            .into_iter()
            .all(|text| plain_text(text))
    );
    let rules = spec.rules.len();
    // Floating IPs are elements of maps, a line each however many; a chain guards what comes back.
    let floating = if spec.floating.is_empty() { 0 } else { 6 };
    let lines = LINES[0] - 1 + rules + floating;
    assert_eq!(filter.lines().count(), lines, "{filter}");
    assert_eq!(configuration.lines().count(), LINES[1], "{configuration}");
    assert_eq!(machines.lines().count(), 1, "{machines}");
    let words = machines.trim_end().split(',').count();
    assert!(words == 2 || words == 3, "{machines}");
    assert_eq!(filter.matches('{').count(), filter.matches('}').count());
    let _: Value = serde_json::to_value(&spec.mac).expect("text");
});
