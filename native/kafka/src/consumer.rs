//! Reads records as Arrow batches.

mod around;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;

use crate::batch::Batches;
use crate::client::{Client, Events, lock, millis};
use crate::direct::fetch::{self, Direct, Trouble};
use crate::error::{Error, Result, code};
use crate::ffi::*;
use crate::group_offsets::{Asker, GroupOffset};
use crate::library::{Library, text};
use crate::partitions::{List, Position, c_string, copy, first_error};
use crate::queue::OwnedQueue;
use around::{Lent, Place, on_event};

/// How many messages are taken out of the queue at once: enough to spread the cost of a call, few enough that the
/// limit on bytes is kept closely.
const CHUNK: usize = 512;
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
const PROBE_WAIT: Duration = Duration::from_millis(100);
/// The call takes a millisecond; it waits for no broker.
const GIVE_BACK: Duration = Duration::from_secs(20);

/// What the group wants of this member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebalanceKind {
    Assign,
    Revoke,
    /// The partitions belong to somebody else already.
    Lost,
}

/// An event of the group that waits to be completed by `Consumer::complete`.
#[derive(Clone, Debug)]
pub struct Rebalance {
    pub kind: RebalanceKind,
    pub partitions: Vec<Position>,
}

/// What one look into the queue has given.
#[derive(Default)]
struct Taken {
    records: usize,
    ends: usize,
}

/// A consumer of a group, or of partitions named by hand.
pub struct Consumer {
    // Before the client: fields are dropped in order, and the queues must be gone first.
    queue: OwnedQueue,
    asker: Asker,
    client: Client,
    taken: Vec<*mut Message>,
    /// Where the end of a partition was met, by topic and partition: the position, if it is after the last record.
    /// Batches that compaction has emptied have offsets and no record.
    ends: HashMap<String, HashMap<i32, i64>>,
    next_probe: Instant,
    closing: bool,
    /// Met after records that had to be given first.
    fault: Option<Error>,
    /// Reads all partitions that it can read; librdkafka has them assigned and paused.
    direct: Option<Direct>,
    /// Partitions that librdkafka reads all the same.
    lent: HashMap<Place, Lent>,
    /// For how long each partition was lent the last time.
    hold_offs: HashMap<Place, Duration>,
    /// Partitions that were in trouble and are not with librdkafka yet.
    returning: Vec<(Position, Trouble)>,
    /// What the caller has paused.
    paused: HashSet<Place>,
    /// Whose turn it is, if both have something.
    direct_first: bool,
}

// SAFETY: `taken` is empty between calls.
unsafe impl Send for Consumer {}

/// What a thread needs to give partitions back.
struct GiveBack {
    handle: *mut Handle,
    list: List,
}

// SAFETY: librdkafka's handle may be used from any thread, and the list belongs to this alone.
unsafe impl Send for GiveBack {}

/// Give back these partitions, or everything where an assignment replaces the one before it.
fn unassign(library: &Library, handle: *mut Handle, eager: bool, list: &List) -> Result<()> {
    // SAFETY: the list outlives the call, which copies it.
    unsafe {
        if eager {
            Error::check(library, (library.assign)(handle, std::ptr::null()))
        } else {
            Error::take(
                library,
                (library.incremental_unassign)(handle, list.pointer),
            )
        }
    }
}

impl Consumer {
    /// # Errors
    /// A property is unknown, has a wrong value or contradicts another.
    pub fn new(library: &'static Library, properties: &BTreeMap<String, String>) -> Result<Self> {
        let direct = Direct::new(properties);
        let mut properties = properties.clone();
        properties.remove(fetch::PROPERTY);
        let properties = &properties;
        let client = Client::new(library, CONSUMER, properties)?;
        // SAFETY: the handle is a consumer's; the queue forgets the callback before what it is given goes (see Drop).
        let queue = unsafe {
            Error::check(library, (library.set_consumer)(client.handle))?;
            let queue = OwnedQueue::own(library, (library.queue_consumer)(client.handle));
            if let Some(direct) = &direct {
                let shared = direct.shared().cast_mut().cast();
                (library.queue_event_callback)(queue.pointer, Some(on_event), shared);
            }
            queue
        };
        Ok(Self {
            queue,
            asker: Asker::new(library, properties),
            client,
            taken: vec![std::ptr::null_mut(); CHUNK],
            ends: HashMap::new(),
            next_probe: Instant::now(),
            closing: false,
            fault: None,
            direct,
            lent: HashMap::new(),
            hold_offs: HashMap::new(),
            returning: Vec::new(),
            paused: HashSet::new(),
            direct_first: false,
        })
    }

    /// What the callbacks see; may be read from another thread.
    pub fn health(&self) -> Health {
        Health {
            events: Arc::clone(self.client.events()),
        }
    }

    pub fn subscribe(&self, topics: &[String]) -> Result<()> {
        let positions: Vec<_> = topics
            .iter()
            .map(|topic| Position {
                topic: topic.clone(),
                partition: -1,
                offset: OFFSET_INVALID,
            })
            .collect();
        let list = self.list(&positions)?;
        self.check(unsafe { (self.library().subscribe)(self.client.handle, list.pointer) })
    }

    /// Read exactly these partitions.
    pub fn assign(&mut self, positions: &[Position]) -> Result<()> {
        self.ends.clear();
        self.paused.clear();
        self.forget_all();
        let list = self.list(positions)?;
        self.check(unsafe { (self.library().assign)(self.client.handle, list.pointer) })?;
        self.read_directly(positions, false)
    }

    /// Take up to `max_records` records, or about `max_bytes`.
    ///
    /// Waits up to `timeout` for the first and up to `linger` for more. Returns at once, with what it has, when the
    /// group has an event: see `rebalance`.
    ///
    /// # Errors
    /// A fault that waiting does not mend; records before it have been given by then.
    pub fn poll(
        &mut self,
        max_records: usize,
        max_bytes: usize,
        timeout: Duration,
        linger: Duration,
    ) -> Result<Vec<RecordBatch>> {
        if self.rebalance().is_some() || max_records == 0 {
            return Ok(Vec::new());
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let batches = if self.has_direct() {
            self.poll_both(max_records, max_bytes, timeout, linger)?
        } else {
            self.poll_queue(max_records, max_bytes, timeout, linger)?
        };
        if !batches.is_empty() {
            self.client.events().up();
            return batches.finish();
        }
        self.look_for_broker();
        match self.fault.take().or_else(|| self.client.fault()) {
            Some(fault) => Err(fault),
            None => Ok(Vec::new()),
        }
    }

    /// What librdkafka has read.
    fn poll_queue(
        &mut self,
        max_records: usize,
        max_bytes: usize,
        timeout: Duration,
        linger: Duration,
    ) -> Result<Batches> {
        let mut batches = Batches::default();
        let mut records = self.take_first(timeout, &mut batches)?;
        if records == 0 {
            return Ok(batches);
        }
        let end = Instant::now() + linger;
        while records < max_records
            && batches.bytes() < max_bytes
            && self.fault.is_none()
            && self.rebalance().is_none()
        {
            let wait = end.saturating_duration_since(Instant::now());
            let taken = self.take(max_records - records, wait, &mut batches)?;
            records += taken.records;
            if taken.records == 0 && Instant::now() >= end {
                break;
            }
        }
        Ok(batches)
    }

    /// The event of the group that waits, if any.
    pub fn rebalance(&self) -> Option<Rebalance> {
        lock(&self.client.events().rebalances).front().cloned()
    }

    /// Carry the waiting event out, from the offsets given for an assignment.
    pub fn complete(&mut self, positions: &[Position]) -> Result<()> {
        self.forget_ends(positions);
        let Some(event) = lock(&self.client.events().rebalances).pop_front() else {
            return Err(Error::local("the group has no event to complete"));
        };
        let library = self.library();
        let handle = self.client.handle;
        let eager = unsafe { text((library.rebalance_protocol)(handle)) } == "EAGER";
        let list = self.list(positions)?;
        if eager {
            self.forget_all();
        }
        if event.kind != RebalanceKind::Assign {
            self.forget(&event.partitions);
        }
        if self.closing && event.kind != RebalanceKind::Assign {
            return self.give_back(eager, list);
        }
        if event.kind != RebalanceKind::Assign {
            return unassign(library, handle, eager, &list);
        }
        // SAFETY: the list outlives the calls, which copy it.
        unsafe {
            if eager {
                self.check((library.assign)(handle, list.pointer))?;
            } else {
                Error::take(library, (library.incremental_assign)(handle, list.pointer))?;
            }
        }
        self.read_directly(positions, false)
    }

    /// Give partitions back while leaving.
    ///
    /// Seen once, in the test suite under load: librdkafka 2.16 never answers. The client is left to itself then, and the
    /// broker finds out by the time-out of the session.
    fn give_back(&mut self, eager: bool, list: List) -> Result<()> {
        let library = self.library();
        let call = GiveBack {
            handle: self.client.handle,
            list,
        };
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let call = call;
            // The client is not freed before the call is back.
            let result = unassign(library, call.handle, eager, &call.list);
            let _ = tell.send(result);
        });
        told.recv_timeout(GIVE_BACK).unwrap_or_else(|_| {
            self.client.abandon();
            Ok(())
        })
    }

    /// Whether partitions come and go one by one; otherwise an assignment replaces the one before it.
    pub fn incremental(&self) -> bool {
        // SAFETY: a static string.
        unsafe { text((self.library().rebalance_protocol)(self.client.handle)) == "COOPERATIVE" }
    }

    /// Begin to read partitions that were left out when the assignment was completed.
    pub fn add(&mut self, positions: &[Position]) -> Result<()> {
        self.forget_ends(positions);
        let list = self.list(positions)?;
        // SAFETY: the list outlives the call, which copies it.
        unsafe {
            let added = (self.library().incremental_assign)(self.client.handle, list.pointer);
            Error::take(self.library(), added)?;
        }
        self.read_directly(positions, false)
    }

    pub fn assignment(&self) -> Result<Vec<Position>> {
        let mut pointer = std::ptr::null_mut();
        self.check(unsafe { (self.library().assignment)(self.client.handle, &raw mut pointer) })?;
        unsafe { List::own(self.library(), pointer) }.positions()
    }

    pub fn pause(&mut self, partitions: &[Position]) -> Result<()> {
        self.hold(partitions, true)
    }

    pub fn resume(&mut self, partitions: &[Position]) -> Result<()> {
        self.hold(partitions, false)
    }

    /// Go on reading elsewhere; records that were fetched before are not given any more.
    pub fn seek(&mut self, positions: &[Position], timeout: Duration) -> Result<()> {
        let mut rest = Vec::new();
        for position in positions {
            self.move_lent(position);
            match &self.direct {
                Some(direct) if direct.holds(position) => direct.seek(position),
                _ => rest.push(position.clone()),
            }
        }
        if rest.is_empty() {
            Ok(())
        } else {
            self.seek_queue(&rest, timeout)
        }
    }

    fn seek_queue(&mut self, positions: &[Position], timeout: Duration) -> Result<()> {
        self.forget_ends(positions);
        let list = self.list(positions)?;
        let library = self.library();
        // SAFETY: waits until each partition has taken the new offset, so that a later poll gives nothing older.
        unsafe {
            Error::take(
                library,
                (library.seek)(self.client.handle, list.pointer, millis(timeout).max(1)),
            )?;
        }
        list.positions().map(drop)
    }

    /// The offset after the last record given, of each partition, or the end if it was met behind it; -1001 where
    /// nothing was met since the assignment or a seek.
    pub fn positions(&self, partitions: &[Position]) -> Result<Vec<Position>> {
        let mut found = self.queue_positions(partitions)?;
        for place in &mut found {
            place.offset = self.position_around(place).unwrap_or(place.offset);
        }
        Ok(found)
    }

    /// The positions that librdkafka has reached.
    fn queue_positions(&self, partitions: &[Position]) -> Result<Vec<Position>> {
        let list = self.list(partitions)?;
        self.check(unsafe { (self.library().position)(self.client.handle, list.pointer) })?;
        // A partition that is still to be assigned is not known yet: no position, no fault.
        let mut found = unsafe { copy(&*list.pointer) };
        for place in &mut found {
            let end = self
                .ends
                .get(&place.topic)
                .and_then(|ends| ends.get(&place.partition));
            place.offset = end.map_or(place.offset, |end| place.offset.max(*end));
        }
        Ok(found)
    }

    /// The committed offsets; -1001 where there is none.
    pub fn committed(&self, partitions: &[Position], timeout: Duration) -> Result<Vec<Position>> {
        self.client.keep_brokers();
        let list = self.list(partitions)?;
        self.check(unsafe {
            (self.library().committed)(self.client.handle, list.pointer, millis(timeout))
        })?;
        list.positions()
    }

    /// Ask what the group has committed; `group_offsets` gives the answer. A question that is still open is forgotten.
    ///
    /// Offsets are those that no open transaction can change any more; see `group_offsets.rs`.
    pub fn ask_group_offsets(
        &mut self,
        group: &str,
        partitions: &[Position],
        timeout: Duration,
    ) -> Result<()> {
        self.client.keep_brokers();
        // SAFETY: the asker is dropped before the client.
        unsafe {
            self.asker
                .ask(self.client.handle, group, partitions, timeout)
        }
    }

    /// The answer to `ask_group_offsets`, if it comes within `wait`; it is given once.
    pub fn group_offsets(&mut self, wait: Duration) -> Result<Option<Vec<GroupOffset>>> {
        self.asker.answer(wait)
    }

    /// Commit and wait for the answer; `_TIMED_OUT` if it has not come in time. The commit may then still happen.
    pub fn commit(&self, positions: &[Position], timeout: Duration) -> Result<()> {
        self.client.keep_brokers();
        // librdkafka's own synchronous commit waits for as long as no broker answers.
        let list = self.list(positions)?;
        let library = self.library();
        let none = std::ptr::null_mut();
        // SAFETY: the queue and the event are ours and freed here; an answer that comes later finds the queue disabled.
        unsafe {
            let queue = (library.queue_new)(self.client.handle);
            let asked = (library.commit_queue)(self.client.handle, list.pointer, queue, none, none);
            let answered = self.check(asked).and_then(|()| {
                let event = (library.queue_poll)(queue, millis(timeout));
                if event.is_null() {
                    return Err(Error::new(library, code::TIMED_OUT, ""));
                }
                let partitions = (library.event_partitions)(event);
                let each = if partitions.is_null() {
                    Ok(())
                } else {
                    first_error(library, &*partitions)
                };
                let answered = self.check((library.event_error)(event)).and(each);
                (library.event_destroy)(event);
                answered
            });
            (library.queue_destroy)(queue);
            answered
        }
    }

    /// The first and the end offset (the last stable one under `read_committed`).
    pub fn watermarks(&self, topic: &str, partition: i32, timeout: Duration) -> Result<(i64, i64)> {
        self.client.keep_brokers();
        let name = c_string(topic)?;
        let (mut low, mut high) = (0, 0);
        let result = unsafe {
            (self.library().watermarks)(
                self.client.handle,
                name.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
                millis(timeout),
            )
        };
        self.check(result).map(|()| (low, high))
    }

    /// The end offsets as the brokers last told with records: nothing is asked. Without regard to transactions.
    pub fn known_ends(&self, partitions: &[Position]) -> Result<Vec<Position>> {
        let mut found = Vec::new();
        for place in partitions {
            if let Some(offset) = self.direct.as_ref().and_then(|direct| direct.end(place)) {
                let place = place.clone();
                found.push(Position { offset, ..place });
                continue;
            }
            let name = c_string(&place.topic)?;
            let (mut low, mut high) = (0, 0);
            let result = unsafe {
                (self.library().known_watermarks)(
                    self.client.handle,
                    name.as_ptr(),
                    place.partition,
                    &raw mut low,
                    &raw mut high,
                )
            };
            if result == 0 && high >= 0 {
                found.push(Position {
                    offset: high,
                    ..place.clone()
                });
            }
        }
        Ok(found)
    }

    /// For each partition the first offset whose timestamp is not before `offset`, read as milliseconds; -1 if there is none.
    pub fn offsets_for_times(
        &self,
        times: &[Position],
        timeout: Duration,
    ) -> Result<Vec<Position>> {
        self.client.keep_brokers();
        let list = self.list(times)?;
        self.check(unsafe {
            (self.library().offsets_for_times)(self.client.handle, list.pointer, millis(timeout))
        })?;
        list.positions()
    }

    /// The number of partitions of a topic; None if the broker does not know it.
    pub fn partition_count(&self, topic: &str, timeout: Duration) -> Result<Option<i32>> {
        self.client.partition_count(topic, timeout)
    }

    /// The group's metadata, packed for `Producer::send_offsets`.
    pub fn group_metadata(&self) -> Result<Vec<u8>> {
        let library = self.library();
        // SAFETY: the buffer that write allocates is freed by mem_free after it was copied.
        unsafe {
            let metadata = (library.group_metadata)(self.client.handle);
            if metadata.is_null() {
                return Err(Error::local("this consumer belongs to no group"));
            }
            let (mut buffer, mut size) = (std::ptr::null_mut(), 0);
            let written = Error::take(
                library,
                (library.group_metadata_write)(metadata, &raw mut buffer, &raw mut size),
            );
            (library.group_metadata_destroy)(metadata);
            written?;
            let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), size).to_vec();
            (library.mem_free)(std::ptr::null_mut(), buffer);
            Ok(bytes)
        }
    }

    /// Begin to leave the group; then serve events by `close_step` until it says that all is done.
    pub fn begin_close(&mut self) -> Result<()> {
        if self.closing {
            return Ok(());
        }
        self.closing = true;
        let library = self.library();
        unsafe {
            Error::take(
                library,
                (library.consumer_close)(self.client.handle, self.queue.pointer),
            )
        }
    }

    /// Wait for the next event of the departure; true when it is complete. Records are thrown away.
    pub fn close_step(&mut self, wait: Duration) -> bool {
        let library = self.library();
        if self.client.is_abandoned()
            || unsafe { (library.consumer_closed)(self.client.handle) } != 0
        {
            return true;
        }
        if self.rebalance().is_none() {
            // Errors of a departure are of no use to anybody.
            let _ = self.take(CHUNK, wait, &mut Batches::default());
        }
        unsafe { (library.consumer_closed)(self.client.handle) != 0 }
    }

    /// Wait for a record, past the ends of partitions.
    fn take_first(&mut self, timeout: Duration, batches: &mut Batches) -> Result<usize> {
        let deadline = Instant::now() + timeout;
        loop {
            let wait = deadline.saturating_duration_since(Instant::now());
            let Taken { records, ends } = self.take(1, wait, batches)?;
            if records > 0 || ends == 0 || Instant::now() >= deadline || self.rebalance().is_some()
            {
                return Ok(records);
            }
        }
    }

    fn forget_ends(&mut self, positions: &[Position]) {
        for place in positions {
            if let Some(ends) = self.ends.get_mut(&place.topic) {
                ends.remove(&place.partition);
            }
        }
    }

    /// Move messages from the queue into the batches, and take note of ends.
    fn take(&mut self, most: usize, wait: Duration, batches: &mut Batches) -> Result<Taken> {
        let library = self.client.library;
        let most = most.min(CHUNK);
        let count = unsafe {
            (library.consume_batch)(
                self.queue.pointer,
                millis(wait),
                self.taken.as_mut_ptr(),
                most,
            )
        };
        let Ok(count) = usize::try_from(count) else {
            return Err(Error::new(library, unsafe { (library.last_error)() }, ""));
        };
        let mut taken = Taken::default();
        let mut result = Ok(());
        // Of a partition that was paused a moment ago, something may be on its way.
        let mut stale = (std::ptr::null_mut(), 0, false);
        for pointer in &mut self.taken[..count] {
            // SAFETY: the message is ours until it is destroyed here, whatever happens.
            unsafe {
                let message = &**pointer;
                if message.err == code::PARTITION_EOF {
                    taken.ends += 1;
                    let topic = text((library.topic_name)(message.topic));
                    let ends = self.ends.entry(topic).or_default();
                    ends.insert(message.partition, message.offset);
                } else if message.err != 0 {
                    if let Some(fault) = self.client.consumer_error(message) {
                        self.fault.get_or_insert(fault);
                    }
                } else if result.is_ok() {
                    if let Some(direct) = &self.direct
                        && (stale.0, stale.1) != (message.topic, message.partition)
                    {
                        let (topic, offset) = (text((library.topic_name)(message.topic)), 0);
                        let partition = message.partition;
                        let place = Position {
                            topic,
                            partition,
                            offset,
                        };
                        stale = (message.topic, partition, direct.holds(&place));
                    }
                    if stale.2 {
                        (library.message_destroy)(*pointer);
                        *pointer = std::ptr::null_mut();
                        continue;
                    }
                    taken.records += 1;
                    result = batches.push(library, message);
                }
                (library.message_destroy)(*pointer);
                *pointer = std::ptr::null_mut();
            }
        }
        result.map(|()| taken)
    }

    fn look_for_broker(&mut self) {
        self.client.keep_brokers();
        let events = self.client.events();
        let down = events.down.load(Ordering::Relaxed);
        if !down && !events.connected.load(Ordering::Relaxed) && self.client.knows_brokers() {
            events.up();
        }
        if down && Instant::now() >= self.next_probe {
            self.client.probe(PROBE_WAIT);
            self.next_probe = Instant::now() + PROBE_INTERVAL;
        }
    }

    fn library(&self) -> &'static Library {
        self.client.library
    }

    fn list(&self, positions: &[Position]) -> Result<List> {
        List::new(self.library(), positions)
    }

    fn check(&self, code: i32) -> Result<()> {
        Error::check(self.library(), code)
    }
}

impl Client {
    /// Tell faults that need somebody's hand from those that pass.
    unsafe fn consumer_error(&self, message: &Message) -> Option<Error> {
        let detail = unsafe {
            let topic = if message.topic.is_null() {
                String::new()
            } else {
                text((self.library.topic_name)(message.topic))
            };
            let reason = text((self.library.message_error)(message));
            if topic.is_empty() {
                reason
            } else {
                format!("{topic} [{}]: {reason}", message.partition)
            }
        };
        match message.err {
            code::UNKNOWN_TOPIC
            | code::UNKNOWN_TOPIC_OR_PARTITION
            | code::UNKNOWN_PARTITION
            | code::TOPIC_AUTHORIZATION
            | code::GROUP_AUTHORIZATION
            | code::CLUSTER_AUTHORIZATION
            | code::UNSUPPORTED_VERSION
            | code::AUTO_OFFSET_RESET
            | code::FENCED_INSTANCE => Some(
                self.fault()
                    .unwrap_or_else(|| Error::new(self.library, message.err, detail)),
            ),
            // May come before the client's own callback has told the cause.
            code::FATAL => Some(self.fatal()),
            _ => {
                self.events().faults.fetch_add(1, Ordering::Relaxed);
                *lock(&self.events().last) = Some((message.err, detail));
                None
            }
        }
    }
}

/// The state of a client, readable from any thread at any time.
#[derive(Clone)]
pub struct Health {
    events: Arc<Events>,
}

impl Health {
    /// Whether a broker is connected, as far as is known.
    pub fn healthy(&self) -> bool {
        !self.events.down.load(Ordering::Relaxed)
    }

    /// How many error events there were, and the text of the last one.
    pub fn faults(&self) -> (u64, Option<String>) {
        let last = lock(&self.events.last)
            .as_ref()
            .map(|(_, reason)| reason.clone());
        (self.events.faults.load(Ordering::Relaxed), last)
    }
}
