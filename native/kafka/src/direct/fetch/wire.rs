//! What is asked of a broker to read, and its answer: Fetch (version 11), older than the flexible ones and served from 2.3 on.

use std::io::{self, Read};

use crate::direct::connection::malformed;
use crate::direct::wire::{Malformed, Request};

const FETCH: (i16, i16) = (1, 11);

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
    request.byte(u8::from(limits.read_committed)).i32(0).i32(-1);
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
    /// Its record batches.
    pub(super) records: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) throttle_millis: i32,
    /// Not of a partition: the broker did not take the request.
    pub(super) error: i16,
    pub(super) partitions: Vec<Fetched>,
}

/// Read an answer as it comes. The records of each partition are put where they stay: nothing holds all of the answer.
///
/// # Errors
/// The connection ends, or says what cannot be; all that it brings later is of no use.
pub(super) fn fetched(from: impl Read, most_bytes: usize) -> io::Result<Answer> {
    let mut fields = Fields { from, left: 4 };
    let length = fields.count()?;
    if length > most_bytes {
        return Err(malformed(Malformed));
    }
    fields.left = length;
    let mut found = Answer::default();
    let _correlation = fields.i32()?;
    found.throttle_millis = fields.i32()?;
    found.error = fields.i16()?;
    let _session = fields.i32()?;
    for _ in 0..fields.count()? {
        let topic = fields.text()?;
        for _ in 0..fields.count()? {
            let (partition, error) = (fields.i32()?, fields.i16()?);
            let (high_watermark, _stable, _first) = (fields.i64()?, fields.i64()?, fields.i64()?);
            let mut aborted = Vec::new();
            for _ in 0..fields.count()? {
                aborted.push((fields.i64()?, fields.i64()?));
            }
            let _preferred = fields.i32()?;
            let length = fields.count()?;
            found.partitions.push(Fetched {
                topic: topic.clone(),
                partition,
                error,
                high_watermark,
                aborted,
                records: fields.bytes(length)?,
            });
        }
    }
    fields.skip_rest()?;
    Ok(found)
}

/// Reads big-endian fields of an answer, and nothing behind its end.
struct Fields<R> {
    from: R,
    left: usize,
}

impl<R: Read> Fields<R> {
    fn count_down(&mut self, length: usize) -> io::Result<()> {
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| malformed(Malformed))?;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.count_down(N)?;
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn i16(&mut self) -> io::Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> io::Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> io::Result<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A number of elements or bytes; none where it is -1.
    fn count(&mut self) -> io::Result<usize> {
        Ok(usize::try_from(self.i32()?).unwrap_or(0))
    }

    fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        self.count_down(length)?;
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn text(&mut self) -> io::Result<String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        let bytes = self.bytes(length)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        let left = std::mem::take(&mut self.left) as u64;
        let skipped = io::copy(&mut self.from.by_ref().take(left), &mut io::sink())?;
        if skipped < left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direct::wire::{Reader, metadata};

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
            let _ = fetched(&*bytes, 1 << 30);
            let length = u32::try_from(bytes.len()).expect("short");
            let framed = [&length.to_be_bytes(), &*bytes].concat();
            let _ = fetched(&*framed, 1 << 30);
        }
    }

    #[test]
    fn an_answer_is_read_up_to_its_end_and_no_further() {
        let mut body = Vec::new();
        let mut add = |bytes: &[u8]| body.extend_from_slice(bytes);
        // Correlation, throttling, no error, session; one topic with two partitions.
        add(&[0i32, 7].map(i32::to_be_bytes).concat());
        add(&0i16.to_be_bytes());
        add(&[0i32, 1].map(i32::to_be_bytes).concat());
        add(&[0, 1, b't']);
        add(&2i32.to_be_bytes());
        for (partition, records) in [(3i32, &b"abc"[..]), (5, b"")] {
            add(&partition.to_be_bytes());
            add(&0i16.to_be_bytes());
            add(&[9i64, 9, 0].map(i64::to_be_bytes).concat());
            add(&1i32.to_be_bytes());
            add(&[40i64, 2].map(i64::to_be_bytes).concat());
            add(&(-1i32).to_be_bytes());
            add(&i32::try_from(records.len()).expect("short").to_be_bytes());
            add(records);
        }
        // What a later version may say behind it.
        add(b"more");
        let length = u32::try_from(body.len()).expect("short");
        let bytes = [&length.to_be_bytes(), &*body, b"next"].concat();
        let mut rest = &*bytes;
        let found = fetched(&mut rest, 1000).expect("whole");
        assert_eq!(
            (rest, found.throttle_millis, found.error),
            (&b"next"[..], 7, 0)
        );
        let partitions: Vec<_> = found
            .partitions
            .iter()
            .map(|one| {
                (
                    one.topic.as_str(),
                    one.partition,
                    one.aborted[0],
                    &*one.records,
                )
            })
            .collect();
        let expected: [(_, _, _, &[u8]); 2] = [("t", 3, (40, 2), b"abc"), ("t", 5, (40, 2), b"")];
        assert_eq!(partitions, expected);
        assert!(fetched(&*bytes, 10).is_err());
        for end in 0..bytes.len() - 4 {
            assert!(fetched(&bytes[..end], 1000).is_err(), "{end}");
        }
    }
}
