//! The thread of a producer: rows into batches, batches to brokers, until they are acknowledged or given up.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::IoSlice;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::batch::{Batch, Record};
use super::network::{Address, Network};
use super::partitioner::Partitioner;
use super::settings::Settings;
use super::transaction::{FENCED, INVALID_EPOCH, SOON, UNKNOWN_TOPIC_OR_PARTITION};
use super::wire::{self, Charge, Identity, Produced};
use super::{Call, Sent, Shared, Standing};
use crate::columns::Columns;
use crate::error::{Error, code};
use crate::library::Library;
use crate::producer::Failure;

const FIRST_REST: Duration = Duration::from_millis(20);
const MOST_REST: Duration = Duration::from_secs(1);
/// A request to one broker takes no more batches when it is this large.
const MOST_REQUEST_BYTES: usize = 32 << 20;
/// Memory of batches that is kept for the next ones.
const MOST_KEPT: usize = 4;

const TOPIC_AUTHORIZATION: i16 = 29;
const INVALID_TOPIC: i16 = 17;

/// What a code of a batch means.
enum Verdict {
    Written,
    Again,
    /// The broker expects another number: it has lost what it knew, or we do not know what it has.
    OutOfStep,
    /// The producer may not go on like this.
    Ended,
    Refused,
}

fn verdict(code: i16) -> Verdict {
    match code {
        // 46: it is there already, from a try whose answer was lost.
        0 | 46 => Verdict::Written,
        // Corrupt on the way; the leader has moved, is not there or too slow; too few replicas; its disk; a transaction before.
        2 | 3 | 5..=9 | 13 | 19 | 20 | 51 | 56 | 74 | 75 | 89 | 100 => Verdict::Again,
        45 | INVALID_EPOCH | 59 => Verdict::OutOfStep,
        48 | 49 | 53 | FENCED | 120 => Verdict::Ended,
        _ => Verdict::Refused,
    }
}

/// Why a round came to nothing.
pub(super) enum Trouble {
    /// It may pass; to be tried again after a while.
    Passing(String, Duration),
    /// The open transaction can only be aborted.
    Broken(Error),
    /// The producer is at its end.
    Over(Error),
}

type Attempt<T = ()> = std::result::Result<T, Trouble>;

struct Topic {
    partitions: Vec<Partition>,
    looked_at: Instant,
}

#[derive(Default)]
pub(super) struct Partition {
    leader: Option<i32>,
    batches: VecDeque<Batch>,
    /// Of the next record that is sent for the first time.
    sequence: i32,
    /// Part of the open transaction.
    pub(super) enlisted: bool,
}

pub(super) struct Sender {
    pub(super) library: &'static Library,
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) network: Network,
    pub(super) coordinators: HashMap<Charge, Address>,
    pub(super) identity: Option<Identity>,
    /// The coordinator knows of partitions, or of a group, in the open transaction.
    pub(super) enlisted: bool,
    pub(super) joined: bool,
    /// Something was sent of which nobody knows whether it has arrived: only another epoch makes that good.
    pub(super) uncertain: bool,
    topics: BTreeMap<Arc<str>, Topic>,
    /// Of topics that are not known yet, in order.
    unplaced: VecDeque<Sent>,
    /// What brokers said of topics that cannot be written to.
    refused: HashMap<Arc<str>, i16>,
    partitioner: Partitioner,
    /// Leaders are to be looked up again.
    stale: bool,
    rest: Duration,
    resting_until: Option<Instant>,
    turn: usize,
    memory: Vec<Vec<u8>>,
    request: Vec<u8>,
}

enum Next {
    Stop,
    Purge,
    Records(VecDeque<Sent>),
    Call(Call, Instant),
    Again,
}

impl Sender {
    pub(super) fn new(library: &'static Library, settings: Settings, shared: Arc<Shared>) -> Self {
        Self {
            library,
            network: Network::new(&settings, Arc::clone(&shared)),
            settings,
            shared,
            coordinators: HashMap::new(),
            identity: None,
            enlisted: false,
            joined: false,
            uncertain: false,
            topics: BTreeMap::new(),
            unplaced: VecDeque::new(),
            refused: HashMap::new(),
            partitioner: Partitioner::default(),
            stale: false,
            rest: FIRST_REST,
            resting_until: None,
            turn: 0,
            memory: Vec::new(),
            request: Vec::new(),
        }
    }

    pub(super) fn run(mut self) {
        loop {
            match self.next() {
                Next::Stop => return,
                Next::Purge => self.purge(),
                Next::Records(records) => {
                    self.unplaced.extend(records);
                    self.round();
                }
                Next::Again => self.round(),
                Next::Call(call, deadline) => {
                    let answer = self.answer(call, deadline);
                    let mut state = self.shared.state();
                    state.calling = false;
                    state.answer = Some(answer);
                    self.shared.done.notify_all();
                }
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.unplaced.is_empty() && self.waiting().next().is_none()
    }

    fn next(&self) -> Next {
        let idle = self.is_idle();
        let mut state = self.shared.state();
        loop {
            if state.stopped {
                return Next::Stop;
            }
            if state.purge {
                return Next::Purge;
            }
            let left = self
                .resting_until
                .map(|until| until.saturating_duration_since(Instant::now()))
                .filter(|left| !left.is_zero());
            if let Some(left) = left {
                let waited = self.shared.work.wait_timeout(state, left);
                state = waited.unwrap_or_else(|poison| poison.into_inner()).0;
                continue;
            }
            if !state.incoming.is_empty() {
                return Next::Records(std::mem::take(&mut state.incoming));
            }
            if !idle {
                return Next::Again;
            }
            if let Some((call, deadline)) = state.call.take() {
                state.calling = true;
                return Next::Call(call, deadline);
            }
            let waited = self.shared.work.wait(state);
            state = waited.unwrap_or_else(|poison| poison.into_inner());
        }
    }

    /// Wait a while; false when there is nothing left to wait for.
    pub(super) fn rest(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        let mut state = self.shared.state();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if state.stopped || left.is_zero() {
                return !state.stopped;
            }
            let waited = self.shared.work.wait_timeout(state, left);
            state = waited.unwrap_or_else(|poison| poison.into_inner()).0;
        }
    }

    fn purge(&mut self) {
        self.drop_all();
        let mut state = self.shared.state();
        state.incoming.clear();
        (state.records, state.bytes) = (0, 0);
        state.purge = false;
        self.shared.done.notify_all();
    }

    fn drop_all(&mut self) {
        self.unplaced.clear();
        self.resting_until = None;
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                let sent = partition.batches.iter();
                self.uncertain |= sent.clone().any(|batch| batch.sequence.is_some());
                partition.batches.clear();
            }
        }
    }

    /// The transaction has ended: nothing is part of it any more.
    pub(super) fn left(&mut self) {
        (self.enlisted, self.joined) = (false, false);
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                partition.enlisted = false;
            }
        }
    }

    /// Go on with another id or epoch, from the first sequence number.
    pub(super) fn begin_anew(&mut self, identity: Identity) {
        self.identity = Some(identity);
        self.uncertain = false;
        self.left();
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                partition.sequence = 0;
                for batch in &mut partition.batches {
                    batch.sequence = None;
                }
            }
        }
    }

    /// Partitions with batches, in the order of topics.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&str, i32, &Partition)> {
        self.topics.iter().flat_map(|(name, topic)| {
            topic
                .partitions
                .iter()
                .zip(0..)
                .filter(|(partition, _)| !partition.batches.is_empty())
                .map(|(partition, number)| (&**name, number, partition))
        })
    }

    pub(super) fn partition(&mut self, topic: &str, number: i32) -> Option<&mut Partition> {
        let topic = self.topics.get_mut(topic)?;
        topic.partitions.get_mut(usize::try_from(number).ok()?)
    }

    /// Whether a partition that a broker does not know may only be new to it.
    pub(super) fn may_come(&mut self, topic: &str, number: i32) -> bool {
        let propagation = self.settings.propagation;
        self.partition(topic, number)
            .and_then(|partition| partition.batches.front())
            .is_some_and(|batch| batch.since.elapsed() < propagation)
    }

    /// Do what can be done now for everything that waits.
    fn round(&mut self) {
        match self.attempt() {
            Ok(()) => (self.rest, self.resting_until) = (FIRST_REST, None),
            Err(Trouble::Passing(text, least)) => {
                self.shared.state().trouble = Some(text);
                let pause = if least == SOON {
                    SOON
                } else {
                    least.max(self.rest)
                };
                if least != SOON {
                    self.rest = (self.rest * 2).min(MOST_REST);
                }
                self.resting_until = Some(Instant::now() + pause);
            }
            Err(Trouble::Broken(error)) => self.give_up(Standing::Broken(error)),
            Err(Trouble::Over(error)) => self.give_up(Standing::Over(error)),
        }
    }

    /// Nothing can be delivered any more.
    fn give_up(&mut self, standing: Standing) {
        let standing = match standing {
            // There is no transaction to abort, after which it could go on.
            Standing::Broken(error) if self.settings.name.is_none() => Standing::Over(error),
            standing => standing,
        };
        self.drop_all();
        self.uncertain = true;
        let mut state = self.shared.state();
        state.standing = standing;
        state.incoming.clear();
        (state.records, state.bytes) = (0, 0);
        self.shared.done.notify_all();
    }

    fn attempt(&mut self) -> Attempt {
        self.expire();
        if self.is_idle() {
            return Ok(());
        }
        self.look_up()?;
        self.place();
        self.identify()?;
        self.enlist()?;
        self.produce()?;
        if self.unplaced.is_empty() {
            Ok(())
        } else {
            Err(Trouble::Passing(
                "a topic is not known yet".into(),
                FIRST_REST,
            ))
        }
    }

    /// Give up what has been on its way for too long.
    fn expire(&mut self) {
        let limit = self.settings.delivery;
        while self
            .unplaced
            .front()
            .is_some_and(|sent| sent.since.elapsed() >= limit)
        {
            if let Some(sent) = self.unplaced.pop_front() {
                self.fail_rows(&sent, code::MESSAGE_TIMED_OUT);
            }
        }
        let late: Vec<_> = self
            .waiting()
            .filter(|(_, _, partition)| partition.batches[0].since.elapsed() >= limit)
            .map(|(topic, number, _)| (topic.to_owned(), number))
            .collect();
        for (topic, number) in late {
            while let Some(batch) = self.pop_late(&topic, number, limit) {
                self.fail(&topic, number, batch, code::MESSAGE_TIMED_OUT);
            }
        }
    }

    fn pop_late(&mut self, topic: &str, number: i32, limit: Duration) -> Option<Batch> {
        let batches = &mut self.partition(topic, number)?.batches;
        let late = batches.front()?.since.elapsed() >= limit;
        if late { batches.pop_front() } else { None }
    }

    /// Learn of new topics, and of new leaders where the last were wrong.
    fn look_up(&mut self) -> Attempt {
        let refresh = self.settings.refresh;
        let mut names: Vec<Arc<str>> = self
            .unplaced
            .iter()
            .map(|sent| &sent.topic)
            .filter(|name| {
                let known = self.topics.get(*name);
                known.is_none_or(|topic| topic.looked_at.elapsed() >= refresh)
            })
            .cloned()
            .collect();
        if self.stale {
            let led = self.waiting().map(|(topic, _, _)| Arc::from(topic));
            names.extend(led);
        }
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Ok(());
        }
        let found = self.network.metadata(names.iter().map(|name| &**name))?;
        self.stale = false;
        let now = Instant::now();
        for (name, code, count) in found.topics {
            let name: Arc<str> = Arc::from(name);
            if code != 0 {
                self.refused.insert(name, code);
                continue;
            }
            self.refused.remove(&name);
            let topic = self.topics.entry(name).or_insert_with(|| Topic {
                partitions: Vec::new(),
                looked_at: now,
            });
            topic.looked_at = now;
            if topic.partitions.len() < count {
                topic.partitions.resize_with(count, Partition::default);
            }
            for partition in &mut topic.partitions {
                partition.leader = None;
            }
        }
        for (name, number, leader) in found.leaders {
            if let Some(partition) = self.partition(&name, number) {
                partition.leader = Some(leader);
            }
        }
        Ok(())
    }

    /// Put rows into batches of their partitions, as far as their topics are known.
    fn place(&mut self) {
        for sent in std::mem::take(&mut self.unplaced) {
            if self.topics.contains_key(&sent.topic) {
                self.place_rows(&sent);
                continue;
            }
            match self.refused.get(&sent.topic).copied() {
                Some(code @ (TOPIC_AUTHORIZATION | INVALID_TOPIC)) => {
                    self.fail_rows(&sent, code.into());
                }
                Some(UNKNOWN_TOPIC_OR_PARTITION)
                    if sent.since.elapsed() >= self.settings.propagation =>
                {
                    self.fail_rows(&sent, code::UNKNOWN_TOPIC);
                }
                _ => self.unplaced.push_back(sent),
            }
        }
    }

    fn place_rows(&mut self, sent: &Sent) {
        let Some(topic) = self.topics.get_mut(&sent.topic) else {
            return;
        };
        // It was looked at when it was handed over.
        let Ok(columns) = Columns::of(&sent.records) else {
            return;
        };
        let count = topic.partitions.len();
        let now = now_millis();
        let mut failures = Vec::new();
        let mut failed_bytes = 0;
        self.partitioner.turn();
        for row in 0..sent.records.num_rows() {
            let headers = columns.headers(row);
            let record = Record {
                key: columns.key(row),
                value: columns.value(row),
                timestamp: columns.timestamp(row).unwrap_or(now),
                headers: headers.as_ref(),
            };
            let origin = sent.origin(row);
            let chosen = columns.partition(row).filter(|number| *number >= 0);
            let number = match chosen {
                Some(number) => usize::try_from(number).unwrap_or(usize::MAX),
                None => self.partitioner.choose(record.key, count),
            };
            let most = record.most_bytes();
            let fault = if number >= count {
                code::UNKNOWN_PARTITION
            } else if record.content_bytes() > self.settings.record_bytes {
                code::MESSAGE_TOO_LARGE
            } else {
                0
            };
            if fault != 0 {
                let place = chosen.unwrap_or(-1);
                failures.push(Failure::of(sent.topic.to_string(), place, origin, fault));
                failed_bytes += record.cost();
                continue;
            }
            let batches = &mut topic.partitions[number].batches;
            let fits = batches.back().is_some_and(|batch| {
                batch.is_open()
                    && batch.len() + most <= self.settings.batch_bytes
                    && batch.count() < self.settings.batch_records
            });
            if !fits {
                let memory = self.memory.pop().unwrap_or_default();
                batches.push_back(Batch::new(memory, sent.since));
            }
            if let Some(batch) = batches.back_mut() {
                batch.append(&record, origin);
            }
        }
        self.settle(failures.len(), failed_bytes, failures);
    }

    /// Fetch the id of a producer without transactions.
    fn identify(&mut self) -> Attempt {
        if self.settings.name.is_some() || self.identity.is_some() {
            return Ok(());
        }
        let request = wire::identity_request(&self.settings.client, None, 0, None);
        let answer = self.network.ask_any(&request)?;
        let (code, identity) = wire::identity(answer).map_err(|_| Trouble::malformed())?;
        match code {
            0 => self.begin_anew(identity),
            31 | 53 => {
                return Err(Trouble::Over(Error {
                    fatal: true,
                    ..Error::new(self.library, code.into(), "")
                }));
            }
            _ => {
                let text = format!("no id for the producer yet (error {code})");
                return Err(Trouble::Passing(text, FIRST_REST));
            }
        }
        Ok(())
    }

    /// Send the first batch of each partition to its leader and see what becomes of it.
    fn produce(&mut self) -> Attempt {
        let Some(identity) = self.identity else {
            return Err(Trouble::Over(Error::local("not initialized")));
        };
        let transactional = self.settings.name.is_some();
        let mut wanted: BTreeMap<i32, Vec<(Arc<str>, usize)>> = BTreeMap::new();
        for (name, topic) in &self.topics {
            for (number, partition) in topic.partitions.iter().enumerate() {
                match (partition.batches.front(), partition.leader) {
                    (None, _) => {}
                    (Some(_), Some(leader)) => wanted
                        .entry(leader)
                        .or_default()
                        .push((Arc::clone(name), number)),
                    (Some(_), None) => self.stale = true,
                }
            }
        }
        let mut trouble = self.stale.then(|| "a partition has no leader".to_owned());
        let mut asked = Vec::new();
        self.turn = self.turn.wrapping_add(1);
        for (leader, mut places) in wanted {
            let Some(address) = self.network.address(leader).cloned() else {
                self.stale = true;
                continue;
            };
            self.choose(&mut places);
            for (name, number) in &places {
                if let Some(partition) = self
                    .topics
                    .get_mut(name)
                    .and_then(|topic| topic.partitions.get_mut(*number))
                {
                    partition.seal(&self.settings, transactional, identity)?;
                }
            }
            let memory = std::mem::take(&mut self.request);
            let batches: Vec<_> = places
                .iter()
                .filter_map(|(name, number)| {
                    let partition = &self.topics.get(name)?.partitions[*number];
                    let bytes = partition.batches.front()?.bytes();
                    Some((&**name, i32::try_from(*number).ok()?, bytes))
                })
                .collect();
            let (head, cuts) = wire::produce_request(
                memory,
                &self.settings.client,
                self.settings.name.as_deref(),
                self.settings.request_millis,
                &batches,
            );
            let mut pieces = Vec::with_capacity(2 * batches.len());
            let mut from = 0;
            for (cut, (_, _, bytes)) in cuts.into_iter().zip(&batches) {
                pieces.extend([IoSlice::new(&head[from..cut]), IoSlice::new(bytes)]);
                from = cut;
            }
            match self.network.send(&address, &mut pieces) {
                Ok(()) => asked.push((address, places)),
                Err(error) => trouble = Some(error.to_string()),
            }
            self.request = head;
        }
        let mut ended = None;
        let mut throttled = Duration::ZERO;
        for (address, places) in asked {
            let answer = match self.network.receive(&address) {
                Ok(answer) => wire::produced(answer).ok(),
                Err(error) => {
                    trouble = Some(error.to_string());
                    continue;
                }
            };
            let Some((found, millis)) = answer else {
                trouble = Some("a broker's answer cannot be read".to_owned());
                continue;
            };
            let millis = u64::try_from(millis).unwrap_or_default().min(1000);
            throttled = throttled.max(Duration::from_millis(millis));
            if found.len() < places.len() {
                trouble = Some("a broker's answer has gaps".to_owned());
            }
            for one in found {
                match self.take_in(&one) {
                    Ok(None) => {}
                    Ok(Some(code)) => {
                        let error = Error::new(self.library, code.into(), "");
                        trouble = Some(error.to_string());
                    }
                    Err(Trouble::Broken(error)) if error.code == INVALID_EPOCH.into() => {
                        ended = Some(self.older_epoch(&one.topic, one.partition));
                    }
                    Err(end) => ended = Some(end),
                }
            }
        }
        match (ended, trouble) {
            (Some(ended), _) => Err(ended),
            (None, Some(text)) => {
                self.stale = true;
                Err(Trouble::Passing(text, FIRST_REST.max(throttled)))
            }
            (None, None) => {
                if !throttled.is_zero() {
                    self.rest(throttled);
                }
                Ok(())
            }
        }
    }

    /// Keep as many partitions as one request takes, in the order of topics; others come first the next time.
    fn choose(&mut self, places: &mut Vec<(Arc<str>, usize)>) {
        let begin = self.turn % places.len().max(1);
        places.rotate_left(begin);
        let mut bytes = 0;
        places.retain(|(name, number)| {
            let first = self
                .topics
                .get(name)
                .and_then(|topic| topic.partitions[*number].batches.front());
            let room = bytes < MOST_REQUEST_BYTES;
            if room {
                bytes += first.map_or(0, Batch::len);
            }
            room
        });
        places.sort();
    }

    /// Note what became of a batch; gives the code where it is to be tried again.
    fn take_in(&mut self, produced: &Produced) -> Attempt<Option<i16>> {
        let may_come = self.may_come(&produced.topic, produced.partition);
        let Some(partition) = self.partition(&produced.topic, produced.partition) else {
            return Ok(None);
        };
        match verdict(produced.error) {
            Verdict::Written => {
                let Some(batch) = partition.batches.pop_front() else {
                    return Ok(None);
                };
                partition.sequence = following(batch.sequence.unwrap_or_default(), batch.count());
                if produced.offset >= 0 {
                    let place = (Arc::from(produced.topic.as_str()), produced.partition);
                    let end = produced.offset + batch.count() as i64;
                    let mut state = self.shared.state();
                    let known = state.delivered.entry(place).or_default();
                    *known = (*known).max(end);
                }
                self.settle(batch.count(), batch.cost(), Vec::new());
                self.keep(batch);
                Ok(None)
            }
            Verdict::Again if produced.error != UNKNOWN_TOPIC_OR_PARTITION || may_come => {
                Ok(Some(produced.error))
            }
            Verdict::OutOfStep if self.settings.name.is_none() => {
                // Records may be there twice then, which at least once allows.
                self.identity = None;
                Ok(Some(produced.error))
            }
            Verdict::OutOfStep => Err(Trouble::Broken(Error {
                abortable: true,
                ..Error::new(self.library, produced.error.into(), "")
            })),
            Verdict::Ended => Err(self.trouble(produced.error)),
            Verdict::Again | Verdict::Refused => {
                self.fail_waiting(&produced.topic, produced.partition, produced.error.into());
                Ok(None)
            }
        }
    }

    /// Give up the first batch of a partition.
    pub(super) fn fail_waiting(&mut self, topic: &str, number: i32, code: i32) {
        let Some(partition) = self.partition(topic, number) else {
            return;
        };
        if let Some(mut batch) = partition.batches.pop_front() {
            // The broker has said that it did not write it: its numbers are those of the next one.
            batch.sequence = None;
            self.fail(topic, number, batch, code);
        }
    }

    fn fail(&mut self, topic: &str, number: i32, batch: Batch, code: i32) {
        if batch.sequence.is_some() {
            if self.settings.name.is_some() {
                self.uncertain = true;
            } else {
                self.identity = None;
            }
        }
        let failures = batch.origins.iter();
        let failures = failures
            .map(|origin| Failure::of(topic.to_owned(), number, *origin, code))
            .collect();
        self.settle(batch.count(), batch.cost(), failures);
        self.keep(batch);
    }

    fn fail_rows(&self, sent: &Sent, code: i32) {
        let failures = (0..sent.records.num_rows())
            .map(|row| Failure::of(sent.topic.to_string(), -1, sent.origin(row), code));
        self.settle(sent.records.num_rows(), sent.bytes, failures.collect());
    }

    /// So much is not on its way any more.
    fn settle(&self, records: usize, bytes: usize, failures: Vec<Failure>) {
        if records == 0 {
            return;
        }
        let mut state = self.shared.state();
        state.records = state.records.saturating_sub(records);
        state.bytes = state.bytes.saturating_sub(bytes);
        state.failures.extend(failures);
        self.shared.done.notify_all();
    }

    fn keep(&mut self, batch: Batch) {
        if self.memory.len() < MOST_KEPT {
            self.memory.push(batch.into_memory());
        }
    }

    pub(super) fn timed_out(&self) -> Error {
        let trouble = self.shared.state().trouble.clone();
        let text = trouble.map_or("timed out".to_owned(), |text| format!("timed out: {text}"));
        Error {
            retriable: true,
            ..Error::new(self.library, code::TIMED_OUT, text)
        }
    }
}

impl Partition {
    fn seal(&mut self, settings: &Settings, transactional: bool, identity: Identity) -> Attempt {
        let next = self.sequence;
        let Some(batch) = self.batches.front_mut() else {
            return Ok(());
        };
        let sequence = batch.sequence.unwrap_or(next);
        batch
            .seal(settings.codec, transactional, identity, sequence)
            .map_err(|error| Trouble::Over(Error::local(error.to_string())))
    }
}

/// The number after so many; they begin anew at 0 after the largest.
fn following(sequence: i32, count: usize) -> i32 {
    ((i64::from(sequence) + count as i64) & i64::from(i32::MAX)) as i32
}

fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
