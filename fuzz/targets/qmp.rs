//! A line of QEMU's monitor. A guest that has taken its QEMU over writes these: the worker must neither
//! fall over nor take one thing for another.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use skybus_compute::fuzzing::{Said, said};

fuzz_target!(|line: &[u8]| {
    let value = serde_json::from_slice::<Value>(line).ok();
    let has = |key: &str| value.as_ref().is_some_and(|value| value.get(key).is_some());
    match said(line) {
        Said::Greeting => assert!(has("QMP")),
        Said::Event(event) => {
            assert!(has("event") && !has("QMP") && event.name.len() <= line.len());
            // The one event of which the content is looked at.
            let _ = event.data.get("nospace").and_then(Value::as_bool);
        }
        Said::Answer(id, result) => {
            let value = value.expect("an answer is JSON");
            assert_eq!(value["id"].as_u64(), Some(id));
            match result {
                Ok(result) => assert_eq!(value["return"], result),
                Err(reason) => assert_eq!(value["error"]["desc"], reason),
            }
        }
        Said::Other => assert!(!has("QMP")),
    }
});
