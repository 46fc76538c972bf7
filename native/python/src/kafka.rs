//! `KafkaConsumer` and `KafkaProducer`: conversions, locks and the GIL; the work is done in `headrace_kafka`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_pyarrow::PyArrowType;
use headrace_kafka::{
    Consumer, Error, GroupOffset, Health, Library, Position, Producer, RebalanceKind,
    Result as KafkaResult, producer,
};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

create_exception!(
    headrace._native,
    KafkaError,
    PyException,
    "What librdkafka refused or could not do: message, code, name of the code, fatal, retriable, abortable."
);

type Place = (String, i32, i64);
type GroupPlace = (String, i32, i64, String);
type FailurePlace = (String, i32, u32, u32, i32, String, String);

fn raise(error: Error) -> PyErr {
    KafkaError::new_err((
        error.message,
        error.code,
        error.name,
        error.fatal,
        error.retriable,
        error.abortable,
    ))
}

fn positions(places: Vec<Place>) -> Vec<Position> {
    places
        .into_iter()
        .map(|(topic, partition, offset)| Position {
            topic,
            partition,
            offset,
        })
        .collect()
}

fn places(positions: Vec<Position>) -> Vec<Place> {
    positions
        .into_iter()
        .map(|position| (position.topic, position.partition, position.offset))
        .collect()
}

fn seconds(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value.max(0.0))
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Run without the GIL, one caller at a time; an error if the client was closed.
fn with<C: Send, T: Send>(
    py: Python<'_>,
    client: &Mutex<Option<C>>,
    work: impl FnOnce(&mut C) -> KafkaResult<T> + Send,
) -> PyResult<T> {
    py.detach(|| {
        let mut guard = client.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_mut().map(work)
    })
    .ok_or_else(|| PyValueError::new_err("the client is closed"))?
    .map_err(raise)
}

fn take<C: Send>(py: Python<'_>, client: &Mutex<Option<C>>) {
    // The client ends outside of the lock and without the GIL: its threads are joined.
    py.detach(|| {
        let taken = client.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(taken);
    });
}

/// Reads records as Arrow batches.
#[pyclass(module = "headrace._native", frozen)]
pub struct KafkaConsumer {
    inner: Mutex<Option<Consumer>>,
    health: Health,
}

#[pymethods]
impl KafkaConsumer {
    #[new]
    fn new(
        py: Python<'_>,
        library: PathBuf,
        properties: BTreeMap<String, String>,
    ) -> PyResult<Self> {
        py.detach(|| {
            let consumer = Consumer::new(Library::open(&library)?, &properties)?;
            let health = consumer.health();
            Ok(Self {
                inner: Mutex::new(Some(consumer)),
                health,
            })
        })
        .map_err(raise)
    }

    fn subscribe(&self, py: Python<'_>, topics: Vec<String>) -> PyResult<()> {
        with(py, &self.inner, |consumer| consumer.subscribe(&topics))
    }

    fn assign(&self, py: Python<'_>, places: Vec<Place>) -> PyResult<()> {
        with(py, &self.inner, |consumer| {
            consumer.assign(&positions(places))
        })
    }

    fn poll(
        &self,
        py: Python<'_>,
        max_records: usize,
        max_bytes: usize,
        timeout: f64,
        linger: f64,
    ) -> PyResult<Vec<PyArrowType<RecordBatch>>> {
        let (timeout, linger) = (seconds(timeout)?, seconds(linger)?);
        let batches = with(py, &self.inner, |consumer| {
            consumer.poll(max_records, max_bytes, timeout, linger)
        })?;
        Ok(batches.into_iter().map(PyArrowType).collect())
    }

    fn rebalance(&self, py: Python<'_>) -> PyResult<Option<(&'static str, Vec<Place>)>> {
        let event = with(py, &self.inner, |consumer| Ok(consumer.rebalance()))?;
        Ok(event.map(|event| {
            let kind = match event.kind {
                RebalanceKind::Assign => "assign",
                RebalanceKind::Revoke => "revoke",
                RebalanceKind::Lost => "lost",
            };
            (kind, places(event.partitions))
        }))
    }

    fn complete(&self, py: Python<'_>, places: Vec<Place>) -> PyResult<()> {
        with(py, &self.inner, |consumer| {
            consumer.complete(&positions(places))
        })
    }

    fn incremental(&self, py: Python<'_>) -> PyResult<bool> {
        with(py, &self.inner, |consumer| Ok(consumer.incremental()))
    }

    fn add(&self, py: Python<'_>, places: Vec<Place>) -> PyResult<()> {
        with(py, &self.inner, |consumer| consumer.add(&positions(places)))
    }

    fn assignment(&self, py: Python<'_>) -> PyResult<Vec<Place>> {
        with(py, &self.inner, |consumer| consumer.assignment()).map(places)
    }

    fn pause(&self, py: Python<'_>, places: Vec<Place>) -> PyResult<()> {
        with(py, &self.inner, |consumer| {
            consumer.pause(&positions(places))
        })
    }

    fn resume(&self, py: Python<'_>, places: Vec<Place>) -> PyResult<()> {
        with(py, &self.inner, |consumer| {
            consumer.resume(&positions(places))
        })
    }

    fn seek(&self, py: Python<'_>, places: Vec<Place>, timeout: f64) -> PyResult<()> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |consumer| {
            consumer.seek(&positions(places), timeout)
        })
    }

    fn positions(&self, py: Python<'_>, partitions: Vec<Place>) -> PyResult<Vec<Place>> {
        with(py, &self.inner, |consumer| {
            consumer.positions(&positions(partitions))
        })
        .map(places)
    }

    fn committed(
        &self,
        py: Python<'_>,
        partitions: Vec<Place>,
        timeout: f64,
    ) -> PyResult<Vec<Place>> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |consumer| {
            consumer.committed(&positions(partitions), timeout)
        })
        .map(places)
    }

    fn ask_group_offsets(
        &self,
        py: Python<'_>,
        group: &str,
        partitions: Vec<Place>,
        timeout: f64,
    ) -> PyResult<()> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |consumer| {
            consumer.ask_group_offsets(group, &positions(partitions), timeout)
        })
    }

    fn group_offsets(&self, py: Python<'_>, wait: f64) -> PyResult<Option<Vec<GroupPlace>>> {
        let wait = seconds(wait)?;
        let answer = with(py, &self.inner, |consumer| consumer.group_offsets(wait))?;
        Ok(answer.map(|offsets| {
            offsets
                .into_iter()
                .map(|GroupOffset { position, error }| {
                    (position.topic, position.partition, position.offset, error)
                })
                .collect()
        }))
    }

    fn commit(&self, py: Python<'_>, places: Vec<Place>, timeout: f64) -> PyResult<()> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |consumer| {
            consumer.commit(&positions(places), timeout)
        })
    }

    fn watermarks(
        &self,
        py: Python<'_>,
        topic: String,
        partition: i32,
        timeout: f64,
    ) -> PyResult<(i64, i64)> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |consumer| {
            consumer.watermarks(&topic, partition, timeout)
        })
    }

    fn known_ends(&self, py: Python<'_>, partitions: Vec<Place>) -> PyResult<Vec<Place>> {
        with(py, &self.inner, |consumer| {
            consumer.known_ends(&positions(partitions))
        })
        .map(places)
    }

    fn read_around(&self, py: Python<'_>) -> PyResult<usize> {
        with(py, &self.inner, |consumer| Ok(consumer.read_around()))
    }

    fn offsets_for_times(
        &self,
        py: Python<'_>,
        times: Vec<Place>,
        timeout: f64,
    ) -> PyResult<Vec<Place>> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |consumer| {
            consumer.offsets_for_times(&positions(times), timeout)
        })
        .map(places)
    }

    fn partition_count(
        &self,
        py: Python<'_>,
        topic: String,
        timeout: f64,
    ) -> PyResult<Option<i32>> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |consumer| {
            consumer.partition_count(&topic, timeout)
        })
    }

    fn group_metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = with(py, &self.inner, |consumer| consumer.group_metadata())?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn healthy(&self) -> bool {
        self.health.healthy()
    }

    fn faults(&self) -> (u64, Option<String>) {
        self.health.faults()
    }

    fn begin_close(&self, py: Python<'_>) -> PyResult<()> {
        with(py, &self.inner, Consumer::begin_close)
    }

    fn close_step(&self, py: Python<'_>, wait: f64) -> PyResult<bool> {
        let wait = seconds(wait)?;
        with(py, &self.inner, |consumer| Ok(consumer.close_step(wait)))
    }

    fn destroy(&self, py: Python<'_>) {
        take(py, &self.inner);
    }
}

/// Writes Arrow batches as records.
#[pyclass(module = "headrace._native", frozen)]
pub struct KafkaProducer {
    inner: Mutex<Option<Box<dyn Producer>>>,
    library: &'static Library,
}

#[pymethods]
impl KafkaProducer {
    #[new]
    fn new(
        py: Python<'_>,
        library: PathBuf,
        properties: BTreeMap<String, String>,
    ) -> PyResult<Self> {
        py.detach(|| {
            let library = Library::open(&library)?;
            let producer = producer::open(library, &properties)?;
            Ok(Self {
                inner: Mutex::new(Some(producer)),
                library,
            })
        })
        .map_err(raise)
    }

    fn is_direct(&self, py: Python<'_>) -> PyResult<bool> {
        with(py, &self.inner, |producer| Ok(producer.is_direct()))
    }

    fn send(
        &self,
        py: Python<'_>,
        topic: String,
        records: PyArrowType<RecordBatch>,
    ) -> PyResult<u32> {
        with(py, &self.inner, |producer| {
            producer.send(&topic, &records.0)
        })
    }

    fn flush(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |producer| producer.flush(timeout))
    }

    fn failures(&self, py: Python<'_>) -> PyResult<Vec<FailurePlace>> {
        with(py, &self.inner, |producer| {
            let failures = producer.failures();
            Ok(failures
                .into_iter()
                .map(|failure| {
                    let error = self.library.describe(failure.code);
                    let place = (failure.topic, failure.partition, failure.batch, failure.row);
                    (
                        place.0,
                        place.1,
                        place.2,
                        place.3,
                        failure.code,
                        error.name,
                        error.message,
                    )
                })
                .collect())
        })
    }

    fn delivered(&self, py: Python<'_>) -> PyResult<Vec<Place>> {
        with(py, &self.inner, |producer| Ok(producer.delivered())).map(places)
    }

    fn failed(&self, py: Python<'_>) -> PyResult<bool> {
        with(py, &self.inner, |producer| Ok(producer.failed()))
    }

    fn queued(&self, py: Python<'_>) -> PyResult<i32> {
        with(py, &self.inner, |producer| Ok(producer.queued()))
    }

    fn init_transactions(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |producer| {
            producer.init_transactions(timeout)
        })
    }

    fn begin(&self, py: Python<'_>) -> PyResult<()> {
        with(py, &self.inner, |producer| producer.begin())
    }

    fn send_offsets(
        &self,
        py: Python<'_>,
        places: Vec<Place>,
        group: Vec<u8>,
        timeout: f64,
    ) -> PyResult<()> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |producer| {
            producer.send_offsets(&positions(places), &group, timeout)
        })
    }

    fn commit(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |producer| producer.commit(timeout))
    }

    fn abort(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds(timeout)?;
        with(py, &self.inner, |producer| producer.abort(timeout))
    }

    fn destroy(&self, py: Python<'_>) {
        py.detach(|| {
            let taken = self
                .inner
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(producer) = taken {
                producer.purge();
            }
        });
    }
}

/// Load librdkafka from this path and give its version.
#[pyfunction]
fn kafka_version(py: Python<'_>, library: PathBuf) -> PyResult<String> {
    py.detach(|| Library::open(&library).map(Library::version_string))
        .map_err(raise)
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("KafkaError", m.py().get_type::<KafkaError>())?;
    m.add_class::<KafkaConsumer>()?;
    m.add_class::<KafkaProducer>()?;
    m.add_function(wrap_pyfunction!(kafka_version, m)?)
}
