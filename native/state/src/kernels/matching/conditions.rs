//! Whether a row may be taken for a variable, after what has been taken so far.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::error::{Error, Result};

use super::cells::Cell;
use super::spec::{Comparison, Condition, Function, Operator, Reference};

/// Compiled: columns are places among the cells of a row, constants are cells.
#[derive(Debug)]
pub enum Expression {
    Column(usize),
    Reference(usize),
    Previous(usize, usize),
    Constant(Cell),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    IsNull(Box<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    Arithmetic(Operator, Box<Expression>, Box<Expression>),
    Negate(Box<Expression>),
    Float(Box<Expression>, u32),
    Decimal(Box<Expression>, u32),
}

/// What an expression looks at.
pub trait Rows {
    /// A cell of the row so many rows before that at hand (0: this one); None if there is no such row.
    fn cell(&self, place: usize, back: usize) -> Option<&Cell>;
}

impl Expression {
    /// Compile.
    ///
    /// Args:
    /// - `place`: gives, and from now on keeps, a column as a cell of each row.
    /// - `references`: how many there are.
    pub fn new(
        condition: &Condition,
        references: usize,
        place: &mut impl FnMut(usize) -> usize,
    ) -> Result<Self> {
        let mut inner = |part: &Condition| Self::new(part, references, place).map(Box::new);
        Ok(match condition {
            Condition::Column(column) => Self::Column(place(*column)),
            Condition::Reference(number) if *number < references => Self::Reference(*number),
            Condition::Reference(_) => return Err(Error::spec("there is no such reference")),
            Condition::Previous(column, back) => Self::Previous(place(*column), *back),
            Condition::Constant(literal) => Self::Constant(Cell::of(literal)?),
            Condition::Not(part) => Self::Not(inner(part)?),
            Condition::And(parts) => Self::And(all(parts, references, place)?),
            Condition::Or(parts) => Self::Or(all(parts, references, place)?),
            Condition::IsNull(part) => Self::IsNull(inner(part)?),
            Condition::Compare(by, left, right) => Self::Compare(*by, inner(left)?, inner(right)?),
            Condition::Arithmetic(by, left, right) => {
                Self::Arithmetic(*by, inner(left)?, inner(right)?)
            }
            Condition::Negate(part) => Self::Negate(inner(part)?),
            Condition::Float(part, scale) => Self::Float(inner(part)?, *scale),
            Condition::Decimal(part, digits) => Self::Decimal(inner(part)?, *digits),
        })
    }

    /// How many rows before the one at hand it looks at most.
    pub fn back(&self) -> usize {
        match self {
            Self::Previous(_, back) => *back,
            Self::Column(_) | Self::Reference(_) | Self::Constant(_) => 0,
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::back).max().unwrap_or(0),
            Self::Compare(_, left, right) | Self::Arithmetic(_, left, right) => {
                left.back().max(right.back())
            }
            Self::Not(part)
            | Self::IsNull(part)
            | Self::Negate(part)
            | Self::Float(part, _)
            | Self::Decimal(part, _) => part.back(),
        }
    }

    /// Give its value for the row at hand.
    pub fn value(&self, rows: &impl Rows, seen: &[Seen]) -> Cell {
        let of = |part: &Self| part.value(rows, seen);
        match self {
            Self::Column(place) => rows.cell(*place, 0).cloned().unwrap_or(Cell::Null),
            Self::Previous(place, back) => rows.cell(*place, *back).cloned().unwrap_or(Cell::Null),
            Self::Reference(number) => seen[*number].value(),
            Self::Constant(cell) => cell.clone(),
            Self::Not(part) => match of(part) {
                Cell::Bool(value) => Cell::Bool(!value),
                _ => Cell::Null,
            },
            Self::And(parts) => joined(parts.iter().map(of), false),
            Self::Or(parts) => joined(parts.iter().map(of), true),
            Self::IsNull(part) => Cell::Bool(of(part).is_null()),
            Self::Compare(by, left, right) => of(left)
                .compare(&of(right))
                .map_or(Cell::Null, |found| Cell::Bool(meets(*by, found))),
            Self::Arithmetic(by, left, right) => computed(*by, &of(left), &of(right)),
            Self::Negate(part) => match of(part) {
                Cell::Int(value) => value.checked_neg().map_or(Cell::Null, Cell::Int),
                Cell::Float(value) => Cell::Float(-value),
                _ => Cell::Null,
            },
            Self::Float(part, scale) => of(part).float(*scale),
            Self::Decimal(part, digits) => of(part).decimal(*digits),
        }
    }
}

fn all(
    parts: &[Condition],
    references: usize,
    place: &mut impl FnMut(usize) -> usize,
) -> Result<Vec<Expression>> {
    parts
        .iter()
        .map(|part| Expression::new(part, references, place))
        .collect()
}

/// AND (`decides` is false) or OR (true): what one part decides, else null if one is null, else the other value.
fn joined(parts: impl Iterator<Item = Cell>, decides: bool) -> Cell {
    let mut found = Cell::Bool(!decides);
    for part in parts {
        match part {
            Cell::Bool(value) if value == decides => return Cell::Bool(decides),
            Cell::Bool(_) => {}
            _ => found = Cell::Null,
        }
    }
    found
}

fn meets(by: Comparison, found: Ordering) -> bool {
    match by {
        Comparison::Eq => found.is_eq(),
        Comparison::Ne => found.is_ne(),
        Comparison::Lt => found.is_lt(),
        Comparison::Le => found.is_le(),
        Comparison::Gt => found.is_gt(),
        Comparison::Ge => found.is_ge(),
    }
}

fn computed(by: Operator, left: &Cell, right: &Cell) -> Cell {
    match (left, right) {
        (Cell::Int(left), Cell::Int(right)) => {
            let found = match by {
                Operator::Add => left.checked_add(*right),
                Operator::Subtract => left.checked_sub(*right),
                Operator::Multiply => left.checked_mul(*right),
                Operator::Divide => left.checked_div(*right),
                Operator::Remainder => left.checked_rem(*right),
            };
            found.map_or(Cell::Null, Cell::Int)
        }
        (Cell::Float(left), Cell::Float(right)) => match by {
            Operator::Add => Cell::Float(left + right),
            Operator::Subtract => Cell::Float(left - right),
            Operator::Multiply => Cell::Float(left * right),
            Operator::Divide | Operator::Remainder if *right == 0.0 => Cell::Null,
            Operator::Divide => Cell::Float(left / right),
            Operator::Remainder => Cell::Float(left % right),
        },
        _ => Cell::Null,
    }
}

/// What one reference knows of the rows taken so far. Two ways to match that are at the same place of the pattern and have seen
/// the same go on alike.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    First {
        rows: usize,
        value: Cell,
    },
    /// The last values, the newest first, and how many rows further inward the one is that is asked for.
    Last {
        values: Vec<Cell>,
        offset: usize,
    },
    Count(i64),
    /// None: the sum is too large.
    Sum {
        total: Option<Cell>,
    },
    Average {
        total: f64,
        count: u64,
    },
    Extreme(Cell),
}

/// A reference, compiled.
#[derive(Debug)]
pub struct Asked {
    function: Function,
    variable: Option<usize>,
    place: Option<usize>,
    offset: usize,
}

impl Asked {
    pub fn new(reference: &Reference, place: &mut impl FnMut(usize) -> usize) -> Result<Self> {
        if reference.column.is_none() && reference.function != Function::Count {
            return Err(Error::spec(
                "a reference has a column, unless it counts rows",
            ));
        }
        Ok(Self {
            function: reference.function,
            variable: reference.variable,
            place: reference.column.map(place),
            offset: reference.offset,
        })
    }

    /// What it knows before any row.
    pub fn nothing(&self) -> Seen {
        match self.function {
            Function::First => Seen::First {
                rows: 0,
                value: Cell::Null,
            },
            Function::Last => Seen::Last {
                values: Vec::new(),
                offset: self.offset,
            },
            Function::Count => Seen::Count(0),
            Function::Sum => Seen::Sum {
                total: Some(Cell::Null),
            },
            Function::Average => Seen::Average {
                total: 0.0,
                count: 0,
            },
            Function::Least | Function::Greatest => Seen::Extreme(Cell::Null),
        }
    }

    fn counts(&self, variable: usize) -> bool {
        self.variable.is_none_or(|own| own == variable)
    }

    /// Take note of a row that is taken.
    fn note(&self, seen: &mut Seen, cells: &[Cell]) {
        let cell = self.place.map(|place| &cells[place]);
        let value = || cell.cloned().unwrap_or(Cell::Null);
        match seen {
            Seen::First { rows, value: first } => {
                if *rows == self.offset {
                    *first = value();
                }
                // Beyond the row that is asked for nothing matters any more.
                *rows = (*rows + 1).min(self.offset + 1);
            }
            Seen::Last { values, offset } => {
                values.insert(0, value());
                values.truncate(*offset + 1);
            }
            Seen::Count(count) => *count += i64::from(cell.is_none_or(|cell| !cell.is_null())),
            Seen::Sum { total } => *total = total.take().and_then(|total| sum(total, &value())),
            Seen::Average { total, count } => {
                if let Cell::Float(number) = value() {
                    *total += number;
                    *count += 1;
                }
            }
            Seen::Extreme(found) => {
                let value = value();
                let better = if self.function == Function::Least {
                    Ordering::Less
                } else {
                    Ordering::Greater
                };
                if found.is_null() || value.compare(found) == Some(better) {
                    *found = value;
                }
            }
        }
    }
}

fn sum(total: Cell, value: &Cell) -> Option<Cell> {
    Some(match (total, value) {
        (total, Cell::Null) => total,
        (Cell::Null, value) => value.clone(),
        (Cell::Int(total), Cell::Int(value)) => Cell::Int(total.checked_add(*value)?),
        (Cell::Float(total), Cell::Float(value)) => Cell::Float(total + value),
        (Cell::Decimal(total), Cell::Decimal(value)) => Cell::Decimal(total.checked_add(*value)?),
        _ => return None,
    })
}

impl Seen {
    fn value(&self) -> Cell {
        match self {
            Self::First { value, .. } => value.clone(),
            Self::Last { values, offset } => values.get(*offset).cloned().unwrap_or(Cell::Null),
            Self::Count(count) => Cell::Int(*count),
            Self::Sum { total } => total.clone().unwrap_or(Cell::Null),
            Self::Average { count: 0, .. } => Cell::Null,
            Self::Average { total, count } => Cell::Float(total / *count as f64),
            Self::Extreme(value) => value.clone(),
        }
    }
}

/// The references of all conditions.
pub struct References(Vec<Asked>);

impl References {
    pub fn new(references: Vec<Asked>) -> Self {
        Self(references)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn nothing(&self) -> Arc<[Seen]> {
        self.0.iter().map(Asked::nothing).collect()
    }

    /// Give what is known once a row is taken for a variable.
    pub fn with(&self, seen: &Arc<[Seen]>, variable: usize, cells: &[Cell]) -> Arc<[Seen]> {
        if !self.0.iter().any(|asked| asked.counts(variable)) {
            return Arc::clone(seen);
        }
        self.0
            .iter()
            .zip(seen.iter())
            .map(|(asked, seen)| {
                let mut seen = seen.clone();
                if asked.counts(variable) {
                    asked.note(&mut seen, cells);
                }
                seen
            })
            .collect()
    }
}
