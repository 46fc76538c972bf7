//! Fields of Kafka's protocol, and the request that reading and writing share: Metadata (version 4).
//!
//! Layouts after https://kafka.apache.org/protocol.

const METADATA: (i16, i16) = (3, 4);

/// An answer ended early, or a length in it cannot be.
#[derive(Debug)]
pub(in crate::direct) struct Malformed;

/// Reads big-endian fields one after the other.
pub(in crate::direct) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

macro_rules! number {
    ($name:ident, $type:ty) => {
        pub(in crate::direct) fn $name(&mut self) -> Result<$type, Malformed> {
            let bytes = self.take(size_of::<$type>())?;
            Ok(<$type>::from_be_bytes(
                bytes.try_into().map_err(|_| Malformed)?,
            ))
        }
    };
}

impl<'a> Reader<'a> {
    pub(in crate::direct) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(in crate::direct) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
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
    pub(in crate::direct) fn count(&mut self) -> Result<usize, Malformed> {
        Ok(usize::try_from(self.i32()?).unwrap_or(0))
    }

    pub(in crate::direct) fn text(&mut self) -> Result<String, Malformed> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        let bytes = self.take(length)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// A number of variable length, zigzag coded.
    pub(in crate::direct) fn varint(&mut self) -> Result<i64, Malformed> {
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

    fn unsigned_varint(&mut self) -> Result<usize, Malformed> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// Of flexible versions: a number of elements or bytes; none where it is null.
    pub(in crate::direct) fn compact_count(&mut self) -> Result<usize, Malformed> {
        Ok(self.unsigned_varint()?.saturating_sub(1))
    }

    /// Of flexible versions: what newer brokers may say besides.
    pub(in crate::direct) fn skip_tags(&mut self) -> Result<(), Malformed> {
        for _ in 0..self.unsigned_varint()? {
            let _tag = self.unsigned_varint()?;
            let length = self.unsigned_varint()?;
            self.take(length)?;
        }
        Ok(())
    }

    /// Bytes behind their length as a varint; none where it is -1.
    pub(in crate::direct) fn sized(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match usize::try_from(self.varint()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }

    pub(in crate::direct) fn position(&self) -> usize {
        self.at
    }

    pub(in crate::direct) fn seek(&mut self, at: usize) {
        self.at = at;
    }

    pub(in crate::direct) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }
}

/// A request under construction, behind room for its length.
pub(in crate::direct) struct Request(Vec<u8>);

impl Request {
    pub(in crate::direct) fn new(api: (i16, i16), client: &str) -> Self {
        Self::into(Vec::new(), api, client)
    }

    /// As `new`, into memory that was used before.
    pub(in crate::direct) fn into(
        mut memory: Vec<u8>,
        (api, version): (i16, i16),
        client: &str,
    ) -> Self {
        memory.clear();
        memory.resize(4, 0);
        let mut request = Self(memory);
        // One request at a time: answers need no numbers.
        request.i16(api).i16(version).i32(0).text(client);
        request
    }

    pub(in crate::direct) fn byte(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(in crate::direct) fn i16(&mut self, value: i16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(in crate::direct) fn i32(&mut self, value: i32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(in crate::direct) fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Bytes as they are.
    pub(in crate::direct) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(value);
        self
    }

    pub(in crate::direct) fn count(&mut self, value: usize) -> &mut Self {
        self.i32(i32::try_from(value).unwrap_or(i32::MAX))
    }

    pub(in crate::direct) fn text(&mut self, value: &str) -> &mut Self {
        self.i16(i16::try_from(value.len()).unwrap_or(i16::MAX))
            .bytes(value.as_bytes())
    }

    /// A text, or null.
    pub(in crate::direct) fn nullable_text(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.i16(-1),
        }
    }

    /// Of flexible versions: the number of elements.
    pub(in crate::direct) fn compact_count(&mut self, value: usize) -> &mut Self {
        // One more, because 0 is null.
        let mut left = value + 1;
        while left >= 0x80 {
            self.0.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        self.byte(left as u8)
    }

    /// Of flexible versions: a text, or null.
    pub(in crate::direct) fn compact_text(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.compact_count(value.len()).bytes(value.as_bytes()),
            None => self.byte(0),
        }
    }

    /// Of flexible versions, behind each structure: none of the fields that may be there.
    pub(in crate::direct) fn no_tags(&mut self) -> &mut Self {
        self.byte(0)
    }

    pub(in crate::direct) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::direct) fn finish(self) -> Vec<u8> {
        self.finish_beside(0)
    }

    /// As `finish`, where so many bytes of the request are not in it.
    pub(in crate::direct) fn finish_beside(mut self, bytes: usize) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4 + bytes).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// Where the partitions of some topics are led.
#[derive(Debug, Default)]
pub(in crate::direct) struct Metadata {
    /// Id, host, port.
    pub(in crate::direct) brokers: Vec<(i32, String, u16)>,
    /// Topic, partition, id of its leader; only those that have one.
    pub(in crate::direct) leaders: Vec<(String, i32, i32)>,
    /// Error and number of partitions of each topic.
    pub(in crate::direct) topics: Vec<(String, i16, usize)>,
}

pub(in crate::direct) fn metadata_request<'a>(
    client: &str,
    topics: impl ExactSizeIterator<Item = &'a str>,
) -> Vec<u8> {
    let mut request = Request::new(METADATA, client);
    request.count(topics.len());
    for topic in topics {
        request.text(topic);
    }
    // No topic comes into being by being asked for.
    request.byte(0);
    request.finish()
}

/// Read an answer, from behind its length.
pub(in crate::direct) fn metadata(answer: &[u8]) -> Result<Metadata, Malformed> {
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
        let partitions = reader.count()?;
        for _ in 0..partitions {
            let (fault, partition, leader) = (reader.i16()?, reader.i32()?, reader.i32()?);
            for _ in 0..2 {
                let nodes = reader.count()?;
                reader.take(nodes.checked_mul(4).ok_or(Malformed)?)?;
            }
            if error == 0 && fault == 0 && leader >= 0 {
                found.leaders.push((topic.clone(), partition, leader));
            }
        }
        found.topics.push((topic, error, partitions));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
