//! The specification of an operator, as the planner writes it (JSON). Types are not in it: they come from the schemas.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::kernels::matching::spec::Match;

/// What an operator does, and under which name its state is kept.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Spec {
    /// Name of the store in the local store of each task.
    pub store: String,
    /// How many key columns each input has, right after the four columns of every batch.
    pub keys: usize,
    /// What the rows of each input are.
    pub inputs: Vec<Changes>,
    #[serde(flatten)]
    pub kernel: KernelSpec,
}

/// Which changes a relation gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changes {
    Append,
    Upsert,
    Retract,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kernel", rename_all = "snake_case")]
pub enum KernelSpec {
    Aggregate(Aggregate),
    StreamJoin(StreamJoin),
    LookupJoin(LookupJoin),
    TableJoin(TableJoin),
    Table(Table),
    Rank(Rank),
    Sort(Sort),
    Over(Over),
    Match(Match),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Aggregate {
    pub calls: Vec<Call>,
    pub emit: Emit,
    pub window: Option<Window>,
    /// Give RETRACT changes instead of UPSERT.
    pub retracts: bool,
    /// Rows whose keys are all null are a group like others.
    #[serde(default)]
    pub keeps_nulls: bool,
    /// So many bytes of the values of a set, or of the windows of a key, lie in one entry of the state at most; what is more lies in
    /// entries of its own. None: as the kernel thinks fit.
    #[serde(default)]
    pub inline_bytes: Option<usize>,
}

/// One aggregate function.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Call {
    /// Canonical name, upper case.
    pub function: String,
    /// Indices of value columns.
    pub arguments: Vec<usize>,
    #[serde(default)]
    pub distinct: bool,
    /// Index of a boolean value column: the row counts where it is true.
    #[serde(default)]
    pub filter: Option<usize>,
    /// N of MAXK and the like, most elements of COLLECT.
    #[serde(default)]
    pub limit: Option<usize>,
    /// Separator of STRING_AGG, or the quantile as text.
    #[serde(default)]
    pub parameter: Option<String>,
    /// Where a row stands for several: the value column (int64) that says by how much the call's number of values grows. The
    /// first value column then says for how many rows a row stands. All calls have one, or none.
    #[serde(default)]
    pub weight: Option<usize>,
    /// Computes FOLD; no part of the text.
    #[serde(skip)]
    pub fold: Option<Folder>,
}

/// Computes an aggregate that the kernels do not know.
pub trait Fold: Send + Sync {
    /// Give the state, an item that begins with `=`, of a log of items: `+` and a value that came, `-` and one that went, `=` and a
    /// state. None: it cannot be told now.
    fn fold(&self, items: &[&[u8]]) -> Option<Vec<u8>>;
}

#[derive(Clone)]
pub struct Folder(pub Arc<dyn Fold>);

impl fmt::Debug for Folder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Folder")
    }
}

impl PartialEq for Folder {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Emit {
    Commit,
    Record,
    Final,
}

/// A window; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Window {
    pub kind: WindowKind,
    /// Of tumbling, hopping and sliding windows, the most of cumulating ones; the gap of sessions.
    pub size: i64,
    /// Of hopping windows; the step of cumulating ones.
    #[serde(default)]
    pub advance: Option<i64>,
    pub grace: i64,
    /// How much later than at multiples of their step windows begin.
    #[serde(default)]
    pub offset: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    Tumble,
    Hop,
    Cumulate,
    Session,
    Slide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StreamJoin {
    pub kind: JoinKind,
    pub before: i64,
    pub after: i64,
    pub grace: i64,
    /// Rows meet in windows, rather than within a time.
    #[serde(default)]
    pub window: Option<JoinWindow>,
}

/// The window that the rows of a join have among their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct JoinWindow {
    /// Which key is a bound of it, as int64.
    pub key: usize,
    /// How long after this its end is.
    pub until: i64,
    /// How long it is at most.
    pub size: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LookupJoin {
    pub kind: JoinKind,
    /// There is one table for all tasks, in the task of partition -1.
    #[serde(default)]
    pub broadcast: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TableJoin {
    pub kind: JoinKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Table {
    pub counted: bool,
}

/// One term of ORDER BY over a value column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Order {
    pub column: usize,
    #[serde(default)]
    pub descending: bool,
    #[serde(default)]
    pub nulls_first: bool,
}

/// What rows that are equal in the order get for a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankFunction {
    /// Each another one, by their arrival.
    #[default]
    RowNumber,
    /// The same, and those behind them go on as if they had not.
    Rank,
    /// The same, and those behind them the next one.
    DenseRank,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rank {
    #[serde(default)]
    pub function: RankFunction,
    pub order: Vec<Order>,
    pub limit: usize,
    pub retracts: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sort {
    /// Of rows of equal times.
    pub order: Vec<Order>,
    pub grace: i64,
}

/// Aggregates over each row and rows before it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Over {
    pub calls: Vec<Call>,
    /// Of rows that change; those of a stream come in their order.
    pub order: Vec<Order>,
    /// How many rows before each are taken; None: all.
    pub preceding: Option<usize>,
    /// So many value columns, the first ones, are arguments.
    pub arguments: usize,
    /// The rows before each are those of a stretch of time, with those of its own time.
    #[serde(default)]
    pub stretch: Option<Stretch>,
}

/// How far back in event time the rows that count for a row lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Stretch {
    /// Milliseconds; None: all rows before count.
    pub length: Option<i64>,
    /// How long after its time a row may come.
    pub grace: i64,
}

impl Spec {
    pub fn parse(text: &str) -> Result<Self> {
        let spec: Self = serde_json::from_str(text)
            .map_err(|error| Error::spec(format!("the specification of an operator: {error}")))?;
        let expected = match spec.kernel {
            KernelSpec::Aggregate(_)
            | KernelSpec::Table(_)
            | KernelSpec::Rank(_)
            | KernelSpec::Sort(_)
            | KernelSpec::Over(_)
            | KernelSpec::Match(_) => 1,
            KernelSpec::StreamJoin(_) | KernelSpec::LookupJoin(_) | KernelSpec::TableJoin(_) => 2,
        };
        if spec.inputs.len() != expected {
            return Err(Error::spec(format!(
                "the operator takes {expected} inputs, not {}",
                spec.inputs.len()
            )));
        }
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aggregate_with_a_window() {
        let spec = Spec::parse(
            r#"{"store": "s", "kernel": "aggregate", "keys": 1, "inputs": ["append"], "emit": "final", "retracts": false,
                "calls": [{"function": "COUNT", "arguments": []}],
                "window": {"kind": "hop", "size": 10, "advance": 5, "grace": 0}}"#,
        )
        .unwrap();
        let KernelSpec::Aggregate(aggregate) = &spec.kernel else {
            panic!("{spec:?}")
        };
        assert_eq!(aggregate.window.as_ref().unwrap().advance, Some(5));
        assert_eq!(aggregate.calls[0].function, "COUNT");
        assert_eq!((spec.keys, spec.inputs), (1, vec![Changes::Append]));
    }

    #[test]
    fn a_join_needs_two_inputs() {
        let text = r#"{"store": "s", "kernel": "table_join", "keys": 1, "inputs": ["append"], "kind": "left"}"#;
        assert!(matches!(Spec::parse(text), Err(Error::Spec(_))));
    }

    #[test]
    fn an_unknown_kernel_is_refused() {
        let text = r#"{"store": "s", "kernel": "shuffle", "keys": 1, "inputs": ["append"]}"#;
        assert!(matches!(Spec::parse(text), Err(Error::Spec(_))));
    }
}
