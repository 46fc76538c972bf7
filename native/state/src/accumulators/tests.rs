//! What must hold of every function, whatever it computes.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int8Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field, Schema};

use super::{Accumulators, BoundRows, Failure, Group, Rows};
use crate::spec::Call;
use crate::table::Codec;

const LONG: usize = 0;
const DOUBLE: usize = 1;
const DECIMAL: usize = 2;
const TEXT: usize = 3;
const FLAG: usize = 4;
const LIST: usize = 5;

/// Rows with repeated values, nulls, and numbers that are odd in one way or another.
fn rows() -> RecordBatch {
    let mut lists = ListBuilder::new(Int32Builder::new());
    for list in [
        Some(vec![Some(1)]),
        None,
        Some(vec![]),
        Some(vec![None]),
        Some(vec![Some(1)]),
        None,
        Some(vec![Some(0), None]),
        Some(vec![]),
    ] {
        match list {
            Some(items) => lists.append_value(items),
            None => lists.append_null(),
        }
    }
    let decimals = [
        Some(125),
        Some(-7),
        None,
        Some(0),
        Some(125),
        Some(1),
        Some(1),
        None,
    ];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("_partition", Arc::new(Int32Array::from(vec![0; 8]))),
        ("_seq", Arc::new(Int64Array::from_iter_values(0..8))),
        ("_time", Arc::new(Int64Array::from_iter_values(0..8))),
        ("_op", Arc::new(Int8Array::from(vec![1; 8]))),
        (
            "v0",
            Arc::new(Int64Array::from(vec![
                Some(3),
                None,
                Some(-3),
                Some(3),
                Some(7),
                Some(7),
                None,
                Some(0),
            ])),
        ),
        (
            "v1",
            Arc::new(Float64Array::from(vec![
                Some(0.5),
                Some(-0.0),
                Some(0.0),
                None,
                Some(2.0),
                Some(0.5),
                Some(-1.25),
                None,
            ])),
        ),
        (
            "v2",
            Arc::new(
                Decimal128Array::from_iter(decimals)
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        (
            "v3",
            Arc::new(StringArray::from(vec![
                Some("b"),
                Some(""),
                None,
                Some("b"),
                Some("abc"),
                Some(""),
                Some("z"),
                None,
            ])),
        ),
        (
            "v4",
            Arc::new(BooleanArray::from(vec![
                Some(true),
                None,
                Some(true),
                Some(false),
                Some(true),
                Some(true),
                None,
                Some(true),
            ])),
        ),
        ("v5", Arc::new(lists.finish())),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

fn call(function: &str, column: usize) -> Call {
    Call {
        function: function.to_owned(),
        arguments: vec![column],
        distinct: false,
        filter: None,
        limit: None,
        parameter: None,
        weight: None,
        fold: None,
    }
}

/// Every function over every column that it takes, plain, DISTINCT and with a filter, with the type of its result.
fn calls(retracts: bool) -> (Vec<Call>, Vec<Arc<Field>>) {
    let schema = rows().schema();
    let type_of = |column: usize| schema.field(4 + column).data_type().clone();
    let mut found = Vec::new();
    let numbers = [LONG, DOUBLE, DECIMAL];
    let all = [LONG, DOUBLE, DECIMAL, TEXT, FLAG, LIST];
    for column in numbers {
        let sum = [
            DataType::Int64,
            DataType::Float64,
            DataType::Decimal128(38, 2),
        ][column]
            .clone();
        found.push((call("SUM", column), sum));
        found.push((call("AVG", column), DataType::Float64));
        found.push((call("STDDEV", column), DataType::Float64));
        found.push((call("VAR_POP", column), DataType::Float64));
        if !retracts {
            found.push((call("APPROX_QUANTILE", column), type_of(column)));
        }
    }
    found.push((call("AVG", DECIMAL), DataType::Decimal128(38, 6)));
    found.push((call("BOOL_AND", FLAG), DataType::Boolean));
    found.push((call("BOOL_OR", FLAG), DataType::Boolean));
    found.push((call("STRING_AGG", TEXT), DataType::Utf8));
    for column in all {
        found.push((call("COUNT", column), DataType::Int64));
        for function in ["MIN", "MAX"] {
            found.push((call(function, column), type_of(column)));
        }
        let list = DataType::new_list(type_of(column), true);
        for function in [
            "COLLECT",
            "COLLECT_UNIQUE",
            "MAXK",
            "MAXK_UNIQUE",
            "MINK",
            "MINK_UNIQUE",
            "TOPK",
            "BOTTOMK",
        ] {
            found.push((
                Call {
                    limit: Some(3),
                    ..call(function, column)
                },
                list.clone(),
            ));
            found.push((call(function, column), list.clone()));
        }
        if !retracts {
            found.push((call("APPROX_COUNT_DISTINCT", column), DataType::Int64));
            for function in ["FIRST", "LAST", "ANYF"] {
                found.push((call(function, column), type_of(column)));
            }
        }
    }
    let plain = found.clone();
    found.extend(plain.iter().map(|(call, result)| {
        (
            Call {
                distinct: true,
                ..call.clone()
            },
            result.clone(),
        )
    }));
    found.extend(plain.iter().map(|(call, result)| {
        (
            Call {
                filter: Some(FLAG),
                ..call.clone()
            },
            result.clone(),
        )
    }));
    let field = |result: &DataType| Arc::new(Field::new("a", result.clone(), true));
    let fields = found.iter().map(|(_, result)| field(result)).collect();
    (found.into_iter().map(|(call, _)| call).collect(), fields)
}

fn kind(retracts: bool) -> Rows {
    if retracts {
        Rows::ComeAndGo
    } else {
        Rows::Come
    }
}

fn compiled(kind: Rows) -> Accumulators {
    let (calls, fields) = calls(kind == Rows::ComeAndGo);
    Accumulators::new(&calls, &rows().schema(), 0, &fields, kind).unwrap()
}

fn group(
    accumulators: &Accumulators,
    rows: &BoundRows<'_>,
    range: std::ops::Range<usize>,
) -> Group {
    let mut group = accumulators.group();
    range.for_each(|row| rows.add(row, &mut group).unwrap());
    group
}

fn results(accumulators: &Accumulators, group: &Group) -> Vec<ArrayRef> {
    let mut results = accumulators.results();
    results.push(group);
    results.finish().unwrap()
}

fn bytes(accumulators: &Accumulators, group: &Group) -> Vec<u8> {
    let mut bytes = Vec::new();
    accumulators.encode(group, &mut bytes);
    bytes
}

/// Compare results; computations in another order need only be near.
fn assert_same(retracts: bool, left: &[ArrayRef], right: &[ArrayRef]) {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float64Type;
    for ((left, right), call) in left.iter().zip(right).zip(calls(retracts).0) {
        if left.data_type() == &DataType::Float64 && left.is_valid(0) && right.is_valid(0) {
            let of = |array: &ArrayRef| array.as_primitive::<Float64Type>().value(0);
            assert!(
                (of(left) - of(right)).abs() < 1e-9,
                "{call:?}: {left:?} {right:?}"
            );
        } else {
            assert_eq!(left, right, "{call:?}");
        }
    }
}

#[test]
fn merged_groups_give_what_one_group_gives() {
    let (accumulators, batch) = (compiled(Rows::AreMerged), rows());
    let bound = accumulators.bind(&batch).unwrap();
    let group = |chosen: &dyn Fn(usize) -> bool| {
        let mut group = accumulators.group();
        for row in (0..8).filter(|row| chosen(*row)) {
            let arrival = row as u64;
            bound.add_arriving(row, arrival, &mut group).unwrap();
        }
        group
    };
    let whole = results(&accumulators, &group(&|_| true));
    for cut in 0..=8 {
        let merged = |mut into: Group, from: &Group| {
            accumulators.merge(&mut into, from);
            assert_eq!(into.rows(), 8);
            assert_same(false, &results(&accumulators, &into), &whole);
        };
        let (before, after) = (group(&|row| row < cut), group(&|row| row >= cut));
        merged(before.clone(), &after);
        merged(after, &before);
        // Neither group came after the other.
        let divides = |row: usize| row % 3 == cut % 3;
        merged(group(&divides), &group(&|row| !divides(row)));
    }
}

#[test]
fn a_state_survives_as_bytes() {
    for kind in [Rows::Come, Rows::ComeAndGo, Rows::AreMerged] {
        let (accumulators, batch) = (compiled(kind), rows());
        let bound = accumulators.bind(&batch).unwrap();
        for rows in [0, 3, 8] {
            let group = group(&accumulators, &bound, 0..rows);
            let bytes = bytes(&accumulators, &group);
            assert_eq!(accumulators.decode(&bytes).unwrap(), group);
            for cut in (0..bytes.len()).step_by(bytes.len() / 16) {
                assert!(
                    accumulators.decode(&bytes[..cut]).is_err(),
                    "{cut} of {} bytes",
                    bytes.len()
                );
            }
        }
    }
}

#[test]
fn rows_that_are_taken_away_leave_no_trace() {
    let (accumulators, batch) = (compiled(Rows::ComeAndGo), rows());
    let bound = accumulators.bind(&batch).unwrap();
    let kept = group(&accumulators, &bound, 0..3);
    let mut group = group(&accumulators, &bound, 0..8);
    for row in [4, 7, 3, 6, 5] {
        bound.take_away(row, &mut group).unwrap();
    }
    assert_same(
        true,
        &results(&accumulators, &group),
        &results(&accumulators, &kept),
    );
    for row in [1, 0, 2] {
        bound.take_away(row, &mut group).unwrap();
    }
    assert_eq!(
        bytes(&accumulators, &group),
        bytes(&accumulators, &accumulators.group())
    );
}

#[test]
fn a_row_that_does_not_fit_leaves_no_trace() {
    let schema = Schema::new(rows().schema().fields()[..6].to_vec());
    let results = [
        DataType::Int64,
        DataType::Int64,
        DataType::Float64,
        DataType::Int64,
    ]
    .map(|result| Arc::new(Field::new("a", result, true)));
    // The one that fails comes after others that can fail and before one that cannot.
    let calls = [
        Call {
            distinct: true,
            ..call("SUM", LONG)
        },
        call("MAX", LONG),
        call("AVG", LONG),
        call("SUM", LONG),
    ];
    let mut columns = rows().columns()[..6].to_vec();
    columns[4] = Arc::new(Int64Array::from(vec![i64::MAX - 1, 1, 1, 1, 2, 3, 4, 5]));
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), columns).unwrap();
    let accumulators = Accumulators::new(&calls, &schema, 0, &results, Rows::Come).unwrap();
    let bound = accumulators.bind(&batch).unwrap();
    let mut of_stream = group(&accumulators, &bound, 0..2);
    let before = bytes(&accumulators, &of_stream);
    let Err(Failure(reason)) = bound.add(2, &mut of_stream) else {
        panic!("the sum is beyond 64 bits")
    };
    assert!(reason.contains("64-bit"));
    assert_eq!(bytes(&accumulators, &of_stream), before);

    // Over a table the row is in, and takes nothing with it when it goes.
    let accumulators = Accumulators::new(&calls, &schema, 0, &results, Rows::ComeAndGo).unwrap();
    let bound = accumulators.bind(&batch).unwrap();
    let mut of_table = group(&accumulators, &bound, 0..2);
    let before = bytes(&accumulators, &of_table);
    assert!(accumulators.gives(&of_table));
    bound.add(2, &mut of_table).unwrap();
    assert!(!accumulators.gives(&of_table));
    let Err(Failure(reason)) = accumulators.check_results(&of_table) else {
        panic!("the sum is beyond 64 bits")
    };
    assert!(reason.contains("64-bit"));
    bound.take_away(2, &mut of_table).unwrap();
    assert!(accumulators.gives(&of_table));
    assert_eq!(bytes(&accumulators, &of_table), before);
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let refused = |call: Call, result: DataType, retracts: bool| {
        let field = Arc::new(Field::new("a", result, true));
        Accumulators::new(&[call], &rows().schema(), 0, &[field], kind(retracts)).is_err()
    };
    assert!(refused(call("FIRST", LONG), DataType::Int64, true));
    assert!(refused(
        call("APPROX_QUANTILE", LONG),
        DataType::Float64,
        true
    ));
    assert!(refused(call("SUM", TEXT), DataType::Int64, false));
    assert!(refused(call("SUM", LONG), DataType::Float64, false));
    assert!(refused(call("MAX", LONG), DataType::Int32, false));
    assert!(refused(call("MEDIAN", LONG), DataType::Int64, false));
    assert!(refused(call("MAX", 99), DataType::Int64, false));
    assert!(refused(
        Call {
            filter: Some(LONG),
            ..call("MAX", LONG)
        },
        DataType::Int64,
        false
    ));
    let quantile = Call {
        parameter: Some("1.5".to_owned()),
        ..call("APPROX_QUANTILE", LONG)
    };
    assert!(refused(quantile, DataType::Float64, false));
}
