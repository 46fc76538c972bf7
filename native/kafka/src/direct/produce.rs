//! Writes records straight to the brokers that lead their partitions, around librdkafka's cost of every single message.
//!
//! The caller hands Arrow batches over and waits, or goes on; one thread (`sender`) does all the rest: it puts the rows into
//! batches of the log, one after the other for each partition, has them acknowledged by all replicas, repeats what did not
//! arrive under the same sequence numbers, and speaks with the coordinators of transactions and groups.

mod batch;
mod network;
mod partitioner;
mod sender;
mod settings;
mod transaction;
mod wire;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;

use crate::client::lock;
use crate::columns::Columns;
use crate::error::{Error, Result, code};
use crate::library::{Library, text};
use crate::partitions::Position;
use crate::producer::Failure;
use sender::Sender;
pub(crate) use settings::{PROPERTY, Settings};
use wire::Member;

/// After so long a broker that does not answer is hung up on, where what was sent to it is to be thrown away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Beyond its deadline a call is given so long to come back by itself.
const SLACK: Duration = Duration::from_millis(500);

/// What the thread is asked to do when everything that was sent before is delivered.
#[derive(Clone, Debug)]
enum Call {
    Init,
    Offsets(Arc<(Vec<Position>, Member)>),
    Commit,
    Abort,
}

/// Rows on their way to the thread.
struct Sent {
    topic: Arc<str>,
    records: RecordBatch,
    /// Of the caller's batch, and of the first of these rows in it.
    number: u32,
    first: usize,
    /// Bytes of keys and values.
    bytes: usize,
    since: Instant,
}

impl Sent {
    /// What `Failure::of` takes of a row.
    fn origin(&self, row: usize) -> u64 {
        u64::from(self.number) << 32 | (self.first + row) as u64
    }
}

/// How it stands with transactions.
#[derive(Debug, Default)]
enum Standing {
    /// There are none, or none yet.
    #[default]
    None,
    Ready,
    Open,
    /// The open one can only be aborted.
    Broken(Error),
    /// No other will ever be.
    Over(Error),
}

#[derive(Default)]
struct State {
    incoming: VecDeque<Sent>,
    /// Sent and neither delivered nor failed.
    records: usize,
    bytes: usize,
    /// Not begun yet; whoever waits for it no longer takes it back.
    call: Option<(Call, Instant)>,
    calling: bool,
    answer: Option<Result<()>>,
    /// Everything on its way is to be thrown away.
    purge: bool,
    standing: Standing,
    failures: Vec<Failure>,
    delivered: BTreeMap<(Arc<str>, i32), i64>,
    /// What a broker, or the way to it, last said.
    trouble: Option<String>,
    /// To hang up on them.
    connections: HashMap<(String, u16), TcpStream>,
    stopped: bool,
}

struct Shared {
    state: Mutex<State>,
    /// For the thread: there may be something to do.
    work: Condvar,
    /// For the caller: something is done.
    done: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn hang_up(&mut self) {
        for (_, connection) in self.connections.drain() {
            // It may be gone already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// A producer with a thread of its own, which ends when this is dropped.
pub(crate) struct Producer {
    library: &'static Library,
    shared: Arc<Shared>,
    topics: HashMap<String, Arc<str>>,
    next_number: u32,
    limits: (usize, usize),
}

impl Producer {
    pub(crate) fn new(library: &'static Library, settings: Settings) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let limits = (settings.most_bytes, settings.most_records);
        let sender = Sender::new(library, settings, Arc::clone(&shared));
        let watched = Arc::clone(&shared);
        std::thread::spawn(move || {
            let _end = End(watched);
            sender.run();
        });
        Self {
            library,
            shared,
            topics: HashMap::new(),
            next_number: 0,
            limits,
        }
    }

    /// Wait on the thread until `ready` gives something, or time is up.
    fn wait<T>(&self, until: Instant, mut ready: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.shared.state();
        loop {
            if let Some(found) = ready(&mut state) {
                return Some(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.shared.done.wait_timeout(state, left);
            state = waited.unwrap_or_else(|poison| poison.into_inner()).0;
        }
    }

    /// Have the thread do something, and wait for it.
    fn call(&self, call: Call, deadline: Instant) -> Result<()> {
        // One that was given up may still be on its way.
        let free = self.wait(deadline + SLACK, |state| (!state.calling).then_some(()));
        if free.is_some() {
            {
                let mut state = self.shared.state();
                if let Standing::Over(error) = &state.standing {
                    return Err(error.clone());
                }
                state.answer = None;
                state.call = Some((call, deadline));
            }
            self.shared.work.notify_all();
            let answer = self.wait(deadline + SLACK, |state| state.answer.take());
            if let Some(answer) = answer {
                return answer;
            }
            self.shared.state().call = None;
        }
        Err(self.timed_out())
    }

    /// Hand rows over when there is room for them; false where they will never be sent.
    fn enqueue(&self, sent: Sent) -> bool {
        let mut state = self.shared.state();
        let (most_bytes, most_records) = self.limits;
        // Rows that are larger than the queue have it for themselves.
        while state.records > 0
            && (state.bytes + sent.bytes > most_bytes || state.records >= most_records)
        {
            let waited = self.shared.done.wait(state);
            state = waited.unwrap_or_else(|poison| poison.into_inner());
        }
        if matches!(state.standing, Standing::Broken(_) | Standing::Over(_)) {
            return false;
        }
        state.records += sent.records.num_rows();
        state.bytes += sent.bytes;
        state.incoming.push_back(sent);
        self.shared.work.notify_all();
        true
    }

    fn timed_out(&self) -> Error {
        let trouble = self.shared.state().trouble.clone();
        let text = trouble.map_or("timed out".to_owned(), |text| format!("timed out: {text}"));
        Error {
            retriable: true,
            ..Error::new(self.library, code::TIMED_OUT, text)
        }
    }

    fn bad_state(&self) -> Error {
        Error::new(self.library, code::STATE, "")
    }
}

impl crate::producer::Producer for Producer {
    fn is_direct(&self) -> bool {
        true
    }

    fn send(&mut self, topic: &str, records: &RecordBatch) -> Result<u32> {
        let bytes = Columns::of(records)?.bytes();
        if u32::try_from(records.num_rows()).is_err() {
            return Err(Error::local("a batch has too many rows"));
        }
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        if records.num_rows() == 0 {
            return Ok(number);
        }
        let name = match self.topics.get(topic) {
            Some(name) => Arc::clone(name),
            None => {
                let name: Arc<str> = Arc::from(topic);
                self.topics.insert(topic.to_owned(), Arc::clone(&name));
                name
            }
        };
        // What is larger than the queue goes piece by piece: what is put into batches takes memory again.
        let (rows, pieces) = (records.num_rows(), bytes.div_ceil(self.limits.0 / 2 + 1));
        let most = rows.div_ceil(pieces.max(1));
        for first in (0..rows).step_by(most) {
            let records = records.slice(first, most.min(rows - first));
            let sent = Sent {
                topic: Arc::clone(&name),
                bytes: Columns::of(&records)?.bytes(),
                records,
                number,
                first,
                since: Instant::now(),
            };
            if !self.enqueue(sent) {
                // `flush` and `commit` know why.
                break;
            }
        }
        Ok(number)
    }

    fn flush(&self, timeout: Duration) -> Result<bool> {
        let done = self.wait(Instant::now() + timeout, |state| match &state.standing {
            // What it refuses to deliver tells more than that the transaction is broken.
            Standing::Broken(error) if state.failures.is_empty() => Some(Err(error.clone())),
            Standing::Over(error) => Some(Err(error.clone())),
            _ => (state.records == 0).then_some(Ok(true)),
        });
        done.unwrap_or(Ok(false))
    }

    fn failures(&self) -> Vec<Failure> {
        std::mem::take(&mut self.shared.state().failures)
    }

    fn failed(&self) -> bool {
        !self.shared.state().failures.is_empty()
    }

    fn delivered(&self) -> Vec<Position> {
        let state = self.shared.state();
        let places = state.delivered.iter();
        places
            .map(|((topic, partition), offset)| Position {
                topic: topic.to_string(),
                partition: *partition,
                offset: *offset,
            })
            .collect()
    }

    fn queued(&self) -> i32 {
        i32::try_from(self.shared.state().records).unwrap_or(i32::MAX)
    }

    fn init_transactions(&self, timeout: Duration) -> Result<()> {
        self.call(Call::Init, Instant::now() + timeout)
    }

    fn begin(&self) -> Result<()> {
        let mut state = self.shared.state();
        match &state.standing {
            Standing::Ready => {
                state.standing = Standing::Open;
                Ok(())
            }
            Standing::Broken(error) | Standing::Over(error) => Err(error.clone()),
            Standing::None | Standing::Open => Err(self.bad_state()),
        }
    }

    fn send_offsets(&self, offsets: &[Position], group: &[u8], timeout: Duration) -> Result<()> {
        let member = member(self.library, group)?;
        let mut offsets = offsets.to_vec();
        offsets.sort_by(|left, right| left.topic.cmp(&right.topic));
        self.call(
            Call::Offsets(Arc::new((offsets, member))),
            Instant::now() + timeout,
        )
    }

    fn commit(&self, timeout: Duration) -> Result<()> {
        self.call(Call::Commit, Instant::now() + timeout)
    }

    fn abort(&self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        self.purge();
        let purged = |state: &mut State| (!state.purge).then_some(());
        if self
            .wait(deadline.min(Instant::now() + PATIENCE), purged)
            .is_none()
        {
            self.shared.state().hang_up();
            if self.wait(deadline, purged).is_none() {
                return Err(self.timed_out());
            }
        }
        self.call(Call::Abort, deadline)
    }

    fn purge(&self) {
        self.shared.state().purge = true;
        self.shared.work.notify_all();
    }
}

/// Tells the caller where the thread ends by a fault of its own.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if std::thread::panicking() {
            let error = Error::local("the thread that sends records has failed");
            state.standing = Standing::Over(Error {
                fatal: true,
                ..error.clone()
            });
            (state.records, state.bytes, state.purge) = (0, 0, false);
            state.answer = Some(Err(error));
            self.0.done.notify_all();
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.stopped = true;
        state.hang_up();
        self.shared.work.notify_all();
    }
}

/// Read what a consumer's `group_metadata` wrote.
fn member(library: &Library, written: &[u8]) -> Result<Member> {
    let mut metadata = std::ptr::null_mut();
    // SAFETY: read copies the bytes; the texts belong to the object and are copied before it goes.
    unsafe {
        Error::take(
            library,
            (library.group_metadata_read)(
                &raw mut metadata,
                written.as_ptr().cast(),
                written.len(),
            ),
        )?;
        let instance = (library.group_metadata_instance)(metadata);
        let member = Member {
            group: text((library.group_metadata_group)(metadata)),
            generation: (library.group_metadata_generation)(metadata),
            member: text((library.group_metadata_member)(metadata)),
            instance: (!instance.is_null()).then(|| text(instance)),
        };
        (library.group_metadata_destroy)(metadata);
        Ok(member)
    }
}
/// One batch of all these rows, as it is sent in a transaction.
pub(crate) fn one_batch(columns: &Columns<'_>, rows: usize) -> Vec<u8> {
    let mut batch = batch::Batch::new(Vec::new(), Instant::now());
    for row in 0..rows {
        let headers = columns.headers(row);
        let record = batch::Record {
            key: columns.key(row),
            value: columns.value(row),
            timestamp: columns.timestamp(row).unwrap_or_default(),
            headers: headers.as_ref(),
        };
        batch.append(&record, row as u64);
    }
    let identity = wire::Identity { id: 1, epoch: 0 };
    // Nothing is packed, so nothing fails.
    let _ = batch.seal(batch::Codec::None, true, identity, 0);
    batch.into_memory()
}
