//! `LocalStore` and `Kernel`: conversions, locks and the GIL; the work is done in `headrace_state`.

use std::any::Any;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::builder::BinaryBuilder;
use arrow_array::{Array, BinaryArray, Int32Array, RecordBatch, make_array};
use arrow_data::ArrayData;
use arrow_pyarrow::{FromPyArrowUnchecked, PyArrowType};
use arrow_schema::{Schema, SchemaRef};
use headrace_state::migration::Version;
use headrace_state::spec::{Fold, Folder, KernelSpec, Spec};
use headrace_state::store::Write;
use headrace_state::{Error, Processed, Result as StateResult, store};
use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::codec::{fits, import_bytes, retyped};

create_exception!(
    headrace._native,
    DamagedStateError,
    PyRuntimeError,
    "The local store cannot be read any more."
);
create_exception!(
    headrace._native,
    LockedStateError,
    PyRuntimeError,
    "Another process uses the local store."
);

fn raise(error: Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::Spec(_) => PyValueError::new_err(message),
        Error::Damaged(_) => DamagedStateError::new_err(message),
        Error::Locked(_) => LockedStateError::new_err(message),
        Error::Io(_) => PyRuntimeError::new_err(message),
    }
}

/// Run without the GIL; a panic becomes an error like any other.
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> StateResult<T> + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work)))
        .map_err(|panic| {
            PyRuntimeError::new_err(format!("a fault in the native module: {}", text(&*panic)))
        })?
        .map_err(raise)
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text")
}

/// The state of one task on this machine.
#[pyclass(module = "headrace._native", frozen)]
struct LocalStore(Mutex<Option<store::LocalStore>>);

impl LocalStore {
    fn open(&self) -> PyResult<store::LocalStore> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guard
            .clone()
            .ok_or_else(|| PyValueError::new_err("the local store is closed"))
    }

    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&store::LocalStore) -> StateResult<T> + Send,
    ) -> PyResult<T> {
        let store = self.open()?;
        detached(py, move || work(&store))
    }
}

#[pymethods]
impl LocalStore {
    #[new]
    #[pyo3(signature = (path, cache_bytes = 67108864))]
    fn new(py: Python<'_>, path: Option<PathBuf>, cache_bytes: usize) -> PyResult<Self> {
        let store = detached(py, || {
            store::LocalStore::open_with_cache(path.as_deref(), cache_bytes)
        })?;
        Ok(Self(Mutex::new(Some(store))))
    }

    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.with(py, store::LocalStore::names)
    }

    fn fingerprint(&self, py: Python<'_>, store: &str) -> PyResult<Option<String>> {
        self.with(py, |local| local.fingerprint(store))
    }

    fn begin(&self, py: Python<'_>, store: &str, fingerprint: &str) -> PyResult<()> {
        self.with(py, |local| local.begin(store, fingerprint))
    }

    fn position(&self, py: Python<'_>, store: &str) -> PyResult<Option<i64>> {
        self.with(py, |local| local.position(store))
    }

    fn restore(
        &self,
        py: Python<'_>,
        store: &str,
        keys: &Bound<'_, PyAny>,
        values: &Bound<'_, PyAny>,
        position: i64,
    ) -> PyResult<()> {
        let (keys, values) = (import_bytes(keys)?, import_bytes(values)?);
        if keys.len() != values.len() || keys.null_count() > 0 {
            return Err(PyValueError::new_err(
                "as many values as keys are needed, and no key is null",
            ));
        }
        self.with(py, |local| {
            let mut writes = (0..keys.len()).map(|row| -> Write<'_> {
                (
                    keys.value(row),
                    values.is_valid(row).then(|| values.value(row)),
                )
            });
            local.restore(store, &mut writes, position)
        })
    }

    fn entries(
        &self,
        py: Python<'_>,
        store: &str,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> PyResult<(PyArrowType<ArrayData>, PyArrowType<ArrayData>)> {
        let (keys, values) = self.with(py, |local| {
            let (mut keys, mut values) = (BinaryBuilder::new(), BinaryBuilder::new());
            let mut left = limit;
            // The first key after another is that key and a zero byte.
            let from = after.map_or_else(Vec::new, |after| [&after[..], &[0]].concat());
            if limit > 0 {
                local.store(store)?.scan(&from, None, |key, value| {
                    keys.append_value(key);
                    values.append_value(value);
                    left -= 1;
                    let bytes = keys.values_slice().len() + values.values_slice().len();
                    Ok(if left == 0 || bytes > ENTRY_BYTES {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    })
                })?;
            }
            Ok((keys.finish(), values.finish()))
        })?;
        Ok((
            PyArrowType(keys.into_data()),
            PyArrowType(values.into_data()),
        ))
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(taken);
        });
    }
}

/// Most bytes that one call of `entries` gives, so that an array never overflows.
const ENTRY_BYTES: usize = 256 << 20;

/// What came of the rows of one call.
#[pyclass(module = "headrace._native", frozen, get_all, name = "Processed")]
struct PyProcessed {
    rows: Py<PyAny>,
    late: Py<PyAny>,
    failed: Vec<(usize, usize, String)>,
}

fn export(py: Python<'_>, processed: Processed) -> PyResult<PyProcessed> {
    let late: Vec<_> = processed
        .late
        .into_iter()
        .map(|rows| PyArrowType(Int32Array::from(rows).into_data()))
        .collect();
    let failed = processed
        .failed
        .into_iter()
        .map(|failure| (failure.input, failure.row, failure.reason));
    Ok(PyProcessed {
        rows: PyArrowType(processed.rows).into_pyobject(py)?.unbind(),
        late: late.into_pyobject(py)?.unbind(),
        failed: failed.collect(),
    })
}

/// A Python function that folds a list of bytes.
struct PyFold(Py<PyAny>);

impl Fold for PyFold {
    fn fold(&self, items: &[&[u8]]) -> Option<Vec<u8>> {
        Python::attach(|py| {
            let items = PyList::new(py, items.iter().map(|item| PyBytes::new(py, item))).ok()?;
            let state = self.0.call1(py, (items,)).ok()?;
            // What failed stays as it is, and fails again, with a reason, when the result is computed.
            Some(state.bind(py).cast::<PyBytes>().ok()?.as_bytes().to_vec())
        })
    }
}

/// Let calls of FOLD be computed by the functions of their names.
fn give_folds(spec: &mut Spec, folds: HashMap<String, Py<PyAny>>) {
    let KernelSpec::Aggregate(aggregate) = &mut spec.kernel else {
        return;
    };
    let folds: HashMap<String, Folder> = folds
        .into_iter()
        .map(|(name, fold)| (name, Folder(Arc::new(PyFold(fold)))))
        .collect();
    for call in &mut aggregate.calls {
        if call.function == "FOLD" {
            let name = call.parameter.as_deref().unwrap_or_default();
            call.fold = folds.get(name).cloned();
        }
    }
}

/// One operator in one thread.
#[pyclass(module = "headrace._native", frozen)]
struct Kernel {
    kernel: Mutex<Box<dyn headrace_state::Kernel>>,
    store: String,
    inputs: Vec<SchemaRef>,
}

impl Kernel {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut dyn headrace_state::Kernel) -> StateResult<T> + Send,
    ) -> PyResult<T> {
        detached(py, || {
            let mut kernel = self.kernel.lock().unwrap_or_else(PoisonError::into_inner);
            work(kernel.as_mut())
        })
    }

    /// Take a batch of an input over, checked against the schema that the kernel was made for.
    fn import(&self, input: usize, batch: &Bound<'_, PyAny>) -> PyResult<RecordBatch> {
        // SAFETY: the object hands out an Arrow C array; its buffers are checked against its type below. The contents of text
        // are not checked again: they are only ever copied as bytes.
        let batch = unsafe { RecordBatch::from_pyarrow_bound_unchecked(batch)? };
        for column in batch.columns() {
            column
                .to_data()
                .validate()
                .map_err(|error| PyValueError::new_err(error.to_string()))?;
        }
        let (schema, expected) = (batch.schema(), &self.inputs[input]);
        let same = schema.fields().len() == expected.fields().len()
            && schema
                .fields()
                .iter()
                .zip(expected.fields())
                .all(|(found, expected)| {
                    found.name() == expected.name() && fits(found.data_type(), expected.data_type())
                });
        if !same {
            return Err(PyTypeError::new_err(format!(
                "a batch of input {input} has the schema {schema}, not {expected}"
            )));
        }
        // The kernel sees the types it was made for, down to the names of their parts.
        let columns = batch
            .columns()
            .iter()
            .zip(expected.fields())
            .map(|(column, field)| {
                if column.data_type() == field.data_type() {
                    return Ok(column.clone());
                }
                retyped(&column.to_data(), field.data_type()).map(make_array)
            });
        let columns = columns.collect::<PyResult<Vec<_>>>()?;
        RecordBatch::try_new(expected.clone(), columns)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

#[pymethods]
impl Kernel {
    #[new]
    #[pyo3(signature = (spec, inputs, output, folds=None))]
    fn new(
        spec: &str,
        inputs: Vec<PyArrowType<Schema>>,
        output: PyArrowType<Schema>,
        folds: Option<HashMap<String, Py<PyAny>>>,
    ) -> PyResult<Self> {
        let mut spec = Spec::parse(spec).map_err(raise)?;
        give_folds(&mut spec, folds.unwrap_or_default());
        let inputs: Vec<SchemaRef> = inputs.into_iter().map(|schema| schema.0.into()).collect();
        let kernel =
            headrace_state::kernel(&spec, inputs.clone(), output.0.into()).map_err(raise)?;
        Ok(Self {
            kernel: Mutex::new(kernel),
            store: spec.store,
            inputs,
        })
    }

    fn open(&self, py: Python<'_>, partition: i32, store: &LocalStore) -> PyResult<()> {
        let local = store.open()?;
        self.with(py, |kernel| {
            kernel.open(partition, local.store(&self.store)?)
        })
    }

    fn close(&self, py: Python<'_>, partition: i32) -> PyResult<()> {
        self.with(py, |kernel| {
            kernel.close(partition);
            Ok(())
        })
    }

    fn process(
        &self,
        py: Python<'_>,
        inputs: Vec<Option<Bound<'_, PyAny>>>,
    ) -> PyResult<PyProcessed> {
        if inputs.len() != self.inputs.len() {
            return Err(PyValueError::new_err(
                "as many batches as inputs are needed",
            ));
        }
        let batches = inputs
            .iter()
            .enumerate()
            .map(|(input, batch)| {
                batch
                    .as_ref()
                    .map(|batch| self.import(input, batch))
                    .transpose()
            })
            .collect::<PyResult<Vec<_>>>()?;
        let processed = self.with(py, |kernel| kernel.process(&batches))?;
        export(py, processed)
    }

    fn advance(&self, py: Python<'_>, partition: i32, time: i64) -> PyResult<PyProcessed> {
        let processed = self.with(py, |kernel| kernel.advance(partition, time))?;
        export(py, processed)
    }

    fn flush(&self, py: Python<'_>) -> PyResult<PyArrowType<RecordBatch>> {
        self.with(py, |kernel| kernel.flush()).map(PyArrowType)
    }

    fn changes(&self, py: Python<'_>) -> PyResult<PyArrowType<RecordBatch>> {
        self.with(py, |kernel| kernel.changes()).map(PyArrowType)
    }

    fn committed(&self, py: Python<'_>, positions: HashMap<i32, i64>) -> PyResult<()> {
        self.with(py, |kernel| kernel.committed(&positions))
    }

    fn rollback(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |kernel| kernel.rollback())
    }

    #[pyo3(signature = (keys, values, store=None))]
    fn decode(
        &self,
        py: Python<'_>,
        keys: &Bound<'_, PyAny>,
        values: &Bound<'_, PyAny>,
        store: Option<&LocalStore>,
    ) -> PyResult<PyArrowType<RecordBatch>> {
        let (keys, values): (BinaryArray, BinaryArray) =
            (import_bytes(keys)?, import_bytes(values)?);
        let local = store.map(LocalStore::open).transpose()?;
        self.with(py, |kernel| {
            let store = local.map(|local| local.store(&self.store)).transpose()?;
            kernel.decode(&keys, &values, store.as_ref())
        })
        .map(PyArrowType)
    }

    fn limit(&self, py: Python<'_>, bytes: usize) -> PyResult<()> {
        self.with(py, |kernel| {
            kernel.limit(bytes);
            Ok(())
        })
    }

    fn stats(&self, py: Python<'_>) -> PyResult<HashMap<&'static str, u64>> {
        self.with(py, |kernel| Ok(kernel.stats().named().into()))
    }
}

/// Turns entries of an aggregate into those of a later version of it.
#[pyclass(module = "headrace._native", frozen)]
struct Migration(headrace_state::migration::Migration);

#[pymethods]
impl Migration {
    #[new]
    #[allow(clippy::too_many_arguments)] // three of each version
    fn new(
        old_spec: &str,
        old_inputs: Vec<PyArrowType<Schema>>,
        old_output: PyArrowType<Schema>,
        new_spec: &str,
        new_inputs: Vec<PyArrowType<Schema>>,
        new_output: PyArrowType<Schema>,
        calls: Vec<Option<usize>>,
    ) -> PyResult<Self> {
        let old = version(old_spec, old_inputs, old_output)?;
        let new = version(new_spec, new_inputs, new_output)?;
        headrace_state::migration::Migration::new(&old, &new, &calls)
            .map(Self)
            .map_err(raise)
    }

    fn convert(
        &self,
        py: Python<'_>,
        keys: &Bound<'_, PyAny>,
        values: &Bound<'_, PyAny>,
    ) -> PyResult<(PyArrowType<ArrayData>, PyArrowType<ArrayData>)> {
        let (keys, values) = (import_bytes(keys)?, import_bytes(values)?);
        if keys.len() != values.len() || keys.null_count() > 0 {
            return Err(PyValueError::new_err(
                "as many values as keys are needed, and no key is null",
            ));
        }
        let (keys, values) = detached(py, || self.0.convert(&keys, &values))?;
        Ok((
            PyArrowType(keys.into_data()),
            PyArrowType(values.into_data()),
        ))
    }
}

fn version(
    spec: &str,
    inputs: Vec<PyArrowType<Schema>>,
    output: PyArrowType<Schema>,
) -> PyResult<Version> {
    let Some(input) = inputs.into_iter().next() else {
        return Err(PyValueError::new_err("an aggregate has an input"));
    };
    Ok(Version {
        spec: Spec::parse(spec).map_err(raise)?,
        input: input.0.into(),
        output: output.0.into(),
    })
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<LocalStore>()?;
    m.add_class::<Kernel>()?;
    m.add_class::<Migration>()?;
    m.add_class::<PyProcessed>()?;
    m.add("DamagedStateError", m.py().get_type::<DamagedStateError>())?;
    m.add("LockedStateError", m.py().get_type::<LockedStateError>())?;
    Ok(())
}
