//! The table of librdkafka's functions, filled when the library is loaded.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use crate::error::{Error, Result};
use crate::ffi::*;

macro_rules! library {
    ($($name:ident = $symbol:literal : fn($($argument:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        /// librdkafka, loaded. One for the whole process; it is never unloaded, because its threads may outlive a client.
        pub struct Library {
            $(pub(crate) $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Library {
            /// # Safety
            /// `library` must be librdkafka 2.12 or later: the signatures are taken on trust.
            unsafe fn resolve(library: &libloading::Library) -> std::result::Result<Self, libloading::Error> {
                Ok(Self {
                    $($name: unsafe {
                        *library.get::<unsafe extern "C" fn($($argument),*) $(-> $result)?>(concat!($symbol, "\0").as_bytes())?
                    },)*
                })
            }
        }
    };
}

library! {
    version = "rd_kafka_version": fn() -> c_int;
    version_text = "rd_kafka_version_str": fn() -> *const c_char;
    error_text = "rd_kafka_err2str": fn(c_int) -> *const c_char;
    error_name = "rd_kafka_err2name": fn(c_int) -> *const c_char;
    c_error_code = "rd_kafka_error_code": fn(*const CError) -> c_int;
    c_error_text = "rd_kafka_error_string": fn(*const CError) -> *const c_char;
    c_error_fatal = "rd_kafka_error_is_fatal": fn(*const CError) -> c_int;
    c_error_retriable = "rd_kafka_error_is_retriable": fn(*const CError) -> c_int;
    c_error_abortable = "rd_kafka_error_txn_requires_abort": fn(*const CError) -> c_int;
    c_error_destroy = "rd_kafka_error_destroy": fn(*mut CError);
    fatal_error = "rd_kafka_fatal_error": fn(*mut Handle, *mut c_char, usize) -> c_int;
    last_error = "rd_kafka_last_error": fn() -> c_int;

    conf_new = "rd_kafka_conf_new": fn() -> *mut Conf;
    conf_destroy = "rd_kafka_conf_destroy": fn(*mut Conf);
    conf_set = "rd_kafka_conf_set": fn(*mut Conf, *const c_char, *const c_char, *mut c_char, usize) -> c_int;
    conf_set_opaque = "rd_kafka_conf_set_opaque": fn(*mut Conf, *mut c_void);
    conf_set_log = "rd_kafka_conf_set_log_cb": fn(*mut Conf, Option<LogCallback>);
    conf_set_error = "rd_kafka_conf_set_error_cb": fn(*mut Conf, Option<ErrorCallback>);
    conf_set_delivery = "rd_kafka_conf_set_dr_msg_cb": fn(*mut Conf, Option<DeliveryCallback>);
    conf_set_rebalance = "rd_kafka_conf_set_rebalance_cb": fn(*mut Conf, Option<RebalanceCallback>);
    new = "rd_kafka_new": fn(c_int, *mut Conf, *mut c_char, usize) -> *mut Handle;
    destroy = "rd_kafka_destroy_flags": fn(*mut Handle, c_int);
    poll = "rd_kafka_poll": fn(*mut Handle, c_int) -> c_int;
    yield_now = "rd_kafka_yield": fn(*mut Handle);
    brokers_add = "rd_kafka_brokers_add": fn(*mut Handle, *const c_char) -> c_int;
    controller = "rd_kafka_controllerid": fn(*mut Handle, c_int) -> i32;
    mem_free = "rd_kafka_mem_free": fn(*mut Handle, *mut c_void);
    metadata = "rd_kafka_metadata": fn(*mut Handle, c_int, *mut Topic, *mut *const Metadata, c_int) -> c_int;
    metadata_destroy = "rd_kafka_metadata_destroy": fn(*const Metadata);

    list_new = "rd_kafka_topic_partition_list_new": fn(c_int) -> *mut TopicPartitionList;
    list_add = "rd_kafka_topic_partition_list_add": fn(*mut TopicPartitionList, *const c_char, i32) -> *mut TopicPartition;
    list_destroy = "rd_kafka_topic_partition_list_destroy": fn(*mut TopicPartitionList);

    topic_new = "rd_kafka_topic_new": fn(*mut Handle, *const c_char, *mut c_void) -> *mut Topic;
    topic_name = "rd_kafka_topic_name": fn(*const Topic) -> *const c_char;
    topic_destroy = "rd_kafka_topic_destroy": fn(*mut Topic);

    set_consumer = "rd_kafka_poll_set_consumer": fn(*mut Handle) -> c_int;
    queue_consumer = "rd_kafka_queue_get_consumer": fn(*mut Handle) -> *mut Queue;
    queue_event_callback = "rd_kafka_queue_cb_event_enable": fn(*mut Queue, Option<QueueCallback>, *mut c_void);
    queue_new = "rd_kafka_queue_new": fn(*mut Handle) -> *mut Queue;
    queue_poll = "rd_kafka_queue_poll": fn(*mut Queue, c_int) -> *mut Event;
    event_error = "rd_kafka_event_error": fn(*mut Event) -> c_int;
    event_partitions = "rd_kafka_event_topic_partition_list": fn(*mut Event) -> *const TopicPartitionList;
    event_destroy = "rd_kafka_event_destroy": fn(*mut Event);
    queue_destroy = "rd_kafka_queue_destroy": fn(*mut Queue);
    consume_batch = "rd_kafka_consume_batch_queue": fn(*mut Queue, c_int, *mut *mut Message, usize) -> isize;
    message_destroy = "rd_kafka_message_destroy": fn(*mut Message);
    message_timestamp = "rd_kafka_message_timestamp": fn(*const Message, *mut c_int) -> i64;
    message_headers = "rd_kafka_message_headers": fn(*const Message, *mut *mut Headers) -> c_int;
    message_error = "rd_kafka_message_errstr": fn(*const Message) -> *const c_char;
    header_all = "rd_kafka_header_get_all": fn(*const Headers, usize, *mut *const c_char, *mut *const c_void, *mut usize) -> c_int;
    headers_new = "rd_kafka_headers_new": fn(usize) -> *mut Headers;
    headers_destroy = "rd_kafka_headers_destroy": fn(*mut Headers);
    header_add = "rd_kafka_header_add": fn(*mut Headers, *const c_char, isize, *const c_void, isize) -> c_int;

    subscribe = "rd_kafka_subscribe": fn(*mut Handle, *const TopicPartitionList) -> c_int;
    assign = "rd_kafka_assign": fn(*mut Handle, *const TopicPartitionList) -> c_int;
    incremental_assign = "rd_kafka_incremental_assign": fn(*mut Handle, *const TopicPartitionList) -> *mut CError;
    incremental_unassign = "rd_kafka_incremental_unassign": fn(*mut Handle, *const TopicPartitionList) -> *mut CError;
    assignment = "rd_kafka_assignment": fn(*mut Handle, *mut *mut TopicPartitionList) -> c_int;
    assignment_lost = "rd_kafka_assignment_lost": fn(*mut Handle) -> c_int;
    rebalance_protocol = "rd_kafka_rebalance_protocol": fn(*mut Handle) -> *const c_char;
    consumer_close = "rd_kafka_consumer_close_queue": fn(*mut Handle, *mut Queue) -> *mut CError;
    consumer_closed = "rd_kafka_consumer_closed": fn(*mut Handle) -> c_int;
    pause = "rd_kafka_pause_partitions": fn(*mut Handle, *mut TopicPartitionList) -> c_int;
    resume = "rd_kafka_resume_partitions": fn(*mut Handle, *mut TopicPartitionList) -> c_int;
    seek = "rd_kafka_seek_partitions": fn(*mut Handle, *mut TopicPartitionList, c_int) -> *mut CError;
    position = "rd_kafka_position": fn(*mut Handle, *mut TopicPartitionList) -> c_int;
    committed = "rd_kafka_committed": fn(*mut Handle, *mut TopicPartitionList, c_int) -> c_int;
    commit_queue = "rd_kafka_commit_queue": fn(*mut Handle, *const TopicPartitionList, *mut Queue, *mut c_void, *mut c_void) -> c_int;
    watermarks = "rd_kafka_query_watermark_offsets": fn(*mut Handle, *const c_char, i32, *mut i64, *mut i64, c_int) -> c_int;
    known_watermarks = "rd_kafka_get_watermark_offsets": fn(*mut Handle, *const c_char, i32, *mut i64, *mut i64) -> c_int;
    offsets_for_times = "rd_kafka_offsets_for_times": fn(*mut Handle, *mut TopicPartitionList, c_int) -> c_int;
    group_metadata = "rd_kafka_consumer_group_metadata": fn(*mut Handle) -> *mut GroupMetadata;
    group_metadata_destroy = "rd_kafka_consumer_group_metadata_destroy": fn(*mut GroupMetadata);
    group_metadata_write = "rd_kafka_consumer_group_metadata_write": fn(*const GroupMetadata, *mut *mut c_void, *mut usize) -> *mut CError;
    group_metadata_read = "rd_kafka_consumer_group_metadata_read": fn(*mut *mut GroupMetadata, *const c_void, usize) -> *mut CError;

    group_metadata_group = "rd_kafka_consumer_group_metadata_group_id": fn(*const GroupMetadata) -> *const c_char;
    group_metadata_generation = "rd_kafka_consumer_group_metadata_generation_id": fn(*const GroupMetadata) -> i32;
    group_metadata_member = "rd_kafka_consumer_group_metadata_member_id": fn(*const GroupMetadata) -> *const c_char;
    group_metadata_instance = "rd_kafka_consumer_group_metadata_group_instance_id": fn(*const GroupMetadata) -> *const c_char;

    admin_options_new = "rd_kafka_AdminOptions_new": fn(*mut Handle, c_int) -> *mut AdminOptions;
    admin_options_destroy = "rd_kafka_AdminOptions_destroy": fn(*mut AdminOptions);
    admin_options_timeout = "rd_kafka_AdminOptions_set_request_timeout": fn(*mut AdminOptions, c_int, *mut c_char, usize) -> c_int;
    admin_options_stable = "rd_kafka_AdminOptions_set_require_stable_offsets": fn(*mut AdminOptions, c_int) -> *mut CError;
    group_offsets_new = "rd_kafka_ListConsumerGroupOffsets_new": fn(*const c_char, *const TopicPartitionList) -> *mut GroupOffsets;
    group_offsets_destroy = "rd_kafka_ListConsumerGroupOffsets_destroy": fn(*mut GroupOffsets);
    group_offsets = "rd_kafka_ListConsumerGroupOffsets": fn(*mut Handle, *mut *mut GroupOffsets, usize, *const AdminOptions, *mut Queue);
    event_group_offsets = "rd_kafka_event_ListConsumerGroupOffsets_result": fn(*mut Event) -> *const Event;
    group_offsets_groups = "rd_kafka_ListConsumerGroupOffsets_result_groups": fn(*const Event, *mut usize) -> *const *const GroupResult;
    group_result_error = "rd_kafka_group_result_error": fn(*const GroupResult) -> *const CError;
    group_result_partitions = "rd_kafka_group_result_partitions": fn(*const GroupResult) -> *const TopicPartitionList;

    produce = "rd_kafka_produceva": fn(*mut Handle, *const Argument, usize) -> *mut CError;
    flush = "rd_kafka_flush": fn(*mut Handle, c_int) -> c_int;
    purge = "rd_kafka_purge": fn(*mut Handle, c_int) -> c_int;
    queued = "rd_kafka_outq_len": fn(*mut Handle) -> c_int;
    init_transactions = "rd_kafka_init_transactions": fn(*mut Handle, c_int) -> *mut CError;
    begin_transaction = "rd_kafka_begin_transaction": fn(*mut Handle) -> *mut CError;
    send_offsets = "rd_kafka_send_offsets_to_transaction": fn(*mut Handle, *const TopicPartitionList, *const GroupMetadata, c_int) -> *mut CError;
    commit_transaction = "rd_kafka_commit_transaction": fn(*mut Handle, c_int) -> *mut CError;
    abort_transaction = "rd_kafka_abort_transaction": fn(*mut Handle, c_int) -> *mut CError;
}

/// The oldest librdkafka that is taken: KIP-848 is general there.
const MINIMUM_VERSION: c_int = 0x020c_0000;

static LIBRARY: OnceLock<Library> = OnceLock::new();
static OPENING: Mutex<()> = Mutex::new(());

impl Library {
    /// Load librdkafka from this path; a second call gives the library that is loaded already.
    pub fn open(path: &Path) -> Result<&'static Self> {
        let _guard = OPENING.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some(library) = LIBRARY.get() {
            return Ok(library);
        }
        let fault = |error: &dyn std::fmt::Display| {
            Error::local(format!(
                "librdkafka at {} cannot be used: {error}",
                path.display()
            ))
        };
        // SAFETY: librdkafka has no initialisers with side effects; the version is checked before anything else is called.
        let handle = unsafe { libloading::Library::new(path) }.map_err(|error| fault(&error))?;
        let library = unsafe { Self::resolve(&handle) }.map_err(|error| fault(&error))?;
        if unsafe { (library.version)() } < MINIMUM_VERSION {
            return Err(fault(&format!(
                "version {} is older than 2.12",
                library.version_string()
            )));
        }
        std::mem::forget(handle);
        Ok(LIBRARY.get_or_init(|| library))
    }

    /// Describe a code, of librdkafka or of the protocol.
    pub fn describe(&self, code: c_int) -> Error {
        Error::new(self, code, "")
    }

    /// The version of librdkafka, for example `2.16.0`.
    pub fn version_string(&self) -> String {
        unsafe { text((self.version_text)()) }
    }
}

/// Copy a C string of librdkafka; the empty string for null.
///
/// # Safety
/// `pointer` is null or points to a string that ends with NUL.
pub(crate) unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        String::new()
    } else {
        unsafe { CStr::from_ptr(pointer) }
            .to_string_lossy()
            .into_owned()
    }
}
