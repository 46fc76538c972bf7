//! Records out of the batches of a log (format 2; https://kafka.apache.org/documentation/#recordbatch).

use std::collections::HashSet;
use std::io::Read;

use super::wire::{Malformed, Reader};

const HEAD: usize = 61;
const LENGTH_END: usize = 12;
const MAGIC_AT: usize = 16;

const COMPRESSION: i16 = 0x07;
const APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

const ABORT: i16 = 0;

/// A larger batch than any broker takes is no batch.
const MOST_BYTES: u64 = 1 << 30;

/// One record, borrowed from its batch.
pub(crate) struct Record<'a> {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// How many there are, and where they stand.
    pub(crate) headers: (usize, &'a [u8]),
}

/// The headers of a record, name and value.
pub(crate) fn headers<'a>(
    (count, bytes): (usize, &'a [u8]),
) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
    let mut reader = Reader::new(bytes);
    (0..count).map_while(move |_| {
        let name = reader.sized().ok()?.unwrap_or_default();
        Some((name, reader.sized().ok()?))
    })
}

/// What one answer has brought for one partition, given record by record.
pub(super) struct Chunk {
    bytes: Vec<u8>,
    /// Where the next batch begins.
    next_batch: usize,
    open: Option<OpenBatch>,
    /// Aborted transactions that have not begun yet, the last first; empty unless only what is committed is read.
    aborted: Vec<(i64, i64)>,
    aborting: HashSet<i64>,
    read_committed: bool,
}

/// A batch whose records are being given.
struct OpenBatch {
    /// Of a compressed batch; otherwise the records are where they came.
    unpacked: Option<Vec<u8>>,
    at: usize,
    end: usize,
    left: i32,
    base_offset: i64,
    next_offset: i64,
    base_timestamp: i64,
    /// Of all records, where the broker has set it.
    append_time: Option<i64>,
}

impl Chunk {
    pub(super) fn new(bytes: Vec<u8>, mut aborted: Vec<(i64, i64)>, read_committed: bool) -> Self {
        aborted.sort_by_key(|(_, first)| std::cmp::Reverse(*first));
        Self {
            bytes,
            next_batch: 0,
            open: None,
            aborted,
            aborting: HashSet::new(),
            read_committed,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The offset after the last whole batch of an answer; None without one.
    ///
    /// # Errors
    /// A batch is of an older format, or cannot be read.
    pub(super) fn end_of(bytes: &[u8]) -> Result<Option<i64>, Malformed> {
        let (mut at, mut end) = (0, None);
        while let Some(batch) = whole_batch(&bytes[at..])? {
            let mut reader = Reader::new(batch);
            let base = reader.i64()?;
            reader.seek(MAGIC_AT);
            if reader.i8()? != 2 {
                return Err(Malformed);
            }
            reader.seek(23);
            end = Some(base + i64::from(reader.i32()?) + 1);
            at += batch.len();
        }
        Ok(end)
    }

    /// Give up to `most` records at or after `from`, which moves behind all that was given or passed over.
    ///
    /// Returns how many were given and whether the chunk is used up. `give` says whether it takes more.
    ///
    /// # Errors
    /// A batch cannot be read; what is before it was given.
    pub(super) fn give(
        &mut self,
        partition: i32,
        from: &mut i64,
        most: usize,
        mut give: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<(usize, bool), Malformed> {
        let mut given = 0;
        loop {
            if self.open.is_none() {
                let Some(batch) = whole_batch(&self.bytes[self.next_batch..])? else {
                    return Ok((given, true));
                };
                let begin = self.next_batch;
                self.next_batch += batch.len();
                let length = batch.len();
                match self.open_batch(begin, length)? {
                    Opened::Records(open) => self.open = Some(open),
                    Opened::Nothing(next) => {
                        *from = next.max(*from);
                        continue;
                    }
                }
            }
            let Some(open) = &mut self.open else { continue };
            let records = open.unpacked.as_deref().unwrap_or(&self.bytes);
            let records = records.get(..open.end).ok_or(Malformed)?;
            let mut reader = Reader::new(records);
            reader.seek(open.at);
            let mut more = true;
            while open.left > 0 && given < most && more {
                let record = read_record(&mut reader, open, partition)?;
                open.left -= 1;
                open.at = reader.position();
                if record.offset >= *from {
                    *from = record.offset + 1;
                    given += 1;
                    more = give(&record);
                }
            }
            if open.left > 0 {
                return Ok((given, false));
            }
            // Compaction may have taken the last records away.
            *from = open.next_offset.max(*from);
            self.open = None;
            if given >= most || !more {
                return Ok((given, self.next_batch >= self.bytes.len()));
            }
        }
    }

    fn open_batch(&mut self, begin: usize, length: usize) -> Result<Opened, Malformed> {
        let batch = &self.bytes[begin..begin + length];
        let mut reader = Reader::new(batch);
        let base_offset = reader.i64()?;
        reader.seek(MAGIC_AT);
        let _magic = reader.i8()?;
        let _checksum = reader.u32()?;
        let attributes = reader.i16()?;
        let next_offset = base_offset + i64::from(reader.i32()?) + 1;
        let (base_timestamp, max_timestamp) = (reader.i64()?, reader.i64()?);
        let producer = reader.i64()?;
        let (_epoch, _sequence) = (reader.i16()?, reader.i32()?);
        let left = reader.i32()?;
        if self.read_committed {
            while let Some((aborted, _)) = self.aborted.pop_if(|(_, first)| *first < next_offset) {
                self.aborting.insert(aborted);
            }
        }
        if attributes & CONTROL != 0 {
            if control_type(&batch[HEAD..])? == Some(ABORT) {
                self.aborting.remove(&producer);
            }
            return Ok(Opened::Nothing(next_offset));
        }
        if attributes & TRANSACTIONAL != 0 && self.aborting.contains(&producer) {
            return Ok(Opened::Nothing(next_offset));
        }
        let unpacked = unpack(attributes & COMPRESSION, &batch[HEAD..])?;
        let (at, end) = match &unpacked {
            Some(records) => (0, records.len()),
            None => (begin + HEAD, begin + length),
        };
        Ok(Opened::Records(OpenBatch {
            unpacked,
            at,
            end,
            left,
            base_offset,
            next_offset,
            base_timestamp,
            append_time: (attributes & APPEND_TIME != 0).then_some(max_timestamp),
        }))
    }
}

enum Opened {
    Records(OpenBatch),
    /// Nothing for a reader; the offset behind it.
    Nothing(i64),
}

/// The batch at the beginning, if all of it is there: an answer may end within one.
fn whole_batch(bytes: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    if bytes.len() < HEAD {
        return Ok(None);
    }
    let mut reader = Reader::new(bytes);
    reader.seek(8);
    let length = usize::try_from(reader.i32()?).map_err(|_| Malformed)? + LENGTH_END;
    if length < HEAD {
        return Err(Malformed);
    }
    Ok(bytes.get(..length))
}

fn read_record<'a>(
    reader: &mut Reader<'a>,
    open: &OpenBatch,
    partition: i32,
) -> Result<Record<'a>, Malformed> {
    let length = usize::try_from(reader.varint()?).map_err(|_| Malformed)?;
    let end = reader.position().checked_add(length).ok_or(Malformed)?;
    let _attributes = reader.i8()?;
    let timestamp = open.base_timestamp.wrapping_add(reader.varint()?);
    let offset = open.base_offset.wrapping_add(reader.varint()?);
    let (key, value) = (reader.sized()?, reader.sized()?);
    let count = usize::try_from(reader.varint()?).map_err(|_| Malformed)?;
    let rest = end.checked_sub(reader.position()).ok_or(Malformed)?;
    let headers = reader.take(rest)?;
    Ok(Record {
        partition,
        offset,
        timestamp: open.append_time.unwrap_or(timestamp),
        key,
        value,
        headers: (count, headers),
    })
}

/// What the one record of a control batch says.
fn control_type(records: &[u8]) -> Result<Option<i16>, Malformed> {
    let mut reader = Reader::new(records);
    let (_length, _attributes) = (reader.varint()?, reader.i8()?);
    let (_timestamp, _offset) = (reader.varint()?, reader.varint()?);
    let Some(key) = reader.sized()? else {
        return Ok(None);
    };
    let mut key = Reader::new(key);
    let _version = key.i16()?;
    key.i16().map(Some)
}

/// Undo the compression of a batch's records; None if there is none.
fn unpack(codec: i16, packed: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let unpacked = match codec {
        0 => return Ok(None),
        1 => read_all(flate2::read::MultiGzDecoder::new(packed))?,
        2 => snappy(packed)?,
        3 => read_all(lz4_flex::frame::FrameDecoder::new(packed))?,
        4 => read_all(zstd::stream::read::Decoder::with_buffer(packed).map_err(|_| Malformed)?)?,
        _ => return Err(Malformed),
    };
    Ok(Some(unpacked))
}

fn read_all(from: impl Read) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::new();
    let read = from.take(MOST_BYTES).read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|_| Malformed)
}

/// Java's clients cut the records into blocks behind a head of 16 bytes; others write one block.
fn snappy(packed: &[u8]) -> Result<Vec<u8>, Malformed> {
    const JAVA: &[u8] = b"\x82SNAPPY\0";
    let block = |packed: &[u8]| {
        let length = snap::raw::decompress_len(packed).map_err(|_| Malformed)?;
        if length as u64 > MOST_BYTES {
            return Err(Malformed);
        }
        let unpacked = snap::raw::Decoder::new().decompress_vec(packed);
        unpacked.map_err(|_| Malformed)
    };
    if !packed.starts_with(JAVA) {
        return block(packed);
    }
    let mut reader = Reader::new(packed);
    reader.take(16)?;
    let mut unpacked = Vec::new();
    while reader.left() > 0 {
        let length = usize::try_from(reader.i32()?).map_err(|_| Malformed)?;
        unpacked.extend(block(reader.take(length)?)?);
    }
    Ok(unpacked)
}
