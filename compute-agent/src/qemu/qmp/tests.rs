//! The monitor's language, and a conversation with a scripted QEMU.

use tokio::net::UnixListener;

use super::*;

#[test]
fn the_four_kinds_of_line() {
    assert_eq!(
        parse(br#"{"QMP": {"version": {}, "capabilities": ["oob"]}}"#),
        Line::Greeting
    );
    let event = parse(
        br#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": true}}"#,
    );
    assert!(matches!(event, Line::Event(e) if e.name == "SHUTDOWN" && e.data["guest"] == true));
    assert_eq!(
        parse(br#"{"return": {"status": "running"}, "id": 7}"#),
        Line::Answer {
            id: 7,
            result: Ok(json!({"status": "running"}))
        }
    );
    assert_eq!(
        parse(br#"{"id": 8, "error": {"class": "GenericError", "desc": "no"}}"#),
        Line::Answer {
            id: 8,
            result: Err("no".to_owned())
        }
    );
}

#[test]
fn what_is_not_understood_is_passed_over() {
    for line in [
        "",
        "{",
        "[]",
        "null",
        "{\"id\": 1}",
        "{\"return\": 1}",
        "{\"event\": 4}",
        "\u{0}",
    ] {
        assert_eq!(parse(line.as_bytes()), Line::Other, "{line:?}");
    }
}

/// Plays QEMU: greets, then answers each line with what `script` says.
fn play(path: &Path, script: fn(&Value) -> Vec<String>) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        write.write_all(b"{\"QMP\": {}}\n").await.unwrap();
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            for answer in script(&serde_json::from_str(&line).unwrap()) {
                write.write_all(answer.as_bytes()).await.unwrap();
                write.write_all(b"\n").await.unwrap();
            }
        }
    });
}

#[tokio::test]
async fn events_between_a_command_and_its_answer_are_not_taken_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("qmp");
    play(&path, |line| {
        vec![
            r#"{"event": "STOP"}"#.to_owned(),
            json!({"return": line["execute"], "id": line["id"]}).to_string(),
        ]
    });
    let (monitor, mut events) = Monitor::connect(&path, PATIENCE).await.unwrap();
    assert_eq!(
        monitor.execute("query-status", json!({})).await.unwrap(),
        "query-status"
    );
    assert_eq!(events.recv().await.unwrap().name, "STOP");
}

#[tokio::test]
async fn a_refusal_names_the_command_and_a_death_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("qmp");
    play(&path, |line| match line["execute"].as_str().unwrap() {
        "qmp_capabilities" => vec![json!({"return": {}, "id": line["id"]}).to_string()],
        "cont" => vec![json!({"error": {"desc": "no"}, "id": line["id"]}).to_string()],
        _ => panic!("QEMU dies here"),
    });
    let (monitor, mut events) = Monitor::connect(&path, PATIENCE).await.unwrap();
    let refused = monitor.execute("cont", json!({})).await.unwrap_err();
    assert_eq!(refused.to_string(), "QEMU refused cont: no");
    assert!(matches!(
        monitor.execute("quit", json!({})).await,
        Err(Error::Gone)
    ));
    assert_eq!(events.recv().await, None);
}

#[tokio::test]
async fn a_monitor_that_has_another_client_is_silent_and_not_waited_for_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("qmp");
    let _listener = UnixListener::bind(&path).unwrap();
    let result = Monitor::connect(&path, Duration::from_millis(20)).await;
    assert!(matches!(result, Err(Error::Silent(_))));
}
