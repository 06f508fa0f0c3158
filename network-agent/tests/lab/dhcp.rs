//! A guest's side of DHCP, as far as it takes to see what a server answers (RFC 2131).

use std::{
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use super::{Guest, SOON};

/// What a DHCP server answered.
pub(crate) struct Lease {
    pub(crate) address: Ipv4Addr,
    pub(crate) server: Ipv4Addr,
    pub(crate) options: std::collections::BTreeMap<u8, Vec<u8>>,
}

impl Lease {
    /// Asks as a guest that has no address yet, until there is an answer, and takes what is offered.
    pub(crate) fn ask(guest: &Guest) -> Self {
        // The kernel wants to be told where "everybody" is.
        guest.ip("route replace default dev eth0");
        let socket = guest.udp("0.0.0.0:68");
        socket.set_broadcast(true).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let mac: Vec<u8> = guest
            .port
            .mac
            .split(':')
            .map(|part| u8::from_str_radix(part, 16).unwrap())
            .collect();
        let offer = Self::exchange(&socket, &mac, &[53, 1, 1]);
        let mut request = vec![53, 1, 3, 50, 4];
        request.extend(offer.address.octets());
        request.extend([54, 4]);
        request.extend(offer.server.octets());
        let lease = Self::exchange(&socket, &mac, &request);
        assert_eq!(lease.options[&53], [5], "the request was not acknowledged");
        guest.ip("route delete default dev eth0");
        lease
    }

    fn exchange(socket: &UdpSocket, mac: &[u8], options: &[u8]) -> Self {
        let started = std::time::Instant::now();
        loop {
            assert!(started.elapsed() < SOON, "no DHCP server answers {mac:x?}");
            // RFC 2131: a request over Ethernet, with the broadcast flag, and a fixed id.
            let mut question = vec![0; 236];
            question[..4].copy_from_slice(&[1, 1, 6, 0]);
            question[4..8].copy_from_slice(&[7, 7, 7, 7]);
            question[10] = 0x80;
            question[28..34].copy_from_slice(mac);
            question.extend([99, 130, 83, 99]);
            question.extend(options);
            // Ask for router, name servers, host name and packet size.
            question.extend([55, 4, 3, 6, 12, 26, 255]);
            socket.send_to(&question, "255.255.255.255:67").unwrap();
            let mut answer = [0; 1500];
            if let Ok((length, from)) = socket.recv_from(&mut answer)
                && length > 240
                && answer[28..34] == *mac
            {
                return Self::read(&answer[..length], from.ip());
            }
        }
    }

    fn read(answer: &[u8], from: std::net::IpAddr) -> Self {
        let octets: [u8; 4] = answer[16..20].try_into().unwrap();
        let mut options = std::collections::BTreeMap::new();
        let mut rest = &answer[240..];
        while let [code, length, tail @ ..] = rest
            && *code != 255
        {
            let (value, next) = tail.split_at(usize::from(*length));
            options.insert(*code, value.to_vec());
            rest = next;
        }
        let std::net::IpAddr::V4(server) = from else {
            panic!("{from}")
        };
        Self {
            address: octets.into(),
            server,
            options,
        }
    }
}
