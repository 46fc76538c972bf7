//! Default values of a schema, from JSON into the bytes that the reader itself would write.

use serde_json::Value;

use super::schema::{Kind, Result, Schema};
use super::wire::{put_bytes, put_long};
use crate::fault::Unsupported;

/// Append the bytes of a default value.
pub fn put_default(schema: &Schema, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    match (&schema.kind, value) {
        (Kind::Null, Value::Null) => {}
        (Kind::Boolean, Value::Bool(value)) => out.push(u8::from(*value)),
        (Kind::Int, Value::Number(_)) => {
            let value = value.as_i64().and_then(|value| i32::try_from(value).ok());
            put_long(i64::from(value.ok_or_else(wrong)?), out);
        }
        (Kind::Long, Value::Number(_)) => put_long(value.as_i64().ok_or_else(wrong)?, out),
        (Kind::Float, Value::Number(_)) => {
            let value = value.as_f64().ok_or_else(wrong)? as f32;
            out.extend_from_slice(&value.to_le_bytes());
        }
        (Kind::Double, Value::Number(_)) => {
            out.extend_from_slice(&value.as_f64().ok_or_else(wrong)?.to_le_bytes());
        }
        (Kind::String, Value::String(text)) => put_bytes(text.as_bytes(), out),
        (Kind::Bytes, Value::String(text)) => put_bytes(&latin1(text)?, out),
        (Kind::Fixed(fixed), Value::String(text)) => {
            let bytes = latin1(text)?;
            if bytes.len() != fixed.size {
                return Err(wrong());
            }
            out.extend_from_slice(&bytes);
        }
        (Kind::Enum(one), Value::String(text)) => {
            let index = one.symbols.iter().position(|symbol| symbol == text);
            put_long(index.ok_or_else(wrong)? as i64, out);
        }
        (Kind::Array(item), Value::Array(values)) => {
            if !values.is_empty() {
                put_long(values.len() as i64, out);
            }
            for value in values {
                put_default(item, value, out)?;
            }
            put_long(0, out);
        }
        (Kind::Map(item), Value::Object(values)) => {
            if !values.is_empty() {
                put_long(values.len() as i64, out);
            }
            for (key, value) in values {
                put_bytes(key.as_bytes(), out);
                put_default(item, value, out)?;
            }
            put_long(0, out);
        }
        (Kind::Record(record), Value::Object(values)) => {
            for field in &record.fields {
                let value = values.get(&field.name).or(field.default.as_ref());
                put_default(&field.schema, value.ok_or_else(wrong)?, out)?;
            }
        }
        // The specification wants the first branch; writers are known to use others.
        (Kind::Union(branches), value) => {
            for (index, branch) in branches.iter().enumerate() {
                let start = out.len();
                put_long(index as i64, out);
                if put_default(branch, value, out).is_ok() {
                    return Ok(());
                }
                out.truncate(start);
            }
            return Err(wrong());
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

/// Bytes stand in JSON as text whose characters are the bytes.
fn latin1(text: &str) -> Result<Vec<u8>> {
    text.chars()
        .map(|letter| u8::try_from(u32::from(letter)).map_err(|_| wrong()))
        .collect()
}

fn wrong() -> Unsupported {
    Unsupported::new("a default value does not fit its type")
}
