//! The search for a match that begins at one row: all ways to match that are still open, row by row.
//!
//! The ways stand in the order of preference. When one of them is complete, those behind it are given up, and those before it
//! go on: the match is decided when none of these is left. So it is the one that trying all ways one after the other would
//! find first.

use std::sync::Arc;

use super::conditions::{Expression, References, Rows, Seen};
use super::program::{Instruction, Program};

/// Most ways to match that are open at once; of more, those that are preferred least are given up.
pub const MOST_WAYS: usize = 1000;

/// A pattern with what its variables and measures ask for.
pub struct Plan {
    pub program: Program,
    /// For each variable; None: every row.
    pub conditions: Vec<Option<Expression>>,
    pub references: References,
}

/// A row that is taken, and those before it.
pub struct Step {
    pub variable: usize,
    /// Number of the row.
    pub row: u64,
    before: Option<Arc<Step>>,
}

/// A long way is taken apart step by step: each step dropping the one before it could need more stack than there is.
impl Drop for Step {
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(mut step) = next.and_then(Arc::into_inner) {
            next = step.before.take();
        }
    }
}

struct Way {
    /// A `Take` of the program.
    at: usize,
    seen: Arc<[Seen]>,
    path: Option<Arc<Step>>,
}

#[derive(Default)]
pub struct Search {
    ways: Vec<Way>,
    best: Option<Arc<Step>>,
    /// How many rows it has been given.
    rows: u64,
}

/// What the ways become at one row.
struct Next<'a> {
    plan: &'a Plan,
    ways: Vec<Way>,
    best: Option<Arc<Step>>,
    /// For each instruction the last round in which it was reached.
    reached: Vec<u32>,
    round: u32,
}

impl Next<'_> {
    /// Follow the program from an instruction to all rows that it could take; false if it comes to its end there.
    fn follow(&mut self, at: usize, seen: &Arc<[Seen]>, path: Option<&Arc<Step>>) -> bool {
        // Without references what was taken before does not matter: a place that was reached is reached for all.
        if !self.plan.references.is_empty() || self.round == 0 {
            self.round += 1;
        }
        let mut waiting = vec![at];
        while let Some(at) = waiting.pop() {
            if self.reached[at] == self.round {
                continue;
            }
            self.reached[at] = self.round;
            match self.plan.program.at(at) {
                Instruction::Go(to) => waiting.push(to),
                Instruction::Either(first, second) => waiting.extend([second, first]),
                Instruction::Take(_) => self.add(at, seen, path),
                Instruction::Done => {
                    self.best = path.cloned();
                    return false;
                }
            }
        }
        true
    }

    fn add(&mut self, at: usize, seen: &Arc<[Seen]>, path: Option<&Arc<Step>>) {
        let is_known = || {
            let mut same = self.ways.iter().filter(|way| way.at == at);
            same.any(|way| Arc::ptr_eq(&way.seen, seen) || way.seen == *seen)
        };
        if self.ways.len() < MOST_WAYS && (self.plan.references.is_empty() || !is_known()) {
            self.ways.push(Way {
                at,
                seen: Arc::clone(seen),
                path: path.cloned(),
            });
        }
    }
}

impl Search {
    /// Begin.
    pub fn new(plan: &Plan) -> Self {
        let mut next = Self::next(plan);
        next.follow(0, &plan.references.nothing(), None);
        Self {
            ways: next.ways,
            best: None,
            rows: 0,
        }
    }

    fn next(plan: &Plan) -> Next<'_> {
        Next {
            plan,
            ways: Vec::new(),
            best: None,
            reached: vec![0; plan.program.len()],
            round: 0,
        }
    }

    /// Whether a row could still change what it has found.
    pub fn is_open(&self) -> bool {
        !self.ways.is_empty()
    }

    /// How many rows it has been given.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Take the next row.
    ///
    /// Args:
    /// - `number`: of the row.
    /// - `rows`: gives its cells, and those of the rows before it.
    /// - `cells`: of the row.
    pub fn step(
        &mut self,
        plan: &Plan,
        number: u64,
        rows: &impl Rows,
        cells: &[super::cells::Cell],
    ) {
        self.rows += 1;
        let mut next = Self::next(plan);
        for way in std::mem::take(&mut self.ways) {
            let Instruction::Take(variable) = plan.program.at(way.at) else {
                continue;
            };
            let seen = plan.references.with(&way.seen, variable, cells);
            let fits = plan.conditions[variable].as_ref().is_none_or(|condition| {
                condition.value(rows, &seen) == super::cells::Cell::Bool(true)
            });
            if !fits {
                continue;
            }
            let path = Some(Arc::new(Step {
                variable,
                row: number,
                before: way.path,
            }));
            if !next.follow(way.at + 1, &seen, path.as_ref()) {
                break;
            }
        }
        self.ways = next.ways;
        if next.best.is_some() {
            self.best = next.best;
        }
    }

    /// Nothing more comes in time.
    pub fn close(&mut self) {
        self.ways.clear();
    }

    /// Give the rows of the match, from the first to the last, each with its variable; nothing if there is none.
    pub fn found(&self) -> Vec<(u64, usize)> {
        let mut rows = Vec::new();
        let mut step = self.best.as_ref();
        while let Some(found) = step {
            rows.push((found.row, found.variable));
            step = found.before.as_ref();
        }
        rows.reverse();
        rows
    }
}
