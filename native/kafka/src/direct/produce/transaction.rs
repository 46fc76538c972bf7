//! What a producer has its coordinators do: begin, take in, commit, abort.

use std::io;
use std::time::{Duration, Instant};

use super::sender::{Sender, Trouble};
use super::wire::{self, Charge, Identity, Member, Writer};
use super::{Call, Standing};
use crate::direct::connection::malformed;
use crate::direct::wire::Malformed;
use crate::error::{Error, Result};
use crate::partitions::Position;

/// Markers of the transaction before are still being written: it takes some milliseconds.
pub(super) const SOON: Duration = Duration::from_millis(3);
const RETRY: Duration = Duration::from_millis(50);
/// A topic that a coordinator does not know for so long has not been made just now: it is gone.
const UNKNOWN: Duration = Duration::from_secs(2);
/// A coordinator has seen to a change of producers within this.
const SETTLED: Duration = Duration::from_secs(5);

pub(super) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const TIMED_OUT: i16 = 7;
const NETWORK: i16 = 13;
const LOADING: i16 = 14;
const NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const TOPIC_AUTHORIZATION: i16 = 29;
pub(super) const INVALID_EPOCH: i16 = 47;
const CONCURRENT: i16 = 51;
const NAME_AUTHORIZATION: i16 = 53;
const NOT_ATTEMPTED: i16 = 55;
pub(super) const FENCED: i16 = 90;

/// Why a coordinator did not do it.
enum Refused {
    Code(i16),
    TimedOut,
}

impl Sender {
    pub(super) fn answer(&mut self, call: Call, deadline: Instant) -> Result<()> {
        match call {
            Call::Init => self.init(deadline),
            Call::Offsets(what) => self.send_offsets(&what.0, &what.1, deadline),
            Call::Commit => self.commit(deadline),
            Call::Abort => self.abort(deadline),
        }
    }

    /// Put the partitions that records wait for into the transaction; one try.
    pub(super) fn enlist(&mut self) -> std::result::Result<(), Trouble> {
        let Some(writer) = self.writer() else {
            return Ok(());
        };
        let wanted: Vec<_> = self
            .waiting()
            .filter(|(_, _, partition)| !partition.enlisted)
            .map(|(topic, number, _)| (topic, number))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let request = wire::partitions_request(writer, &wanted);
        let charge = Charge::Transactions(writer.name.to_owned());
        // Until it is answered, the coordinator may have it or not.
        let before = std::mem::replace(&mut self.uncertain, true);
        let answer = self.ask_coordinator(&charge, &request)?;
        let found = wire::partitions(&answer).map_err(|_| Trouble::malformed())?;
        self.uncertain = before;
        let mut later = None;
        for (topic, number, code) in found {
            match code {
                0 => {
                    self.enlisted = true;
                    if let Some(partition) = self.partition(&topic, number) {
                        partition.enlisted = true;
                    }
                }
                CONCURRENT => later = Some(SOON),
                NOT_ATTEMPTED => later = later.or(Some(SOON)),
                NOT_AVAILABLE | NOT_COORDINATOR => {
                    self.coordinators.remove(&charge);
                    later = Some(RETRY);
                }
                TIMED_OUT | NETWORK | LOADING => later = Some(RETRY),
                UNKNOWN_TOPIC_OR_PARTITION if self.may_come(&topic, number) => later = Some(RETRY),
                UNKNOWN_TOPIC_OR_PARTITION | TOPIC_AUTHORIZATION => {
                    self.fail_waiting(&topic, number, code.into());
                }
                _ => return Err(self.trouble(said_by_coordinator(code))),
            }
        }
        match later {
            Some(pause) => Err(Trouble::Passing("a coordinator is not ready".into(), pause)),
            None => Ok(()),
        }
    }

    /// What an error of the producer itself means for it.
    pub(super) fn trouble(&self, code: i16) -> Trouble {
        let error = Error::new(self.library, code.into(), "");
        match code {
            FENCED | NAME_AUTHORIZATION => Trouble::Over(Error {
                fatal: true,
                ..error
            }),
            _ => Trouble::Broken(Error {
                abortable: true,
                ..error
            }),
        }
    }

    /// What it means that a partition knows a newer epoch: another producer, or that the transaction was given up for its age.
    pub(super) fn older_epoch(&mut self, topic: &str, number: i32) -> Trouble {
        let Some(writer) = self.writer() else {
            return self.trouble(INVALID_EPOCH);
        };
        let request = wire::partitions_request(writer, &[(topic, number)]);
        let charge = Charge::Transactions(writer.name.to_owned());
        let error = |answer: &[u8]| {
            let found = wire::partitions(answer)?;
            Ok(found.first().map_or(0, |(_, _, code)| *code))
        };
        let deadline = Instant::now() + SETTLED;
        match self.persist(&charge, &request, error, deadline) {
            Err(Refused::Code(FENCED | INVALID_EPOCH)) => self.trouble(FENCED),
            _ => self.trouble(INVALID_EPOCH),
        }
    }

    fn init(&mut self, deadline: Instant) -> Result<()> {
        self.renew(None, deadline)?;
        self.shared.state().standing = Standing::Ready;
        Ok(())
    }

    /// Fetch an id, or the next epoch of the present one; all sequence numbers begin anew.
    fn renew(&mut self, present: Option<Identity>, deadline: Instant) -> Result<()> {
        let name = self.settings.name.clone().unwrap_or_default();
        let request = wire::identity_request(
            &self.settings.client,
            Some(&name),
            self.settings.transaction_millis,
            present,
        );
        let error = |answer: &[u8]| wire::identity(answer).map(|(error, _)| error);
        let answer = self
            .persist(&Charge::Transactions(name), &request, error, deadline)
            .map_err(|refused| self.refusal(refused))?;
        let (_, identity) = wire::identity(&answer)
            .map_err(|_| Error::local("a broker's answer cannot be read"))?;
        self.begin_anew(identity);
        Ok(())
    }

    fn send_offsets(
        &mut self,
        offsets: &[Position],
        member: &Member,
        deadline: Instant,
    ) -> Result<()> {
        self.usable()?;
        let Some(writer) = self.writer() else {
            return Err(Error::local("not initialized"));
        };
        let of_name = Charge::Transactions(writer.name.to_owned());
        let join = wire::group_request(writer, &member.group);
        let commit = wire::offsets_request(writer, member, offsets);
        if !self.joined {
            let before = std::mem::replace(&mut self.uncertain, true);
            self.persist(&of_name, &join, wire::only_error, deadline)
                .map_err(|refused| self.refusal(refused))?;
            (self.joined, self.uncertain) = (true, before);
        }
        let of_group = Charge::Group(member.group.clone());
        self.persist(&of_group, &commit, wire::offsets, deadline)
            .map_err(|refused| self.refusal(refused))?;
        Ok(())
    }

    fn commit(&mut self, deadline: Instant) -> Result<()> {
        self.usable()?;
        self.end(true, deadline)?;
        self.shared.state().standing = Standing::Ready;
        Ok(())
    }

    fn abort(&mut self, deadline: Instant) -> Result<()> {
        if let Standing::Over(error) = &self.shared.state().standing {
            return Err(error.clone());
        }
        self.end(false, deadline)?;
        if self.uncertain {
            self.renew(self.identity, deadline)?;
        }
        self.shared.state().standing = Standing::Ready;
        Ok(())
    }

    fn end(&mut self, commit: bool, deadline: Instant) -> Result<()> {
        if let (Some(writer), true) = (self.writer(), self.enlisted || self.joined) {
            let request = wire::end_request(writer, commit);
            let of_name = Charge::Transactions(writer.name.to_owned());
            self.persist(&of_name, &request, wire::only_error, deadline)
                .map_err(|refused| self.refusal(refused))?;
        }
        self.left();
        Ok(())
    }

    /// Whether the open transaction can still be committed.
    fn usable(&self) -> Result<()> {
        match &self.shared.state().standing {
            Standing::Broken(error) | Standing::Over(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Keep what a refusal means, and give it to the caller.
    fn refusal(&mut self, refused: Refused) -> Error {
        let Refused::Code(code) = refused else {
            return self.timed_out();
        };
        match self.trouble(said_by_coordinator(code)) {
            Trouble::Over(error) => {
                self.shared.state().standing = Standing::Over(error.clone());
                error
            }
            Trouble::Broken(error) => {
                let mut state = self.shared.state();
                if matches!(state.standing, Standing::Open) {
                    state.standing = Standing::Broken(error.clone());
                }
                error
            }
            Trouble::Passing(..) => self.timed_out(),
        }
    }

    /// Ask a coordinator until it has done it or will not, or time is up.
    fn persist(
        &mut self,
        charge: &Charge,
        request: &[u8],
        error: impl Fn(&[u8]) -> std::result::Result<i16, Malformed>,
        deadline: Instant,
    ) -> std::result::Result<Vec<u8>, Refused> {
        let begun = Instant::now();
        loop {
            let mut pause = RETRY;
            match self.ask_coordinator(charge, request) {
                Ok(answer) => match error(&answer) {
                    Ok(0) => return Ok(answer),
                    Ok(CONCURRENT) => pause = SOON,
                    Ok(NOT_AVAILABLE | NOT_COORDINATOR) => {
                        self.coordinators.remove(charge);
                    }
                    Ok(TIMED_OUT | NETWORK | LOADING) | Err(Malformed) => {}
                    Ok(UNKNOWN_TOPIC_OR_PARTITION) if begun.elapsed() < UNKNOWN => {}
                    Ok(code) => return Err(Refused::Code(code)),
                },
                Err(Trouble::Passing(text, _)) => self.shared.state().trouble = Some(text),
                Err(Trouble::Broken(error) | Trouble::Over(error)) => {
                    return Err(Refused::Code(i16::try_from(error.code).unwrap_or(-1)));
                }
            }
            if Instant::now() + pause >= deadline || !self.rest(pause) {
                return Err(Refused::TimedOut);
            }
        }
    }

    /// Ask a coordinator once, and before that where it is.
    fn ask_coordinator(
        &mut self,
        charge: &Charge,
        request: &[u8],
    ) -> std::result::Result<Vec<u8>, Trouble> {
        let address = match self.coordinators.get(charge) {
            Some(address) => address.clone(),
            None => {
                let question = wire::coordinator_request(&self.settings.client, charge);
                let answer = self.network.ask_any(&question).map_err(Trouble::from)?;
                let (code, address) =
                    wire::coordinator(answer).map_err(|_| Trouble::malformed())?;
                match code {
                    0 => {}
                    TIMED_OUT | NETWORK | LOADING | NOT_AVAILABLE => {
                        let text = "the coordinator is not there yet".into();
                        return Err(Trouble::Passing(text, RETRY));
                    }
                    _ => return Err(self.trouble(code)),
                }
                self.coordinators.insert(charge.clone(), address.clone());
                address
            }
        };
        match self.network.ask(&address, request) {
            Ok(answer) => Ok(answer.to_vec()),
            Err(error) => {
                self.coordinators.remove(charge);
                Err(error.into())
            }
        }
    }

    fn writer(&self) -> Option<Writer<'_>> {
        Some(Writer {
            client: &self.settings.client,
            name: self.settings.name.as_deref()?,
            identity: self.identity?,
        })
    }
}

/// An older epoch is that of a producer which another one has replaced.
fn said_by_coordinator(code: i16) -> i16 {
    if code == INVALID_EPOCH { FENCED } else { code }
}

impl Trouble {
    pub(super) fn malformed() -> Self {
        malformed(Malformed).into()
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::Unsupported {
            return Self::Over(Error {
                fatal: true,
                ..Error::local(error.to_string())
            });
        }
        Self::Passing(error.to_string(), RETRY)
    }
}
