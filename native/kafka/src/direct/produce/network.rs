//! The brokers that a producer speaks with.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, IoSlice, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::settings::Settings;
use super::wire::{serves_all, versions_request};
use super::{PROPERTY, Shared};
use crate::direct::connection::{connect, malformed, receive};
use crate::direct::wire::{Metadata, metadata, metadata_request};

pub(super) type Address = (String, u16);

/// Beyond the time that a broker was given to answer.
const SLACK: Duration = Duration::from_secs(5);
/// Where another broker can be asked as well.
const SHORT: Duration = Duration::from_secs(5);

/// Connections, made when they are needed and forgotten when they fail.
pub(super) struct Network {
    client: String,
    bootstrap: Vec<Address>,
    brokers: HashMap<i32, Address>,
    connections: HashMap<Address, TcpStream>,
    patience: Duration,
    checked: bool,
    answer: Vec<u8>,
    shared: Arc<Shared>,
}

impl Network {
    pub(super) fn new(settings: &Settings, shared: Arc<Shared>) -> Self {
        let request = Duration::from_millis(settings.request_millis.try_into().unwrap_or_default());
        Self {
            client: settings.client.clone(),
            bootstrap: settings.bootstrap.clone(),
            brokers: HashMap::new(),
            connections: HashMap::new(),
            patience: request + SLACK,
            checked: false,
            answer: Vec::new(),
            shared,
        }
    }

    /// Where a broker is, as the last metadata said.
    pub(super) fn address(&self, broker: i32) -> Option<&Address> {
        self.brokers.get(&broker)
    }

    /// Write a request, in pieces; its answer is to be received before another is sent there.
    pub(super) fn send(&mut self, address: &Address, pieces: &mut [IoSlice<'_>]) -> io::Result<()> {
        self.connection(address)
            .and_then(|connection| write_all(connection, pieces))
            .inspect_err(|_| self.forget(address))
    }

    pub(super) fn receive(&mut self, address: &Address) -> io::Result<&[u8]> {
        let mut answer = std::mem::take(&mut self.answer);
        let received = self
            .connection(address)
            .and_then(|connection| receive(connection, &mut answer));
        self.answer = answer;
        match received {
            Ok(()) => Ok(&self.answer),
            Err(error) => {
                self.forget(address);
                Err(error)
            }
        }
    }

    pub(super) fn ask(&mut self, address: &Address, request: &[u8]) -> io::Result<&[u8]> {
        let idle = self.connections.contains_key(address);
        let asked = self.ask_once(address, request);
        // A broker hangs up on those who have said nothing for a while: that is no fault.
        if asked.is_err() && idle {
            self.ask_once(address, request)?;
        } else {
            asked?;
        }
        Ok(&self.answer)
    }

    /// Ask whoever answers.
    pub(super) fn ask_any(&mut self, request: &[u8]) -> io::Result<&[u8]> {
        let connected = self.connections.keys();
        let addresses: Vec<Address> = connected
            .chain(self.brokers.values())
            .chain(&self.bootstrap)
            .cloned()
            .collect();
        let mut refused = io::Error::other("no address");
        for address in addresses {
            match self.ask_shortly(&address, request) {
                Ok(()) => return Ok(&self.answer),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn ask_shortly(&mut self, address: &Address, request: &[u8]) -> io::Result<()> {
        let usual = self.patience;
        self.connection(address)?.set_read_timeout(Some(SHORT))?;
        self.ask_once(address, request)?;
        self.connection(address)?.set_read_timeout(Some(usual))
    }

    /// Learn who leads the partitions of some topics, and where those are.
    pub(super) fn metadata<'a>(
        &mut self,
        topics: impl ExactSizeIterator<Item = &'a str>,
    ) -> io::Result<Metadata> {
        let request = metadata_request(&self.client, topics);
        let mut found = metadata(self.ask_any(&request)?).map_err(malformed)?;
        for (id, host, port) in std::mem::take(&mut found.brokers) {
            self.brokers.insert(id, (host, port));
        }
        Ok(found)
    }

    fn ask_once(&mut self, address: &Address, request: &[u8]) -> io::Result<()> {
        self.send(address, &mut [IoSlice::new(request)])?;
        self.receive(address).map(drop)
    }

    fn connection(&mut self, address: &Address) -> io::Result<&mut TcpStream> {
        match self.connections.entry(address.clone()) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let mut connection = connect(&address.0, address.1)?;
                connection.set_read_timeout(Some(self.patience))?;
                {
                    let mut state = self.shared.state();
                    if state.stopped {
                        return Err(io::Error::other("stopped"));
                    }
                    let other = connection.try_clone()?;
                    state.connections.insert(address.clone(), other);
                }
                if !self.checked {
                    connection.write_all(&versions_request(&self.client))?;
                    receive(&mut connection, &mut self.answer)?;
                    if !serves_all(&self.answer).map_err(malformed)? {
                        let text = format!(
                            "the broker is older than Kafka 2.5: set `producer.{PROPERTY}=false`"
                        );
                        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
                    }
                    self.checked = true;
                }
                Ok(entry.insert(connection))
            }
        }
    }

    fn forget(&mut self, address: &Address) {
        self.connections.remove(address);
        self.shared.state().connections.remove(address);
    }
}

fn write_all(connection: &mut impl Write, mut pieces: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Empty ones at the beginning go.
    IoSlice::advance_slices(&mut pieces, 0);
    while !pieces.is_empty() {
        match connection.write_vectored(pieces) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut pieces, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes few bytes at a time, and is interrupted now and then.
    struct Slow(Vec<u8>, usize);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let taken = bytes.len().min(self.1);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_pieces_are_written_in_order() {
        let pieces: [&[u8]; 6] = [b"", b"one", b"", b"two and more", b"three", b""];
        let mut slow = Slow(Vec::new(), 0);
        write_all(&mut slow, &mut pieces.map(IoSlice::new)).expect("to memory");
        assert_eq!(slow.0, pieces.concat());
        write_all(&mut slow, &mut []).expect("nothing to do");
    }
}
