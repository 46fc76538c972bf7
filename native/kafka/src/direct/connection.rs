//! Connections to brokers: a request is written, its answer is read, in order.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::wire::Malformed;

const CONNECT: Duration = Duration::from_secs(3);
const WRITE: Duration = Duration::from_secs(10);
/// A longer answer is none.
pub(super) const MOST_ANSWER_BYTES: usize = 1 << 30;

/// Whether these properties ask for connections without TLS and credentials.
pub(super) fn plain(properties: &BTreeMap<String, String>) -> bool {
    properties
        .get("security.protocol")
        .is_none_or(|name| name.eq_ignore_ascii_case("plaintext"))
}

/// By which brokers know us, for quotas and in their logs.
pub(super) fn client_id(properties: &BTreeMap<String, String>) -> String {
    let id = properties.get("client.id");
    id.map_or("rdkafka", String::as_str).to_owned()
}

/// Hosts and ports out of `host:port,host:port`; None where one is of another kind.
pub(super) fn addresses(list: &str) -> Option<Vec<(String, u16)>> {
    list.split(',')
        .map(|text| {
            let text = text.trim();
            let text = text
                .split_once("://")
                .map_or(Some(text), |(scheme, rest)| {
                    scheme.eq_ignore_ascii_case("plaintext").then_some(rest)
                })?;
            let (host, port) = text.rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            Some((host.to_owned(), port.parse().ok()?))
        })
        .collect()
}

/// Connect; reading waits for ever unless a time limit is set.
pub(super) fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut refused = io::Error::other("no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(connection) => {
                connection.set_nodelay(true)?;
                connection.set_write_timeout(Some(WRITE))?;
                return Ok(connection);
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Read one answer, without its length.
pub(super) fn receive(connection: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 4];
    connection.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MOST_ANSWER_BYTES {
        return Err(malformed(Malformed));
    }
    answer.resize(length, 0);
    connection.read_exact(answer)
}

pub(super) fn malformed(_: Malformed) -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}
