//! Values in the registry's framing into columns, each by the schema of its writer.

use std::collections::{HashMap, HashSet};

use arrow_array::BinaryArray;
use arrow_schema::DataType;

use super::read::Op;
use super::resolve::compile;
use super::schema::{Result, Schema};
use super::wire::Input;
use crate::batch::{Decoded, Target};
use crate::fault::Fault;
use crate::projection::Path;

/// Decodes values into the reader's type. Schemas of writers are added as they are met.
pub struct Decoder {
    reader: Schema,
    target: Target,
    programs: HashMap<u32, Op>,
}

impl Decoder {
    /// Make a decoder; `data_type` is the Arrow type of the reader's schema.
    pub fn new(schema: &str, data_type: &DataType, paths: &[Path]) -> Result<Self> {
        let reader = Schema::parse(schema)?;
        let target = Target::new(data_type, paths)?;
        // Whatever the writers do: the reader's own schema must fit the type.
        compile(&reader, &reader, target.data_type())?;
        Ok(Self {
            reader,
            target,
            programs: HashMap::new(),
        })
    }

    /// Make the values of a writer readable.
    pub fn add_writer(&mut self, id: u32, schema: &str) -> Result<()> {
        let writer = Schema::parse(schema)?;
        let program = compile(&writer, &self.reader, self.target.data_type())?;
        self.programs.insert(id, program);
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
            if !self.programs.contains_key(&id) && seen.insert(id) {
                found.push(id);
            }
        }
        found
    }

    /// Decode; `refused` says why the writers that could not be added are missing.
    pub fn decode(&self, data: &BinaryArray, refused: &HashMap<u32, String>) -> Decoded {
        let mut last: Option<(u32, &Op)> = None;
        self.target.decode(data, |bytes, column| {
            let (id, value) = split(bytes).ok_or_else(|| {
                Fault::new("not in the framing of a schema registry (a zero byte and a schema id)")
            })?;
            let program = match last {
                Some((known, program)) if known == id => program,
                _ => match self.programs.get(&id) {
                    Some(program) => program,
                    None => {
                        let reason = refused.get(&id).map_or("unknown", String::as_str);
                        return Err(Fault::new(format!("schema {id}: {reason}")));
                    }
                },
            };
            last = Some((id, program));
            let mut input = Input::new(value);
            program.run(&mut input, column)?;
            input.end()
        })
    }
}

fn split(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, value) = bytes.split_first_chunk::<5>()?;
    let [0, id @ ..] = head else {
        return None;
    };
    Some((u32::from_be_bytes(*id), value))
}
