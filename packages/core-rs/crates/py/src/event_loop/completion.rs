//! From what arrived to what the caller gets: encoding that had to wait for types, decoding, ends.
use crate::env::env;
use crate::errors::exception;
use crate::event_loop::bridge::Bridge;
use crate::event_loop::operation::Ticket;
use crate::rows::columns::Columns;
use crate::rows::frame::{Framing, Growing};
use crate::rows::load_plan::{LoadPlan, Shape};
use crate::{codec::encode, codec::registered, ready_thread};
use data_bridge_driver::connection::reply::Wanted;
use data_bridge_driver::{Column as _, Error, PgRow, Row as _, types};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyList};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Handles whatever has arrived for `ticket`.
pub fn drain(py: Python<'_>, bridge: &Bridge, ticket: &Arc<Ticket>) {
    let arrived = ticket.reply.take();
    if let Some(types) = &arrived.asked {
        answer(py, ticket, types, arrived.unlearned);
    }
    if let Some(columns) = arrived.columns {
        ticket.with(|p| p.framed = Some(columns));
    }
    let wanted = ticket.reply.wanted() == Wanted::Yes;
    if !arrived.rows.is_empty() && wanted {
        let decoded = rows(py, ticket, arrived.rows);
        if let Err(e) = decoded {
            ticket.with(|p| p.error = Some(e));
        }
    }
    if let (true, Some(plan)) = (arrived.stale, &ticket.plan) {
        let plan = plan.bind(py).get();
        plan.forget(ticket.pool);
        plan.doubted.store(true, Relaxed);
    }
    if let Some(types) = &arrived.described {
        let oids = PyList::new(py, types.iter().map(|t| t.oid)).map(Bound::into_any);
        let types = types.iter().map(|t| registered::resolved(ticket.pool, t.clone())).collect();
        ticket.with(|p| p.described = Some(types));
        ticket.with(|p| match oids {
            Ok(oids) => p.out = Some(oids.unbind()),
            Err(e) => p.error = Some(e),
        });
    }
    let Some(end) = arrived.end else { return };
    if ticket.with(|p| p.done) {
        return; // its caller has been told already, as at a deadline: a later result is dropped
    }
    if let Some((started, ended)) = arrived.times {
        ticket.with(|p| {
            let asked = p.asked.unwrap_or(started);
            let decoding = p.seconds.map_or(0.0, |s| s.2) + ended.elapsed().as_secs_f64();
            p.seconds = Some((
                started.duration_since(asked).as_secs_f64(),
                ended.duration_since(started).as_secs_f64(),
                decoding,
            ));
        });
    }
    if end.is_ok()
        && wanted
        && let Err(e) = framed(py, ticket)
    {
        ticket.with(|p| p.error = Some(e));
    }
    finish(py, ticket, end, arrived.affected);
    tell(py, bridge, ticket);
}

fn answer(py: Python<'_>, ticket: &Ticket, asked: &Arc<[data_bridge_driver::Typed]>, unlearned: bool) {
    let types: &Arc<[_]> = &asked.iter().map(|t| registered::resolved(ticket.pool, t.clone())).collect();
    let params = ticket.with(|p| p.params.as_ref().map(|values| values.clone_ref(py)));
    let encoded = careful(py, "EncodeError", || {
        if let (false, Some(plan)) = (unlearned, &ticket.plan) {
            plan.bind(py).get().learn(ticket.pool, types);
        }
        match params {
            Some(params) => {
                let sql = ticket.plan.as_ref().and_then(|plan| plan.bind(py).get().compiled());
                encode::arguments(py, env(py)?, sql, types, params.bind(py))
            }
            None => Err(crate::errors::named(py, "EncodeError", "the statement takes parameters, none were given")),
        }
    });
    match encoded {
        Ok(args) => ticket.reply.answer(Ok(args)),
        Err(e) => {
            ticket.with(|p| p.error = Some(e));
            ticket.reply.answer(Err(()));
        }
    }
}

/// Decodes rows now, or keeps them when the user's code must run for them.
fn rows(py: Python<'_>, ticket: &Ticket, rows: Vec<PgRow>) -> PyResult<()> {
    let Some(load) = &ticket.load else { return Ok(()) };
    let load = load.bind(py).get();
    if load.calls_back(py) {
        ticket.with(|p| p.kept.extend(rows));
        return Ok(());
    }
    decoded(py, ticket, load, &rows)
}

/// What a composite consists of is known once per connection: when its values are not what they were, no connection is
/// asked again that may remember the same.
fn decoded(py: Python<'_>, ticket: &Ticket, load: &LoadPlan, rows: &[PgRow]) -> PyResult<()> {
    let end = careful(py, "DecodeError", || decode(py, ticket, load, rows));
    let changes = |row: &PgRow| row.columns().iter().any(|c| types::may_change(c.type_info()));
    if end.is_err() && rows.first().is_some_and(changes) {
        crate::connections::pool::expire(ticket.pool);
    }
    end
}

/// Turns a panic into an exception of the one operation that it belongs to: others are answered in the same turn.
fn careful<R>(py: Python<'_>, class: &str, work: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        // The text of the panic stands on standard error; here it could show values.
        let message = "a fault of data-bridge, or an answer that follows no protocol; standard error tells where";
        Err(crate::errors::named(py, class, message))
    })
}

/// Collections pause while this lives.
struct Uncollected(bool);

impl Drop for Uncollected {
    fn drop(&mut self) {
        if self.0 {
            // SAFETY: attached, as its maker was.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}

fn columns(py: Python<'_>, ticket: &Ticket, load: &LoadPlan, first: &PgRow) -> PyResult<Arc<Columns>> {
    if let Some(known) = ticket.with(|p| p.columns.clone()) {
        return Ok(known);
    }
    let plan = ticket.plan.as_ref().map(|p| p.bind(py).get());
    // FETCH has the columns of its cursor, whatever its text.
    let known = plan
        .filter(|p| p.kind != "fetch")
        .and_then(|p| p.columns.lock().expect("a plan's columns").clone())
        .filter(|c| c.fit(first, ticket.pool));
    let columns = match known {
        Some(c) => c,
        None => {
            let mut made = Columns::of(py, first, ticket.pool);
            load.prepare(py, &mut made)?;
            let made = Arc::new(made);
            if let Some(p) = plan {
                *p.columns.lock().expect("a plan's columns") = Some(made.clone());
            }
            made
        }
    };
    ticket.with(|p| p.columns = Some(columns.clone()));
    Ok(columns)
}

/// The frame of a ticket that is to have one; begun with what the server described.
fn growing(py: Python<'_>, ticket: &Ticket, framing: &Framing) -> PyResult<Growing> {
    let (begun, described) = ticket.with(|p| (p.frame.take(), p.framed.clone()));
    begun.map_or_else(|| framing.start(py, described), Ok)
}

/// Makes the result of a statement whose rows, if there were any, are columns now.
fn framed(py: Python<'_>, ticket: &Ticket) -> PyResult<()> {
    let Some(load) = &ticket.load else { return Ok(()) };
    let Shape::Arrow(framing) = &load.bind(py).get().shape else { return Ok(()) };
    if ticket.with(|p| p.error.is_some()) {
        return Ok(());
    }
    let made = careful(py, "DecodeError", || growing(py, ticket, framing)?.finish(py))?;
    let made = Py::new(py, made)?.into_any();
    ticket.with(|p| p.out = Some(made));
    Ok(())
}

fn decode(py: Python<'_>, ticket: &Ticket, load: &LoadPlan, rows: &[PgRow]) -> PyResult<()> {
    if ticket.with(|p| p.error.is_some()) || rows.is_empty() {
        return Ok(());
    }
    if let Shape::Arrow(framing) = &load.shape {
        let mut frame = growing(py, ticket, framing)?;
        frame.push(py, rows)?;
        ticket.with(|p| {
            p.rows += rows.len();
            p.frame = Some(frame);
        });
        return Ok(());
    }
    let env = env(py)?;
    let columns = columns(py, ticket, load, &rows[0])?;
    ticket.with(|p| p.rows += rows.len());
    if matches!(load.shape, Shape::Merge(_)) && !load.many {
        let into = ticket.with(|p| p.into.as_ref().map(|o| o.clone_ref(py)));
        if let Some(into) = into {
            load.merge(py, env, Some(&columns), rows.first(), into.bind(py))?;
            ticket.with(|p| p.out = Some(PyBool::new(py, true).to_owned().into_any().unbind()));
        }
        return Ok(());
    }
    if matches!(load.shape, Shape::Affected) {
        return Ok(());
    }
    if !load.many {
        if ticket.with(|p| p.out.is_none()) {
            // SAFETY: a new reference.
            let one = unsafe { Bound::from_owned_ptr(py, load.row(py, env, &columns, &rows[0])?) }.unbind();
            ticket.with(|p| p.out = Some(one));
        }
        return Ok(());
    }
    let list = match ticket.with(|p| p.out.as_ref().map(|l| l.clone_ref(py))) {
        Some(l) => l.into_bound(py),
        None => {
            let l = PyList::empty(py).into_any();
            ticket.with(|p| p.out = Some(l.clone().unbind()));
            l
        }
    };
    // SAFETY: attached. Only new, reachable objects are made meanwhile: there is nothing to collect, and every young
    // collection would walk them all.
    let _pause = Uncollected(unsafe { ffi::PyGC_Disable() } != 0);
    rows.iter().try_for_each(|row| {
        let made = load.row(py, env, &columns, row)?;
        // SAFETY: `list` is a list; `made` is ours.
        unsafe {
            let appended = ffi::PyList_Append(list.as_ptr(), made);
            ffi::Py_DECREF(made);
            if appended < 0 { Err(PyErr::fetch(py)) } else { Ok(()) }
        }
    })
}

fn finish(py: Python<'_>, ticket: &Ticket, end: Result<(), Error>, affected: u64) {
    let failure = match end {
        Ok(()) => None,
        Err(Error::Refused) if ticket.with(|p| p.error.is_some()) => None,
        Err(e) => {
            let sql = ticket.plan.as_ref().map(|p| p.bind(py).get().text.sql.clone());
            Some(exception(py, &e, sql.as_deref()))
        }
    };
    ticket.with(|p| {
        p.done = true;
        p.affected = affected;
        if let Some(e) = failure {
            p.error = Some(e);
        }
    });
}

/// What remains to be done when the task resumes, in its own context.
pub fn resume(py: Python<'_>, ticket: &Ticket) -> PyResult<Py<PyAny>> {
    let (kept, error) = ticket.with(|p| (std::mem::take(&mut p.kept), p.error.as_ref().map(|e| e.clone_ref(py))));
    if let Some(e) = error {
        return Err(e);
    }
    let Some(load) = &ticket.load else { return Ok(py.None()) };
    let load = load.bind(py).get();
    if !kept.is_empty() {
        let started = Instant::now();
        decoded(py, ticket, load, &kept)?;
        ticket.with(|p| {
            if let Some(s) = p.seconds.as_mut() {
                s.2 += started.elapsed().as_secs_f64();
            }
        });
    }
    let (out, affected, into) = ticket.with(|p| (p.out.as_ref().map(|o| o.clone_ref(py)), p.affected, p.into.take()));
    match (&load.shape, out) {
        (_, Some(out)) => Ok(out),
        (Shape::Affected, None) => Ok(affected.into_pyobject(py)?.into_any().unbind()),
        (Shape::Merge(_), None) if !load.many => {
            // Without RETURNING the number of rows tells.
            if affected > 0
                && let Some(into) = into
            {
                load.merge(py, env(py)?, None, None, into.bind(py))?;
                return Ok(PyBool::new(py, true).to_owned().into_any().unbind());
            }
            Ok(PyBool::new(py, false).to_owned().into_any().unbind())
        }
        (_, None) if load.many => Ok(PyList::empty(py).into_any().unbind()),
        (_, None) => Ok(py.None()),
    }
}

/// Wakes the task that waits for `ticket`.
fn tell(py: Python<'_>, bridge: &Bridge, ticket: &Ticket) {
    let Some((future, event_loop, thread)) = ticket.with(|p| p.future.take()) else { return };
    // Both fail when the future was cancelled or its loop was closed meanwhile: then no one waits for the result.
    let told = if thread == ready_thread() {
        future.call_method1(py, pyo3::intern!(py, "set_result"), (py.None(),)).map(|_| ())
    } else {
        bridge.tell_elsewhere(py, &event_loop, &future)
    };
    drop(told);
}
