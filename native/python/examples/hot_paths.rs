//! One hot path a call, over a few thousand rows that are always the same: `hot-paths PATH`. Without a name it lists them.
//!
//! Run under callgrind, which counts the instructions of `measured` alone (`python -m benchmarks.micro.guard`).

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, Float64Array, Int8Array, Int32Array, Int64Array, RecordBatch,
    StringArray, StructArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use headrace_codec::{avro, json};
use headrace_state::spec::Spec;
use headrace_state::store::LocalStore;
use headrace_state::{Kernel, kernel};

const ROWS: usize = 4_000;
const PATHS: [&str; 9] = [
    "json-decode",
    "json-encode",
    "avro-decode",
    "avro-encode",
    "tumbling-sums",
    "hopping-sums",
    "stream-join",
    "log-read",
    "log-write",
];

const SCHEMA: &str = r#"{"type": "record", "name": "position", "fields": [
    {"name": "mmsi", "type": "long"}, {"name": "speed", "type": "double"}, {"name": "name", "type": "string"}]}"#;

const SUMS: &str = r#"{"store": "sums", "keys": 1, "inputs": ["append"], "kernel": "aggregate", "emit": "commit",
    "calls": [{"function": "COUNT", "arguments": []}, {"function": "SUM", "arguments": [0]}, {"function": "MAX", "arguments": [0]}],
    "window": {"kind": "tumble", "size": 60000, "grace": 60000}, "retracts": false}"#;

const HOPS: &str = r#"{"store": "hops", "keys": 1, "inputs": ["append"], "kernel": "aggregate", "emit": "final",
    "calls": [{"function": "COUNT", "arguments": []}, {"function": "SUM", "arguments": [0]}, {"function": "MAX", "arguments": [0]}],
    "window": {"kind": "hop", "size": 10000, "advance": 1000, "grace": 1000}, "retracts": false}"#;

const JOIN: &str = r#"{"store": "join", "keys": 1, "inputs": ["append", "append"], "kernel": "stream_join", "kind": "inner",
    "before": 10000, "after": 10000, "grace": 60000}"#;

/// What is counted. Its name is looked for among the symbols.
#[inline(never)]
#[unsafe(no_mangle)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

fn main() {
    let Some(path) = std::env::args().nth(1) else {
        println!("{}", PATHS.join("\n"));
        return;
    };
    match path.as_str() {
        "json-decode" => {
            let mut encoder = json::Encoder::new(&record_type()).expect("a record");
            let data = encoder.encode(&positions()).data;
            let mut decoder = json::Decoder::new(&record_type(), &paths()).expect("its fields");
            measured(&mut || check(decoder.decode(&data).columns.len(), paths().len()));
        }
        "json-encode" => {
            let rows = positions();
            let mut encoder = json::Encoder::new(&record_type()).expect("a record");
            measured(&mut || check(bytes(&encoder.encode(&rows).data), ROWS));
        }
        "avro-decode" => {
            let mut encoder = avro::Encoder::new(SCHEMA, 1, &record_type()).expect("a record");
            let data = encoder.encode(&positions()).expect("rows").data;
            let mut decoder =
                avro::Decoder::new(SCHEMA, &record_type(), &paths()).expect("its fields");
            decoder.add_writer(1, SCHEMA).expect("the same schema");
            let refused = std::collections::HashMap::new();
            measured(&mut || check(decoder.decode(&data, &refused).columns.len(), paths().len()));
        }
        "avro-encode" => {
            let rows = positions();
            let mut encoder = avro::Encoder::new(SCHEMA, 1, &record_type()).expect("a record");
            measured(&mut || check(bytes(&encoder.encode(&rows).expect("rows").data), ROWS));
        }
        "tumbling-sums" => {
            let mut sums = running(SUMS, 1, &["k0", "w0", "w1", "a0", "a1", "a2"]);
            let input = payments();
            measured(&mut || {
                let processed = sums.process(std::slice::from_ref(&Some(input.clone())));
                assert!(processed.is_ok());
                check(sums.flush().expect("results").num_rows(), 1);
                check(sums.changes().expect("changes").num_rows(), 1);
            });
        }
        "hopping-sums" => {
            let mut sums = running(HOPS, 1, &["k0", "w0", "w1", "a0", "a1", "a2"]);
            let input = payments();
            measured(&mut || {
                let processed = sums.process(std::slice::from_ref(&Some(input.clone())));
                check(processed.expect("results").rows.num_rows(), 1);
                check(sums.changes().expect("changes").num_rows(), 1);
            });
        }
        "stream-join" => {
            let mut join = running(JOIN, 2, &["k0", "v0", "v1"]);
            let input = payments();
            measured(&mut || {
                let both = [Some(input.clone()), Some(input.clone())];
                let processed = join.process(&both).expect("pairs");
                check(processed.rows.num_rows(), ROWS);
                check(join.changes().expect("changes").num_rows(), ROWS);
            });
        }
        "log-read" => {
            let batches = headrace_kafka::hot_paths::write(&records()).expect("records");
            measured(&mut || {
                let found = headrace_kafka::hot_paths::read(batches.clone());
                check(found.expect("batches")[0].num_rows(), ROWS);
            });
        }
        "log-write" => {
            let records = records();
            measured(&mut || {
                let batch = headrace_kafka::hot_paths::write(&records);
                check(batch.expect("records").len(), ROWS);
            });
        }
        other => panic!("there is no path {other}"),
    }
}

/// That the work was done.
fn check(found: usize, least: usize) {
    assert!(found >= least, "{found} of {least}");
}

fn bytes(data: &BinaryArray) -> usize {
    data.values().len()
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("mmsi", DataType::Int64, true),
        Field::new("speed", DataType::Float64, true),
        Field::new("name", DataType::Utf8, true),
    ])
}

fn record_type() -> DataType {
    DataType::Struct(fields())
}

fn paths() -> Vec<headrace_codec::Path> {
    fields()
        .iter()
        .map(|field| vec![field.name().clone()])
        .collect()
}

fn positions() -> StructArray {
    let numbers = || (0..ROWS as i64).map(|row| row * 7_919 % 100_003);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(numbers())),
        Arc::new(Float64Array::from_iter_values(
            numbers().map(|number| number as f64 / 10.0),
        )),
        Arc::new(StringArray::from_iter_values(
            numbers().map(|number| format!("vessel {number}")),
        )),
    ];
    StructArray::new(fields(), columns, None)
}

fn leading() -> Vec<Field> {
    vec![
        Field::new("_partition", DataType::Int32, false),
        Field::new("_seq", DataType::Int64, false),
        Field::new("_time", DataType::Int64, false),
        Field::new("_op", DataType::Int8, false),
    ]
}

fn with(names: &[&str]) -> SchemaRef {
    let rest = names
        .iter()
        .map(|name| Field::new(*name, DataType::Int64, true));
    Arc::new(Schema::new(
        leading().into_iter().chain(rest).collect::<Vec<_>>(),
    ))
}

fn running(spec: &str, inputs: usize, output: &[&str]) -> Box<dyn Kernel> {
    let spec = Spec::parse(spec).expect("a specification");
    let input = with(&["k0", "v0"]);
    let mut found = kernel(&spec, vec![input; inputs], with(output)).expect("a kernel");
    let local = LocalStore::open(None).expect("memory");
    local.begin(&spec.store, "guard").expect("begun");
    let store = local.store(&spec.store).expect("there");
    found.open(0, store).expect("open");
    found
}

/// Records as a consumer gives them and a producer takes them, of some hundred bytes.
fn records() -> RecordBatch {
    let mut encoder = json::Encoder::new(&record_type()).expect("a record");
    let values = encoder.encode(&positions()).data;
    let keys = BinaryArray::from_iter_values((0..ROWS as i64).map(i64::to_be_bytes));
    let times = (0..ROWS as i64).map(|row| 1_700_000_000_000 + row);
    let times = TimestampMillisecondArray::from_iter_values(times);
    let columns: [(&str, ArrayRef); 3] = [
        ("key", Arc::new(keys)),
        ("value", Arc::new(values)),
        ("timestamp", Arc::new(times)),
    ];
    RecordBatch::try_from_iter(columns).expect("columns")
}

fn payments() -> RecordBatch {
    let rows = 0..ROWS as i64;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![0; ROWS])),
        Arc::new(Int64Array::from_iter_values(rows.clone())),
        Arc::new(Int64Array::from_iter_values(
            rows.clone().map(|row| row * 10),
        )),
        Arc::new(Int8Array::from(vec![1; ROWS])),
        Arc::new(Int64Array::from_iter_values(
            rows.clone().map(|row| row % 500),
        )),
        Arc::new(Int64Array::from_iter_values(rows)),
    ];
    RecordBatch::try_new(with(&["k0", "v0"]), columns).expect("columns of its schema")
}
