//! Plans: the SQL of a structure, and what is known of it in each database.
use crate::columns::Columns;
use crate::load::LoadPlan;
use crate::registered;
use data_bridge_driver::Typed;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Plans per load plan; beyond this the oldest knowledge is thrown away at once.
const MOST: usize = 4096;
/// How long the types of parameters are not doubted again, when a value did not fit them.
const SURE: Duration = Duration::from_millis(100);

/// A pool, and the number of registrations of types.
type Resolved = (u64, u64);

/// A statement that was compiled.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct Plan {
    /// Its text.
    pub sql: Arc<str>,
    /// Parameters, when the text was made here.
    pub count: Option<usize>,
    /// `select`, `insert`, …
    pub kind: String,
    /// Tables that it names.
    pub tables: Vec<String>,
    /// Whether the session may not be the same afterwards.
    pub soils: bool,
    /// The types of the parameters, per pool and number of registrations.
    prepared: Mutex<Vec<(Resolved, Arc<[Typed]>)>>,
    /// Stands for the text.
    pub key: u64,
    /// When the types were last doubted.
    asked_again: Mutex<Option<Instant>>,
    /// What connections remember of the text is of an earlier schema.
    pub doubted: AtomicBool,
    /// The columns of the last result.
    pub columns: Mutex<Option<Arc<Columns>>>,
}

impl Plan {
    /// The plan of a structure: looked up, or compiled and remembered.
    pub fn of(load: &LoadPlan, ir: &Bound<'_, PyTuple>) -> PyResult<Py<Plan>> {
        let py = ir.py();
        // SAFETY: a borrowed reference, kept alive by the dict while it is turned into an owned one.
        unsafe {
            let found = ffi::PyDict_GetItemWithError(load.plans.as_ptr(), ir.as_ptr());
            if !found.is_null() {
                return Ok(Bound::from_borrowed_ptr(py, found).cast_into_unchecked::<Plan>().unbind());
            }
        }
        if let Some(e) = PyErr::take(py) {
            return Err(e);
        }
        let plan = Py::new(py, Self::compile(ir)?)?;
        let plans = load.plans.bind(py);
        if plans.len() >= MOST {
            plans.clear();
        }
        plans.set_item(ir, &plan)?;
        Ok(plan)
    }

    fn compile(ir: &Bound<'_, PyTuple>) -> PyResult<Self> {
        // Text of the user with $1, $2 … in it: the server counts the parameters.
        if ir.len() == 2
            && let (Ok(tag), Ok(text)) =
                (ir.get_item(0)?.cast_into::<PyString>(), ir.get_item(1)?.cast_into::<PyString>())
            && tag == "text"
        {
            let sql = text.to_str()?;
            if sql.contains('\0') {
                return Err(crate::errors::named(ir.py(), "CompileError", "the SQL text contains NUL"));
            }
            return Ok(Self::new(sql.into(), None, first_word(sql), vec![]));
        }
        let (sql, count, kind, tables) = crate::compile::compile_ir(ir)?;
        Ok(Self::new(sql.into(), Some(count), kind.to_owned(), tables))
    }

    fn new(sql: Arc<str>, count: Option<usize>, kind: String, tables: Vec<String>) -> Self {
        let soils = soils(&sql, &kind, count.is_some());
        let key = BuildHasherDefault::<DefaultHasher>::default().hash_one(&*sql);
        Self {
            sql,
            count,
            kind,
            tables,
            soils,
            prepared: Mutex::default(),
            key,
            asked_again: Mutex::default(),
            doubted: AtomicBool::new(false),
            columns: Mutex::default(),
        }
    }

    /// The types of the parameters in a pool's database, if the server was asked before.
    #[inline]
    pub fn types(&self, pool: u64) -> Option<Arc<[Typed]>> {
        if self.count == Some(0) {
            return Some(Arc::new([]));
        }
        let key = (pool, registered::generation());
        self.prepared.lock().expect("the types").iter().find(|(known, _)| *known == key).map(|(_, t)| t.clone())
    }

    /// The types of the parameters that were learnt last.
    pub fn last_types(&self) -> Option<Arc<[Typed]>> {
        self.prepared.lock().expect("the types").last().map(|(_, types)| types.clone())
    }

    /// Remembers what the server said.
    pub fn learn(&self, pool: u64, types: &Arc<[Typed]>) {
        let mut prepared = self.prepared.lock().expect("the types");
        prepared.retain(|((id, _), _)| *id != pool);
        prepared.push(((pool, registered::generation()), types.clone()));
    }

    /// Forgets the types of the parameters; false when that was done a moment ago, so that a caller who is wrong again and
    /// again does not make the server prepare statements all the time.
    pub fn doubt(&self, pool: u64) -> bool {
        let mut asked_again = self.asked_again.lock().expect("the time of doubt");
        if asked_again.is_some_and(|at| at.elapsed() < SURE) {
            return false;
        }
        *asked_again = Some(Instant::now());
        self.forget(pool);
        true
    }

    /// Forgets the types of the parameters.
    pub fn forget(&self, pool: u64) {
        self.prepared.lock().expect("the types").retain(|((id, _), _)| *id != pool);
    }

    /// Why this text cannot be run as one statement on a pooled connection, if so.
    pub fn refusal(&self) -> Option<&'static str> {
        if self.count.is_some() {
            return None;
        }
        match self.kind.as_str() {
            "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => Some(
                "transactions are controlled by pg_transaction(), begin_transaction() and their objects, not by SQL text",
            ),
            "copy" => Some("COPY has methods of its own: copy_in() and copy_out()"),
            "listen" | "unlisten" => Some("LISTEN has a connection of its own: use listen()"),
            _ => None,
        }
    }
}

/// Whether the session may not be the same after a statement. `own`: it was made here, of parts that keep nothing but by
/// what their functions do.
fn soils(sql: &str, kind: &str, own: bool) -> bool {
    let lower = sql.to_lowercase();
    let calls = ["set_config", "pg_advisory_lock", "pg_try_advisory_lock"].iter().any(|f| lower.contains(f));
    if own || calls {
        return calls;
    }
    let mut words = lower.split_ascii_whitespace();
    match kind {
        "set" | "reset" | "prepare" | "deallocate" | "discard" | "load" | "do" | "call" => true,
        "declare" => words.any(|w| w == "hold"),
        // A column may be called so: only where a table is made.
        "create" => words.any(|w| w == "temp" || w == "temporary" || w.contains("pg_temp")),
        _ => lower.contains("into") && words.any(|w| w == "temp" || w == "temporary" || w.contains("pg_temp")),
    }
}

/// The first keyword of a statement, in lower case; comments before it are passed over.
pub fn first_word(sql: &str) -> String {
    let mut rest = sql.trim_start();
    loop {
        if let Some(r) = rest.strip_prefix("--") {
            rest = r.split_once('\n').map_or("", |(_, r)| r).trim_start();
        } else if let Some(r) = rest.strip_prefix("/*") {
            rest = r.split_once("*/").map_or("", |(_, r)| r).trim_start();
        } else if let Some(r) = rest.strip_prefix(['(', ';']) {
            rest = r.trim_start();
        } else {
            break;
        }
    }
    rest.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_lowercase()
}

#[pymethods]
impl Plan {
    #[getter]
    fn sql(&self) -> &str {
        &self.sql
    }
    #[getter]
    fn kind(&self) -> &str {
        &self.kind
    }
    #[getter]
    fn tables(&self) -> Vec<String> {
        self.tables.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{first_word, soils};

    #[test]
    fn what_a_session_keeps() {
        let raw = |sql: &str| soils(sql, &first_word(sql), false);
        for sql in [
            "SET x = 1",
            "select Set_Config('a', 'b', false)",
            "CREATE TEMP\nTABLE t ()",
            "create Temporary view v as select 1",
            "SELECT 1 INTO\tTEMP t",
            "CREATE TABLE pg_temp.t ()",
            "DECLARE c CURSOR\nWITH HOLD FOR SELECT 1",
            "PREPARE p AS SELECT 1",
            "SELECT pg_try_advisory_lock_shared(1)",
            "DO $$ $$",
        ] {
            assert!(raw(sql), "{sql}");
        }
        for sql in ["SELECT temp FROM weather", "INSERT INTO weather VALUES (1)", "SELECT 1", "CREATE TABLE t ()"] {
            assert!(!raw(sql), "{sql}");
        }
        assert!(soils("SELECT set_config($1, $2, $3)", "select", true));
        assert!(!soils("INSERT INTO \"temp\" (a) VALUES ($1)", "insert", true));
    }
}
