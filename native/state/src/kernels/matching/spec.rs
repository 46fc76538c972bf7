//! What a pattern asks for, as the planner writes it (JSON).

use serde::Deserialize;

/// Rows of one key that follow one another as a pattern says. Variables of the pattern are numbers from 0.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Match {
    pub pattern: Pattern,
    /// For each variable what its rows meet; None: all do.
    pub conditions: Vec<Option<Condition>>,
    /// What conditions ask of the rows that have been taken so far.
    pub references: Vec<Reference>,
    /// The columns that come out.
    pub measures: Vec<Measure>,
    pub skip: Skip,
    /// A match is shorter than this; milliseconds.
    #[serde(default)]
    pub within: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    Variable(usize),
    /// One after the other.
    Sequence(Vec<Pattern>),
    /// The first that leads to a match.
    Choice(Vec<Pattern>),
    Repeat(Repeat),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Repeat {
    pub of: Box<Pattern>,
    pub least: usize,
    /// None: any number.
    pub most: Option<usize>,
    /// Rather fewer than more.
    pub reluctant: bool,
}

/// An expression over the row at hand and those taken before it, with SQL's nulls. A number that is too large, or divided by 0,
/// is null.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A value column of the row.
    Column(usize),
    /// Index of a reference.
    Reference(usize),
    /// A value column of the row so many rows before this one, whatever that was taken for.
    Previous(usize, usize),
    Constant(Literal),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    IsNull(Box<Condition>),
    /// Two values of one kind.
    Compare(Comparison, Box<Condition>, Box<Condition>),
    /// Two whole numbers, or two floating ones.
    Arithmetic(Operator, Box<Condition>, Box<Condition>),
    Negate(Box<Condition>),
    /// A number as a floating one; the second part says how many of its digits stand behind the point.
    Float(Box<Condition>, u32),
    /// A number with so many more digits behind the point.
    Decimal(Box<Condition>, u32),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// All digits, without the point.
    Decimal(String),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A value of the rows that have been taken for a variable so far, the row at hand among them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reference {
    pub function: Function,
    /// None: the rows of all variables.
    #[serde(default)]
    pub variable: Option<usize>,
    /// None: the rows themselves are counted.
    #[serde(default)]
    pub column: Option<usize>,
    /// Of FIRST and LAST: how many rows further inward.
    #[serde(default)]
    pub offset: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    First,
    Last,
    Count,
    Sum,
    Average,
    Least,
    Greatest,
}

/// A column of a match.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Measure {
    pub take: Take,
    #[serde(default)]
    pub variable: Option<usize>,
    /// None: the rows themselves are counted.
    #[serde(default)]
    pub column: Option<usize>,
    #[serde(default)]
    pub offset: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    First,
    Last,
    /// A list of the values of all rows.
    All,
    /// How many rows there are.
    Count,
}

/// Where the search goes on behind a match: never before the second row of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    PastLast,
    ToNext,
    ToFirst(usize),
    ToLast(usize),
}
