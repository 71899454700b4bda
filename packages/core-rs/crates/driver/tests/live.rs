//! The driver without Python, on the PostgreSQL of $DATA_BRIDGE_TEST_URL; without one, only what needs no server.
//!
//! `python -m data_bridge.testing server run -- cargo test -p data-bridge-driver` brings a server.
use data_bridge_driver::config::Reset;
use data_bridge_driver::config::{Config, Limits, Target, Tls};
use data_bridge_driver::connection::Work;
use data_bridge_driver::connection::effect::Effect;
use data_bridge_driver::connection::text::Text;
use data_bridge_driver::event_loop::reactor::Kind;
use data_bridge_driver::event_loop::run_queue::Task;
use data_bridge_driver::execution::single::single;
use data_bridge_driver::{Arguments, Error, Executor, Lease, Pool, Reply, Row, Shield, Status, Step};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

const KINDS: [Kind; 2] = [Kind::Loop, Kind::Thread];

fn config() -> Option<Config> {
    let url = std::env::var("DATA_BRIDGE_TEST_URL").ok()?;
    let rest = url.split_once("://")?.1;
    let (login, place) = rest.split_once('@')?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (address, database) = place.split_once('/')?;
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "5432"));
    Some(Config {
        hosts: vec![(host.to_owned(), port.parse().ok()?)],
        user: user.to_owned(),
        passwords: data_bridge_driver::config::Passwords::Known(vec![Some(data_bridge_driver::config::Secret(
            password.to_owned(),
        ))]),
        database: Some(database.split('?').next()?.to_owned()),
        tls: Tls::Prefer,
        root_certificate: None,
        certificate: None,
        key: None,
        application_name: Some("driver tests".to_owned()),
        settings: BTreeMap::new(),
        setup: String::new(),
        target: Target::Any,
        connect_timeout: Duration::from_secs(10),
        statement_cache: 100,
    })
}

fn limits(max: usize) -> Limits {
    Limits {
        min: 0,
        max,
        acquire_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        max_lifetime: Duration::from_secs(600),
        session_reset: Reset::Auto,
        control: false,
    }
}

/// Turns `executor` until `done`, waiting at its descriptor as an event loop does.
fn turn_until(executor: &Executor<()>, done: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    let mut news = Vec::new();
    while !done() {
        assert!(Instant::now() < until, "nothing happened for 20 s");
        let mut asked = libc::pollfd { fd: executor.home.reactor.watch(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which lives longer than the call.
        unsafe { libc::poll(&raw mut asked, 1, 200) };
        executor.turn(&mut news);
    }
}

fn start(executor: &Executor<()>, task: Task, reply: &Arc<Reply>) {
    executor.start(task, Arc::new(()), |slot| reply.placed(&executor.home.ready, slot), &mut Vec::new());
}

fn query(sql: &str) -> Work {
    Work::Query {
        text: Text { sql: sql.into(), key: 0, commits: false, is_kept: true, query: None }.into(),
        args: Some((Arguments::default(), [].into())),
        afresh: false,
    }
}

/// Runs one statement on any connection of the pool; its rows as text of their first column.
fn run(executor: &Executor<()>, pool: &Arc<Pool>, sql: &str) -> Result<Vec<i32>, Error> {
    let reply = Reply::new(None, Shield::No);
    start(
        executor,
        Box::pin(single(pool.clone(), executor.home.clone(), query(sql), Effect::default(), reply.clone())),
        &reply,
    );
    let ended = std::cell::RefCell::new((Vec::new(), None));
    turn_until(executor, || {
        let mut arrived = reply.take();
        let (rows, end) = &mut *ended.borrow_mut();
        rows.append(&mut arrived.rows);
        *end = arrived.end.or(end.take());
        end.is_some()
    });
    let (rows, end) = ended.into_inner();
    end.expect("an end")?;
    Ok(rows
        .iter()
        .map(|r| {
            r.try_get_raw(0)
                .map_or(0, |v| i32::from_be_bytes(v.as_bytes().unwrap_or(&[0; 4]).try_into().unwrap_or_default()))
        })
        .collect())
}

#[test]
fn time_wakes_a_sleeper_under_both_reactors() {
    for kind in KINDS {
        let executor = Executor::<()>::new(kind).expect("an executor");
        let woken = Arc::new(AtomicBool::new(false));
        let (seen, home) = (woken.clone(), executor.home.clone());
        let started = Instant::now();
        let at = started + Duration::from_millis(80);
        let sleep = async move {
            home.reactor.sleep(at).await;
            seen.store(true, SeqCst);
        };
        start(&executor, Box::pin(sleep), &Reply::new(None, Shield::No));
        turn_until(&executor, || woken.load(SeqCst));
        assert!(started.elapsed() >= Duration::from_millis(80), "{kind:?} woke too early");
        assert_eq!(executor.pending(), 0);
    }
}

#[test]
fn a_connection_serves_one_statement_after_another() {
    let Some(config) = config() else { return };
    for kind in KINDS {
        let executor = Executor::new(kind).expect("an executor");
        let pool = Pool::new(config.clone(), limits(2));
        for i in 0..20 {
            assert_eq!(run(&executor, &pool, &format!("SELECT {i}")).expect("a row"), [i]);
        }
        assert_eq!(run(&executor, &pool, "SELECT g FROM generate_series(1, 1000) g").expect("rows").len(), 1000);
        assert_eq!(pool.stats().opened, 1);
    }
}

#[test]
fn whoever_gives_up_leaves_a_clean_connection() {
    let Some(config) = config() else { return };
    for kind in KINDS {
        let executor = Executor::new(kind).expect("an executor");
        let pool = Pool::new(config.clone(), limits(1));
        for i in 0..5 {
            let reply = Reply::new(None, Shield::No);
            let work = query("SELECT 1 FROM pg_sleep(30)");
            let task = single(pool.clone(), executor.home.clone(), work, Effect::default(), reply.clone());
            start(&executor, Box::pin(task), &reply);
            turn_until(&executor, || reply.process() != 0);
            reply.abandon();
            // The statement behind it waits for the only connection, and sees nothing of the cancel.
            assert_eq!(run(&executor, &pool, &format!("SELECT {i}")).expect("a row"), [i]);
        }
        assert_eq!((pool.stats().opened, pool.stats().closed_broken), (1, 0), "{kind:?}");
    }
}

#[test]
fn a_deadline_ends_the_wait_and_the_statement() {
    let Some(config) = config() else { return };
    for kind in KINDS {
        let executor = Executor::new(kind).expect("an executor");
        let pool = Pool::new(config.clone(), limits(1));
        run(&executor, &pool, "SELECT 1").expect("a row");
        let reply = Reply::new(Some((Instant::now() + Duration::from_millis(100), 0.1)), Shield::No);
        let work = query("SELECT 1 FROM pg_sleep(30)");
        start(
            &executor,
            Box::pin(single(pool.clone(), executor.home.clone(), work, Effect::default(), reply.clone())),
            &reply,
        );
        let end = std::cell::RefCell::new(None);
        turn_until(&executor, || {
            *end.borrow_mut() = reply.take().end;
            end.borrow().is_some()
        });
        assert!(matches!(end.into_inner(), Some(Err(Error::QueryTimeout(..)))), "{kind:?}");
        assert_eq!(run(&executor, &pool, "SELECT 7").expect("a row"), [7]);
        assert_eq!(pool.stats().opened, 1);
    }
}

#[test]
fn a_failed_transaction_is_known_to_be_failed() {
    let Some(config) = config() else { return };
    for kind in KINDS {
        let executor = Executor::new(kind).expect("an executor");
        let pool = Pool::new(config.clone(), limits(1));
        let lease = Lease::new(pool.clone(), executor.home.clone(), true);
        let step = |step: Step| {
            let reply = Reply::new(None, Shield::No);
            let (lease, answer) = (lease.clone(), reply.clone());
            start(&executor, Box::pin(async move { lease.run(step, answer).await }), &reply);
            let end = std::cell::RefCell::new(None);
            turn_until(&executor, || {
                *end.borrow_mut() = reply.take().end;
                end.borrow().is_some()
            });
            end.into_inner().expect("an end")
        };
        step(Step::Begin("BEGIN".into())).expect("BEGIN");
        assert_eq!(lease.status(), Status::Active);
        step(Step::Statement(query("SAVEPOINT s"), Effect::default())).expect("SAVEPOINT");
        let error = step(Step::Statement(query("SELECT 1/0"), Effect::default())).expect_err("division by zero");
        assert_eq!(error.sqlstate(), Some("22012"));
        assert_eq!(lease.status(), Status::Failed);
        step(Step::RollbackTo("ROLLBACK TO s".into())).expect("ROLLBACK TO");
        assert_eq!(lease.status(), Status::Active);
        step(Step::Statement(query("SELECT 1/0"), Effect::default())).expect_err("division by zero");
        assert!(step(Step::Commit(false)).is_err(), "a COMMIT that rolls back is an error");
        assert_eq!(run(&executor, &pool, "SELECT 3").expect("a row"), [3]);
    }
}
