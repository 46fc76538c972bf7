//! The codec beside an independent one, on random messages.

use std::collections::HashMap;

use arrow_array::{Array, BinaryArray, make_array};
use protox::prost_reflect::bytes::Bytes;
use protox::prost_reflect::prost::Message as _;
use protox::prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};

use super::{Decoder, Encoder, Schema};

const TEXT: &str = r#"
syntax = "proto3";
package a.b;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum State { NEW = 0; PAID = 1; LOST = -1; }
message Unused { int32 x = 1; }
message All {
  double f1 = 1; float f2 = 2; int32 f3 = 3; int64 f4 = 4; uint32 f5 = 5; uint64 f6 = 6;
  sint32 f7 = 7; sint64 f8 = 8; fixed32 f9 = 9; fixed64 f10 = 10; sfixed32 f11 = 11; sfixed64 f12 = 12;
  bool f13 = 13; string f14 = 14; bytes f15 = 15; State f16 = 1016;
  optional double o1 = 21; optional int32 o3 = 23; optional uint64 o6 = 26; optional bool o13 = 33;
  optional string o14 = 34; optional bytes o15 = 35; optional State o16 = 36;
  repeated int32 r3 = 43; repeated sint64 r8 = 48 [packed = false]; repeated string r14 = 54; repeated State r16 = 56;
  repeated Inner rm = 57; repeated fixed32 r9 = 58;
  map<string, int32> m1 = 61; map<int64, Inner> m2 = 62; map<bool, string> m3 = 63; map<uint64, State> m4 = 64;
  Inner inner = 71; google.protobuf.Timestamp at = 72; google.protobuf.Int64Value wrapped = 73;
  google.protobuf.StringValue text = 74; Empty empty = 75;
  oneof choice { string c1 = 81; Inner c2 = 82; int32 c3 = 83; Empty c4 = 84; }
  message Inner { int32 a = 1; optional string b = 2; Deep deep = 3; repeated Deep deeps = 4; }
  message Deep { oneof one { int64 x = 1; Empty y = 2; } map<int32, Empty> z = 3; }
  message Empty {}
}
"#;

/// A generator of numbers that are the same at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Small numbers, the ends, and everything between.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(3),
            1 => u64::MAX - self.below(3),
            2 => 1 << self.below(64),
            _ => self.next(),
        }
    }

    fn message(&mut self, descriptor: &MessageDescriptor) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            if self.below(3) == 0 {
                continue;
            }
            let value = self.field(&field);
            message.set_field(&field, value);
        }
        message
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else {
                unreachable!();
            };
            let mut map = HashMap::new();
            for _ in 0..self.below(4) {
                let key = match self.one(&entry.map_entry_key_field().kind()) {
                    Value::String(text) => MapKey::String(text),
                    Value::I32(number) => MapKey::I32(number),
                    Value::I64(number) => MapKey::I64(number),
                    Value::U64(number) => MapKey::U64(number),
                    Value::Bool(value) => MapKey::Bool(value),
                    _ => unreachable!(),
                };
                map.insert(key, self.one(&entry.map_entry_value_field().kind()));
            }
            return Value::Map(map);
        }
        if field.is_list() {
            return Value::List(
                (0..self.below(4))
                    .map(|_| self.one(&field.kind()))
                    .collect(),
            );
        }
        self.one(&field.kind())
    }

    fn one(&mut self, kind: &Kind) -> Value {
        let number = self.number();
        match kind {
            Kind::Double => Value::F64(number as i64 as f64 / 8.0),
            Kind::Float => Value::F32(number as i32 as f32 / 8.0),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number as i64),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(number as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(number),
            Kind::Bool => Value::Bool(number & 1 == 1),
            Kind::String => Value::String("ßx".repeat(number as usize % 80)),
            Kind::Bytes => Value::Bytes(Bytes::from(vec![0xff; number as usize % 3])),
            Kind::Enum(_) => Value::EnumNumber(number as i32 % 3 - 1),
            Kind::Message(message) if message.name() == "Timestamp" => {
                let mut made = DynamicMessage::new(message.clone());
                let micros = self.below(1_000_000) as i32;
                made.set_field_by_name("seconds", Value::I64(number as i32 as i64));
                made.set_field_by_name("nanos", Value::I32(micros * 1_000));
                Value::Message(made)
            }
            Kind::Message(message) => Value::Message(self.message(message)),
        }
    }
}

struct Pair {
    descriptor: MessageDescriptor,
    decoder: Decoder,
    encoder: Encoder,
}

fn pair() -> Pair {
    let schema = Schema::parse(TEXT).unwrap();
    let descriptor = schema.message("a.b.All").unwrap();
    let data_type = schema.data_type("a.b.All").unwrap();
    let mut decoder = Decoder::new(TEXT, "a.b.All", &data_type, &[vec![]]).unwrap();
    decoder.add_writer(7, TEXT).unwrap();
    let encoder = Encoder::new(TEXT, "a.b.All", 7, &data_type).unwrap();
    Pair {
        descriptor,
        decoder,
        encoder,
    }
}

/// The framing, and that it is the second message of the file.
fn framed(bytes: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, 7, 2, 2], bytes].concat()
}

fn through(pair: &mut Pair, bytes: Vec<Vec<u8>>) -> Vec<DynamicMessage> {
    let data = BinaryArray::from_iter_values(&bytes);
    let mut decoded = pair.decoder.decode(&data, &HashMap::new());
    assert_eq!(decoded.errors, []);
    let column = make_array(decoded.columns.remove(0));
    column.to_data().validate_full().unwrap();
    let encoded = pair.encoder.encode(column.as_ref()).unwrap();
    assert_eq!(encoded.errors, []);
    let read = |row: usize| {
        let (head, body) = encoded.data.value(row).split_at(7);
        assert_eq!(head, [0, 0, 0, 0, 7, 2, 2]);
        DynamicMessage::decode(pair.descriptor.clone(), body).unwrap()
    };
    (0..encoded.data.len()).map(read).collect()
}

/// Hold what comes back against what the other codec reads. Messages are too long to be shown.
fn compare(bytes: &[Vec<u8>]) {
    let mut pair = pair();
    let found = through(&mut pair, bytes.iter().map(|one| framed(one)).collect());
    for (row, (found, bytes)) in found.iter().zip(bytes).enumerate() {
        let expected = DynamicMessage::decode(pair.descriptor.clone(), &bytes[..]).unwrap();
        for field in pair.descriptor.fields() {
            let (found, expected) = (found.get_field(&field), expected.get_field(&field));
            assert!(found == expected, "row {row}: field {}", field.name());
        }
        assert!(*found == expected, "row {row}: presence");
    }
}

#[test]
fn messages_come_back() {
    let descriptor = pair().descriptor;
    let mut random = Random(42);
    let mut one = || random.message(&descriptor).encode_to_vec();
    compare(&(0..100).map(|_| one()).collect::<Vec<_>>());
}

#[test]
fn what_is_written_twice_is_merged() {
    let descriptor = pair().descriptor;
    let mut random = Random(43);
    let mut one = || random.message(&descriptor).encode_to_vec();
    compare(
        &(0..100)
            .map(|_| [one(), one()].concat())
            .collect::<Vec<_>>(),
    );
}

#[test]
fn no_bytes_do_harm() {
    let mut random = Random(44);
    let pair = pair();
    let mut bytes = Vec::new();
    for _ in 0..150 {
        let mut one = framed(&random.message(&pair.descriptor).encode_to_vec());
        for _ in 0..=random.below(4) {
            let at = random.below(one.len() as u64) as usize;
            match random.below(3) {
                0 => one[at] = random.next() as u8,
                1 => one.truncate(at.max(7)),
                _ => one.insert(at, random.next() as u8),
            }
        }
        bytes.push(one);
    }
    let data = BinaryArray::from_iter_values(&bytes);
    let decoded = pair.decoder.decode(&data, &HashMap::new());
    for column in decoded.columns {
        make_array(column).to_data().validate_full().unwrap();
    }
}

#[test]
fn an_unwanted_rival_takes_the_place_of_what_is_wanted() {
    let schema = Schema::parse(TEXT).unwrap();
    let data_type = schema.data_type("a.b.All").unwrap();
    let paths = [vec!["c1".to_owned()], vec!["c2".to_owned(), "a".to_owned()]];
    let mut decoder = Decoder::new(TEXT, "a.b.All", &data_type, &paths).unwrap();
    decoder.add_writer(7, TEXT).unwrap();
    // c1 = "x", then c3 = 1; c2.a = 1, then c1 = "y", then c2.b = "".
    let rows = [
        framed(&[0x8a, 5, 1, b'x', 0x98, 5, 1]),
        framed(&[0x92, 5, 2, 8, 1, 0x8a, 5, 1, b'y', 0x92, 5, 2, 0x12, 0]),
    ];
    let decoded = decoder.decode(&BinaryArray::from_iter_values(&rows), &HashMap::new());
    assert_eq!(decoded.errors, []);
    let columns: Vec<_> = decoded.columns.into_iter().map(make_array).collect();
    assert!(columns[0].is_null(0) && columns[0].is_null(1));
    assert!(!columns[1].is_null(1));
}
