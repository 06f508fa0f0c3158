//! `endpoint NETWORK TAP OWN MAC`: somebody at a tap, where no guest runs. It makes the namespace OWN with an
//! interface `eth0` of the hardware address MAC, and carries frames between that and TAP in the namespace
//! NETWORK, until either goes away.

use std::{
    fs::File,
    io::{self, Read, Write},
    process::Command,
    sync::mpsc,
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use skybus_sys::{namespace, tap};

/// The longest frame, with what the kernel puts before it.
const LONGEST: usize = 70_000;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [network, far, own, mac] = words.as_slice() else {
        bail!("usage: endpoint NETWORK TAP OWN MAC");
    };
    namespace::make(own)?;
    tap::make(own, "eth0", None)?;
    ip(own, &["link", "set", "lo", "up"])?;
    ip(own, &["link", "set", "eth0", "address", mac])?;
    let far = File::from(tap::open(network, far)?);
    let near = File::from(tap::open(own, "eth0")?);
    // Up only when it is heard, so that who waits for that can speak at once.
    ip(own, &["link", "set", "eth0", "up"])?;
    let (near2, far2) = (near.try_clone()?, far.try_clone()?);
    let (done, ended) = mpsc::channel();
    for (from, to) in [(near, far2), (far, near2)] {
        let done = done.clone();
        thread::spawn(move || done.send(carry(from, to)));
    }
    // When one way ends, so does the other, with the process.
    Ok(ended.recv()??)
}

fn ip(namespace: &str, words: &[&str]) -> Result<()> {
    let done = Command::new("ip")
        .args(["-n", namespace])
        .args(words)
        .status();
    ensure!(done.context("starting `ip`")?.success(), "ip {words:?}");
    Ok(())
}

fn carry(mut from: File, mut to: File) -> io::Result<()> {
    let mut frame = vec![0; LONGEST];
    loop {
        let length = from.read(&mut frame)?;
        // A tap that is down takes nothing.
        let _lost = to.write(&frame[..length]);
    }
}
