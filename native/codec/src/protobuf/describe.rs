//! A schema as JSON, for those who compare schemas, show them to people, and make new versions of them.

use protox::prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value, json};

use super::schema::{Result, Schema};
use super::types;

impl Schema {
    /// Give the Arrow type of a message.
    pub fn data_type(&self, message: &str) -> Result<arrow_schema::DataType> {
        types::data_type(&self.message(message)?)
    }

    /// Give package and messages with their fields, as JSON text.
    pub fn describe(&self) -> String {
        let own = self.messages();
        let mut names: Vec<String> = own
            .iter()
            .map(|(_, message)| message.full_name().to_owned())
            .collect();
        let mut messages: Vec<MessageDescriptor> =
            own.into_iter().map(|(_, message)| message).collect();
        // What they use of other files.
        let mut at = 0;
        while at < messages.len() {
            let used: Vec<_> = messages[at]
                .fields()
                .filter_map(|field| used_by(&field))
                .collect();
            for message in used {
                if !names.iter().any(|name| name == message.full_name()) {
                    names.push(message.full_name().to_owned());
                    messages.push(message);
                }
            }
            at += 1;
        }
        let described: Vec<Value> = messages
            .iter()
            .map(|message| self.message_json(message))
            .collect();
        json!({ "package": self.file().package_name(), "messages": described }).to_string()
    }

    fn message_json(&self, message: &MessageDescriptor) -> Value {
        let own = message.parent_file().name() == self.file().name();
        let reserved: Vec<_> = message
            .reserved_ranges()
            .map(|range| json!([range.start, range.end]))
            .collect();
        json!({
            "name": message.full_name(),
            "own": own,
            "indexes": if own { indexes(message) } else { Vec::new() },
            "fields": message.fields().map(|field| field_json(&field)).collect::<Vec<_>>(),
            "reserved": reserved,
            "reserved_names": message.reserved_names().collect::<Vec<_>>(),
        })
    }
}

/// The indexes that lead to a message of a file: in a descriptor's path they stand behind the numbers of the lists.
fn indexes(message: &MessageDescriptor) -> Vec<i32> {
    message.path().iter().skip(1).step_by(2).copied().collect()
}

fn used_by(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => used_by(&entry.map_entry_value_field()),
        Kind::Message(message) => Some(message),
        _ => None,
    }
}

fn field_json(field: &FieldDescriptor) -> Value {
    let label = if field.is_map() {
        "map"
    } else {
        match field.cardinality() {
            Cardinality::Repeated => "repeated",
            Cardinality::Required => "required",
            Cardinality::Optional if field.supports_presence() => "optional",
            Cardinality::Optional => "implicit",
        }
    };
    let (key, value) = match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => (
            Some(kind_name(&entry.map_entry_key_field().kind())),
            entry.map_entry_value_field().kind(),
        ),
        kind => (None, kind),
    };
    let group = field
        .containing_oneof()
        .filter(|group| !group.is_synthetic())
        .map(|group| group.name().to_owned());
    json!({
        "name": field.name(),
        "number": field.number(),
        "label": label,
        "key": key,
        "kind": kind_name(&value),
        "message": matches!(value, Kind::Message(_)),
        "enum": matches!(value, Kind::Enum(_)),
        "oneof": group,
        "default": field.field_descriptor_proto().default_value,
        "doc": doc(field),
    })
}

/// The word of a scalar, or the full name of a message or an enum.
fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(one) => one.full_name().to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// The comment before a field.
fn doc(field: &FieldDescriptor) -> Option<String> {
    let file = field.parent_file();
    let info = file.file_descriptor_proto().source_code_info.as_ref()?;
    let place = info
        .location
        .iter()
        .find(|location| location.path == field.path())?;
    let comment = place
        .leading_comments
        .as_deref()
        .or(place.trailing_comments.as_deref())?;
    let words: Vec<&str> = comment.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}
