//! Between an executor and event loops: who owns it, who turns it, who is told.
//!
//! A bridge belongs to a thread; all loops of that thread watch the same descriptor, and whichever runs turns it. Loops
//! are held weakly. A bridge whose loop was closed, or whose thread has ended, is adopted by the next loop that needs one,
//! with its connections. One bridge, on a reactor of its own, is shared by all threads.
use crate::env::env;
use crate::event_loop::completion::drain;
use crate::event_loop::future::Op;
use crate::event_loop::operation::Ticket;
use crate::event_loop::reactor_kind::kind;
use crate::ready_thread;
use data_bridge_driver::connection::reply::Wanted;
use data_bridge_driver::event_loop::reactor::Kind;
use data_bridge_driver::event_loop::run_queue::Task;
use data_bridge_driver::{Executor, event_loop::fork};
use pyo3::exceptions::{PyRuntimeError, PyTimeoutError};
use pyo3::prelude::*;
use std::cell::RefCell;
use std::mem::take;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Operations answered at their first poll, in a row, before the loop gets a turn.
const STREAK: u32 = 8;

static BRIDGES: Mutex<Vec<Py<Bridge>>> = Mutex::new(Vec::new());
static SHARED: Mutex<Option<Py<Bridge>>> = Mutex::new(None);

/// What this thread used last.
struct Here {
    bridge: Py<Bridge>,
    event_loop: Py<PyAny>,
    create_future: Py<PyAny>,
    forks: u32,
    _hook: Option<Py<PyAny>>,
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
    static NEWS: RefCell<Vec<Arc<Ticket>>> = const { RefCell::new(Vec::new()) };
    /// Loops of this thread that watch the shared bridge.
    static WATCHING: RefCell<Vec<Py<PyAny>>> = const { RefCell::new(Vec::new()) };
}

struct Owner {
    thread: u64,
    event_loop: Option<Py<PyAny>>,
}

/// See the module.
#[pyclass(frozen, weakref, module = "data_bridge.core._native")]
pub struct Bridge {
    /// The slots.
    pub executor: Executor<Ticket>,
    owner: Mutex<Owner>,
    streak: AtomicU32,
}

fn running_loop<'py>(py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let l = env(py)?.running_loop.bind(py).call0()?;
    Ok((!l.is_none()).then_some(l))
}

fn weak<'py>(l: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
    Ok(l.py().import("weakref")?.getattr("ref")?.call1((l,))?.unbind())
}

fn alive<'py>(py: Python<'py>, weak: &Py<PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let l = weak.bind(py).call0()?;
    Ok((!l.is_none()).then_some(l))
}

impl Bridge {
    fn make(py: Python<'_>, kind: Kind, thread: u64) -> PyResult<Py<Self>> {
        let executor = Executor::new(kind)?;
        Py::new(py, Self { executor, owner: Mutex::new(Owner { thread, event_loop: None }), streak: AtomicU32::new(0) })
    }

    fn is_shared(&self) -> bool {
        self.owner.lock().expect("a bridge's owner").thread == 0
    }

    /// For this thread, or for all: never for another, never for a fork.
    fn mine(&self) -> PyResult<()> {
        if self.executor.home.born != fork::count() {
            return Err(PyRuntimeError::new_err("this connection belongs to the parent process"));
        }
        let owner = self.owner.lock().expect("a bridge's owner").thread;
        if owner != 0 && owner != ready_thread() {
            return Err(PyRuntimeError::new_err(
                "this connection belongs to the event loop of another thread: run the coroutine there \
                 (asyncio.run_coroutine_threadsafe), or leave the inherited transaction with detached()",
            ));
        }
        Ok(())
    }

    /// The bridge of this thread: of the running loop, or for a blocking caller.
    pub fn current(py: Python<'_>) -> PyResult<Py<Self>> {
        let event_loop = running_loop(py)?;
        let known = HERE.with_borrow(|here| {
            // A bridge whose loop was closed may have been adopted by another thread meanwhile.
            let ours = |h: &&Here| h.forks == fork::count() && h.bridge.bind(py).get().mine().is_ok();
            here.as_ref().filter(ours).map(|h| (h.bridge.clone_ref(py), h.event_loop.clone_ref(py)))
        });
        if let (Some(l), Some((bridge, of))) = (&event_loop, &known)
            && of.bind(py).call0()?.is(l)
        {
            return Ok(bridge.clone_ref(py));
        }
        let known = known.map(|k| k.0);
        match event_loop {
            Some(l) => Self::attach(py, &l, known),
            None => match known {
                Some(bridge) => Ok(bridge),
                None => Self::take_free(py),
            },
        }
    }

    /// A free bridge, or a new one; it belongs to this thread from now on.
    fn take_free(py: Python<'_>) -> PyResult<Py<Self>> {
        let all: Vec<_> = BRIDGES.lock().expect("the bridges").iter().map(|b| b.clone_ref(py)).collect();
        let wanted = kind();
        for bridge in all {
            let b = bridge.bind(py).get();
            let is_thread = b.executor.home.reactor.shared();
            if b.executor.home.born == fork::count() && is_thread == (wanted == Kind::Thread) && b.is_free(py)? {
                b.adopt();
                return Ok(bridge);
            }
        }
        let bridge = Self::make(py, wanted, ready_thread())?;
        BRIDGES.lock().expect("the bridges").push(bridge.clone_ref(py));
        Ok(bridge)
    }

    /// Whether the loop that used it is closed or gone.
    fn is_free(&self, py: Python<'_>) -> PyResult<bool> {
        let (thread, event_loop) = {
            let owner = self.owner.lock().expect("a bridge's owner");
            (owner.thread, owner.event_loop.as_ref().map(|l| l.clone_ref(py)))
        };
        if thread == ready_thread() {
            return Ok(true);
        }
        match event_loop {
            None => Ok(false), // a blocking caller of another thread
            Some(l) => match alive(py, &l)? {
                Some(l) => l.call_method0("is_closed")?.extract(),
                None => Ok(true),
            },
        }
    }

    /// Takes over for this thread; who waited in a closed loop waits no more.
    fn adopt(&self) {
        {
            let mut owner = self.owner.lock().expect("a bridge's owner");
            owner.thread = ready_thread();
            owner.event_loop = None;
        }
        self.abandon_all();
    }

    fn abandon_all(&self) {
        for ticket in self.executor.tickets() {
            ticket.reply.abandon();
        }
        self.executor.home.ready.bell.ring();
    }

    fn attach(py: Python<'_>, event_loop: &Bound<'_, PyAny>, known: Option<Py<Self>>) -> PyResult<Py<Self>> {
        let bridge = match known {
            Some(b) => b,
            None => Self::take_free(py)?,
        };
        let b = bridge.bind(py).get();
        let before = b.owner.lock().expect("a bridge's owner").event_loop.take();
        if let Some(before) = before {
            let closed = match alive(py, &before)? {
                Some(l) => l.call_method0("is_closed")?.extract()?,
                None => true,
            };
            if closed {
                b.abandon_all();
            }
        }
        let weak_loop = weak(event_loop)?;
        b.owner.lock().expect("a bridge's owner").event_loop = Some(weak_loop.clone_ref(py));
        b.watch(event_loop, bridge.bind(py))?;
        let hook = py.import("data_bridge.core._loop_hooks")?.call_method1("hook", (&bridge,))?.unbind();
        let here = Here {
            bridge: bridge.clone_ref(py),
            event_loop: weak_loop,
            create_future: event_loop.getattr("create_future")?.unbind(),
            forks: fork::count(),
            _hook: Some(hook),
        };
        let old = HERE.with_borrow_mut(|h| h.replace(here));
        if let Some(old) = old {
            if old.forks == fork::count() { drop(old) } else { std::mem::forget(old) }
        }
        b.executor.home.ready.bell.ring(); // notes of the time between
        Ok(bridge)
    }

    fn watch(&self, event_loop: &Bound<'_, PyAny>, own: &Bound<'_, Self>) -> PyResult<()> {
        let fd = self.executor.home.reactor.watch();
        event_loop.call_method1("add_reader", (fd, own.getattr("turn")?)).map_err(|e| {
            let py = event_loop.py();
            let why = crate::errors::named(
                py,
                "ConfigurationError",
                "this event loop has no add_reader (on Windows use a SelectorEventLoop)",
            );
            why.set_cause(py, Some(e));
            why
        })?;
        Ok(())
    }

    /// The bridge that all threads share, watched by the running loop if there is one.
    pub fn shared(py: Python<'_>) -> PyResult<Py<Self>> {
        let known = SHARED.lock().expect("the shared bridge").as_ref().map(|b| b.clone_ref(py));
        let bridge = match known.filter(|b| b.bind(py).get().executor.home.born == fork::count()) {
            Some(b) => b,
            None => {
                let b = Self::make(py, Kind::Thread, 0)?;
                let old = SHARED.lock().expect("the shared bridge").replace(b.clone_ref(py));
                std::mem::forget(old);
                b
            }
        };
        bridge.bind(py).get().watch_here(bridge.bind(py))?;
        Ok(bridge)
    }

    /// The running loop of this thread watches this bridge from now on, if it does not yet.
    pub fn watch_here(&self, own: &Bound<'_, Self>) -> PyResult<()> {
        let py = own.py();
        if !self.is_shared() {
            return Ok(());
        }
        let Some(l) = running_loop(py)? else { return Ok(()) };
        let loops: Vec<_> = WATCHING.with_borrow(|w| w.iter().map(|l| l.clone_ref(py)).collect());
        let mut live = vec![];
        for w in loops {
            match alive(py, &w)? {
                Some(x) if x.is(&l) => return Ok(()),
                Some(_) => live.push(w),
                None => {}
            }
        }
        live.push(weak(&l)?);
        self.watch(&l, own)?;
        WATCHING.with_borrow_mut(|w| *w = live);
        Ok(())
    }

    /// A future of the running loop, and the loop.
    pub fn future<'py>(own: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Py<PyAny>)> {
        let py = own.py();
        own.get().mine()?;
        let Some(l) = running_loop(py)? else {
            return Err(PyRuntimeError::new_err(
                "no event loop of asyncio is running: await the operation in a coroutine that asyncio or uvloop runs (Trio is \
                 not supported)",
            ));
        };
        own.get().watch_here(own)?;
        let create = HERE.with_borrow(|h| {
            h.as_ref()
                .filter(|h| h.forks == fork::count())
                .map(|h| (h.create_future.clone_ref(py), h.event_loop.clone_ref(py)))
        });
        if let Some((create, of)) = create
            && of.bind(py).call0()?.is(&l)
        {
            return Ok((create.bind(py).call0()?, l.unbind()));
        }
        Ok((l.call_method0("create_future")?, l.unbind()))
    }

    /// Starts an operation: what it sends leaves before this returns.
    pub fn start(own: &Bound<'_, Self>, task: Task, ticket: Arc<Ticket>) -> PyResult<Op> {
        let (py, b) = (own.py(), own.get());
        b.mine()?;
        let mut news = NEWS.with_borrow_mut(take);
        let ready = &b.executor.home.ready;
        b.executor.start(task, ticket.clone(), |slot| ticket.reply.placed(ready, slot), &mut news);
        for t in news.drain(..) {
            drain(py, b, &t);
        }
        NEWS.with_borrow_mut(|n| *n = news);
        if ticket.with(|p| p.done) && b.streak.fetch_add(1, Relaxed) >= STREAK {
            b.streak.store(0, Relaxed);
            ticket.with(|p| p.breathe = true);
        }
        Ok(Op { ticket, bridge: own.clone().unbind() })
    }

    fn pass(&self, py: Python<'_>) {
        self.streak.store(0, Relaxed);
        let mut news = NEWS.with_borrow_mut(take);
        self.executor.turn(&mut news);
        for t in news.drain(..) {
            drain(py, self, &t);
        }
        NEWS.with_borrow_mut(|n| *n = news);
    }

    /// Sets the result of a future whose loop runs in another thread.
    pub fn tell_elsewhere(&self, py: Python<'_>, event_loop: &Py<PyAny>, future: &Py<PyAny>) -> PyResult<()> {
        let resolve = py.import("data_bridge.core._loop_hooks")?.getattr("resolve")?;
        event_loop.call_method1(py, "call_soon_threadsafe", (resolve, future))?;
        Ok(())
    }

    /// In the child of a fork: leaks it and returns the descriptors to close.
    fn forget(&self) -> Vec<i32> {
        self.executor.forget()
    }
}

#[pymethods]
impl Bridge {
    /// The reader callback: one look at the sockets, without waiting.
    fn turn(&self, py: Python<'_>) {
        if self.executor.home.born != fork::count() {
            return;
        }
        let owner = self.owner.lock().expect("a bridge's owner").thread;
        if owner != 0 && owner != ready_thread() {
            // Adopted by another thread: a reader that was left behind would spin.
            if let Ok(Some(l)) = running_loop(py) {
                let _ = l.call_method1("remove_reader", (self.executor.home.reactor.watch(),));
            }
            return;
        }
        self.pass(py);
    }

    /// Blocks until `op` has ended and returns its result. The interpreter is released while waiting.
    #[pyo3(signature = (op, timeout=None))]
    fn wait(&self, py: Python<'_>, op: &Bound<'_, Op>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        self.mine()?;
        let shared = self.is_shared();
        if !shared && running_loop(py)?.is_some() {
            return Err(PyRuntimeError::new_err("the event loop of this thread is running: use await"));
        }
        let until = timeout.map(|t| Instant::now() + Duration::from_secs_f64(t.clamp(0.0, 1e9)));
        // Another thread may take the news of a shared bridge; look again soon.
        let patience = if shared { 2 } else { 50 };
        loop {
            if op.get().ticket.with(|p| p.done) {
                return crate::event_loop::completion::resume(py, &op.get().ticket);
            }
            if until.is_some_and(|u| Instant::now() > u) {
                return Err(PyTimeoutError::new_err("the operation has not ended in time"));
            }
            self.sleep(py, patience);
            py.check_signals()?;
            self.pass(py);
        }
    }

    /// For a thread whose loop does not run: waits for news, `milliseconds` at most, and lets them happen.
    fn pump(&self, py: Python<'_>, milliseconds: i32) -> PyResult<()> {
        self.mine()?;
        self.sleep(py, milliseconds);
        self.pass(py);
        Ok(())
    }

    /// Operations that were given up, or that were answered, and whose connection is not at rest yet, and
    /// connections that are being made.
    fn dying(&self) -> usize {
        self.executor.tickets().iter().filter(|t| t.reply.wanted() != Wanted::Yes || t.with(|p| p.done)).count()
            + self.executor.home.count_unsettled()
    }

    /// Futures that have not ended, background work included.
    fn pending(&self) -> usize {
        self.executor.pending()
    }

    /// "loop" or "thread".
    #[getter]
    fn reactor(&self) -> &'static str {
        if self.executor.home.reactor.shared() { "thread" } else { "loop" }
    }
}

impl Bridge {
    fn sleep(&self, py: Python<'_>, milliseconds: i32) {
        let fd = self.executor.home.reactor.watch();
        py.detach(|| {
            let mut p = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            // SAFETY: one valid entry.
            unsafe { libc::poll(&mut p, 1, milliseconds) };
        });
    }
}

/// The bridge of this thread.
#[pyfunction]
pub fn current_bridge(py: Python<'_>) -> PyResult<Py<Bridge>> {
    Bridge::current(py)
}

/// The bridge that all threads share.
#[pyfunction]
pub fn shared_bridge(py: Python<'_>) -> PyResult<Py<Bridge>> {
    Bridge::shared(py)
}

/// Reactors of this process: kind and number of unfinished futures of each.
#[pyfunction]
pub fn reactors(py: Python<'_>) -> Vec<(&'static str, usize)> {
    let all: Vec<_> = BRIDGES.lock().expect("the bridges").iter().map(|b| b.clone_ref(py)).collect();
    all.iter().map(|b| (b.bind(py).get().reactor(), b.bind(py).get().pending())).collect()
}

/// In the child of a fork: gives up all bridges without a destructor; returns descriptors to close by number.
pub fn forget_all(py: Python<'_>) -> Vec<i32> {
    let mut fds = vec![];
    let mut give_up = |bridge: Py<Bridge>| {
        fds.extend(bridge.bind(py).get().forget());
        std::mem::forget(bridge);
    };
    if let Ok(mut all) = BRIDGES.try_lock() {
        take(&mut *all).into_iter().for_each(&mut give_up);
    }
    if let Ok(mut shared) = SHARED.try_lock()
        && let Some(b) = shared.take()
    {
        give_up(b);
    }
    HERE.with_borrow_mut(|h| std::mem::forget(h.take()));
    WATCHING.with_borrow_mut(|w| std::mem::forget(take(w)));
    fds
}
