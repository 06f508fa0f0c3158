//! TCP sockets inside a named namespace. A socket stays in the namespace that it was opened in,
//! whoever uses it later.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use crate::namespace::{explain, inside};

/// Listens on `address` inside `namespace`.
///
/// # Errors
/// When there is no such namespace, or the address is taken or not there.
pub fn listen(namespace: &str, address: SocketAddr) -> io::Result<TcpListener> {
    inside(namespace, || TcpListener::bind(address))
        .map_err(|error| explain(error, &format!("listening on {address} in {namespace}")))
}

/// Connects to `address` from inside `namespace`.
///
/// # Errors
/// When there is no such namespace, or nobody answers within `patience`.
pub fn connect(namespace: &str, address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    inside(namespace, || TcpStream::connect_timeout(&address, patience))
        .map_err(|error| explain(error, &format!("connecting to {address} from {namespace}")))
}

#[cfg(test)]
mod tests;
