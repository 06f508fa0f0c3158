//! What the machine asks the cloud: to be let in, and later whether it still belongs there.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use skybus_model::join::Grant;

use super::Host;
use crate::Error;

/// Accounts and queues take the broker some seconds when it is busy.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked again when the cloud asks for patience, or does not answer.
const TRIES: u32 = 5;

fn client() -> Result<Client, Error> {
    Client::builder()
        .timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(10))
        .no_proxy()
        .build()
        .map_err(|error| Error::Join(error.to_string()))
}

/// Exchanges the token. The same machine is told the same, however often it asks.
///
/// # Errors
/// [`Error::Join`] with the cloud's own words when it refuses.
pub async fn join(host: &Host) -> Result<Grant, Error> {
    let client = client()?;
    let url = format!("{}/skybus/v1/join", host.api);
    let mut tries = 0;
    loop {
        tries += 1;
        let answer = client.post(&url).json(&host.asks()).send().await;
        let why = match answer {
            Ok(answer) if answer.status().is_success() => {
                let grant = answer.json().await;
                return grant.map_err(|_| {
                    Error::Join(
                        "the cloud's answer cannot be read; is it of another version?".to_owned(),
                    )
                });
            }
            Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => words(answer).await,
            Ok(answer) => return Err(Error::Join(words(answer).await)),
            Err(_) => format!(
                "the cloud does not answer at {}; can this machine reach it?",
                host.api
            ),
        };
        if tries == TRIES {
            return Err(Error::Join(format!("{why}. Repeat the same command later")));
        }
        tokio::time::sleep(Duration::from_secs(u64::from(tries))).await;
    }
}

/// How the cloud sees this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It belongs there.
    Member,
    /// It was removed.
    Removed,
}

/// Asks how the cloud sees this machine; nothing when it does not say.
pub async fn standing(host: &Host) -> Option<Seen> {
    let url = format!("{}/skybus/v1/join/standing", host.api);
    let answer = client().ok()?.post(url).json(&host.asks()).send().await;
    let answer = answer.ok()?;
    match answer.status() {
        StatusCode::OK => Some(Seen::Member),
        // Its own words say so; anything else between here and there says nothing about this machine. A cloud that
        // merely does not know it, as one whose database was restored, may know it again tomorrow.
        StatusCode::GONE => message(&answer.json().await.ok()?).map(|_| Seen::Removed),
        _ => None,
    }
}

async fn words(answer: Response) -> String {
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    message(&body).unwrap_or_else(|| format!("the cloud answers {status}"))
}

fn message(body: &Value) -> Option<String> {
    Some(body.get("error")?.get("message")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use skybus_model::{join::Token, machine::Role};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Answers one request so; the address.
    async fn cloud_that_says(status: &'static str, body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"}") {
                let mut some = [0; 1024];
                let count = stream.read(&mut some).await.unwrap();
                asked.extend_from_slice(&some[..count]);
            }
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n");
            let rest = format!(
                "content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all((head + &rest).as_bytes()).await.unwrap();
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn only_who_was_removed_counts_as_removed() {
        let words = r#"{"error": {"message": "said by the cloud"}}"#;
        for (status, body, seen) in [
            ("200 OK", r#"{"state": "joined"}"#, Some(Seen::Member)),
            ("410 Gone", words, Some(Seen::Removed)),
            ("410 Gone", "<html>", None),
            ("403 Forbidden", words, None),
            ("409 Conflict", words, None),
            ("503 Service Unavailable", words, None),
        ] {
            let host = Host::new(&Token {
                api: cloud_that_says(status, body).await,
                name: "b".parse().unwrap(),
                role: Role::Compute,
                secret: "s".to_owned(),
            })
            .unwrap();
            assert_eq!(standing(&host).await, seen, "{status}");
        }
    }
}
