//! `skybus-tunnel NETWORK_ID ADDRESS PORT`: connects to a guest from inside its network's namespace on
//! this host, and carries bytes between that connection and standard input and output. Meant as the
//! `ProxyCommand` of ssh.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use skybus_model::{id::NetworkId, server::spec};
use skybus_sys::socket;

/// How long a guest may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [network, address, port] = words.as_slice() else {
        bail!("usage: skybus-tunnel NETWORK_ID ADDRESS PORT");
    };
    let network: NetworkId = network.parse()?;
    let address: Ipv4Addr = address
        .parse()
        .with_context(|| format!("{address:?} is no address"))?;
    let port: u16 = port
        .parse()
        .with_context(|| format!("{port:?} is no port"))?;
    let to = SocketAddr::from((address, port));
    carry(socket::connect(&spec::namespace(network), to, PATIENCE)?)
}

fn carry(connection: TcpStream) -> anyhow::Result<()> {
    let mut there = connection.try_clone()?;
    // Not waited for: when the guest has said all, there is nobody left to talk to.
    thread::spawn(move || {
        let _ = copy(&mut io::stdin().lock(), &mut there);
        let _ = there.shutdown(Shutdown::Write);
    });
    let mut back = connection;
    Ok(copy(&mut back, &mut io::stdout().lock())?)
}

/// Like `io::copy`, but nothing waits in a buffer: a key that was pressed should arrive.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                to.write_all(&buffer[..length])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
