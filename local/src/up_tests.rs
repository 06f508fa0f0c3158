//! Whether a cloud runs already, told from the lock and the state file.

use super::*;

fn noted(data: &DataDir, supervisor: Option<ProcessId>) {
    let state = State {
        boot: crate::process::identity::boot(),
        supervisor,
        ..State::default()
    };
    state.save(data).unwrap();
}

#[tokio::test]
async fn a_supervisor_that_is_dying_is_waited_for_and_one_that_lives_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let data = DataDir::at(directory.path()).unwrap();
    data.create().unwrap();
    assert!(!is_supervised(&data).await);

    let lock = data.lock().unwrap();
    assert!(lock.is_some());
    noted(&data, ProcessId::own());
    assert!(is_supervised(&data).await, "it lives");

    let dead = ProcessId { pid: 1, started: 7 };
    noted(&data, Some(dead));
    let last_thread = tokio::spawn(async move {
        sleep(Duration::from_millis(200)).await;
        drop(lock);
    });
    assert!(!is_supervised(&data).await, "it had died");
    last_thread.await.unwrap();
}
