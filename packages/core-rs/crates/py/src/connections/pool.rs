//! A pool as Python sees it.
use crate::codec::encode;
use crate::connections::lease::PyLease;
use crate::connections::listen::Listener;
use crate::connections::password::Asked;
use crate::env::env;
use crate::errors::exception;
use crate::event_loop::bridge::Bridge;
use crate::event_loop::future::Op;
use crate::event_loop::operation::{Progress, Ticket};
use crate::rows::load_plan::LoadPlan;

use crate::statements::plan::Plan;
use crate::statements::session_effects::script_effect;
use crate::statements::text::without_copy;
use data_bridge_driver::config::Reset;
use data_bridge_driver::config::{Config, Host, Limits, Passwords, Secret, Target, Tls};
use data_bridge_driver::connection::Work;
use data_bridge_driver::connection::effect::Effect;
use data_bridge_driver::execution::lease::Lease;
use data_bridge_driver::execution::single::single;
use data_bridge_driver::pool::Pool;
use data_bridge_driver::pool::canceller::{cancel_processes, prepare as prepare_control};
use data_bridge_driver::{Reply, Shield};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

static POOLS: Mutex<Vec<Weak<Pool>>> = Mutex::new(Vec::new());

/// The connections of one database.
#[pyclass(frozen, weakref, name = "Pool", module = "data_bridge.core._native")]
pub struct PyPool {
    pool: Mutex<Arc<Pool>>,
}

/// A deadline from seconds; None for none.
pub fn deadline(py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<(Instant, f64)>> {
    match timeout {
        None => Ok(None),
        Some(t) if t.is_finite() && t >= 0.0 => Ok(Some((Instant::now() + Duration::from_secs_f64(t.min(1e9)), t))),
        Some(t) => {
            Err(crate::errors::named(py, "ConfigurationError", format!("timeout={t} is not a number of seconds")))
        }
    }
}

/// A statement ready to be started: its ticket and its work.
pub struct Prepared {
    /// How the caller is told.
    pub ticket: Arc<Ticket>,
    /// What is done.
    pub work: Work,
    /// What it may do besides.
    pub effect: Effect,
}

/// Looks up the plan and encodes the parameters, as far as their types are known.
#[allow(clippy::too_many_arguments)]
pub fn prepare(
    pool: &Pool,
    ir: &Bound<'_, PyTuple>,
    params: &Bound<'_, PyTuple>,
    load: &Bound<'_, LoadPlan>,
    into: Option<Py<PyAny>>,
    timeout: Option<f64>,
    timed: bool,
) -> PyResult<Prepared> {
    let py = ir.py();
    let plan = Plan::of(load.get(), ir)?;
    let p = plan.bind(py).get();
    if let Some(why) = p.refusal() {
        return Err(crate::errors::named(py, "ConfigurationError", why));
    }
    let mut afresh = false;
    let args = match p.types(pool.id) {
        Some(types) => match encode::arguments(py, env(py)?, p.compiled(), &types, params) {
            Ok(args) => Some((args, types)),
            // Does the value not fit, or is what is remembered of an earlier schema?
            Err(_) if types.len() == params.len() && p.doubt(pool.id) => {
                afresh = true;
                None
            }
            Err(e) => return Err(e),
        },
        None if p.count.is_some_and(|n| n != params.len()) => {
            let message = format!("the statement takes {} parameters, {} given", p.count.unwrap_or(0), params.len());
            return Err(crate::errors::named(py, "EncodeError", message));
        }
        None => {
            afresh = p.doubted.swap(false, Relaxed);
            None
        }
    };
    let work = Work::Query { text: p.text.clone(), args, afresh };
    let effect = p.effect(pool);
    let reply = Reply::new(deadline(py, timeout)?, Shield::No);
    reply.describes.store(load.get().describes(), Relaxed);
    let mut progress = Progress { into, ..Progress::default() };
    if !params.is_empty() || p.count.is_none() {
        progress.params = Some(params.clone().unbind());
    }
    if timed {
        reply.timed.store(true, Relaxed);
        progress.asked = Some(Instant::now());
    }
    let ticket = Ticket::new(reply, Some(plan), Some(load.clone().unbind()), pool.id, progress);
    Ok(Prepared { ticket, work, effect })
}

impl PyPool {
    /// The pool of this process: a fork gets one of its own with the same settings.
    pub(crate) fn get(&self) -> Arc<Pool> {
        let mut guard = self.pool.lock().expect("a pool");
        if !guard.is_ours() {
            let own = Pool::new(guard.config.clone(), guard.limits.clone());
            std::mem::forget(std::mem::replace(&mut *guard, own));
            POOLS.lock().expect("the pools").push(Arc::downgrade(&guard));
        }
        guard.clone()
    }
}

#[pymethods]
impl PyPool {
    #[new]
    #[pyo3(signature = (*, hosts, user, passwords, password_source=None, database, ssl, ssl_root_cert, ssl_cert, ssl_key, application_name, server_settings, session_setup,
                        target_session_attrs, min_connections, max_connections, acquire_timeout, connect_timeout, idle_timeout,
                        max_lifetime, statement_cache_size, session_reset, control_connection=false))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        hosts: Vec<Host>,
        user: String,
        passwords: Vec<Option<String>>,
        password_source: Option<Py<PyAny>>,
        database: Option<String>,
        ssl: &str,
        ssl_root_cert: Option<String>,
        ssl_cert: Option<String>,
        ssl_key: Option<String>,
        application_name: Option<String>,
        server_settings: BTreeMap<String, String>,
        session_setup: String,
        target_session_attrs: &str,
        min_connections: usize,
        max_connections: usize,
        acquire_timeout: f64,
        connect_timeout: f64,
        idle_timeout: f64,
        max_lifetime: f64,
        statement_cache_size: usize,
        session_reset: &str,
        control_connection: bool,
    ) -> PyResult<Self> {
        let seconds = |s: f64| Duration::from_secs_f64(s.clamp(0.0, 1e9));
        let config = Config {
            hosts,
            user,
            passwords: match password_source {
                Some(source) => Passwords::Asked(Arc::new(Asked(source))),
                None => Passwords::Known(passwords.into_iter().map(|p| p.map(Secret)).collect()),
            },
            database,
            tls: Tls::parse(ssl).map_err(|e| exception(py, &e, None))?,
            root_certificate: ssl_root_cert,
            certificate: ssl_cert,
            key: ssl_key,
            application_name,
            settings: server_settings,
            setup: session_setup,
            target: Target::parse(target_session_attrs).map_err(|e| exception(py, &e, None))?,
            connect_timeout: seconds(connect_timeout),
            statement_cache: statement_cache_size,
        };
        let limits = Limits {
            min: min_connections,
            max: max_connections,
            acquire_timeout: seconds(acquire_timeout),
            idle_timeout: seconds(idle_timeout),
            max_lifetime: seconds(max_lifetime),
            session_reset: Reset::parse(session_reset).map_err(|e| exception(py, &e, None))?,
            control: control_connection,
        };
        let pool = Pool::new(config, limits);
        POOLS.lock().expect("the pools").push(Arc::downgrade(&pool));
        Ok(Self { pool: Mutex::new(pool) })
    }

    /// One statement on any connection.
    #[pyo3(signature = (ir, params, load, into=None, timeout=None, timed=false))]
    fn run(
        &self,
        ir: &Bound<'_, PyTuple>,
        params: &Bound<'_, PyTuple>,
        load: &Bound<'_, LoadPlan>,
        into: Option<Py<PyAny>>,
        timeout: Option<f64>,
        timed: bool,
    ) -> PyResult<Op> {
        let py = ir.py();
        let pool = self.get();
        let Prepared { ticket, work, effect } = prepare(&pool, ir, params, load, into, timeout, timed)?;
        if let Some(plan) = &ticket.plan {
            plan.get().refuse_locks(py)?;
        }
        let bridge = Bridge::current(py)?;
        let home = bridge.bind(py).get().executor.home.clone();
        let task = Box::pin(single(pool, home, work, effect, ticket.reply.clone()));
        Bridge::start(bridge.bind(py), task, ticket)
    }

    /// One or more statements by the simple protocol; returns the number of affected rows.
    #[pyo3(signature = (sql, timeout=None))]
    fn script(&self, py: Python<'_>, sql: &str, timeout: Option<f64>) -> PyResult<Op> {
        without_copy(py, sql)?;
        let pool = self.get();
        let reply = Reply::new(deadline(py, timeout)?, Shield::No);
        let bridge = Bridge::current(py)?;
        let home = bridge.bind(py).get().executor.home.clone();
        let ticket =
            Ticket::new(reply.clone(), None, Some(Py::new(py, LoadPlan::counting(py))?), pool.id, Progress::default());
        let task = Box::pin(single(pool, home, Work::Simple(sql.into()), script_effect(sql), reply));
        Bridge::start(bridge.bind(py), task, ticket)
    }

    /// A round trip on a connection of the pool.
    #[pyo3(signature = (timeout=None))]
    fn ping(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Op> {
        let pool = self.get();
        let reply = Reply::new(deadline(py, timeout)?, Shield::No);
        let bridge = Bridge::current(py)?;
        let home = bridge.bind(py).get().executor.home.clone();
        let ticket = Ticket::new(reply.clone(), None, None, pool.id, Progress::default());
        let task = Box::pin(single(pool, home, Work::Ping, Effect::default(), reply));
        Bridge::start(bridge.bind(py), task, ticket)
    }

    /// A connection for one owner; it is taken by the first step. `shared`: usable from every thread and loop;
    /// `counted`: a place of the pool, else a connection beside it.
    #[pyo3(signature = (*, shared=false, counted=true))]
    fn lease(&self, py: Python<'_>, shared: bool, counted: bool) -> PyResult<PyLease> {
        let bridge = if shared { Bridge::shared(py)? } else { Bridge::current(py)? };
        let home = bridge.bind(py).get().executor.home.clone();
        Ok(PyLease { lease: Lease::new(self.get(), home, counted), bridge })
    }

    /// Subscribes to channels, on a connection beside the pool.
    fn listen(&self, py: Python<'_>, channels: Vec<String>) -> PyResult<Listener> {
        Listener::make(py, &self.get(), channels)
    }

    /// Size, idle, waiting and counters.
    /// The number of this pool in the process.
    #[getter]
    fn id(&self) -> u64 {
        self.get().id
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let s = self.get().stats();
        let d = PyDict::new(py);
        d.set_item("size", s.size)?;
        d.set_item("idle", s.idle)?;
        d.set_item("used", s.size.saturating_sub(s.idle))?;
        d.set_item("waiting", s.waiting)?;
        d.set_item("max", self.get().limits.max)?;
        d.set_item("opened", s.opened)?;
        d.set_item("closed_broken", s.closed_broken)?;
        d.set_item("acquires", s.acquires)?;
        d.set_item("acquire_wait_total", s.acquire_wait_total)?;
        d.set_item("timeouts", s.timeouts)?;
        Ok(d)
    }

    /// Every connection is replaced before its next use.
    fn expire(&self) {
        self.get().expire();
    }

    /// Refuses new callers and closes idle connections.
    fn close(&self, py: Python<'_>) -> PyResult<Op> {
        let pool = self.get();
        let reply = Reply::new(None, Shield::Whole);
        let bridge = Bridge::current(py)?;
        let own = bridge.bind(py).get().executor.home.id;
        let ticket = Ticket::new(reply.clone(), None, None, pool.id, Progress::default());
        let task = Box::pin(async move {
            for connection in pool.close() {
                // Sockets of other homes are only dropped: their reactor may not be turned any more.
                if connection.home == own {
                    connection.close().await;
                }
            }
            reply.finish(Ok(()));
        });
        Bridge::start(bridge.bind(py), task, ticket)
    }

    /// Server processes that work for this pool now.
    fn busy(&self) -> Vec<i32> {
        self.get().busy().unwrap_or_default()
    }

    /// Ends the connections that are still in use, in whatever thread.
    fn shut(&self) {
        self.get().shut();
    }

    /// Makes the connection by which statements of this event loop are cancelled.
    fn prepare_control(&self, py: Python<'_>) -> PyResult<Op> {
        let pool = self.get();
        let reply = Reply::new(None, Shield::No);
        let bridge = Bridge::current(py)?;
        let home = bridge.bind(py).get().executor.home.clone();
        let ticket = Ticket::new(reply.clone(), None, None, pool.id, Progress::default());
        Bridge::start(bridge.bind(py), Box::pin(prepare_control(pool, home, reply)), ticket)
    }

    /// Cancels the statements of server processes by a connection beside the pool.
    fn cancel(&self, py: Python<'_>, pids: Vec<i32>) -> PyResult<Op> {
        self.cancel_on(py, &Bridge::current(py)?, &pids)
    }

    /// The same on the reactor that all threads share: for the end of the process, when no loop may be left.
    fn cancel_shared(&self, py: Python<'_>, pids: Vec<i32>) -> PyResult<Op> {
        self.cancel_on(py, &Bridge::shared(py)?, &pids)
    }
}

impl PyPool {
    fn cancel_on(&self, py: Python<'_>, bridge: &Py<Bridge>, pids: &[i32]) -> PyResult<Op> {
        let pool = self.get();
        let reply = Reply::new(None, Shield::Whole);
        let home = bridge.bind(py).get().executor.home.clone();
        let ticket = Ticket::new(reply.clone(), None, None, pool.id, Progress::default());
        let task = Box::pin(cancel_processes(pool, home, pids.to_vec(), reply));
        Bridge::start(bridge.bind(py), task, ticket)
    }
}

/// Replaces every connection of this pool before its next use.
pub fn expire(id: u64) {
    let found = POOLS.lock().expect("the pools").iter().filter_map(Weak::upgrade).find(|pool| pool.id == id);
    if let Some(pool) = found {
        pool.expire();
    }
}

/// In the child of a fork: gives up all pools; returns descriptors to close by number.
pub fn forget_all() -> Vec<i32> {
    let Ok(mut pools) = POOLS.try_lock() else { return vec![] };
    let fds = pools.iter().filter_map(Weak::upgrade).flat_map(|p| {
        let fds = p.forget();
        std::mem::forget(p);
        fds
    });
    let fds = fds.collect();
    std::mem::forget(std::mem::take(&mut *pools));
    fds
}
