//! Guests that open many connections, say nothing, or never listen to the answer.

use std::time::Instant;

use axum::routing::get;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use super::*;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

const LIMITS: Limits = Limits {
    at_once: 3,
    of_a_guest: 2,
    to_ask: LONG,
    in_all: LONG,
};

async fn served(limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pages = |guest: SocketAddr| {
        Router::new()
            .route("/", get(move || async move { guest.ip().to_string() }))
            // More than the sockets' buffers hold.
            .route("/much", get(|| async { vec![0; 64 << 20] }))
    };
    tokio::spawn(async move { serve(listener, limits, pages).await });
    address
}

/// A connection of the guest 127.0.0.N.
async fn guest(n: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, n], 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

async fn ask(stream: &mut TcpStream, path: &str) {
    let question = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(question.as_bytes()).await.unwrap();
}

/// What comes until the connection is closed; nothing when it is closed at once.
async fn heard(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let end = timeout(LONG / 4, stream.read_to_end(&mut bytes)).await;
    assert!(end.is_ok(), "the connection was not closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn one_guest_does_not_take_all_connections_and_the_rest_wait_their_turn() {
    let to = served(LIMITS).await;
    let (mut first, _second) = (guest(2, to).await, guest(2, to).await);
    let mut third = guest(2, to).await;
    assert_eq!(heard(&mut third).await, "", "a third one of the same guest");

    let (_other, mut waits) = (guest(3, to).await, guest(4, to).await);
    ask(&mut waits, "/").await;
    let mut byte = [0];
    let early = timeout(SHORT, waits.read(&mut byte)).await;
    assert!(early.is_err(), "a fourth connection was served");
    ask(&mut first, "/").await;
    assert!(heard(&mut first).await.ends_with("127.0.0.2"));
    assert!(heard(&mut waits).await.ends_with("127.0.0.4"));
}

#[tokio::test]
async fn who_does_not_ask_is_closed() {
    let to = served(Limits {
        to_ask: SHORT,
        ..LIMITS
    })
    .await;
    let (mut silent, mut slow) = (guest(2, to).await, guest(3, to).await);
    slow.write_all(b"GET / HTTP/1.1\r\nHost").await.unwrap();
    let begun = Instant::now();
    heard(&mut silent).await;
    heard(&mut slow).await;
    assert!(begun.elapsed() < LONG / 4);
}

#[tokio::test]
async fn who_does_not_listen_gives_its_place_up() {
    let to = served(Limits {
        at_once: 1,
        in_all: SHORT,
        ..LIMITS
    })
    .await;
    let mut deaf = guest(2, to).await;
    ask(&mut deaf, "/much").await;
    let mut other = guest(3, to).await;
    ask(&mut other, "/").await;
    assert!(heard(&mut other).await.ends_with("127.0.0.3"));
}
