//! The memory budget: what its thread sees, and what it tells the workers.

use super::*;

fn pool() -> Arc<Pool> {
    Arc::new(Pool::new(1).expect("a mailbox"))
}

#[test]
fn a_stir_wakes_a_thread_that_sleeps_and_only_then_costs_more_than_a_look() {
    let memory = Memory::default();
    memory.stir();
    assert!(memory.stirred.load(Ordering::Relaxed));
    memory.asleep.store(true, Ordering::SeqCst);
    memory.stir();
    assert!(memory.asleep.load(Ordering::SeqCst), "it looked before it slept, and saw the stir");
    memory.stirred.store(false, Ordering::SeqCst);
    memory.stir();
    assert!(!memory.asleep.load(Ordering::SeqCst));
}

#[test]
fn the_thread_tells_the_workers_and_sleeps_when_nothing_happens() {
    let pool = pool();
    let (logs, _) = Logs::start(false, 0).expect("a log thread");
    pool.memory.configure(1 << 20);
    watch(&pool, Gauge::open(), &logs).expect("a thread");
    let told = || pool.mailboxes[0].collect().iter().any(|o| matches!(o, Order::Memory));
    pen_test::until("the workers to be told", || told().then_some(()));
    assert_eq!(pool.memory.stage(), Stage::Critical, "no test process fits into a megabyte");
    assert!(pool.memory.row().used > 1 << 20);
    pool.memory.configure(1 << 44);
    pen_test::until("calm", || (pool.memory.stage() == Stage::Calm).then_some(()));
    let sleeps = || pool.memory.asleep.load(Ordering::SeqCst).then_some(());
    pen_test::until("sleep", sleeps);
    pool.memory.stir();
    assert!(sleeps().is_none() || !pool.memory.stirred.load(Ordering::SeqCst));
    pen_test::until("sleep again", sleeps);
    let _ = told();
    pool.memory.want_look();
    pen_test::until("who waits for a look to be told", || told().then_some(()));
    pen_test::until("sleep at last", sleeps);
}
