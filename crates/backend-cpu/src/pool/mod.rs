//! A small pool of threads that live as long as the backend.
//!
//! A decoded token is hundreds of short parallel regions, so threads wait for the next region by
//! spinning for some microseconds, then they yield, then they sleep: a waiting thread costs a busy
//! neighbour nothing. Work is handed out item by item, so a thread that is interrupted takes
//! fewer items. Who computes an item never changes its bits.
//!
//! Refuses: nested regions, results that depend on the number of threads.

mod tiles;

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};

pub(crate) use tiles::{Tile, Tiles};

/// Pauses before a waiting thread begins to yield: some tens of microseconds.
const SPINS: usize = 600;
/// Yields before it sleeps.
const YIELDS: usize = 16;

/// What all threads of a region run; its true lifetime is the region.
type Task = dyn Fn() + Sync;

struct Shared {
    /// Counts regions; a change is the signal to start.
    epoch: AtomicUsize,
    /// The region's task, valid while `remaining` is not zero.
    task: UnsafeCell<Option<*const Task>>,
    /// Threads, besides the caller's, that have not finished the region.
    remaining: AtomicUsize,
    stop: AtomicBool,
    /// Per thread, whether it sleeps or is about to.
    asleep: Vec<AtomicBool>,
    /// The caller, if it sleeps until the region is finished.
    waiting_caller: Mutex<Option<Thread>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

#[expect(unsafe_code, reason = "the task crosses threads as a raw pointer")]
// SAFETY: `task` is written only while no thread is in a region and read only inside one; `epoch`
// (released, acquired) and `remaining` order the two. Everything else is synchronised by type.
unsafe impl Sync for Shared {}

#[expect(unsafe_code, reason = "the task crosses threads as a raw pointer")]
// SAFETY: the pointee is `Sync`, and `Pool::run` keeps it alive until all threads are done.
unsafe impl Send for Shared {}

/// Threads that wait for regions of work.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of `n_threads` threads, the caller's own among them.
    pub(crate) fn new(n_threads: usize) -> Self {
        let n_spawned = n_threads.max(1) - 1;
        let shared = Arc::new(Shared {
            epoch: AtomicUsize::new(0),
            task: UnsafeCell::new(None),
            remaining: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            asleep: (0..n_spawned).map(|_| AtomicBool::new(false)).collect(),
            waiting_caller: Mutex::new(None),
            panic: Mutex::new(None),
        });
        let spawn = |i: usize| {
            let shared = Arc::clone(&shared);
            let builder = thread::Builder::new().name(format!("cpu-{}", i + 1));
            // Fewer threads than asked for is slower, not wrong.
            builder.spawn(move || shared.serve(i)).ok()
        };
        let threads = (0..n_spawned).map_while(spawn).collect();
        Self { shared, threads }
    }

    /// Threads that run a region, the caller's among them.
    pub(crate) fn n_threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs `f` on every item, each thread with one of `states`, of which there must be enough.
    ///
    /// A panic of `f` on any thread is raised here once all threads are done.
    pub(crate) fn for_each<S, I, F>(&mut self, states: &mut [S], items: I, f: F)
    where
        S: Send,
        I: Iterator + Send,
        F: Fn(&mut S, I::Item) + Sync,
    {
        assert!(states.len() >= self.n_threads(), "one state per thread");
        if self.threads.is_empty() || items.size_hint().1.is_some_and(|n| n <= 1) {
            let state = &mut states[0];
            return items.for_each(|item| f(state, item));
        }
        let (states, items) = (Mutex::new(states.iter_mut()), Mutex::new(items));
        self.run(&|| {
            let state = lock(&states).next().expect("one state per thread");
            loop {
                // A statement of its own: the lock must not be held while the item is worked on.
                let item = lock(&items).next();
                match item {
                    Some(item) => f(state, item),
                    None => break,
                }
            }
        });
    }

    /// Runs `task` once on every thread and waits for all of them.
    fn run(&mut self, task: &(dyn Fn() + Sync)) {
        let shared = &*self.shared;
        #[expect(unsafe_code, reason = "the task crosses threads as a raw pointer")]
        #[expect(clippy::transmute_ptr_to_ptr, reason = "only a transmute changes the lifetime")]
        // SAFETY: no thread is in a region here: `&mut self`, and the last region was waited for.
        // The lifetime is erased; the task is not used after this function returns, because it
        // waits for `remaining` to reach zero on every path, panics included.
        unsafe {
            *shared.task.get() =
                Some(std::mem::transmute::<*const (dyn Fn() + Sync + '_), *const Task>(task));
        }
        shared.remaining.store(self.threads.len(), Ordering::Relaxed);
        shared.epoch.fetch_add(1, Ordering::SeqCst);
        for (asleep, thread) in shared.asleep.iter().zip(&self.threads) {
            if asleep.load(Ordering::SeqCst) {
                thread.thread().unpark();
            }
        }
        let own = catch_unwind(AssertUnwindSafe(task));
        shared.wait_until_finished();
        let others = lock(&shared.panic).take();
        if let Some(payload) = own.err().or(others) {
            resume_unwind(payload);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A thread ends by returning; what it panicked with was raised in its region.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The life of thread `i`: one region after the other.
    fn serve(&self, i: usize) {
        let mut epoch = 0;
        loop {
            epoch = self.wait_for_region(i, epoch);
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            #[expect(unsafe_code, reason = "the task crosses threads as a raw pointer")]
            // SAFETY: the epoch has changed, so the caller has written the task and keeps it alive
            // until this thread has counted itself out of `remaining`.
            let task = unsafe { &*(*self.task.get()).expect("a region has a task") };
            if let Err(payload) = catch_unwind(AssertUnwindSafe(task)) {
                lock(&self.panic).get_or_insert(payload);
            }
            if self.remaining.fetch_sub(1, Ordering::SeqCst) == 1
                && let Some(caller) = lock(&self.waiting_caller).take()
            {
                caller.unpark();
            }
        }
    }

    /// Waits until the epoch is not `seen` and returns it.
    fn wait_for_region(&self, i: usize, seen: usize) -> usize {
        let changed = || Some(self.epoch.load(Ordering::SeqCst)).filter(|epoch| *epoch != seen);
        if let Some(epoch) = spin(changed) {
            return epoch;
        }
        self.asleep[i].store(true, Ordering::SeqCst);
        loop {
            // Checked after `asleep` is set: the caller changes the epoch before it looks there.
            if let Some(epoch) = changed() {
                self.asleep[i].store(false, Ordering::SeqCst);
                return epoch;
            }
            thread::park();
        }
    }

    fn wait_until_finished(&self) {
        let finished = || (self.remaining.load(Ordering::SeqCst) == 0).then_some(());
        if spin(finished).is_some() {
            return;
        }
        *lock(&self.waiting_caller) = Some(thread::current());
        // Checked after the caller is named: the last thread counts itself out before it looks.
        while finished().is_none() {
            thread::park();
        }
        lock(&self.waiting_caller).take();
    }
}

/// Polls for a while, first with pauses, then giving the processor to others.
fn spin<T>(poll: impl Fn() -> Option<T>) -> Option<T> {
    for _ in 0..SPINS {
        if let Some(found) = poll() {
            return Some(found);
        }
        std::hint::spin_loop();
    }
    for _ in 0..YIELDS {
        if let Some(found) = poll() {
            return Some(found);
        }
        thread::yield_now();
    }
    None
}

/// Locks also after a panic: nothing here is left half changed by one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_item_is_worked_on_once(n_threads in 1_usize..9, lens in prop::collection::vec(0_usize..300, 1..6)) {
            let mut pool = Pool::new(n_threads);
            let mut states = vec![0_usize; pool.n_threads()];
            for len in lens {
                let mut counts = vec![0_u32; len];
                states.fill(0);
                pool.for_each(&mut states, counts.iter_mut(), |seen, count| {
                    *seen += 1;
                    *count += 1;
                });
                prop_assert!(counts.iter().all(|count| *count == 1));
                prop_assert_eq!(states.iter().sum::<usize>(), len);
            }
        }
    }

    #[test]
    fn a_panic_surfaces_and_the_pool_goes_on() {
        let mut pool = Pool::new(4);
        let mut states = vec![(); 4];
        for bad in [0, 7, 99] {
            let region = AssertUnwindSafe(|| {
                pool.for_each(&mut states, 0..100, |(), i| assert_ne!(i, bad));
            });
            assert!(catch_unwind(region).is_err(), "item {bad} must be heard");
        }
        let mut done = [false; 50];
        pool.for_each(&mut states, done.iter_mut(), |(), done| *done = true);
        assert!(done.iter().all(|done| *done));
    }

    #[test]
    fn sleeping_threads_wake_up() {
        let mut pool = Pool::new(3);
        let mut states = vec![(); 3];
        for _ in 0..5 {
            thread::sleep(std::time::Duration::from_millis(20));
            let mut done = [false; 64];
            pool.for_each(&mut states, done.iter_mut(), |(), done| *done = true);
            assert_eq!(done, [true; 64]);
        }
    }
}
