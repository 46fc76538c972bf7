//! The C types of librdkafka that we use, as `rdkafka.h` (2.12 and later) lays them out.
//!
//! librdkafka keeps its ABI: fields and functions are only ever added.

use std::ffi::{c_char, c_int, c_void};

macro_rules! opaque {
    ($($name:ident),* $(,)?) => {$(
        #[repr(C)]
        pub struct $name {
            _private: [u8; 0],
        }
    )*};
}

opaque!(
    Conf,
    Handle,
    Topic,
    Queue,
    Event,
    CError,
    Headers,
    GroupMetadata,
    AdminOptions,
    GroupOffsets,
    GroupResult,
);

#[repr(C)]
pub struct Message {
    pub err: c_int,
    pub topic: *mut Topic,
    pub partition: i32,
    pub payload: *const u8,
    pub len: usize,
    pub key: *const u8,
    pub key_len: usize,
    pub offset: i64,
    pub opaque: *mut c_void,
}

#[repr(C)]
pub struct TopicPartition {
    pub topic: *mut c_char,
    pub partition: i32,
    pub offset: i64,
    pub metadata: *mut c_void,
    pub metadata_size: usize,
    pub opaque: *mut c_void,
    pub err: c_int,
    pub private: *mut c_void,
}

#[repr(C)]
pub struct TopicPartitionList {
    pub count: c_int,
    pub size: c_int,
    pub elements: *mut TopicPartition,
}

#[repr(C)]
pub struct MetadataPartition {
    pub id: i32,
    pub err: c_int,
    pub leader: i32,
    pub replica_count: c_int,
    pub replicas: *mut i32,
    pub isr_count: c_int,
    pub isrs: *mut i32,
}

#[repr(C)]
pub struct MetadataTopic {
    pub topic: *mut c_char,
    pub partition_count: c_int,
    pub partitions: *mut MetadataPartition,
    pub err: c_int,
}

#[repr(C)]
pub struct Metadata {
    pub broker_count: c_int,
    pub brokers: *mut c_void,
    pub topic_count: c_int,
    pub topics: *mut MetadataTopic,
    pub origin_id: i32,
    pub origin_name: *mut c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Memory {
    pub pointer: *const c_void,
    pub size: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub union ArgumentValue {
    pub int: c_int,
    pub int32: i32,
    pub int64: i64,
    pub memory: Memory,
    pub pointer: *mut c_void,
    pub padding: [u8; 64],
}

/// One argument of `rd_kafka_produceva`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Argument {
    pub kind: c_int,
    pub value: ArgumentValue,
}

impl Argument {
    pub const fn new(kind: c_int) -> Self {
        Self {
            kind,
            value: ArgumentValue { padding: [0; 64] },
        }
    }
}

pub mod argument {
    use std::ffi::c_int;

    pub const TOPIC: c_int = 2;
    pub const PARTITION: c_int = 3;
    pub const VALUE: c_int = 4;
    pub const KEY: c_int = 5;
    pub const OPAQUE: c_int = 6;
    pub const FLAGS: c_int = 7;
    pub const TIMESTAMP: c_int = 8;
    pub const HEADERS: c_int = 10;
}

pub const PRODUCER: c_int = 0;
pub const CONSUMER: c_int = 1;
pub const CONF_OK: c_int = 0;
pub const FLAG_COPY: c_int = 0x2;
pub const PARTITION_ANY: i32 = -1;
pub const DESTROY_NO_CLOSE: c_int = 0x8;
pub const PURGE_ALL: c_int = 0x3;
pub const TIMESTAMP_NONE: c_int = 0;
pub const OFFSET_INVALID: i64 = -1001;
pub const ADMIN_GROUP_OFFSETS: c_int = 14;

pub type LogCallback = unsafe extern "C" fn(*const Handle, c_int, *const c_char, *const c_char);
pub type QueueCallback = unsafe extern "C" fn(*mut Handle, *mut c_void);
pub type ErrorCallback = unsafe extern "C" fn(*mut Handle, c_int, *const c_char, *mut c_void);
pub type DeliveryCallback = unsafe extern "C" fn(*mut Handle, *const Message, *mut c_void);
pub type RebalanceCallback =
    unsafe extern "C" fn(*mut Handle, c_int, *mut TopicPartitionList, *mut c_void);
