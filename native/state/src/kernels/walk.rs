//! The order in which a kernel takes rows in: task by task, within a task by `_seq`, then by input, then as they come.

use std::collections::BTreeMap;

use crate::batch::{Input, op};

/// A row of an input, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub input: u32,
    pub row: u32,
}

/// The rows of one task, in order.
#[derive(Debug, PartialEq, Eq)]
pub struct TaskRows {
    pub partition: i32,
    pub places: Vec<Place>,
}

/// Put the rows of all inputs (None: no rows) in order. The rows of a partition come by ascending `_seq` in each input.
pub fn walk(inputs: &[Option<Input<'_>>]) -> Vec<TaskRows> {
    let mut tasks: BTreeMap<i32, Vec<Place>> = BTreeMap::new();
    for (number, input) in inputs.iter().enumerate() {
        let Some(input) = input else { continue };
        let mut row = 0;
        while row < input.rows() {
            let partition = input.partition[row];
            let run = input.partition[row..]
                .iter()
                .take_while(|other| **other == partition)
                .count();
            tasks
                .entry(partition)
                .or_default()
                .extend((row..row + run).map(|row| Place {
                    input: number as u32,
                    row: row as u32,
                }));
            row += run;
        }
    }
    let seq = |place: &Place| {
        let input = inputs[place.input as usize].as_ref();
        input.map_or(0, |input| input.seq[place.row as usize])
    };
    tasks
        .into_iter()
        .map(|(partition, mut places)| {
            // Stable, and quick where there are but two ascending runs: those of the two inputs.
            if inputs.len() > 1 {
                places.sort_by_key(seq);
            }
            TaskRows { partition, places }
        })
        .collect()
}

/// One change: a row, or an UPDATE_BEFORE and the UPDATE_AFTER that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub input: usize,
    /// The row that goes away.
    pub gone: Option<usize>,
    /// The row that comes.
    pub come: Option<usize>,
}

impl Change {
    /// The row that names the key, the time and the place.
    pub fn row(&self) -> usize {
        self.gone.or(self.come).unwrap_or(0)
    }

    /// How many rows it is.
    pub fn rows(&self) -> u64 {
        u64::from(self.gone.is_some()) + u64::from(self.come.is_some())
    }
}

/// Give the changes of the rows of a task. Two rows are one change if they are of one record and `same_key` says so of
/// their numbers in the input; so it does not matter how records are cut into batches.
pub fn changes<'a>(
    inputs: &'a [Option<Input<'a>>],
    places: &'a [Place],
    same_key: impl Fn(usize, usize, usize) -> bool + 'a,
) -> impl Iterator<Item = Change> + 'a {
    let mut at = 0;
    std::iter::from_fn(move || {
        let place = places.get(at)?;
        at += 1;
        let (number, row) = (place.input as usize, place.row as usize);
        let input = inputs[number].as_ref()?;
        let mut change = Change {
            input: number,
            gone: (input.op[row] < 0).then_some(row),
            come: (input.op[row] > 0).then_some(row),
        };
        if input.op[row] == op::UPDATE_BEFORE
            && let Some(next) = places.get(at).filter(|next| next.input == place.input)
        {
            let after = next.row as usize;
            if input.op[after] == op::UPDATE_AFTER
                && input.seq[after] == input.seq[row]
                && same_key(number, row, after)
            {
                at += 1;
                change.come = Some(after);
            }
        }
        Some(change)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input<'a>(partition: &'a [i32], seq: &'a [i64], op: &'a [i8]) -> Option<Input<'a>> {
        Some(Input {
            partition,
            seq,
            time: seq,
            op,
            keys: &[],
            values: &[],
        })
    }

    fn places(rows: &TaskRows) -> Vec<(u32, u32)> {
        rows.places
            .iter()
            .map(|place| (place.input, place.row))
            .collect()
    }

    #[test]
    fn two_inputs_are_merged_by_sequence_then_by_input() {
        let inputs = [
            input(&[0, 1, 0], &[1, 1, 5], &[1, 1, 1]),
            input(&[0, 0, 1], &[1, 3, 0], &[1, 1, 1]),
        ];
        let tasks = walk(&inputs);
        assert_eq!(tasks[0].partition, 0);
        assert_eq!(places(&tasks[0]), [(0, 0), (1, 0), (1, 1), (0, 2)]);
        assert_eq!(places(&tasks[1]), [(1, 2), (0, 1)]);
    }

    #[test]
    fn an_input_without_rows_takes_no_part() {
        let inputs = [None, input(&[3], &[1], &[1])];
        assert_eq!(places(&walk(&inputs)[0]), [(1, 0)]);
    }

    #[test]
    fn an_update_of_one_key_in_one_record_is_one_change() {
        let ops = [op::UPDATE_BEFORE, op::UPDATE_AFTER];
        let found = |seq: &[i64; 2], same: bool| -> Vec<_> {
            let inputs = [input(&[0, 0], seq, &ops)];
            let tasks = walk(&inputs);
            changes(&inputs, &tasks[0].places, |_, _, _| same)
                .map(|change| (change.gone, change.come))
                .collect()
        };
        assert_eq!(found(&[1, 1], true), [(Some(0), Some(1))]);
        let apart = [(Some(0), None), (None, Some(1))];
        assert_eq!(found(&[1, 2], true), apart);
        assert_eq!(found(&[1, 1], false), apart);
    }
}
