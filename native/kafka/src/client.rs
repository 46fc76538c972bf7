//! One librdkafka client: its configuration, its callbacks and its end.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::consumer::{Rebalance, RebalanceKind};
use crate::error::{Error, Result, code};
use crate::ffi::*;
use crate::library::{Library, text};
use crate::partitions::{c_string, copy};
use crate::producer::Failure;

/// How often a client that knows no broker is given the ones of its configuration.
const BOOTSTRAP_INTERVAL: Duration = Duration::from_secs(1);

/// A topic of every cluster with transactions. Without a topic, the brokers would tell of all that there are.
const TRANSACTIONS: &str = "__transaction_state";

/// What the callbacks have seen. They run on threads of librdkafka and on ours, and only ever write here.
#[derive(Default)]
pub(crate) struct Events {
    /// No broker is connected, as far as librdkafka has told.
    pub(crate) down: AtomicBool,
    /// A broker has answered at least once.
    pub(crate) connected: AtomicBool,
    /// Error events of any kind, and log lines that were swallowed.
    pub(crate) faults: AtomicU64,
    pub(crate) last: Mutex<Option<(i32, String)>>,
    pub(crate) refused: Mutex<Option<(i32, String)>>,
    pub(crate) fatal: Mutex<Option<Error>>,
    pub(crate) rebalances: Mutex<VecDeque<Rebalance>>,
    pub(crate) failures: Mutex<Vec<Failure>>,
    /// The offset after the last record delivered, by topic and partition; kept where the client reports deliveries.
    pub(crate) delivered: Mutex<HashMap<(usize, i32), i64>>,
}

/// A mutex is poisoned only if a panic struck while plain data was being moved; the data is still whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

/// A client handle; dropping it ends the client without leaving the group.
pub(crate) struct Client {
    pub(crate) library: &'static Library,
    pub(crate) handle: *mut Handle,
    events: Box<Callbacks>,
    /// The addresses of the configuration, and when they may be given to the client again.
    bootstrap: CString,
    next_bootstrap: Mutex<Instant>,
    /// A call to it has not come back: it can never be freed.
    abandoned: bool,
}

pub(crate) struct Callbacks {
    library: &'static Library,
    pub(crate) events: std::sync::Arc<Events>,
}

// SAFETY: librdkafka's handle may be used from any thread, and `Events` is made of atomics and mutexes.
unsafe impl Send for Client {}
unsafe impl Sync for Client {}

impl Client {
    pub(crate) fn new(
        library: &'static Library,
        kind: c_int,
        properties: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let bootstrap = c_string(
            properties
                .get("bootstrap.servers")
                .map_or("", String::as_str),
        )?;
        let callbacks = Box::new(Callbacks {
            library,
            events: std::sync::Arc::default(),
        });
        let mut reason = [0 as c_char; 512];
        // SAFETY: the configuration belongs to us until rd_kafka_new takes it over; the callbacks' box lives as long
        // as the handle, because both are fields of the client and the handle is destroyed first (see Drop).
        unsafe {
            let conf = configuration(library, properties)?;
            (library.conf_set_opaque)(
                conf,
                std::ptr::from_ref::<Callbacks>(&callbacks)
                    .cast_mut()
                    .cast(),
            );
            (library.conf_set_error)(conf, Some(on_error));
            if !properties.contains_key("debug") {
                (library.conf_set_log)(conf, Some(on_log));
            }
            if kind == PRODUCER {
                (library.conf_set_delivery)(conf, Some(on_delivery));
            } else {
                (library.conf_set_rebalance)(conf, Some(on_rebalance));
            }
            let handle = (library.new)(kind, conf, reason.as_mut_ptr(), reason.len());
            if handle.is_null() {
                (library.conf_destroy)(conf);
                return Err(Error::local(text(reason.as_ptr())));
            }
            Ok(Self {
                library,
                handle,
                events: callbacks,
                bootstrap,
                next_bootstrap: Mutex::new(Instant::now()),
                abandoned: false,
            })
        }
    }

    pub(crate) fn events(&self) -> &std::sync::Arc<Events> {
        &self.events.events
    }

    /// Leave it to itself: its threads and memory stay until the process ends.
    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Give the error that ends this client, if one has struck.
    pub(crate) fn fault(&self) -> Option<Error> {
        let events = self.events();
        if let Some(error) = lock(&events.fatal).clone() {
            return Some(error);
        }
        // Credentials that were taken once are not wrong: a broker that restarts may refuse them for a moment.
        if events.connected.load(Ordering::Relaxed) {
            return None;
        }
        lock(&events.refused)
            .clone()
            .map(|(code, reason)| Error::new(self.library, code, reason))
    }

    /// Give the cause of the fatal error that this client has had.
    pub(crate) fn fatal(&self) -> Error {
        fatal(self.library, self.handle)
    }

    /// Give the client its first brokers back if it knows none any more; to be called from time to time while one waits.
    ///
    /// A broker that is shutting down, or has just started, may answer that the cluster has no brokers. librdkafka
    /// believes it, forgets all of them and never connects again (confluentinc/librdkafka#5301).
    pub(crate) fn keep_brokers(&self) {
        // The same answer names no controller. No waiting: it is what the client remembers.
        if unsafe { (self.library.controller)(self.handle, 0) } >= 0 {
            return;
        }
        let mut next = lock(&self.next_bootstrap);
        let now = Instant::now();
        if now >= *next {
            *next = now + BOOTSTRAP_INTERVAL;
            // SAFETY: the text is copied. A broker of the configuration that is still there is not added twice.
            unsafe { (self.library.brokers_add)(self.handle, self.bootstrap.as_ptr()) };
        }
    }

    /// Call what may wait for longer than it was told to, and see to the brokers meanwhile.
    ///
    /// librdkafka sends a transaction's offsets without regard to the time-out (confluentinc/librdkafka#5456): one that
    /// has forgotten all brokers would never return.
    pub(crate) fn keeping_brokers<T>(&self, call: impl FnOnce() -> T) -> T {
        let (ended, end) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while end.recv_timeout(BOOTSTRAP_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    self.keep_brokers();
                }
            });
            let result = call();
            drop(ended);
            result
        })
    }

    /// Whether a broker has told who controls the cluster: of its own the client asks the first one that it connects to.
    pub(crate) fn knows_brokers(&self) -> bool {
        // SAFETY: the client is there for as long as `self` is.
        unsafe { (self.library.controller)(self.handle, 0) >= 0 }
    }

    /// Connect to a broker of the cluster now, not when there is something to send or a timer of a second rings.
    ///
    /// The first question may go to an address of the configuration; librdkafka 2.16 ends that connection when it hears
    /// of the brokers behind it, and the second goes to one of these.
    pub(crate) fn reach_brokers(&self, wait: Duration) {
        let end = Instant::now() + wait;
        for _ in 0..2 {
            let left = end.saturating_duration_since(Instant::now());
            if self.partition_count(TRANSACTIONS, left).is_err() {
                return;
            }
        }
    }

    /// Ask any broker for its metadata: the only way to learn that one is connected again.
    ///
    /// The answer tells of the topics that the client uses or has used. One without any gets those of the whole cluster,
    /// which can be megabytes: nothing for the start of a client.
    pub(crate) fn probe(&self, wait: Duration) -> bool {
        let mut metadata: *const Metadata = std::ptr::null();
        // SAFETY: the answer is ours to destroy.
        unsafe {
            let result = (self.library.metadata)(
                self.handle,
                0,
                std::ptr::null_mut(),
                &raw mut metadata,
                millis(wait),
            );
            if result != 0 {
                return false;
            }
            (self.library.metadata_destroy)(metadata);
        }
        self.events().up();
        true
    }

    /// Give the number of partitions of a topic; None if the broker does not know it.
    pub(crate) fn partition_count(&self, topic: &str, wait: Duration) -> Result<Option<i32>> {
        let name = c_string(topic)?;
        let mut metadata: *const Metadata = std::ptr::null();
        unsafe {
            let handle = (self.library.topic_new)(self.handle, name.as_ptr(), std::ptr::null_mut());
            if handle.is_null() {
                return Err(Error::new(self.library, (self.library.last_error)(), ""));
            }
            let result =
                (self.library.metadata)(self.handle, 0, handle, &raw mut metadata, millis(wait));
            (self.library.topic_destroy)(handle);
            Error::check(self.library, result)?;
            self.events().up();
            let answer = &*metadata;
            let found = if answer.topic_count == 1 {
                let topic = &*answer.topics;
                match topic.err {
                    0 => Ok(Some(topic.partition_count)),
                    code::UNKNOWN_TOPIC_OR_PARTITION | code::UNKNOWN_TOPIC => Ok(None),
                    other => Err(Error::new(self.library, other, "")),
                }
            } else {
                Ok(None)
            };
            (self.library.metadata_destroy)(metadata);
            found
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.abandoned {
            let events = std::sync::Arc::clone(self.events());
            let library = self.library;
            // It goes on calling these.
            Box::leak(std::mem::replace(
                &mut self.events,
                Box::new(Callbacks { library, events }),
            ));
            return;
        }
        // SAFETY: nobody else holds the handle: queues and messages are gone before the client is (field order of the owners).
        unsafe { (self.library.destroy)(self.handle, DESTROY_NO_CLOSE) }
    }
}

impl Events {
    /// A broker has answered.
    pub(crate) fn up(&self) {
        self.connected.store(true, Ordering::Relaxed);
        self.down.store(false, Ordering::Relaxed);
    }

    fn note(&self, code: i32, reason: String) {
        self.faults.fetch_add(1, Ordering::Relaxed);
        *lock(&self.last) = Some((code, reason));
    }
}

/// Say what is wrong with properties, without a client.
pub(crate) fn check(library: &Library, properties: &BTreeMap<String, String>) -> Result<()> {
    configuration(library, properties).map(|conf| unsafe { (library.conf_destroy)(conf) })
}

/// Make a configuration; whoever called owns it.
fn configuration(library: &Library, properties: &BTreeMap<String, String>) -> Result<*mut Conf> {
    let mut reason = [0 as c_char; 512];
    // SAFETY: names and values are copied; a configuration that cannot be is destroyed here.
    unsafe {
        let conf = (library.conf_new)();
        for (name, value) in properties {
            let set = c_string(name)
                .and_then(|name| Ok((name, c_string(value)?)))
                .and_then(|(name, value)| {
                    match (library.conf_set)(
                        conf,
                        name.as_ptr(),
                        value.as_ptr(),
                        reason.as_mut_ptr(),
                        reason.len(),
                    ) {
                        CONF_OK => Ok(()),
                        // The reason repeats the value, which may be a secret.
                        _ if secret(name.to_bytes()) => {
                            Err(Error::local(format!("property {name:?} was refused")))
                        }
                        _ => Err(Error::local(text(reason.as_ptr()))),
                    }
                });
            if let Err(error) = set {
                (library.conf_destroy)(conf);
                return Err(error);
            }
        }
        Ok(conf)
    }
}

pub(crate) fn millis(duration: Duration) -> c_int {
    c_int::try_from(duration.as_millis()).unwrap_or(c_int::MAX)
}

fn secret(name: &[u8]) -> bool {
    [&b"password"[..], b"secret", b"jaas", b"key.pem"]
        .iter()
        .any(|word| name.windows(word.len()).any(|part| part == *word))
}

/// # Safety
/// `opaque` is the box that `Client::new` gave to the configuration.
unsafe fn callbacks<'a>(opaque: *mut c_void) -> &'a Callbacks {
    unsafe { &*opaque.cast::<Callbacks>() }
}

/// Ask for the cause of a fatal error, which is reported under a code of its own.
fn fatal(library: &'static Library, handle: *mut Handle) -> Error {
    let mut detail = [0 as c_char; 512];
    // SAFETY: the handle is alive, and the text is cut to the length given.
    let original = unsafe { (library.fatal_error)(handle, detail.as_mut_ptr(), detail.len()) };
    let message = unsafe { CStr::from_ptr(detail.as_ptr()) };
    Error {
        fatal: true,
        ..Error::new(library, original, message.to_string_lossy())
    }
}

unsafe extern "C" fn on_log(_: *const Handle, _: c_int, _: *const c_char, _: *const c_char) {
    // What matters comes as an error event too; a library writes no log of its own.
}

unsafe extern "C" fn on_error(
    handle: *mut Handle,
    error: c_int,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    unsafe {
        let Callbacks { library, events } = callbacks(opaque);
        let mut text = text(reason);
        match error {
            code::FATAL => {
                let fault = fatal(library, handle);
                text.clone_from(&fault.message);
                lock(&events.fatal).get_or_insert(fault);
            }
            code::ALL_BROKERS_DOWN => events.down.store(true, Ordering::Relaxed),
            code::AUTHENTICATION | code::SSL => {
                *lock(&events.refused) = Some((error, text.clone()))
            }
            _ => {}
        }
        events.note(error, text);
    }
}

unsafe extern "C" fn on_rebalance(
    handle: *mut Handle,
    error: c_int,
    partitions: *mut TopicPartitionList,
    opaque: *mut c_void,
) {
    unsafe {
        let Callbacks { library, events } = callbacks(opaque);
        let kind = if error == code::ASSIGN_PARTITIONS {
            RebalanceKind::Assign
        } else if (library.assignment_lost)(handle) != 0 {
            RebalanceKind::Lost
        } else {
            RebalanceKind::Revoke
        };
        lock(&events.rebalances).push_back(Rebalance {
            kind,
            partitions: copy(&*partitions),
        });
        (library.yield_now)(handle);
    }
}

unsafe extern "C" fn on_delivery(_: *mut Handle, message: *const Message, opaque: *mut c_void) {
    unsafe {
        let message = &*message;
        let Callbacks { library, events } = callbacks(opaque);
        if message.err == 0 {
            // A record that was sent twice may be delivered without its offset being known.
            if message.offset >= 0 {
                let place = (message.topic as usize, message.partition);
                let mut delivered = lock(&events.delivered);
                let end = delivered.entry(place).or_default();
                *end = (*end).max(message.offset + 1);
            }
            return;
        }
        lock(&events.failures).push(Failure::of(
            text((library.topic_name)(message.topic)),
            message.partition,
            message.opaque as usize as u64,
            message.err,
        ));
    }
}
