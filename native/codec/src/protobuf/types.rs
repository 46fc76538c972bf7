//! Which Arrow type a field has.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, TimeUnit};
use protox::prost_reflect::{
    Cardinality, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};

use super::schema::Result;
use crate::fault::Unsupported;

const MAX_DEPTH: usize = 64;
/// Messages that use others several times could otherwise have more columns than memory holds.
const MAX_NODES: usize = 20_000;
/// Precision and scale of decimals whose field does not say them.
const DECIMAL: (u8, i8) = (38, 18);
/// Holds every unsigned number of 64 bits.
pub const UNSIGNED: DataType = DataType::Decimal128(20, 0);

/// Messages that stand for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Timestamp,
    Date,
    TimeOfDay,
    Decimal,
    /// A message with one field, `value`, that is there so that it can be absent.
    Wrapper,
    /// A message without any field: true where it is there.
    Flag,
}

impl Known {
    pub fn of(message: &MessageDescriptor) -> Option<Self> {
        Some(match message.full_name() {
            "google.protobuf.Timestamp" => Self::Timestamp,
            "google.type.Date" => Self::Date,
            "google.type.TimeOfDay" => Self::TimeOfDay,
            "confluent.type.Decimal" => Self::Decimal,
            "google.protobuf.DoubleValue"
            | "google.protobuf.FloatValue"
            | "google.protobuf.Int64Value"
            | "google.protobuf.UInt64Value"
            | "google.protobuf.Int32Value"
            | "google.protobuf.UInt32Value"
            | "google.protobuf.BoolValue"
            | "google.protobuf.StringValue"
            | "google.protobuf.BytesValue" => Self::Wrapper,
            _ if message.fields().len() == 0 => Self::Flag,
            _ => return None,
        })
    }
}

/// Give the type of a message.
pub fn data_type(message: &MessageDescriptor) -> Result<DataType> {
    let mut walk = Walk {
        open: Vec::new(),
        nodes: 0,
    };
    match walk.message(message)? {
        found @ DataType::Struct(_) => Ok(found),
        _ => Err(Unsupported::new(format!(
            "message `{}` has no fields of its own",
            message.full_name()
        ))),
    }
}

/// Whether the absence of a field is told from any value that it may have.
pub fn may_be_absent(field: &FieldDescriptor) -> bool {
    field.supports_presence()
        && field.cardinality() != Cardinality::Required
        && field.field_descriptor_proto().default_value.is_none()
}

struct Walk {
    open: Vec<String>,
    nodes: usize,
}

impl Walk {
    fn message(&mut self, message: &MessageDescriptor) -> Result<DataType> {
        let name = message.full_name();
        if self.open.iter().any(|open| open == name) {
            return Err(Unsupported::new(format!(
                "message `{name}` contains itself: a recursive type has no fixed columns"
            )));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Unsupported::new("the schema is nested too deep"));
        }
        if let Some(known) = Known::of(message) {
            return self.known(known, message);
        }
        self.open.push(name.to_owned());
        let mut fields = Vec::new();
        for field in message.fields() {
            self.nodes += 1;
            if self.nodes > MAX_NODES {
                return Err(Unsupported::new("the schema has too many fields"));
            }
            let data_type = self
                .field(&field)
                .map_err(|error| within(field.name(), &error))?;
            fields.push(Field::new(field.name(), data_type, may_be_absent(&field)));
        }
        self.open.pop();
        Ok(DataType::Struct(Fields::from(fields)))
    }

    fn known(&mut self, known: Known, message: &MessageDescriptor) -> Result<DataType> {
        Ok(match known {
            Known::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Known::Date => DataType::Date32,
            Known::TimeOfDay => DataType::Time64(TimeUnit::Microsecond),
            Known::Decimal => DataType::Decimal128(DECIMAL.0, DECIMAL.1),
            Known::Flag => DataType::Boolean,
            Known::Wrapper => self.kind(&wrapped(message)?.kind())?,
        })
    }

    fn field(&mut self, field: &FieldDescriptor) -> Result<DataType> {
        if field.is_group() {
            return Err(Unsupported::new("groups are not supported"));
        }
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else {
                unreachable!("a map's entries are messages");
            };
            let key = self.kind(&entry.map_entry_key_field().kind())?;
            let value = entry.map_entry_value_field();
            let value = self.one(&value)?;
            let parts = Fields::from(vec![
                Field::new("key", key, false),
                Field::new("value", value, true),
            ]);
            let entries = Field::new("entries", DataType::Struct(parts), false);
            return Ok(DataType::Map(Arc::new(entries), false));
        }
        let one = self.one(field)?;
        Ok(if field.is_list() {
            DataType::List(Arc::new(Field::new("item", one, true)))
        } else {
            one
        })
    }

    fn one(&mut self, field: &FieldDescriptor) -> Result<DataType> {
        match field.kind() {
            Kind::Message(message) if Known::of(&message) == Some(Known::Decimal) => {
                let (precision, scale) = declared_size(field).unwrap_or(DECIMAL);
                Ok(DataType::Decimal128(precision, scale))
            }
            kind => self.kind(&kind),
        }
    }

    fn kind(&mut self, kind: &Kind) -> Result<DataType> {
        Ok(match kind {
            Kind::Double => DataType::Float64,
            Kind::Float => DataType::Float32,
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => DataType::Int32,
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint32 | Kind::Fixed32 => {
                DataType::Int64
            }
            Kind::Uint64 | Kind::Fixed64 => UNSIGNED,
            Kind::Bool => DataType::Boolean,
            Kind::String | Kind::Enum(_) => DataType::Utf8,
            Kind::Bytes => DataType::Binary,
            Kind::Message(message) => self.message(message)?,
        })
    }
}

/// The field of a wrapper.
pub fn wrapped(message: &MessageDescriptor) -> Result<FieldDescriptor> {
    message
        .get_field(1)
        .filter(|field| field.name() == "value")
        .ok_or_else(|| Unsupported::new(format!("`{}` has no `value`", message.full_name())))
}

/// Precision and scale of a decimal, as Confluent's converters write them into the options of its field.
pub fn declared_size(field: &FieldDescriptor) -> Option<(u8, i8)> {
    let options = field.options();
    let meta = options
        .descriptor()
        .get_extension_by_full_name("confluent.field_meta")?;
    let found = options.get_extension(&meta);
    let params = found.as_message()?.get_field_by_name("params")?;
    let number = |name: &str| -> Option<i64> {
        let key = MapKey::String(name.to_owned());
        match params.as_map()?.get(&key)? {
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    };
    let precision = number("precision").unwrap_or(38);
    let scale = number("scale")?;
    if !(1..=38).contains(&precision) || !(0..=precision).contains(&scale) {
        return None;
    }
    Some((precision as u8, scale as i8))
}

pub fn within(field: &str, error: &Unsupported) -> Unsupported {
    Unsupported::new(format!("field `{field}`: {error}"))
}
