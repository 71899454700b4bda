//! Plans: the SQL of a structure, and what is known of it in each database.
use crate::codec::registered;
use crate::rows::columns::Columns;
use crate::rows::load_plan::LoadPlan;
use crate::statements::session_effects::{effect, names};
use data_bridge_driver::Typed;
use data_bridge_driver::connection::effect::Effect;
use data_bridge_driver::connection::text::Text;
use data_bridge_driver::pool::Pool;
use data_bridge_sql::text::{cursor_query, first_word, locks_rows, one_query, placeholders};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::*};
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
    pub text: Arc<Text>,
    /// Parameters, when the text was made here.
    pub count: Option<usize>,
    /// `select`, `insert`, …
    pub kind: String,
    /// Tables that it names.
    pub tables: Vec<String>,
    /// It was built, and locks rows for a transaction.
    locks_rows: bool,
    /// It is text of the user without placeholders: the server need not be asked for types.
    takes_nothing: bool,
    /// What its text alone says that it does besides its work.
    effect: Effect,
    /// Whether functions that it leads to may change the session: version of the pool's knowledge, pool, answer.
    reached: AtomicU64,
    /// The types of the parameters, per pool and number of registrations.
    prepared: Mutex<Vec<(Resolved, Arc<[Typed]>)>>,
    /// When the types were last doubted.
    asked_again: Mutex<Option<Instant>>,
    /// What connections remember of the text is of an earlier schema.
    pub doubted: AtomicBool,
    /// The plan of the same statement without a comment that is sent once: what is learnt is kept there.
    stands_for: Option<Py<Plan>>,
    /// The columns of the last result.
    pub columns: Mutex<Option<Arc<Columns>>>,
}

/// The range of the query in a text that is described separately: that of a cursor, or one that may read the system catalog.
fn query(sql: &str, kind: &str) -> Option<Range<usize>> {
    let has = |name: &[u8]| sql.as_bytes().windows(name.len()).any(|part| part.eq_ignore_ascii_case(name));
    match kind {
        "declare" => cursor_query(sql),
        "select" | "with" | "table" | "values" if has(b"pg_") || has(b"acl") => one_query(sql).ok().map(|q| 0..q.len()),
        _ => None,
    }
}

/// Whether a comment holds only what cannot end it: pairs of percent-encoded names and values.
fn is_encoded(comment: &str) -> bool {
    comment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%=',".contains(&b))
}

/// Whether a connection must describe the text although it takes no parameters.
fn reads_catalog(query: Option<&Range<usize>>) -> bool {
    query.is_some_and(|q| q.start == 0)
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
        let is_annotated = ir.len() == 4 && ir.get_item(0)?.cast_into::<PyString>().is_ok_and(|tag| tag == "annotated");
        let plan = Py::new(py, if is_annotated { Self::annotated(load, ir)? } else { Self::compile(ir)? })?;
        if plan.get().stands_for.is_some() {
            return Ok(plan);
        }
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
        let (sql, count, kind, tables) = crate::statements::compile::compile_ir(ir)?;
        Ok(Self::new(sql.into(), Some(count), kind.to_owned(), tables))
    }

    /// `("annotated", comment, structure, whether the text is sent once only)`: the text of the structure with a comment.
    fn annotated(load: &LoadPlan, ir: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let comment = ir.get_item(1)?.extract::<String>()?;
        if !is_encoded(&comment) {
            return Err(crate::errors::named(ir.py(), "CompileError", "the comment of a statement is not encoded"));
        }
        let inner = Self::of(load, &ir.get_item(2)?.cast_into::<PyTuple>()?)?;
        let plain = inner.get();
        // A comment of the user at the end may run to the end of its line.
        let sql = format!("{}\n/*{comment}*/", plain.text.sql.trim_end().trim_end_matches(';'));
        let mut made = Self::new(sql.into(), plain.count, plain.kind.clone(), plain.tables.clone());
        if ir.get_item(3)?.is_truthy()? {
            if let Some(text) = Arc::get_mut(&mut made.text) {
                text.is_kept = false;
            }
            made.stands_for = Some(inner);
        }
        Ok(made)
    }

    fn new(sql: Arc<str>, count: Option<usize>, kind: String, tables: Vec<String>) -> Self {
        let effect = effect(&sql, &kind);
        let query = if count.is_none() { query(&sql, &kind) } else { None };
        let commits = matches!(kind.as_str(), "call" | "do");
        let is_kept = !matches!(kind.as_str(), "fetch" | "close" | "move");
        let key = BuildHasherDefault::<DefaultHasher>::default().hash_one(&*sql);
        Self {
            takes_nothing: count.is_none() && placeholders(&sql) == 0 && !reads_catalog(query.as_ref()),
            locks_rows: count.is_some() && kind == "select" && locks_rows(&sql),
            text: Arc::new(Text { sql, key, commits, is_kept, query }),
            count,
            kind,
            tables,
            effect,
            reached: AtomicU64::new(0),
            prepared: Mutex::default(),
            asked_again: Mutex::default(),
            doubted: AtomicBool::new(false),
            stands_for: None,
            columns: Mutex::default(),
        }
    }

    /// The text, when it was made here, and not by the user.
    pub fn compiled(&self) -> Option<&str> {
        self.count.is_some().then_some(&*self.text.sql)
    }

    /// What the statement may do besides its work, in the database of a pool.
    #[inline]
    pub fn effect(&self, pool: &Pool) -> Effect {
        if pool.session.is_unknown() {
            return Effect { undecided: Some(names(&self.text.sql).collect()), ..self.effect.clone() };
        }
        let known = u64::from(pool.session.version()) << 32 | (pool.id & 0x7fff_ffff) << 1;
        let reached = self.reached.load(Acquire);
        let may_change = if reached & !1 == known {
            reached & 1 == 1
        } else {
            let may_change = pool.session.may_change(names(&self.text.sql));
            self.reached.store(known | u64::from(may_change), Release);
            may_change
        };
        Effect { dirty: self.effect.dirty || may_change, defines: self.effect.defines, undecided: None }
    }

    /// The types of the parameters in a pool's database, if the server was asked before.
    #[inline]
    pub fn types(&self, pool: u64) -> Option<Arc<[Typed]>> {
        if self.count == Some(0) || self.takes_nothing {
            return Some(Arc::new([]));
        }
        if let Some(plain) = &self.stands_for {
            return plain.get().types(pool);
        }
        let key = (pool, registered::generation());
        self.prepared.lock().expect("the types").iter().find(|(known, _)| *known == key).map(|(_, t)| t.clone())
    }

    /// Remembers what the server said.
    pub fn learn(&self, pool: u64, types: &Arc<[Typed]>) {
        if let Some(plain) = &self.stands_for {
            return plain.get().learn(pool, types);
        }
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
        if let Some(plain) = &self.stands_for {
            return plain.get().forget(pool);
        }
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

#[pymethods]
impl Plan {
    #[getter]
    fn sql(&self) -> &str {
        &self.text.sql
    }
    /// A number that stands for the text.
    #[getter]
    fn shape(&self) -> u64 {
        self.text.key
    }
    /// Refuses a built query that locks rows, which takes a transaction: outside of one nothing stays locked.
    pub fn refuse_locks(&self, py: Python<'_>) -> PyResult<()> {
        if !self.locks_rows {
            return Ok(());
        }
        let message = "locks of FOR UPDATE and FOR SHARE end with the transaction, and outside of one they would be \
                       released at once: run the query inside pg_transaction()";
        Err(crate::errors::named(py, "ConfigurationError", message))
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
