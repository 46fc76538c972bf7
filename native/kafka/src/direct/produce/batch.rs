//! Records into batches of a log (format 2; https://kafka.apache.org/documentation/#recordbatch).

use std::io::{self, Write};
use std::time::Instant;

use super::wire::Identity;
use crate::columns::Headers;

const HEAD: usize = 61;
const CHECKSUM: usize = 17;
const CHECKED: usize = 21;
const MAGIC: u8 = 2;
const TRANSACTIONAL: i16 = 0x10;
/// More than a record takes beside its key, its value and its headers.
const RECORD_HEAD: usize = 40;

/// How the records of a batch are made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
}

impl Codec {
    /// After the name in a property; None for those that are not known here.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "gzip" => Some(Self::Gzip),
            "snappy" => Some(Self::Snappy),
            "lz4" => Some(Self::Lz4),
            _ => None,
        }
    }

    fn number(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
        }
    }

    /// Write the head's room and the packed records.
    fn pack(self, records: &[u8]) -> io::Result<Vec<u8>> {
        let mut packed = vec![0; HEAD];
        match self {
            Self::None => packed.extend_from_slice(records),
            Self::Gzip => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::GzEncoder::new(packed, level);
                encoder.write_all(records)?;
                packed = encoder.finish()?;
            }
            Self::Snappy => {
                let mut encoder = snap::raw::Encoder::new();
                packed.extend(encoder.compress_vec(records).map_err(io::Error::other)?);
            }
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(packed);
                encoder.write_all(records)?;
                packed = encoder.finish().map_err(io::Error::other)?;
            }
        }
        Ok(packed)
    }
}

/// One record to write.
pub(super) struct Record<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    /// Milliseconds since the epoch.
    pub(super) timestamp: i64,
    pub(super) headers: Option<&'a Headers>,
}

impl Record<'_> {
    /// Bytes of key and value.
    pub(super) fn cost(&self) -> usize {
        let of = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        of(self.key) + of(self.value)
    }

    /// An upper bound of the bytes that it takes in a batch.
    pub(super) fn most_bytes(&self) -> usize {
        self.content_bytes()
            + self.headers.map_or(0, |headers| 10 * headers.iter().len())
            + RECORD_HEAD
    }

    /// Bytes of key, value and headers.
    pub(super) fn content_bytes(&self) -> usize {
        let of = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers = self.headers.map_or(0, |headers| {
            let each = |(name, value): (&str, Option<&[u8]>)| name.len() + of(value);
            headers.iter().map(each).sum()
        });
        self.cost() + headers
    }
}

/// Records of one partition that are written together or not at all.
pub(super) struct Batch {
    /// Room for the head, then the records.
    bytes: Vec<u8>,
    /// Of each record, what `Failure::of` takes: the number of the caller's batch and the row in it.
    pub(super) origins: Vec<u64>,
    cost: usize,
    first_timestamp: i64,
    last_timestamp: i64,
    pub(super) since: Instant,
    packed: bool,
    /// The number of the first record, once it was sent: then it may have been written.
    pub(super) sequence: Option<i32>,
}

impl Batch {
    pub(super) fn new(mut memory: Vec<u8>, since: Instant) -> Self {
        memory.clear();
        memory.resize(HEAD, 0);
        Self {
            bytes: memory,
            origins: Vec::new(),
            cost: 0,
            first_timestamp: 0,
            last_timestamp: 0,
            since,
            packed: false,
            sequence: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What it is when it is ready to be sent.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of all keys and values.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// How many records it has.
    pub(super) fn count(&self) -> usize {
        self.origins.len()
    }

    /// Whether records may still be added.
    pub(super) fn is_open(&self) -> bool {
        !self.packed && self.sequence.is_none()
    }

    pub(super) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn append(&mut self, record: &Record<'_>, origin: u64) {
        if self.origins.is_empty() {
            (self.first_timestamp, self.last_timestamp) = (record.timestamp, record.timestamp);
        }
        self.last_timestamp = self.last_timestamp.max(record.timestamp);
        let timestamp = record.timestamp.wrapping_sub(self.first_timestamp);
        let offset = self.origins.len() as i64;
        let mut length = 1 + varint_size(timestamp) + varint_size(offset);
        length += sized_size(record.key) + sized_size(record.value);
        let headers = record.headers.map_or(0, |headers| headers.iter().len());
        length += varint_size(headers as i64);
        for (name, value) in record.headers.iter().flat_map(|headers| headers.iter()) {
            length += sized_size(Some(name.as_bytes())) + sized_size(value);
        }
        let bytes = &mut self.bytes;
        varint(bytes, length as i64);
        bytes.push(0);
        varint(bytes, timestamp);
        varint(bytes, offset);
        sized(bytes, record.key);
        sized(bytes, record.value);
        varint(bytes, headers as i64);
        for (name, value) in record.headers.iter().flat_map(|headers| headers.iter()) {
            sized(bytes, Some(name.as_bytes()));
            sized(bytes, value);
        }
        self.origins.push(origin);
        self.cost += record.cost();
    }

    /// Make it ready to be sent, as the one with this sequence number.
    ///
    /// # Errors
    /// The records cannot be packed.
    pub(super) fn seal(
        &mut self,
        codec: Codec,
        transactional: bool,
        identity: Identity,
        sequence: i32,
    ) -> io::Result<()> {
        if codec != Codec::None && !self.packed {
            self.bytes = codec.pack(&self.bytes[HEAD..])?;
        }
        self.packed = true;
        self.sequence = Some(sequence);
        let count = i32::try_from(self.origins.len()).unwrap_or(i32::MAX);
        let length = i32::try_from(self.bytes.len() - 12).unwrap_or(i32::MAX);
        let attributes = codec.number() | if transactional { TRANSACTIONAL } else { 0 };
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(&0i64.to_be_bytes());
        head.extend_from_slice(&length.to_be_bytes());
        // The epoch of the leader is for it to fill in, the checksum for us when the rest is there.
        head.extend_from_slice(&(-1i32).to_be_bytes());
        head.push(MAGIC);
        head.extend_from_slice(&[0; 4]);
        head.extend_from_slice(&attributes.to_be_bytes());
        head.extend_from_slice(&(count - 1).to_be_bytes());
        head.extend_from_slice(&self.first_timestamp.to_be_bytes());
        head.extend_from_slice(&self.last_timestamp.to_be_bytes());
        head.extend_from_slice(&identity.id.to_be_bytes());
        head.extend_from_slice(&identity.epoch.to_be_bytes());
        head.extend_from_slice(&sequence.to_be_bytes());
        head.extend_from_slice(&count.to_be_bytes());
        self.bytes[..HEAD].copy_from_slice(&head);
        let checksum = crc32c::crc32c(&self.bytes[CHECKED..]);
        self.bytes[CHECKSUM..CHECKED].copy_from_slice(&checksum.to_be_bytes());
        Ok(())
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn varint_size(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn varint(into: &mut Vec<u8>, value: i64) {
    let mut left = zigzag(value);
    while left >= 0x80 {
        into.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    into.push(left as u8);
}

fn sized_size(bytes: Option<&[u8]>) -> usize {
    match bytes {
        Some(bytes) => varint_size(bytes.len() as i64) + bytes.len(),
        None => 1,
    }
}

fn sized(into: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            varint(into, bytes.len() as i64);
            into.extend_from_slice(bytes);
        }
        None => varint(into, -1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direct::fetch::read_back;

    const IDENTITY: Identity = Identity { id: 4711, epoch: 2 };

    fn text(value: Option<&[u8]>) -> Option<String> {
        value.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let long = "x".repeat(100_000);
        let records = [
            (Some("k"), Some("v"), 1_700_000_000_000),
            (None, Some(""), 1_699_999_999_999),
            (Some(""), None, 1_700_000_100_000),
            (Some("long"), Some(long.as_str()), 0),
        ];
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            let mut batch = Batch::new(vec![7; 10], Instant::now());
            for (row, (key, value, timestamp)) in records.iter().enumerate() {
                let record = Record {
                    key: key.map(str::as_bytes),
                    value: value.map(str::as_bytes),
                    timestamp: *timestamp,
                    headers: None,
                };
                let before = batch.len();
                batch.append(&record, row as u64);
                assert!(batch.len() - before <= record.most_bytes());
            }
            // A second time, after a connection was lost: the same bytes.
            batch.seal(codec, true, IDENTITY, 5).expect("packed");
            let first = batch.bytes().to_vec();
            batch.seal(codec, true, IDENTITY, 5).expect("packed");
            assert_eq!(first, batch.bytes());
            let mut found = Vec::new();
            assert!(read_back(first, |record| {
                let times = (record.offset, record.timestamp);
                found.push((times, text(record.key), text(record.value)));
                true
            }));
            let expected = records
                .iter()
                .enumerate()
                .map(|(row, (key, value, timestamp))| {
                    let (key, value) = (key.map(str::to_owned), value.map(str::to_owned));
                    ((row as i64, *timestamp), key, value)
                });
            assert_eq!(found, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn numbers_take_as_many_bytes_as_is_said() {
        for shift in 0..64 {
            let power = 1i64 << shift;
            for value in [power, power.wrapping_neg(), power.wrapping_sub(1)] {
                let mut bytes = Vec::new();
                varint(&mut bytes, value);
                assert_eq!(bytes.len(), varint_size(value), "{value}");
            }
        }
    }
}
