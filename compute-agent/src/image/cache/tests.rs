//! The cache against a server that can break off, lie and count.

use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha512};
use skybus_model::{id::ImageId, image::DiskFormat};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::*;

/// Serves `bytes`; each of the first `breaks` answers ends after a third of what is left.
async fn serve(bytes: Vec<u8>, breaks: usize, status: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let turn = count.fetch_add(1, Ordering::SeqCst);
            let mut lines = BufReader::new(&mut socket).lines();
            let mut from = 0;
            while let Some(line) = lines.next_line().await.unwrap().filter(|l| !l.is_empty()) {
                if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
                    from = range.trim_end_matches('-').parse().unwrap();
                }
            }
            let body = &bytes[from..];
            let word = if from > 0 {
                "206 Partial Content"
            } else {
                status
            };
            let head = format!(
                "HTTP/1.1 {word}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let most = if turn < breaks {
                body.len() / 3
            } else {
                body.len()
            };
            let _ = socket.write_all(head.as_bytes()).await;
            let _ = socket.write_all(&body[..most]).await;
        }
    });
    (url, asked)
}

fn image(bytes: &[u8]) -> ImageSource {
    ImageSource {
        id: ImageId::random(),
        format: DiskFormat::Raw,
        size: i64::try_from(bytes.len()).unwrap(),
        sha512: hex::encode(Sha512::digest(bytes)),
        path: "/internal/images/x?signature=secret".to_owned(),
    }
}

fn some_bytes() -> Vec<u8> {
    (0..700_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[tokio::test]
async fn servers_that_boot_together_share_one_transfer() {
    let bytes = some_bytes();
    let (url, asked) = serve(bytes.clone(), 0, "200 OK").await;
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().join("images"), &url).unwrap();
    let image = image(&bytes);
    let all = futures::future::join_all((0..20).map(|_| cache.get(&image))).await;
    for got in all {
        assert_eq!(fs::read(got.unwrap().0).unwrap(), bytes);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(
        cache.get(&image).await.unwrap().1,
        "the second boot should find it"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_transfer_that_breaks_off_goes_on_where_it_was() {
    let bytes = some_bytes();
    let (url, asked) = serve(bytes.clone(), 3, "200 OK").await;
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().to_owned(), &url).unwrap();
    let (path, _) = cache.get(&image(&bytes)).await.unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn what_a_killed_worker_left_half_done_is_taken_up() {
    let bytes = some_bytes();
    let (url, _) = serve(bytes.clone(), 0, "200 OK").await;
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().to_owned(), &url).unwrap();
    let image = image(&bytes);
    fs::write(
        dir.path().join(format!("{}.raw.part", image.sha512)),
        &bytes[..1000],
    )
    .unwrap();
    let (path, _) = cache.get(&image).await.unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
}

#[tokio::test]
async fn bytes_that_are_not_the_image_are_refused_and_not_kept() {
    let mut bytes = some_bytes();
    let image = image(&bytes);
    bytes[5] ^= 1;
    let (url, _) = serve(bytes, 0, "200 OK").await;
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().to_owned(), &url).unwrap();
    let fault = cache.get(&image).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::ImageUnusable);
    assert!(fault.message.contains("SHA-512"), "{fault}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_refusal_is_final_and_the_signature_stays_secret() {
    let bytes = some_bytes();
    let (url, asked) = serve(bytes.clone(), 0, "403 Forbidden").await;
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().to_owned(), &url).unwrap();
    let fault = cache.get(&image(&bytes)).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::ImageUnusable);
    assert!(fault.message.contains("403"));
    assert!(!format!("{fault:?}").contains("secret"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_checksum_cannot_be_a_way_out_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().to_owned(), "http://127.0.0.1:1").unwrap();
    for sum in ["", "../../etc/passwd", &"z".repeat(128)] {
        let mut image = image(b"x");
        image.sha512 = sum.to_owned();
        assert_eq!(
            cache.get(&image).await.unwrap_err().code,
            FaultCode::ImageUnusable
        );
    }
}

#[tokio::test]
async fn an_image_that_cannot_fit_is_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().to_owned(), "http://127.0.0.1:1").unwrap();
    let mut image = image(b"x");
    image.size = i64::MAX;
    assert_eq!(
        cache.get(&image).await.unwrap_err().code,
        FaultCode::DiskFull
    );
}
