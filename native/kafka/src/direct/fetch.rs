//! Reads partitions straight from the brokers that lead them, around librdkafka's cost of every single message.
//!
//! A thread for each broker asks for what comes next and keeps the answers as they came; records are taken out of them as
//! they are given, straight into Arrow. This module knows the good case alone. Whatever is out of the ordinary (an error of
//! a partition, a connection that ends, a format it does not know) makes it hand the partition back: librdkafka, which has
//! it assigned and paused all the time, then reads on, finds leaders, waits, resets and tells faults as it always did.

mod batches;
mod wire;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::batch::Batches;
use crate::client::lock;
use crate::error::Result;
use crate::partitions::Position;
use batches::Chunk;
pub(crate) use batches::{Record, headers};
use wire::Limits;

use super::connection::{
    MOST_ANSWER_BYTES, addresses, client_id, connect, malformed, plain, receive,
};
use super::wire::{Malformed, Metadata, metadata, metadata_request};

/// The property that turns this off; librdkafka does not know it.
pub(crate) const PROPERTY: &str = "headrace.direct.fetch";

/// A partition for which so much waits is not asked for: more than what is worked off while an answer is awaited.
const PARTITION_BUFFER: usize = 2 << 20;
/// When the buffer for all is full, those of which nothing waits are still asked for so much: others may be paused until
/// something of these has come.
const FULL_PARTITION_BYTES: i32 = 64 << 10;
/// Of an answer's fields; records are read into their own memory.
const FIELD_BYTES: usize = 4 << 10;
/// While some partition is not asked for, no answer may hold it up for long.
const SHORT_WAIT_MILLIS: i32 = 5;
/// Beyond the time that the broker was given to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// What each partition gives in its turn, at least: switching costs a little.
const LEAST_TURN: usize = 256;

/// Properties under which librdkafka does something that this module does not.
const BEYOND: [&str; 3] = ["client.rack", "check.crcs", "debug"];

type Place = (Arc<str>, i32);

/// Why a partition goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It may pass.
    Passing,
    /// Its records cannot be read here.
    Lasting,
}

struct Settings {
    client: String,
    bootstrap: Vec<(String, u16)>,
    limits: Limits,
    buffer: usize,
}

/// Reads partitions on threads of its own, until it is dropped.
pub(crate) struct Direct {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    settings: Settings,
    state: Mutex<State>,
    /// For the threads: there may be something to ask for.
    changed: Condvar,
    /// For the caller: there may be something to take.
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    places: BTreeMap<Place, Reading>,
    brokers: HashMap<i32, (String, u16)>,
    /// The threads that run, by broker; with the connection once there is one.
    readers: HashMap<i32, Option<TcpStream>>,
    routing: bool,
    buffered: usize,
    versions: u64,
    /// After whom it begins next time.
    last: Option<Place>,
    woken: bool,
    stopped: bool,
}

struct Reading {
    leader: Option<i32>,
    /// Answers to what was asked before a seek have another one.
    version: u64,
    /// The offset after all that was given, and whether anything was met since the beginning or a seek.
    given: i64,
    met: bool,
    next: i64,
    end: Option<i64>,
    paused: bool,
    chunks: VecDeque<Chunk>,
    bytes: usize,
    trouble: Option<Trouble>,
}

impl Reading {
    fn has_records(&self) -> bool {
        !self.paused && self.trouble.is_none() && !self.chunks.is_empty()
    }
}

impl Direct {
    /// Make one for a consumer of these properties; None where they ask for what only librdkafka does.
    pub(crate) fn new(properties: &BTreeMap<String, String>) -> Option<Self> {
        let get = |name: &str| properties.get(name).map(String::as_str);
        let number = |name: &str, otherwise: i32| match get(name) {
            Some(text) => text.parse().ok(),
            None => Some(otherwise),
        };
        let wanted = get(PROPERTY).is_none_or(|word| word != "false");
        if !plain(properties) || !wanted || BEYOND.iter().any(|name| get(name).is_some()) {
            return None;
        }
        let limits = Limits {
            wait_millis: number("fetch.wait.max.ms", 500)?,
            min_bytes: number("fetch.min.bytes", 1)?,
            max_bytes: number("fetch.max.bytes", 50 << 20)?,
            partition_bytes: number(
                "max.partition.fetch.bytes",
                number("fetch.message.max.bytes", 1 << 20)?,
            )?,
            read_committed: get("isolation.level").is_none_or(|level| level == "read_committed"),
        };
        let kibibytes = usize::try_from(number("queued.max.messages.kbytes", 65_536)?).ok()?;
        let settings = Settings {
            client: client_id(properties),
            bootstrap: addresses(get("bootstrap.servers")?)?,
            limits,
            buffer: kibibytes << 10,
        };
        let shared = Shared {
            settings,
            state: Mutex::default(),
            changed: Condvar::new(),
            arrived: Condvar::new(),
        };
        Some(Self {
            shared: Arc::new(shared),
        })
    }

    /// What a callback of librdkafka is given, to end a wait; valid as long as this is.
    pub(crate) fn shared(&self) -> *const Shared {
        Arc::as_ptr(&self.shared)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state().places.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.state().places.len()
    }

    /// Begin to read at these offsets; `met` says that they are positions already, not only beginnings.
    pub(crate) fn add(
        &self,
        positions: &[Position],
        met: bool,
        paused: impl Fn(&Position) -> bool,
    ) {
        let mut state = self.state();
        for position in positions {
            state.forget(&place(position));
            state.versions += 1;
            let reading = Reading {
                leader: None,
                version: state.versions,
                given: position.offset,
                met,
                next: position.offset,
                end: None,
                paused: paused(position),
                chunks: VecDeque::new(),
                bytes: 0,
                trouble: None,
            };
            state.places.insert(place(position), reading);
        }
        if !positions.is_empty() && !state.routing {
            state.routing = true;
            let shared = Arc::clone(&self.shared);
            std::thread::spawn(move || shared.find_leaders());
        }
    }

    pub(crate) fn remove(&self, positions: &[Position]) {
        let mut state = self.state();
        for position in positions {
            state.forget(&place(position));
        }
        self.shared.changed.notify_all();
    }

    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.places.clear();
        state.buffered = 0;
        self.shared.changed.notify_all();
    }

    pub(crate) fn holds(&self, position: &Position) -> bool {
        self.state().places.contains_key(&place(position))
    }

    pub(crate) fn pause(&self, position: &Position, paused: bool) {
        if let Some(reading) = self.state().places.get_mut(&place(position)) {
            reading.paused = paused;
            self.shared.changed.notify_all();
        }
    }

    /// Go on elsewhere; nothing that was fetched before is given any more.
    pub(crate) fn seek(&self, position: &Position) {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(reading) = state.places.get_mut(&place(position)) {
            state.versions += 1;
            state.buffered -= reading.bytes;
            reading.version = state.versions;
            (reading.given, reading.next) = (position.offset, position.offset);
            (reading.met, reading.bytes) = (false, 0);
            reading.chunks.clear();
            self.shared.changed.notify_all();
        }
    }

    /// The offset after all that was given, or the end if it was met behind it; None where nothing was met.
    pub(crate) fn position(&self, position: &Position) -> Option<i64> {
        let state = self.state();
        let reading = state.places.get(&place(position))?;
        reading.met.then_some(reading.given)
    }

    /// The end as the broker last told it.
    pub(crate) fn end(&self, position: &Position) -> Option<i64> {
        self.state().places.get(&place(position))?.end
    }

    /// Move records into the batches: up to so many, or about so many bytes; partitions take turns.
    pub(crate) fn take(
        &self,
        most: usize,
        most_bytes: usize,
        batches: &mut Batches,
    ) -> Result<usize> {
        let mut state = self.state();
        let ready = state.ready();
        let share = (most / ready.len().max(1)).max(LEAST_TURN);
        let mut taken = 0;
        let mut some = true;
        while some && taken < most && batches.bytes() < most_bytes {
            some = false;
            for place in &ready {
                let count = state.give(place, share.min(most - taken), most_bytes, batches)?;
                taken += count;
                some |= count > 0;
                if taken >= most || batches.bytes() >= most_bytes {
                    state.last = Some(place.clone());
                    break;
                }
            }
        }
        if !ready.is_empty() {
            self.shared.changed.notify_all();
        }
        Ok(taken)
    }

    /// Give up partitions that are in trouble: where librdkafka is to go on, and why.
    pub(crate) fn troubled(&self) -> Vec<(Position, Trouble)> {
        let mut state = self.state();
        let found: Vec<_> = state
            .places
            .iter()
            .filter_map(|((topic, partition), reading)| {
                let position = Position {
                    topic: topic.to_string(),
                    partition: *partition,
                    offset: reading.given,
                };
                Some((position, reading.trouble?))
            })
            .collect();
        for (position, _) in &found {
            state.forget(&place(position));
        }
        found
    }

    /// Wait until there is something to take or to see to; false unless there are only records to take.
    pub(crate) fn wait(&self, until: Instant) -> bool {
        let mut state = self.state();
        loop {
            let woken = std::mem::take(&mut state.woken);
            let mut readings = state.places.values();
            if woken || readings.clone().any(|reading| reading.trouble.is_some()) {
                return false;
            }
            if readings.any(Reading::has_records) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.arrived.wait_timeout(state, left);
            state = waited.unwrap_or_else(|poison| poison.into_inner()).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let mut state = self.state();
        state.stopped = true;
        state.places.clear();
        for connection in state.readers.values().flatten() {
            // It may be gone already.
            let _ = connection.shutdown(Shutdown::Both);
        }
        self.shared.changed.notify_all();
    }
}

impl State {
    fn forget(&mut self, place: &Place) {
        if let Some(reading) = self.places.remove(place) {
            self.buffered -= reading.bytes;
        }
    }

    /// Who has records, beginning after the one that gave last.
    fn ready(&self) -> Vec<Place> {
        let after = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let before = self.last.as_ref().map_or(Bound::Unbounded, Bound::Included);
        let behind = self.places.range((after, Bound::Unbounded));
        let ahead = self.places.range((Bound::Unbounded, before));
        let all = behind.chain(self.last.iter().flat_map(|_| ahead.clone()));
        all.filter(|(_, reading)| reading.has_records())
            .map(|(place, _)| place.clone())
            .collect()
    }

    fn give(
        &mut self,
        place: &Place,
        most: usize,
        most_bytes: usize,
        batches: &mut Batches,
    ) -> Result<usize> {
        let Some(reading) = self.places.get_mut(place) else {
            return Ok(0);
        };
        let slot = batches.slot(&place.0);
        let mut count = 0;
        let mut failed = Ok(());
        while let Some(chunk) = reading.chunks.front_mut() {
            let given = chunk.give(place.1, &mut reading.given, most - count, |record| {
                failed = batches.append(slot, record);
                failed.is_ok() && batches.bytes() < most_bytes
            });
            reading.met = true;
            match given {
                Ok((more, used_up)) => {
                    count += more;
                    if used_up {
                        reading.bytes -= chunk.len();
                        self.buffered -= chunk.len();
                        reading.chunks.pop_front();
                    }
                }
                Err(Malformed) => reading.trouble = Some(Trouble::Lasting),
            }
            if count >= most || reading.trouble.is_some() || batches.bytes() >= most_bytes {
                break;
            }
        }
        failed.map(|()| count)
    }

    fn trouble(&mut self, whose: impl Fn(&Reading) -> bool) {
        for reading in self.places.values_mut().filter(|reading| whose(reading)) {
            reading.trouble.get_or_insert(Trouble::Passing);
        }
    }
}

/// What one request asks for, of one partition.
struct Wanted {
    place: Place,
    version: u64,
    offset: i64,
}

impl Shared {
    /// End the wait of the caller.
    pub(crate) fn wake(&self) {
        lock(&self.state).woken = true;
        self.arrived.notify_all();
    }

    /// Learn who leads the partitions that are new, and let these be read.
    fn find_leaders(self: &Arc<Self>) {
        loop {
            let topics: Vec<Arc<str>> = {
                let mut state = lock(&self.state);
                let mut topics: Vec<_> = state
                    .places
                    .iter()
                    .filter(|(_, reading)| reading.leader.is_none() && reading.trouble.is_none())
                    .map(|((topic, _), _)| Arc::clone(topic))
                    .collect();
                topics.dedup();
                if topics.is_empty() || state.stopped {
                    state.routing = false;
                    return;
                }
                topics
            };
            let found = self.ask_for_leaders(&topics).unwrap_or_default();
            let mut state = lock(&self.state);
            for (id, host, port) in found.brokers {
                state.brokers.insert(id, (host, port));
            }
            let leaders: HashMap<(&str, i32), i32> = found
                .leaders
                .iter()
                .map(|(topic, partition, leader)| ((topic.as_str(), *partition), *leader))
                .collect();
            let mut begun = Vec::new();
            for ((topic, partition), reading) in &mut state.places {
                if reading.leader.is_none() && topics.contains(topic) {
                    reading.leader = leaders.get(&(&**topic, *partition)).copied();
                    match reading.leader {
                        Some(leader) => begun.push(leader),
                        None => reading.trouble = Some(Trouble::Passing),
                    }
                }
            }
            for broker in begun {
                if let std::collections::hash_map::Entry::Vacant(entry) =
                    state.readers.entry(broker)
                {
                    entry.insert(None);
                    let shared = Arc::clone(self);
                    std::thread::spawn(move || shared.read(broker));
                }
            }
            self.changed.notify_all();
            self.arrived.notify_all();
        }
    }

    fn ask_for_leaders(&self, topics: &[Arc<str>]) -> io::Result<Metadata> {
        let mut refused = io::Error::other("no address");
        for (host, port) in &self.settings.bootstrap {
            match connect(host, *port) {
                Ok(mut connection) => {
                    connection.set_read_timeout(Some(ANSWER))?;
                    let names = topics.iter().map(|topic| &**topic);
                    let request = metadata_request(&self.settings.client, names);
                    connection.write_all(&request)?;
                    let mut answer = Vec::new();
                    receive(&mut connection, &mut answer)?;
                    return metadata(&answer).map_err(malformed);
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Ask one broker again and again, until it leads nothing of ours or is gone.
    fn read(self: &Arc<Self>, broker: i32) {
        let ended = self.read_on(broker);
        let mut state = lock(&self.state);
        if ended.is_err() {
            state.readers.remove(&broker);
            state.trouble(|reading| reading.leader == Some(broker));
            self.arrived.notify_all();
        }
    }

    fn read_on(&self, broker: i32) -> io::Result<()> {
        let address = lock(&self.state).brokers.get(&broker).cloned();
        let (host, port) = address.ok_or_else(|| io::Error::other("no address"))?;
        let mut connection = connect(&host, port)?;
        let patience = Duration::from_millis(
            u64::try_from(self.settings.limits.wait_millis).unwrap_or_default(),
        );
        connection.set_read_timeout(Some(patience + ANSWER))?;
        let other = connection.try_clone()?;
        lock(&self.state).readers.insert(broker, Some(other));
        let mut answers = BufReader::with_capacity(FIELD_BYTES, connection.try_clone()?);
        while let Some((wanted, limits)) = self.next_wanted(broker) {
            let asked: Vec<_> = wanted
                .iter()
                .map(|one| (&*one.place.0, one.place.1, one.offset))
                .collect();
            connection.write_all(&wire::fetch_request(&self.settings.client, limits, &asked))?;
            let found = wire::fetched(&mut answers, MOST_ANSWER_BYTES)?;
            if found.error != 0 {
                return Err(io::Error::other("the broker refused the request"));
            }
            self.store(&wanted, found.partitions);
            if let Ok(millis @ 1..) = u64::try_from(found.throttle_millis) {
                std::thread::sleep(Duration::from_millis(millis.min(1000)));
            }
        }
        Ok(())
    }

    /// Wait until something can be asked for; None when this broker has nothing for us any more.
    fn next_wanted(&self, broker: i32) -> Option<(Vec<Wanted>, Limits)> {
        let mut state = lock(&self.state);
        loop {
            let mut mine = state
                .places
                .iter()
                .filter(|(_, reading)| reading.leader == Some(broker))
                .peekable();
            if state.stopped || mine.peek().is_none() {
                drop(mine);
                // Under the same lock: whoever comes next starts a new thread.
                state.readers.remove(&broker);
                return None;
            }
            let mut limits = self.settings.limits;
            let full = state.buffered >= self.settings.buffer;
            let mut wanted = Vec::new();
            for (place, reading) in mine {
                if reading.paused || reading.trouble.is_some() {
                    continue;
                }
                if full && reading.bytes == 0 {
                    limits.partition_bytes = limits.partition_bytes.min(FULL_PARTITION_BYTES);
                } else if full || reading.bytes >= PARTITION_BUFFER {
                    limits.wait_millis = limits.wait_millis.min(SHORT_WAIT_MILLIS);
                    continue;
                }
                wanted.push(Wanted {
                    place: place.clone(),
                    version: reading.version,
                    offset: reading.next,
                });
            }
            if !wanted.is_empty() {
                return Some((wanted, limits));
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(|poison| poison.into_inner());
        }
    }

    fn store(&self, wanted: &[Wanted], found: Vec<wire::Fetched>) {
        let mut state = lock(&self.state);
        let wanted: HashMap<(&str, i32), &Wanted> = wanted
            .iter()
            .map(|one| ((&*one.place.0, one.place.1), one))
            .collect();
        for part in found {
            let Some(asked) = wanted.get(&(part.topic.as_str(), part.partition)) else {
                continue;
            };
            let state = &mut *state;
            let Some(reading) = state.places.get_mut(&asked.place) else {
                continue;
            };
            if reading.version != asked.version {
                continue;
            }
            if part.error != 0 {
                reading.trouble = Some(Trouble::Passing);
                continue;
            }
            reading.end = Some(part.high_watermark);
            if part.records.is_empty() {
                reading.met |= reading.chunks.is_empty();
                continue;
            }
            match Chunk::end_of(&part.records) {
                Ok(Some(end)) if end > reading.next => {
                    reading.next = end;
                    reading.bytes += part.records.len();
                    state.buffered += part.records.len();
                    let committed = self.settings.limits.read_committed;
                    let chunk = Chunk::new(part.records, part.aborted, committed);
                    reading.chunks.push_back(chunk);
                }
                _ => reading.trouble = Some(Trouble::Lasting),
            }
        }
        self.arrived.notify_all();
    }
}

fn place(position: &Position) -> Place {
    (Arc::from(position.topic.as_str()), position.partition)
}

/// Read all records of some batches, as a consumer would, while `give` takes more; false if something else is among them.
pub(crate) fn read_back(bytes: Vec<u8>, give: impl FnMut(&Record<'_>) -> bool) -> bool {
    let mut chunk = Chunk::new(bytes, Vec::new(), true);
    matches!(chunk.give(0, &mut 0, usize::MAX, give), Ok((_, true)))
}
