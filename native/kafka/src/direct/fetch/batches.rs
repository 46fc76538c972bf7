//! Records out of the batches of a log (format 2; https://kafka.apache.org/documentation/#recordbatch).

use std::collections::HashSet;
use std::io::Read;

use ruzstd::decoding::StreamingDecoder;

use crate::direct::wire::{Malformed, Reader};

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
pub(crate) fn headers(
    (count, bytes): (usize, &[u8]),
) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
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
        4 => read_all(StreamingDecoder::new(packed).map_err(|_| Malformed)?)?,
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Batch {
        base: i64,
        attributes: i16,
        producer: i64,
        records: Vec<u8>,
        count: i32,
        last_delta: i32,
    }

    fn varint(into: &mut Vec<u8>, value: i64) {
        let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while left >= 0x80 {
            into.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        into.push(left as u8);
    }

    fn sized(into: &mut Vec<u8>, part: Option<&[u8]>) {
        varint(into, part.map_or(-1, |part| part.len() as i64));
        into.extend_from_slice(part.unwrap_or_default());
    }

    fn record(delta: i64, key: Option<&[u8]>, value: Option<&[u8]>, names: &[&str]) -> Vec<u8> {
        let mut body = vec![0];
        varint(&mut body, delta * 10);
        varint(&mut body, delta);
        sized(&mut body, key);
        sized(&mut body, value);
        varint(&mut body, names.len() as i64);
        for name in names {
            sized(&mut body, Some(name.as_bytes()));
            sized(&mut body, None);
        }
        let mut whole = Vec::new();
        varint(&mut whole, body.len() as i64);
        whole.extend(body);
        whole
    }

    fn batch(base: i64, values: &[&str]) -> Batch {
        let records = values
            .iter()
            .zip(0..)
            .flat_map(|(value, delta)| record(delta, Some(b"k"), Some(value.as_bytes()), &[]))
            .collect();
        let count = i32::try_from(values.len()).expect("few");
        Batch {
            base,
            attributes: 0,
            producer: 7,
            records,
            count,
            last_delta: count - 1,
        }
    }

    fn control(base: i64, kind: i16) -> Batch {
        let key = [0i16.to_be_bytes(), kind.to_be_bytes()].concat();
        Batch {
            attributes: CONTROL | TRANSACTIONAL,
            records: record(0, Some(&key), Some(b"\0\0\0\0\0\0"), &[]),
            ..batch(base, &["x"])
        }
    }

    impl Batch {
        fn bytes(&self) -> Vec<u8> {
            let mut tail = vec![2];
            tail.extend(0u32.to_be_bytes());
            tail.extend(self.attributes.to_be_bytes());
            tail.extend(self.last_delta.to_be_bytes());
            tail.extend(1000i64.to_be_bytes());
            tail.extend(5000i64.to_be_bytes());
            tail.extend(self.producer.to_be_bytes());
            tail.extend(0i16.to_be_bytes());
            tail.extend(0i32.to_be_bytes());
            tail.extend(self.count.to_be_bytes());
            tail.extend(&self.records);
            let mut whole = self.base.to_be_bytes().to_vec();
            whole.extend(i32::try_from(tail.len() + 4).expect("small").to_be_bytes());
            whole.extend((-1i32).to_be_bytes());
            whole.extend(tail);
            whole
        }
    }

    type Seen = Vec<(i64, i64, Option<String>)>;

    fn text(part: Option<&[u8]>) -> Option<String> {
        part.map(|part| String::from_utf8_lossy(part).into_owned())
    }

    fn all(chunk: &mut Chunk, from: &mut i64, most: usize) -> Result<Seen, Malformed> {
        let mut seen = Vec::new();
        loop {
            let (_, used_up) = chunk.give(0, from, most, |record| {
                seen.push((record.offset, record.timestamp, text(record.value)));
                true
            })?;
            if used_up {
                return Ok(seen);
            }
        }
    }

    fn values(bytes: Vec<u8>, aborted: Vec<(i64, i64)>, from: i64) -> (Vec<String>, i64) {
        let mut from = from;
        let mut chunk = Chunk::new(bytes, aborted, true);
        let seen = all(&mut chunk, &mut from, 2).expect("well formed");
        let values = seen.into_iter().filter_map(|(_, _, value)| value);
        (values.collect(), from)
    }

    #[test]
    fn records_come_with_their_offsets_and_times() {
        let bytes = [batch(5, &["a", "b"]).bytes(), batch(9, &["c"]).bytes()].concat();
        assert_eq!(Chunk::end_of(&bytes).expect("whole"), Some(10));
        let mut from = 5;
        let seen = all(&mut Chunk::new(bytes, vec![], true), &mut from, 100).expect("whole");
        let expected = [(5, 1000, "a"), (6, 1010, "b"), (9, 1000, "c")];
        let expected = expected.map(|(offset, time, value)| (offset, time, Some(value.to_owned())));
        assert_eq!((seen.as_slice(), from), (expected.as_slice(), 10));
    }

    #[test]
    fn records_before_the_offset_are_passed_over_and_a_cut_batch_is_left() {
        let whole = batch(5, &["a", "b", "c"]).bytes();
        let cut = [&whole[..], &batch(8, &["d"]).bytes()[..65]].concat();
        assert_eq!(Chunk::end_of(&cut).expect("whole"), Some(8));
        assert_eq!(values(cut, vec![], 7), (vec!["c".to_owned()], 8));
    }

    #[test]
    fn the_offset_goes_behind_records_that_compaction_has_taken() {
        let mut emptied = batch(5, &["a"]);
        emptied.last_delta = 40;
        assert_eq!(
            values(emptied.bytes(), vec![], 5),
            (vec!["a".to_owned()], 46)
        );
        let nothing = Batch {
            records: vec![],
            count: 0,
            ..batch(5, &["a"])
        };
        assert_eq!(values(nothing.bytes(), vec![], 5), (vec![], 6));
    }

    #[test]
    fn aborted_transactions_and_control_records_are_left_out() {
        let mut open = batch(0, &["gone"]);
        open.attributes = TRANSACTIONAL;
        let mut other = batch(1, &["kept"]);
        (other.attributes, other.producer) = (TRANSACTIONAL, 8);
        let mut later = batch(3, &["later"]);
        later.attributes = TRANSACTIONAL;
        let bytes = [
            open.bytes(),
            other.bytes(),
            control(2, ABORT).bytes(),
            later.bytes(),
            control(4, 1).bytes(),
        ]
        .concat();
        let kept = vec!["kept".to_owned(), "later".to_owned()];
        assert_eq!(values(bytes.clone(), vec![(7, 0)], 0), (kept, 5));
        let mut from = 0;
        let seen = all(&mut Chunk::new(bytes, vec![], false), &mut from, 9).expect("whole");
        assert_eq!(seen.len(), 3);
    }

    #[test]
    fn null_is_apart_from_empty_and_headers_come_along() {
        let mut one = batch(0, &["x", "y"]);
        one.records = [
            record(0, None, None, &["h", "i"]),
            record(1, Some(b""), Some(b""), &[]),
        ]
        .concat();
        one.attributes = APPEND_TIME;
        let mut seen = Vec::new();
        let mut chunk = Chunk::new(one.bytes(), vec![], true);
        let given = chunk.give(3, &mut 0, 9, |record| {
            let names: Vec<_> = headers(record.headers)
                .map(|(name, _)| text(Some(name)))
                .collect();
            seen.push((
                record.timestamp,
                text(record.key),
                text(record.value),
                names.len(),
            ));
            true
        });
        assert!(matches!(given, Ok((2, true))));
        let empty = Some(String::new());
        assert_eq!(
            seen,
            [(5000, None, None, 2), (5000, empty.clone(), empty, 0)]
        );
    }

    #[test]
    fn every_codec_is_undone() {
        let plain = batch(0, &["some text", "some text", "some text"]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain.records).expect("to memory");
        let block = snap::raw::Encoder::new()
            .compress_vec(&plain.records)
            .expect("small");
        let mut java = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
        java.extend(u32::try_from(block.len()).expect("small").to_be_bytes());
        java.extend(&block);
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&plain.records).expect("to memory");
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let zstd = ruzstd::encoding::compress_to_vec(plain.records.as_slice(), level);
        let packed = [
            (1, gzip.finish().expect("to memory")),
            (2, block),
            (2, java),
            (3, lz4.finish().expect("to memory")),
            (4, zstd),
        ];
        for (codec, records) in packed {
            let one = Batch {
                attributes: codec,
                records,
                ..batch(0, &["", "", ""])
            };
            assert_eq!(
                values(one.bytes(), vec![], 0).0,
                ["some text"; 3],
                "codec {codec}"
            );
        }
    }

    #[test]
    fn an_older_format_is_not_read() {
        let mut bytes = batch(0, &["a"]).bytes();
        bytes[MAGIC_AT] = 1;
        assert!(Chunk::end_of(&bytes).is_err());
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let whole = [batch(0, &["a", "b"]).bytes(), control(2, ABORT).bytes()].concat();
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                // Whatever comes out, it comes to an end.
                let _ = Chunk::end_of(&bytes);
                let _ = all(&mut Chunk::new(bytes, vec![(7, 0)], true), &mut 0, 1);
            }
        }
    }
}
