//! The two requests of Kafka's protocol that reading takes: Metadata (version 4) and Fetch (version 11).
//!
//! Layouts after https://kafka.apache.org/protocol; both versions are older than the flexible ones and are served by every
//! broker from 2.3 on.

use std::ops::Range;

const METADATA: (i16, i16) = (3, 4);
const FETCH: (i16, i16) = (1, 11);

/// An answer ended early, or a length in it cannot be.
#[derive(Debug)]
pub(super) struct Malformed;

/// Reads big-endian fields one after the other.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

macro_rules! number {
    ($name:ident, $type:ty) => {
        pub(super) fn $name(&mut self) -> Result<$type, Malformed> {
            let bytes = self.take(size_of::<$type>())?;
            Ok(<$type>::from_be_bytes(
                bytes.try_into().map_err(|_| Malformed)?,
            ))
        }
    };
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).ok_or(Malformed)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(taken)
    }

    number!(i8, i8);
    number!(i16, i16);
    number!(i32, i32);
    number!(u32, u32);
    number!(i64, i64);

    /// A number of elements or bytes; none where it is -1.
    fn count(&mut self) -> Result<usize, Malformed> {
        Ok(usize::try_from(self.i32()?).unwrap_or(0))
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        let bytes = self.take(length)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// A number of variable length, zigzag coded.
    pub(super) fn varint(&mut self) -> Result<i64, Malformed> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(Malformed)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(Malformed)
    }

    /// Bytes behind their length as a varint; none where it is -1.
    pub(super) fn sized(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match usize::try_from(self.varint()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn seek(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }
}

/// A request under construction, behind room for its length.
struct Request(Vec<u8>);

impl Request {
    fn new((api, version): (i16, i16), client: &str) -> Self {
        let mut request = Self(vec![0; 4]);
        // One request at a time: answers need no numbers.
        request.i16(api).i16(version).i32(0).text(client);
        request
    }

    fn i16(&mut self, value: i16) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn count(&mut self, value: usize) -> &mut Self {
        self.i32(i32::try_from(value).unwrap_or(i32::MAX))
    }

    fn text(&mut self, value: &str) -> &mut Self {
        self.i16(i16::try_from(value.len()).unwrap_or(i16::MAX));
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// Where the partitions of some topics are led.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    /// Id, host, port.
    pub(super) brokers: Vec<(i32, String, u16)>,
    /// Topic, partition, id of its leader; only those that have one.
    pub(super) leaders: Vec<(String, i32, i32)>,
}

pub(super) fn metadata_request<'a>(
    client: &str,
    topics: impl ExactSizeIterator<Item = &'a str>,
) -> Vec<u8> {
    let mut request = Request::new(METADATA, client);
    request.count(topics.len());
    for topic in topics {
        request.text(topic);
    }
    // No topic comes into being by being asked for.
    request.0.push(0);
    request.finish()
}

/// Read an answer, from behind its length.
pub(super) fn metadata(answer: &[u8]) -> Result<Metadata, Malformed> {
    let mut reader = Reader::new(answer);
    let mut found = Metadata::default();
    let (_correlation, _throttle) = (reader.i32()?, reader.i32()?);
    for _ in 0..reader.count()? {
        let (id, host, port) = (reader.i32()?, reader.text()?, reader.i32()?);
        let _rack = reader.text()?;
        found
            .brokers
            .push((id, host, u16::try_from(port).map_err(|_| Malformed)?));
    }
    let (_cluster, _controller) = (reader.text()?, reader.i32()?);
    for _ in 0..reader.count()? {
        let (error, topic, _internal) = (reader.i16()?, reader.text()?, reader.i8()?);
        for _ in 0..reader.count()? {
            let (fault, partition, leader) = (reader.i16()?, reader.i32()?, reader.i32()?);
            for _ in 0..2 {
                let nodes = reader.count()?;
                reader.take(nodes.checked_mul(4).ok_or(Malformed)?)?;
            }
            if error == 0 && fault == 0 && leader >= 0 {
                found.leaders.push((topic.clone(), partition, leader));
            }
        }
    }
    Ok(found)
}

/// What a consumer wants of each answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) wait_millis: i32,
    pub(super) min_bytes: i32,
    pub(super) max_bytes: i32,
    pub(super) partition_bytes: i32,
    pub(super) read_committed: bool,
}

/// Ask for what is behind these offsets; `wanted` is in the order of topics.
pub(super) fn fetch_request(client: &str, limits: Limits, wanted: &[(&str, i32, i64)]) -> Vec<u8> {
    let mut request = Request::new(FETCH, client);
    // No replica; no session, so each request says all.
    request
        .i32(-1)
        .i32(limits.wait_millis)
        .i32(limits.min_bytes)
        .i32(limits.max_bytes);
    request.0.push(u8::from(limits.read_committed));
    request.i32(0).i32(-1);
    let topics: Vec<_> = wanted.chunk_by(|left, right| left.0 == right.0).collect();
    request.count(topics.len());
    for partitions in topics {
        request.text(partitions[0].0).count(partitions.len());
        for (_, partition, offset) in partitions {
            request
                .i32(*partition)
                .i32(-1)
                .i64(*offset)
                .i64(-1)
                .i32(limits.partition_bytes);
        }
    }
    // Nothing to forget, no rack.
    request.i32(0).text("");
    request.finish()
}

/// What came for one partition.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) error: i16,
    pub(super) high_watermark: i64,
    /// Producer and first offset of aborted transactions.
    pub(super) aborted: Vec<(i64, i64)>,
    /// Where its record batches are in the answer.
    pub(super) records: Range<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) throttle_millis: i32,
    /// Not of a partition: the broker did not take the request.
    pub(super) error: i16,
    pub(super) partitions: Vec<Fetched>,
}

/// Read an answer, from behind its length.
pub(super) fn fetched(answer: &[u8]) -> Result<Answer, Malformed> {
    let mut reader = Reader::new(answer);
    let mut found = Answer::default();
    let _correlation = reader.i32()?;
    found.throttle_millis = reader.i32()?;
    found.error = reader.i16()?;
    let _session = reader.i32()?;
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            let (partition, error) = (reader.i32()?, reader.i16()?);
            let (high_watermark, _stable, _first) = (reader.i64()?, reader.i64()?, reader.i64()?);
            let mut aborted = Vec::new();
            for _ in 0..reader.count()? {
                aborted.push((reader.i64()?, reader.i64()?));
            }
            let _preferred = reader.i32()?;
            let length = reader.count()?;
            let begin = reader.position();
            reader.take(length)?;
            found.partitions.push(Fetched {
                topic: topic.clone(),
                partition,
                error,
                high_watermark,
                aborted,
                records: begin..begin + length,
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_what_is_wanted() {
        let limits = Limits {
            wait_millis: 100,
            min_bytes: 1,
            max_bytes: 1000,
            partition_bytes: 500,
            read_committed: true,
        };
        let request = fetch_request("me", limits, &[("a", 0, 5), ("a", 3, 6), ("b", 1, 7)]);
        let mut reader = Reader::new(&request);
        let head = (reader.i32(), reader.i16(), reader.i16(), reader.i32());
        let Ok(length) = usize::try_from(head.0.expect("there")) else {
            panic!("the length is negative")
        };
        assert_eq!(length, request.len() - 4);
        assert_eq!((head.1.expect("there"), head.2.expect("there")), FETCH);
        assert_eq!(reader.text().expect("there"), "me");
        let sizes: Vec<_> = (0..4).map(|_| reader.i32().expect("there")).collect();
        assert_eq!(
            (sizes, reader.i8().expect("there")),
            (vec![-1, 100, 1, 1000], 1)
        );
        let (_session, _epoch) = (reader.i32(), reader.i32());
        let mut found = Vec::new();
        for _ in 0..reader.count().expect("there") {
            let topic = reader.text().expect("there");
            for _ in 0..reader.count().expect("there") {
                let partition = reader.i32().expect("there");
                let (_epoch, offset, _start) = (reader.i32(), reader.i64(), reader.i64());
                assert_eq!(reader.i32().expect("there"), 500);
                found.push((topic.clone(), partition, offset.expect("there")));
            }
        }
        let expected = [("a", 0, 5), ("a", 3, 6), ("b", 1, 7)];
        assert_eq!(
            found,
            expected.map(|(topic, partition, offset)| (topic.to_owned(), partition, offset))
        );
    }

    #[test]
    fn numbers_of_variable_length_are_zigzag_coded() {
        for (bytes, value) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0x80, 0x01], 64),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                i64::MIN,
            ),
        ] {
            assert_eq!(Reader::new(bytes).varint().expect("whole"), value);
        }
        assert!(Reader::new(&[0x80; 11]).varint().is_err());
        assert!(Reader::new(&[0x80]).varint().is_err());
    }

    #[test]
    fn whatever_comes_is_read_or_refused() {
        let mut state = 1u64;
        for length in 0..2000 {
            let bytes: Vec<u8> = (0..length % 200)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    // Small numbers, so that counts and lengths are met that fit.
                    if state >> 62 == 0 {
                        (state >> 33) as u8
                    } else {
                        (state >> 60) as u8 & 1
                    }
                })
                .collect();
            let _ = metadata(&bytes);
            let _ = fetched(&bytes);
        }
    }
}
