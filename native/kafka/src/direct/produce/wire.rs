//! What a producer asks of brokers: its id, its transaction, its records.
//!
//! Layouts after https://kafka.apache.org/protocol; the versions are served by every broker from 2.5 on, the first that takes the
//! epoch of a producer with `InitProducerId` (KIP-360), and leave transactions of the second kind (KIP-890) alone.

use crate::direct::wire::{Malformed, Reader, Request};
use crate::partitions::Position;

type Api = (i16, i16);

const PRODUCE: Api = (0, 8);
const FIND_COORDINATOR: Api = (10, 2);
const VERSIONS: Api = (18, 0);
const INIT_PRODUCER_ID: Api = (22, 3);
const ADD_PARTITIONS: Api = (24, 2);
const ADD_OFFSETS: Api = (25, 2);
const END: Api = (26, 2);
const COMMIT_OFFSETS: Api = (28, 3);

/// What tells a producer, and those of the same name before it, apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

impl Identity {
    const NONE: Self = Self { id: -1, epoch: -1 };
}

/// The name of a transactional producer, and what it is at present.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer<'a> {
    pub(super) client: &'a str,
    pub(super) name: &'a str,
    pub(super) identity: Identity,
}

/// A member of a consumer group, under whose assignment offsets are committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) group: String,
    pub(super) generation: i32,
    pub(super) member: String,
    pub(super) instance: Option<String>,
}

/// Whom a coordinator is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Charge {
    Group(String),
    Transactions(String),
}

pub(super) fn versions_request(client: &str) -> Vec<u8> {
    Request::new(VERSIONS, client).finish()
}

/// Whether a broker serves all that is asked here.
pub(super) fn serves_all(answer: &[u8]) -> Result<bool, Malformed> {
    let mut reader = Reader::new(answer);
    let (_correlation, _error) = (reader.i32()?, reader.i16()?);
    let mut served = Vec::new();
    for _ in 0..reader.count()? {
        served.push((reader.i16()?, reader.i16()?, reader.i16()?));
    }
    let wanted = [
        PRODUCE,
        FIND_COORDINATOR,
        INIT_PRODUCER_ID,
        ADD_PARTITIONS,
        ADD_OFFSETS,
        END,
        COMMIT_OFFSETS,
    ];
    Ok(wanted.iter().all(|(api, version)| {
        served
            .iter()
            .any(|(served, oldest, newest)| served == api && (oldest..=newest).contains(&version))
    }))
}

pub(super) fn coordinator_request(client: &str, charge: &Charge) -> Vec<u8> {
    let (name, kind) = match charge {
        Charge::Group(name) => (name, 0),
        Charge::Transactions(name) => (name, 1),
    };
    let mut request = Request::new(FIND_COORDINATOR, client);
    request.text(name).byte(kind);
    request.finish()
}

/// The error, and where the coordinator is.
pub(super) fn coordinator(answer: &[u8]) -> Result<(i16, (String, u16)), Malformed> {
    let mut reader = Reader::new(answer);
    let (_correlation, _throttle) = (reader.i32()?, reader.i32()?);
    let error = reader.i16()?;
    let (_message, _node) = (reader.text()?, reader.i32()?);
    let (host, port) = (reader.text()?, reader.i32()?);
    Ok((error, (host, u16::try_from(port).unwrap_or_default())))
}

/// Ask for an id, or with the present one for the next epoch of it.
pub(super) fn identity_request(
    client: &str,
    name: Option<&str>,
    timeout_millis: i32,
    present: Option<Identity>,
) -> Vec<u8> {
    let present = present.unwrap_or(Identity::NONE);
    let mut request = Request::new(INIT_PRODUCER_ID, client);
    request
        .no_tags()
        .compact_text(name)
        .i32(timeout_millis)
        .i64(present.id)
        .i16(present.epoch)
        .no_tags();
    request.finish()
}

pub(super) fn identity(answer: &[u8]) -> Result<(i16, Identity), Malformed> {
    let mut reader = Reader::new(answer);
    let _correlation = reader.i32()?;
    reader.skip_tags()?;
    let (_throttle, error) = (reader.i32()?, reader.i16()?);
    let (id, epoch) = (reader.i64()?, reader.i16()?);
    Ok((error, Identity { id, epoch }))
}

/// Put partitions, in the order of topics, into the open transaction.
pub(super) fn partitions_request(writer: Writer<'_>, partitions: &[(&str, i32)]) -> Vec<u8> {
    let mut request = of_writer(ADD_PARTITIONS, writer);
    let topics: Vec<_> = partitions
        .chunk_by(|left, right| left.0 == right.0)
        .collect();
    request.count(topics.len());
    for of_topic in topics {
        request.text(of_topic[0].0).count(of_topic.len());
        for (_, partition) in of_topic {
            request.i32(*partition);
        }
    }
    request.finish()
}

/// The error of each partition.
pub(super) fn partitions(answer: &[u8]) -> Result<Vec<(String, i32, i16)>, Malformed> {
    let mut reader = Reader::new(answer);
    let (_correlation, _throttle) = (reader.i32()?, reader.i32()?);
    let mut found = Vec::new();
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            found.push((topic.clone(), reader.i32()?, reader.i16()?));
        }
    }
    Ok(found)
}

/// Put a group's offsets into the open transaction.
pub(super) fn group_request(writer: Writer<'_>, group: &str) -> Vec<u8> {
    let mut request = of_writer(ADD_OFFSETS, writer);
    request.text(group);
    request.finish()
}

pub(super) fn end_request(writer: Writer<'_>, commit: bool) -> Vec<u8> {
    let mut request = of_writer(END, writer);
    request.byte(u8::from(commit));
    request.finish()
}

/// The error of an answer that says nothing else.
pub(super) fn only_error(answer: &[u8]) -> Result<i16, Malformed> {
    let mut reader = Reader::new(answer);
    let (_correlation, _throttle) = (reader.i32()?, reader.i32()?);
    reader.i16()
}

fn of_writer(api: Api, writer: Writer<'_>) -> Request {
    let mut request = Request::new(api, writer.client);
    request
        .text(writer.name)
        .i64(writer.identity.id)
        .i16(writer.identity.epoch);
    request
}

/// Commit offsets, in the order of topics, when the transaction commits.
pub(super) fn offsets_request(
    writer: Writer<'_>,
    member: &Member,
    offsets: &[Position],
) -> Vec<u8> {
    let mut request = Request::new(COMMIT_OFFSETS, writer.client);
    request
        .no_tags()
        .compact_text(Some(writer.name))
        .compact_text(Some(&member.group))
        .i64(writer.identity.id)
        .i16(writer.identity.epoch)
        .i32(member.generation)
        .compact_text(Some(&member.member))
        .compact_text(member.instance.as_deref());
    let topics: Vec<_> = offsets
        .chunk_by(|left, right| left.topic == right.topic)
        .collect();
    request.compact_count(topics.len());
    for of_topic in topics {
        request
            .compact_text(Some(&of_topic[0].topic))
            .compact_count(of_topic.len());
        for position in of_topic {
            // No epoch of the leader, no metadata.
            request
                .i32(position.partition)
                .i64(position.offset)
                .i32(-1)
                .compact_text(None)
                .no_tags();
        }
        request.no_tags();
    }
    request.no_tags();
    request.finish()
}

/// The first error of any partition, 0 if there is none.
pub(super) fn offsets(answer: &[u8]) -> Result<i16, Malformed> {
    let mut reader = Reader::new(answer);
    let _correlation = reader.i32()?;
    reader.skip_tags()?;
    let _throttle = reader.i32()?;
    let mut first = 0;
    for _ in 0..reader.compact_count()? {
        let name = reader.compact_count()?;
        reader.take(name)?;
        for _ in 0..reader.compact_count()? {
            let (_partition, error) = (reader.i32()?, reader.i16()?);
            reader.skip_tags()?;
            if first == 0 {
                first = error;
            }
        }
        reader.skip_tags()?;
    }
    Ok(first)
}

/// Write batches, in the order of topics; acknowledged by all replicas in sync.
///
/// Gives the request without the batches, and where in it each of them belongs: they are sent from where they are.
pub(super) fn produce_request(
    memory: Vec<u8>,
    client: &str,
    name: Option<&str>,
    timeout_millis: i32,
    batches: &[(&str, i32, &[u8])],
) -> (Vec<u8>, Vec<usize>) {
    let mut places = Vec::with_capacity(batches.len());
    let mut request = Request::into(memory, PRODUCE, client);
    request.nullable_text(name).i16(-1).i32(timeout_millis);
    let topics: Vec<_> = batches.chunk_by(|left, right| left.0 == right.0).collect();
    request.count(topics.len());
    for of_topic in topics {
        request.text(of_topic[0].0).count(of_topic.len());
        for (_, partition, bytes) in of_topic {
            request.i32(*partition).count(bytes.len());
            places.push(request.len());
        }
    }
    let beside = batches.iter().map(|(_, _, bytes)| bytes.len()).sum();
    (request.finish_beside(beside), places)
}

/// What became of the batch of one partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Produced {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) error: i16,
    /// Of its first record; negative where the broker does not know any more.
    pub(super) offset: i64,
}

/// What became of all batches, and for how many milliseconds the broker wants to be left alone.
pub(super) fn produced(answer: &[u8]) -> Result<(Vec<Produced>, i32), Malformed> {
    let mut reader = Reader::new(answer);
    let _correlation = reader.i32()?;
    let mut found = Vec::new();
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            let (partition, error, offset) = (reader.i32()?, reader.i16()?, reader.i64()?);
            let (_append_time, _first) = (reader.i64()?, reader.i64()?);
            for _ in 0..reader.count()? {
                let (_row, _reason) = (reader.i32()?, reader.text()?);
            }
            let _reason = reader.text()?;
            found.push(Produced {
                topic: topic.clone(),
                partition,
                error,
                offset,
            });
        }
    }
    Ok((found, reader.i32()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITER: Writer<'_> = Writer {
        client: "me",
        name: "app-1",
        identity: Identity { id: 7, epoch: 3 },
    };

    /// Behind length, key, version, correlation and client.
    fn body(request: &[u8], (api, version): Api) -> Reader<'_> {
        let mut reader = Reader::new(request);
        let length = usize::try_from(reader.i32().expect("there")).expect("positive");
        assert_eq!(length, request.len() - 4);
        assert_eq!(
            (reader.i16().expect("there"), reader.i16().expect("there")),
            (api, version)
        );
        let _correlation = reader.i32().expect("there");
        assert_eq!(reader.text().expect("there"), "me");
        reader
    }

    #[test]
    fn offsets_are_committed_under_the_assignment() {
        let member = Member {
            group: "g".into(),
            generation: 5,
            member: "m-1".into(),
            instance: None,
        };
        let offsets =
            [("a", 0, 10), ("a", 2, 20), ("b", 1, 30)].map(|(topic, partition, offset)| Position {
                topic: topic.to_owned(),
                partition,
                offset,
            });
        let request = offsets_request(WRITER, &member, &offsets);
        let mut reader = body(&request, COMMIT_OFFSETS);
        reader.skip_tags().expect("there");
        let text = |reader: &mut Reader<'_>| {
            let length = reader.compact_count().expect("there");
            String::from_utf8(reader.take(length).expect("there").to_vec()).expect("text")
        };
        assert_eq!(
            (text(&mut reader), text(&mut reader)),
            ("app-1".into(), "g".into())
        );
        assert_eq!(
            (reader.i64().expect("there"), reader.i16().expect("there")),
            (7, 3)
        );
        assert_eq!(reader.i32().expect("there"), 5);
        assert_eq!(
            (text(&mut reader), text(&mut reader)),
            ("m-1".into(), String::new())
        );
        let mut found = Vec::new();
        for _ in 0..reader.compact_count().expect("there") {
            let topic = text(&mut reader);
            for _ in 0..reader.compact_count().expect("there") {
                let partition = reader.i32().expect("there");
                found.push((topic.clone(), partition, reader.i64().expect("there")));
                let _epoch = reader.i32().expect("there");
                assert_eq!(reader.compact_count().expect("there"), 0);
                reader.skip_tags().expect("there");
            }
            reader.skip_tags().expect("there");
        }
        reader.skip_tags().expect("there");
        assert_eq!(reader.left(), 0);
        assert_eq!(
            found,
            [("a", 0, 10), ("a", 2, 20), ("b", 1, 30)].map(|(t, p, o)| (t.to_owned(), p, o))
        );
    }

    #[test]
    fn batches_stand_under_their_topics() {
        let batches = [("a", 1, &b"xy"[..]), ("a", 4, b"z"), ("b", 0, b"")];
        let (head, places) = produce_request(vec![9; 3], "me", None, 30_000, &batches);
        let mut request = head.clone();
        for (place, (_, _, bytes)) in places.iter().zip(batches).rev() {
            request.splice(place..place, bytes.iter().copied());
        }
        let mut reader = body(&request, PRODUCE);
        assert_eq!(
            (reader.i16().expect("there"), reader.i16().expect("there")),
            (-1, -1)
        );
        assert_eq!(reader.i32().expect("there"), 30_000);
        let mut found = Vec::new();
        for _ in 0..reader.count().expect("there") {
            let topic = reader.text().expect("there");
            for _ in 0..reader.count().expect("there") {
                let partition = reader.i32().expect("there");
                let length = reader.count().expect("there");
                found.push((
                    topic.clone(),
                    partition,
                    reader.take(length).expect("there"),
                ));
            }
        }
        assert_eq!(
            found,
            batches.map(|(topic, partition, bytes)| (topic.to_owned(), partition, bytes))
        );
        assert_eq!(reader.left(), 0);
    }

    #[test]
    fn whatever_comes_is_read_or_refused() {
        let mut state = 1u64;
        for length in 0..4000 {
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
            let _ = (serves_all(&bytes), coordinator(&bytes), identity(&bytes));
            let _ = (partitions(&bytes), only_error(&bytes), offsets(&bytes));
            let _ = produced(&bytes);
        }
    }
}
