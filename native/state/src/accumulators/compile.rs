//! From the calls of a specification to accumulators for the types at hand.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use super::functions::{Function, Pick, expect, picked};
use super::values::{Argument, Codec};
use super::{Accumulator, Accumulators, Call, From, Make, Output, Rows, Tally, Word};
use crate::batch::LEADING;
use crate::error::{Error, Result};
use crate::spec;

impl Accumulators {
    /// Compile calls.
    ///
    /// Args:
    /// - `input`: of the batches, with the four leading columns and the keys.
    /// - `keys`: how many key columns there are, before the value columns.
    /// - `results`: the fields of the output that hold the results, one for each call.
    /// - `rows`: what happens to the rows of a group.
    ///
    /// # Errors
    /// A function that is not known, or does not take these types, or cannot take rows away.
    pub fn new(
        calls: &[spec::Call],
        input: &Schema,
        keys: usize,
        results: &[Arc<Field>],
        rows: Rows,
    ) -> Result<Self> {
        if calls.len() != results.len() {
            return Err(Error::spec(
                "as many result columns as aggregates are needed",
            ));
        }
        let mut compiler = Compiler {
            input,
            first: LEADING + keys,
            rows,
            arguments: Vec::new(),
            tallies: Vec::new(),
            weight: None,
        };
        if calls.iter().any(|call| call.weight.is_some()) {
            compiler.weight = Some(compiler.weight_column(0)?);
        }
        let mut planned = Vec::new();
        for (call, field) in calls.iter().zip(results) {
            planned.push(compiler.plan(call, field)?);
        }
        Ok(compiler.assemble(planned))
    }
}

/// An output and, unless a tally is all it needs, its accumulator with argument and tally.
struct Planned {
    make: Make,
    from: Source,
}

enum Source {
    Rows,
    Tally(usize),
    Call {
        accumulator: Box<dyn Accumulator>,
        argument: usize,
        tally: usize,
    },
}

struct Compiler<'a> {
    input: &'a Schema,
    /// The first value column.
    first: usize,
    rows: Rows,
    arguments: Vec<Argument>,
    tallies: Vec<Tally>,
    /// Says for how many rows a row stands.
    weight: Option<usize>,
}

impl Compiler<'_> {
    fn plan(&mut self, call: &spec::Call, field: &Arc<Field>) -> Result<Planned> {
        let function = call.function.as_str();
        let filter = call.filter.map(|column| self.column(column)).transpose()?;
        if filter.is_some_and(|column| self.input.field(column).data_type() != &DataType::Boolean) {
            return Err(Error::spec(format!(
                "the filter of {function} is not a boolean"
            )));
        }
        let weight = call
            .weight
            .map(|column| self.weight_column(column))
            .transpose()?;
        let (pick, values) = (picked(function), &call.arguments[..]);
        if values.len() > 1 && (values.len() > 2 || pick == Pick::Only || call.distinct) {
            return Err(Error::spec(format!("{function} takes one argument")));
        }
        let columns = values.iter().map(|value| self.column(*value));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let values = [columns.first().copied(), columns.get(1).copied()];
        let is_count = function == "COUNT" && (columns.is_empty() || !call.distinct);
        if pick == Pick::None || is_count {
            let from = match (values[0], filter) {
                (None, None) => Source::Rows,
                _ => Source::Tally(self.tally(values, filter, weight)),
            };
            expect(function, field.data_type() == &DataType::Int64)?;
            return Ok(Planned {
                make: Make::Value(Arc::new(Codec::new(field.data_type())?)),
                from,
            });
        }
        let value = match (pick, &columns[..]) {
            (Pick::Only, [value]) => *value,
            (Pick::First | Pick::Both, [first, _]) => *first,
            (Pick::Second, [_, second]) => *second,
            _ => return Err(Error::spec(format!("{function} needs its arguments"))),
        };
        let argument = match (pick, &columns[..]) {
            (Pick::Both, [first, second]) => self.pair(*first, *second)?,
            _ => self.argument(value)?,
        };
        let data_type = self.input.field(value).data_type();
        let chosen = Function {
            call,
            argument: data_type,
            result: field.data_type(),
            rows: self.rows,
        };
        let accumulator = chosen.accumulator()?;
        let make = if chosen.gives_list() {
            let DataType::List(item) = field.data_type() else {
                return Err(Error::spec(format!(
                    "{function} gives a list, not {}",
                    field.data_type()
                )));
            };
            expect(function, item.data_type() == data_type)?;
            Make::List(Arc::new(Codec::new(data_type)?), Arc::clone(item))
        } else {
            Make::Value(Arc::new(Codec::new(field.data_type())?))
        };
        let tally = self.tally(values, filter, weight);
        Ok(Planned {
            make,
            from: Source::Call {
                accumulator,
                argument,
                tally,
            },
        })
    }

    fn column(&self, value: usize) -> Result<usize> {
        let column = self.first + value;
        if column < self.input.fields().len() {
            Ok(column)
        } else {
            Err(Error::spec(format!("there is no value column {value}")))
        }
    }

    fn weight_column(&self, value: usize) -> Result<usize> {
        let column = self.column(value)?;
        if self.input.field(column).data_type() != &DataType::Int64 {
            return Err(Error::spec("a weight is a 64-bit integer"));
        }
        Ok(column)
    }

    fn argument(&mut self, column: usize) -> Result<usize> {
        let same = |known: &Argument| matches!(known, Argument::One(other, _) if *other == column);
        if let Some(found) = self.arguments.iter().position(same) {
            return Ok(found);
        }
        let codec = Codec::new(self.input.field(column).data_type())?;
        self.arguments.push(Argument::One(column, codec));
        Ok(self.arguments.len() - 1)
    }

    /// Two columns of doubles.
    fn pair(&mut self, first: usize, second: usize) -> Result<usize> {
        for column in [first, second] {
            if self.input.field(column).data_type() != &DataType::Float64 {
                return Err(Error::spec("a function of two arguments takes doubles"));
            }
        }
        let same =
            |known: &Argument| matches!(known, Argument::Two(a, b) if (*a, *b) == (first, second));
        if let Some(found) = self.arguments.iter().position(same) {
            return Ok(found);
        }
        self.arguments.push(Argument::Two(first, second));
        Ok(self.arguments.len() - 1)
    }

    /// Each call counts its values itself, so that one that is added to a state later can begin with none.
    fn tally(
        &mut self,
        values: [Option<usize>; 2],
        filter: Option<usize>,
        weight: Option<usize>,
    ) -> usize {
        self.tallies.push(Tally {
            values,
            filter,
            weight,
        });
        self.tallies.len() - 1
    }

    fn assemble(self, planned: Vec<Planned>) -> Accumulators {
        let mut words = vec![Word::Int; 1 + self.tallies.len()];
        let mut heaps = Vec::new();
        let mut calls = Vec::new();
        let mut outputs: Vec<Option<Output>> = Vec::new();
        // Calls that may fail go first; an output finds its call by where it ended up.
        let mut waiting = Vec::new();
        for (index, Planned { make, from }) in planned.into_iter().enumerate() {
            let from = match from {
                Source::Rows => From::Rows,
                Source::Tally(tally) => From::Tally(tally),
                Source::Call {
                    accumulator,
                    argument,
                    tally,
                } => {
                    waiting.push((index, make, accumulator, argument, tally));
                    outputs.push(None);
                    continue;
                }
            };
            outputs.push(Some(Output { from, make }));
        }
        waiting.sort_by_key(|(_, _, accumulator, _, _)| accumulator.limited().is_none()); // stable
        let fallible = waiting
            .iter()
            .filter(|(_, _, accumulator, _, _)| accumulator.limited().is_some())
            .count();
        for (index, make, accumulator, argument, tally) in waiting {
            let parts = accumulator.parts();
            let (first_word, first_heap) = (words.len(), heaps.len());
            words.extend(parts.words);
            heaps.extend(parts.heaps);
            outputs[index] = Some(Output {
                from: From::Call(calls.len()),
                make,
            });
            calls.push(Call {
                accumulator,
                argument,
                tally,
                words: first_word..words.len(),
                heaps: first_heap..heaps.len(),
            });
        }
        let unlimited = (0..calls.len())
            .filter(|call| calls[*call].accumulator.unlimited().is_some())
            .collect();
        Accumulators {
            unlimited,
            arguments: self.arguments,
            tallies: self.tallies,
            weight: self.weight,
            calls,
            fallible,
            outputs: outputs.into_iter().flatten().collect(),
            words,
            heaps,
            inline_bytes: super::INLINE_BYTES,
        }
    }
}
