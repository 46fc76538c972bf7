//! Messages in the registry's framing into columns.

use std::collections::{HashMap, HashSet};

use arrow_array::BinaryArray;
use arrow_schema::DataType;

use super::compile;
use super::read::Record;
use super::schema::{Result, Schema};
use super::wire::{Input, zigzag};
use crate::batch::{Decoded, Target};
use crate::fault::{self, Fault};
use crate::projection::Path;

/// More indexes than messages can be nested are no path.
const MAX_PATH: usize = 64;

/// Decodes messages of one kind. Schemas of writers are added as they are met.
pub struct Decoder {
    name: String,
    record: Record,
    target: Target,
    /// The names of a writer's messages, by the indexes that lead to them.
    writers: HashMap<u32, HashMap<Vec<i32>, String>>,
}

impl Decoder {
    /// Make a decoder of a message of the reader's schema; `data_type` is its Arrow type.
    pub fn new(schema: &str, message: &str, data_type: &DataType, paths: &[Path]) -> Result<Self> {
        let message = Schema::parse(schema)?.message(message)?;
        let target = Target::new(data_type, paths)?;
        Ok(Self {
            name: message.full_name().to_owned(),
            record: compile::record(&message, target.data_type())?,
            target,
            writers: HashMap::new(),
        })
    }

    /// Make the messages of a writer readable.
    pub fn add_writer(&mut self, id: u32, schema: &str) -> Result<()> {
        let messages = Schema::parse(schema)?.messages();
        let names = messages
            .into_iter()
            .map(|(path, message)| (path, message.full_name().to_owned()))
            .collect();
        self.writers.insert(id, names);
        Ok(())
    }

    /// Give the ids of writers in this batch that have not been added, each once, in order of appearance.
    pub fn unknown(&self, data: &BinaryArray) -> Vec<u32> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut last = None;
        for value in data.iter().flatten() {
            let Some((id, _)) = split(value) else {
                continue;
            };
            if last == Some(id) {
                continue;
            }
            last = Some(id);
            if !self.writers.contains_key(&id) && seen.insert(id) {
                found.push(id);
            }
        }
        found
    }

    /// Decode; `refused` says why the writers that could not be added are missing.
    pub fn decode(&self, data: &BinaryArray, refused: &HashMap<u32, String>) -> Decoded {
        // The id and indexes that were found right last.
        let mut last: (u32, &[u8]) = (0, &[]);
        let mut later = Vec::new();
        self.target.decode(data, |value, column| {
            let (id, rest) = split(value).ok_or_else(|| {
                Fault::new("not in the framing of a schema registry (a zero byte and a schema id)")
            })?;
            let (path, message) = indexes(rest)?;
            if (id, path) != last {
                let names = self.writers.get(&id).ok_or_else(|| {
                    let reason = refused.get(&id).map_or("unknown", String::as_str);
                    Fault::new(format!("schema {id}: {reason}"))
                })?;
                self.check(id, names, path)?;
                last = (id, path);
            }
            later.clear();
            self.record.run(message, column, &mut later)
        })
    }

    fn check(&self, id: u32, names: &HashMap<Vec<i32>, String>, path: &[u8]) -> fault::Result<()> {
        match names.get(&numbers(path)?) {
            Some(name) if *name == self.name => Ok(()),
            Some(name) => Err(Fault::new(format!(
                "a message `{name}`, not `{}`",
                self.name
            ))),
            None => Err(Fault::new(format!(
                "schema {id} has no message of these indexes"
            ))),
        }
    }
}

fn split(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<5>()?;
    let [0, id @ ..] = head else {
        return None;
    };
    Some((u32::from_be_bytes(*id), rest))
}

/// Split off the bytes that say which message follows.
#[inline]
fn indexes(bytes: &[u8]) -> fault::Result<(&[u8], &[u8])> {
    if bytes.first() == Some(&0) {
        return Ok(bytes.split_at(1));
    }
    let mut input = Input(bytes);
    let count = zigzag(input.varint()?);
    if !(0..=MAX_PATH as i64).contains(&count) {
        return Err(Fault::new("which message it is cannot be read"));
    }
    for _ in 0..count {
        input.varint()?;
    }
    Ok(bytes.split_at(bytes.len() - input.0.len()))
}

/// Give the indexes; none at all stands for the first message.
fn numbers(path: &[u8]) -> fault::Result<Vec<i32>> {
    let mut input = Input(path);
    let count = zigzag(input.varint()?);
    if count == 0 {
        return Ok(vec![0]);
    }
    let mut found = Vec::new();
    while !input.is_empty() {
        found.push(i32::try_from(zigzag(input.varint()?)).unwrap_or(-1));
    }
    Ok(found)
}
